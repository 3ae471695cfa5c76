//! A sample: cut out of a document, changed by a table of edits, run by its interpreter.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Attache, Log, eventually};

/// The document with samples in fenced blocks.
pub(super) const CODE_SAMPLES: &str = "telefonica-samplecode-devicestatus.md";
/// The document with one program, in plain text.
const PROGRAM: &str = "telefonica-samplecode-devicestatus-http.txt";

/// A change to a sample: what is found, what is put there, and why. In what is put, `{attache}` stands
/// for the address of Telefónica's root here, and `{app}` for that of the callback's server.
pub(super) struct Edit {
    place: Place,
    find: &'static str,
    put: &'static str,
    why: &'static str,
}

enum Place {
    Once,
    Everywhere,
    Last,
}

/// Changes a text that is there once.
pub(super) const fn once(find: &'static str, put: &'static str, why: &'static str) -> Edit {
    Edit { place: Place::Once, find, put, why }
}

/// Changes a text wherever it is.
pub(super) const fn everywhere(find: &'static str, put: &'static str, why: &'static str) -> Edit {
    Edit { place: Place::Everywhere, find, put, why }
}

/// Changes the last of several.
pub(super) const fn last(find: &'static str, put: &'static str, why: &'static str) -> Edit {
    Edit { place: Place::Last, find, put, why }
}

/// A sample of the documents, as far as it has been changed.
pub(super) struct Sample(String);

impl Sample {
    /// The `nth` fenced block of a title.
    pub(super) fn fenced(title: &str, nth: usize) -> Self {
        let blocks = fenced_blocks().into_iter().filter(|(other, _)| other == title);
        Self(blocks.map(|(_, text)| text).nth(nth - 1).unwrap_or_else(|| panic!("no block {title:?}, number {nth}")))
    }

    /// What is printed from a line on and before another, or to the end of the program.
    pub(super) fn between(first: &str, end: &str) -> Self {
        let document = document(PROGRAM);
        let text = &document[document.find(&format!("\n{first}")).unwrap() + 1..];
        // The document's table of contents has the same headings, before the code.
        let length = if end.is_empty() { text.len() } else { text.find(&format!("\n{end}")).unwrap() + 1 };
        Self(text[..length].to_owned())
    }

    /// This, changed.
    pub(super) fn with(self, edits: &[Edit]) -> Self {
        let mut text = self.0;
        for Edit { place, find, put, why } in edits {
            let places = text.matches(find).count();
            text = match place {
                Place::Once if places == 1 => text.replace(find, put),
                Place::Everywhere if places > 0 => text.replace(find, put),
                Place::Last if places > 0 => {
                    let (before, after) = text.rsplit_once(find).unwrap();
                    format!("{before}{put}{after}")
                }
                _ => panic!("{find:?} is there {places} times (to be changed for: {why}) in\n{text}"),
            };
        }
        Self(text)
    }

    /// This, and another after it.
    pub(super) fn then(self, next: &Self) -> Self {
        Self(format!("{}\n{}", self.0, next.0))
    }

    /// This, with another in place of a mark.
    pub(super) fn holding(self, mark: &str, other: &Self) -> Self {
        Self(self.0.replace(mark, &other.0))
    }

    /// This, with something around it that isn't the sample's.
    pub(super) fn inside(self, before: &str, after: &str) -> Self {
        Self(format!("{before}{}{after}", self.0))
    }

    /// This, further to the right.
    pub(super) fn indented(self, by: usize) -> Self {
        let margin = " ".repeat(by);
        Self(self.0.lines().flat_map(|line| [&margin, line, "\n"]).collect())
    }

    /// Runs it as a program of Python against a sandbox, to its end, and returns what it prints.
    pub(super) fn run_by_python(self) -> String {
        self.run("sample.py", || Command::new(tool("python/bin/python")))
    }

    /// Runs it as a module of Node.js.
    pub(super) fn run_by_node(self) -> String {
        self.run("sample.mjs", || Command::new("node"))
    }

    /// Runs it as the body of a program of Java.
    pub(super) fn run_by_java(self) -> String {
        let imports: String = [
            "java.net.*",
            "java.net.http.*",
            "java.net.http.HttpRequest.BodyPublishers",
            "java.net.http.HttpResponse.BodyHandlers",
            "java.nio.charset.StandardCharsets",
            "java.util.*",
            "org.json.JSONObject",
        ]
        .map(|name| format!("import {name};\n"))
        .concat();
        let class =
            format!("{imports}class Sample {{\npublic static void main(String[] arguments) throws Exception {{\n");
        self.inside(&class, "}\n}\n").run("Sample.java", || {
            let mut java = Command::new("java");
            java.args(["-cp", "/usr/share/java/json.jar"]);
            java
        })
    }

    fn run(self, file: &str, interpreter: impl Fn() -> Command) -> String {
        let attache = Attache::sandbox();
        let folder = tempfile::tempdir().unwrap();
        self.write(&folder.path().join(file), &[("{attache}", &attache.url("/telefonica"))]);
        let mut program = Program::start(interpreter().arg(file), folder.path());
        let status = eventually("the sample ends", || program.process.try_wait().unwrap());
        let printed = eventually("all is read that it has printed", || program.printed_to_the_end());
        assert!(status.success(), "the sample has failed:\n{printed}");
        printed
    }

    fn write(&self, path: &Path, names: &[(&str, &str)]) {
        let text = names.iter().fold(self.0.clone(), |text, (name, value)| text.replace(name, value));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A callback's server, registered with a sandbox as the app `samples`.
pub(super) struct Callback {
    attache: Attache,
    folder: TempDir,
    program: Program,
    /// Its address.
    app: String,
    /// Where it publishes what is in the folder `static`.
    pages: &'static str,
}

impl Callback {
    /// Starts a callback that is written for Flask.
    pub(super) fn by_python(sample: &Sample) -> Self {
        Self::start(sample, "callback.py", &tool("python/bin/python"), "/static")
    }

    /// Starts a callback that is written for Express.
    pub(super) fn by_node(sample: &Sample) -> Self {
        Self::start(sample, "callback.mjs", Path::new("node"), "")
    }

    fn start(sample: &Sample, file: &str, interpreter: &Path, pages: &'static str) -> Self {
        let attache = Attache::sandbox();
        let folder = tempfile::tempdir().unwrap();
        symlink(tool("node/node_modules"), folder.path().join("node_modules")).unwrap();
        sample.write(&folder.path().join(file), &[("{attache}", &attache.url("/telefonica"))]);
        let mut program = Program::start(Command::new(interpreter).arg(file), folder.path());
        let app = eventually("the callback's server says where it listens", || {
            let printed = program.printed();
            assert!(program.process.try_wait().unwrap().is_none(), "the callback's server has ended:\n{printed}");
            let line = printed.lines().find(|line| line.contains("unning on http://"))?;
            Some(format!("http://{}", line.rsplit_once("http://")?.1.trim()))
        });
        attache
            .admin(Method::POST, "/admin/v1/clients")
            .json(&json!({
                "publisher": "telefonica",
                "client_id": "samples",
                "client_secret": "samples-secret",
                "redirect_uris": [format!("{app}/device-status-callback")],
                "origins": [app],
                "scopes": ["device-status-roaming-read"],
            }))
            .says(201);
        Self { attache, folder, program, app, pages }
    }

    /// Opens a page, presses its button, and waits until the callback has printed `expected`.
    pub(super) fn after_the_form(self, page: &Sample, expected: &str) -> String {
        self.after(page, "button", expected)
    }

    /// Opens a page, which does the rest, and waits until the callback has printed `expected`.
    pub(super) fn after_the_script(self, page: &Sample, expected: &str) -> String {
        self.after(page, "", expected)
    }

    fn after(mut self, page: &Sample, button: &str, expected: &str) -> String {
        let names = [("{attache}", self.attache.url("/telefonica")), ("{app}", self.app.clone())];
        let names: Vec<(&str, &str)> = names.iter().map(|(name, value)| (*name, value.as_str())).collect();
        page.write(&self.folder.path().join("static/page.html"), &names);
        fs::write(self.folder.path().join("visit.mjs"), include_str!("visit.mjs")).unwrap();
        let address = format!("{}{}/page.html", self.app, self.pages);
        let mut visit = Program::start(Command::new("node").args(["visit.mjs", &address, button]), self.folder.path());
        eventually("the callback prints what it was told", || {
            let ended = visit.process.try_wait().unwrap();
            assert!(ended.is_none(), "the browser has failed:\n{}", visit.printed());
            assert!(
                self.program.process.try_wait().unwrap().is_none(),
                "the callback has failed:\n{}",
                self.program.printed()
            );
            self.program.printed().contains(expected).then_some(())
        });
        // The end of its input tells the visitor to close the browser.
        drop(visit.process.stdin.take());
        eventually("the browser closes", || visit.process.try_wait().unwrap());
        self.program.printed()
    }
}

/// A program that a test started; it ends with the test.
struct Program {
    process: Child,
    output: Log,
    errors: Log,
}

impl Program {
    fn start(command: &mut Command, folder: &Path) -> Self {
        let mut process = command
            .current_dir(folder)
            .envs([("PYTHONUNBUFFERED", "1"), ("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{} didn't start ({error}): cargo xtask tools", command.get_program().display())
            });
        let (output, errors) = (Log::default(), Log::default());
        output.follow(process.stdout.take().unwrap());
        errors.follow(process.stderr.take().unwrap());
        Self { process, output, errors }
    }

    /// What it has printed so far, as output and then as errors.
    fn printed(&self) -> String {
        format!("{}{}", self.output.text(), self.errors.text())
    }

    /// All that it has printed, once both streams have ended.
    fn printed_to_the_end(&self) -> Option<String> {
        (self.output.is_complete() && self.errors.is_complete()).then(|| self.printed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The titles of the blocks of code, in order.
pub(super) fn titles_of_fenced_blocks() -> Vec<String> {
    fenced_blocks().into_iter().map(|(title, _)| title).collect()
}

/// The blocks of code with their titles. A fence stands at the beginning of its line.
fn fenced_blocks() -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in document(CODE_SAMPLES).lines() {
        match (is_open, line.strip_prefix("```")) {
            (true, Some("")) => is_open = false,
            (false, Some(title)) if !title.is_empty() => {
                blocks.push((title.to_owned(), String::new()));
                is_open = true;
            }
            (true, _) => {
                let (_, text) = blocks.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
            (false, _) => {}
        }
    }
    blocks
}

/// A document of the publisher.
fn document(name: &str) -> String {
    let path = workspace().join("../shared/vendors").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\r\n", "\n")
}

/// A tool that `cargo xtask test` has installed.
fn tool(path: &str) -> PathBuf {
    workspace().join("target/tools").join(path)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
