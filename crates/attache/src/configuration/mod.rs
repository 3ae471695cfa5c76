//! The configuration: a file, then the environment, then flags, each overriding the one before.
//!
//! Every value keeps its origin, and everything that is wrong is told at once. [`load`] reads the
//! values one by one; [`settings`] holds the whole against what a server may be started with.

mod flags;
mod keys;
mod settings;
mod value;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use config::{ConfigError, File, FileFormat, Map, Source, ValueKind};

pub(crate) use flags::Flags;
pub(crate) use keys::{Configuration, KEYS, Key};
pub(crate) use settings::settings;
use value::Value;
pub(crate) use value::{LogFormat, parse_duration};

/// Variables that are no key: the file itself, and the server that the operator's commands talk to.
const OTHER_VARIABLES: &[&str] = &[FILE_VARIABLE, URL_VARIABLE];
/// Names the file, as `--config` does.
pub(crate) const FILE_VARIABLE: &str = "ATTACHE_CONFIG";
/// Names the server that the operator's commands talk to, as `--url` does.
pub(crate) const URL_VARIABLE: &str = "ATTACHE_URL";

/// The origin of a value that nobody gave.
const DEFAULT: &str = "default";

/// What is given for one key in one place.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The name of the key.
    pub(crate) key: &'static str,
    /// The texts of its value.
    pub(crate) texts: Vec<String>,
    /// The place, in the words of whoever gave it.
    pub(crate) origin: String,
}

/// The values that are in force for one key, as they were given.
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: &'static Key,
    /// The texts of its value.
    pub(crate) texts: Vec<String>,
    /// Where they come from.
    pub(crate) origin: String,
}

impl Entry {
    /// The value as it may be shown.
    pub(crate) fn shown(&self) -> String {
        match (self.key.secret, self.texts.is_empty()) {
            (true, false) => "********".to_owned(),
            _ => self.texts.join(", "),
        }
    }

    fn is_default(&self) -> bool {
        self.origin == DEFAULT
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

#[derive(Debug)]
struct Fault {
    key: Option<&'static str>,
    sentence: String,
}

impl Faults {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, sentence: String) {
        self.0.push(Fault { key: None, sentence });
    }

    /// Adds what is wrong with a key, unless something was wrong with it before.
    fn add_about(&mut self, key: &'static str, sentence: String) {
        if !self.0.iter().any(|fault| fault.key == Some(key)) {
            self.0.push(Fault { key: Some(key), sentence });
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration needs a change (`attache config` shows it whole):")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {}", fault.sentence))
    }
}

impl std::error::Error for Faults {}

/// A configuration, with where it comes from and what is wrong with it.
pub(crate) struct Loaded {
    /// The values; in the place of a wrong one, the default.
    pub(crate) configuration: Configuration,
    /// The values as they were given, in the order of [`KEYS`].
    pub(crate) entries: Vec<Entry>,
    /// What is wrong.
    pub(crate) faults: Faults,
}

/// Reads the configuration from everywhere.
///
/// # Errors
/// Only if a default is wrong; what the user got wrong is in [`Loaded::faults`].
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    flags: Vec<Given>,
) -> Result<Loaded, Faults> {
    let mut faults = Faults::default();
    let environment = Environment::read(environment, &mut faults);
    let file = read_file(file.or(environment.file.as_deref()), &mut faults);
    let merged = config::Config::builder()
        .add_source(Layer(defaults()))
        .add_source(Layer(file))
        .add_source(Layer(environment.given))
        .add_source(Layer(flags))
        .build()
        .and_then(|config| config.cache.into_table());
    let mut values = Values { table: merged.unwrap_or_default(), entries: Vec::new(), faults };
    match Configuration::read(&mut values) {
        Some(configuration) => Ok(Loaded { configuration, entries: values.entries, faults: values.faults }),
        None => Err(values.faults),
    }
}

/// One place that gives values.
#[derive(Clone, Debug)]
struct Layer(Vec<Given>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        let value = |given: &Given| config::Value::new(Some(&given.origin), given.texts.clone());
        Ok(self.0.iter().map(|given| (given.key.to_owned(), value(given))).collect())
    }
}

fn defaults() -> Vec<Given> {
    let texts = |key: &Key| key.default.iter().map(|&text| text.to_owned()).collect();
    let mut defaults: Vec<Given> =
        KEYS.iter().map(|key| Given { key: key.name, texts: texts(key), origin: DEFAULT.to_owned() }).collect();
    let directory = directories::ProjectDirs::from("", "", "attache");
    if let (Some(directory), Some(given)) =
        (directory.as_ref().and_then(|it| it.data_dir().to_str()), defaults.iter_mut().find(|it| it.key == "data_dir"))
    {
        given.texts = vec![directory.to_owned()];
    }
    defaults
}

/// Reads a file: known keys with plain values or lists of such.
fn read_file(path: Option<&Path>, faults: &mut Faults) -> Vec<Given> {
    let Some(path) = path else { return Vec::new() };
    let shown = path.display();
    let table = match File::from(path).format(FileFormat::Toml).collect() {
        Ok(table) => table,
        Err(error) => {
            faults.add(format!("the file {shown} can't be read: {error}"));
            return Vec::new();
        }
    };
    let mut given = Vec::new();
    for (name, value) in table {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let nearest = nearest(&name, KEYS.iter().map(|key| key.name.to_owned()));
            faults.add(format!("{name} (in {shown}) is no key; the nearest is {nearest}"));
            continue;
        };
        match texts(value) {
            Some(texts) => given.push(Given { key: key.name, texts, origin: shown.to_string() }),
            None => faults
                .add_about(key.name, format!("{name} (in {shown}): a text, a number, a boolean or a list is needed")),
        }
    }
    given
}

/// The texts of a plain value, or of a list of such.
fn texts(value: config::Value) -> Option<Vec<String>> {
    if let ValueKind::Array(values) = value.kind {
        let mut all = Vec::new();
        for value in values {
            let [text] = <[String; 1]>::try_from(texts(value)?).ok()?;
            all.push(text);
        }
        return Some(all);
    }
    value.into_string().ok().map(|text| vec![text])
}

/// What the environment gives.
struct Environment {
    file: Option<PathBuf>,
    given: Vec<Given>,
}

impl Environment {
    fn read(variables: impl IntoIterator<Item = (OsString, OsString)>, faults: &mut Faults) -> Self {
        let mut environment = Self { file: None, given: Vec::new() };
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with("ATTACHE_")) else { continue };
            if name == FILE_VARIABLE {
                environment.file = Some(value.into());
            } else if OTHER_VARIABLES.contains(&name) {
                // Read by those who need it.
            } else if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
                match value.into_string() {
                    Ok(text) => environment.given.push(Given {
                        key: key.name,
                        texts: if key.is_list { split(&text) } else { vec![text] },
                        origin: name.to_owned(),
                    }),
                    Err(_) => faults.add_about(key.name, format!("{} ({name}): UTF-8 is needed", key.name)),
                }
            } else {
                let others = OTHER_VARIABLES.iter().map(|&variable| variable.to_owned());
                let nearest = nearest(name, KEYS.iter().map(Key::variable).chain(others));
                faults.add(format!("{name} (in the environment) is no variable of Attache; the nearest is {nearest}"));
            }
        }
        environment
    }
}

/// Splits a list of the environment at commas.
fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    known.max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b))).unwrap_or_default()
}

/// The merged values, while they are being read.
struct Values {
    table: Map<String, config::Value>,
    entries: Vec<Entry>,
    faults: Faults,
}

impl Values {
    /// Reads a key. A wrong value is noted and the default taken in its place, so that the rest can
    /// be read as well.
    fn read<T: Value>(&mut self, name: &'static str) -> Option<T> {
        let key = KEYS.iter().find(|key| key.name == name)?;
        let (texts, origin) = match self.table.remove(name) {
            Some(value) => {
                let origin = value.origin().unwrap_or(DEFAULT).to_owned();
                (texts(value).unwrap_or_default(), origin)
            }
            None => (Vec::new(), DEFAULT.to_owned()),
        };
        let value = T::read(&texts).or_else(|needed| {
            let it_is = if key.secret { String::new() } else { format!("; it is `{}`", texts.join(", ")) };
            self.faults.add_about(name, format!("{name} (from {origin}): {needed}{it_is}"));
            let default: Vec<String> = key.default.iter().map(|&text| text.to_owned()).collect();
            T::read(&default)
        });
        self.entries.push(Entry { key, texts, origin });
        value.ok()
    }
}

#[cfg(test)]
mod tests;
