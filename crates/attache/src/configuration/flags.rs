//! The flags that give keys, made from the list of keys.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

use super::{
    Given, KEYS,
    keys::{Flag, Key},
};

/// What the flags give.
#[derive(Clone, Debug)]
pub(crate) struct Flags(pub(crate) Vec<Given>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(KEYS.iter().filter_map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(key: &'static Key) -> Option<Arg> {
    let flag = key.flag?;
    let sets = match flag {
        Flag::Switch(_, text) => format!("Sets `{}` to `{text}`. ", key.name),
        Flag::Value(..) => String::new(),
    };
    let help = format!("{sets}{} [{}]", key.meaning.trim(), key.variable());
    let argument = Arg::new(key.name).long(flag.name()).help(help);
    Some(match flag {
        Flag::Switch(..) => argument.action(ArgAction::SetTrue),
        Flag::Value(_, value) if key.is_list => argument.value_name(value).action(ArgAction::Append),
        Flag::Value(_, value) => argument.value_name(value).action(ArgAction::Set),
    })
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for key in KEYS {
            let Some(flag) = key.flag else { continue };
            if matches.value_source(key.name) != Some(ValueSource::CommandLine) {
                continue;
            }
            let texts = match flag {
                Flag::Switch(_, text) => vec![text.to_owned()],
                Flag::Value(..) => matches.get_many::<String>(key.name).unwrap_or_default().cloned().collect(),
            };
            given.push(Given { key: key.name, texts, origin: format!("--{}", flag.name()) });
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
