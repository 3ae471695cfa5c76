//! `attache config`: every key, its value, its origin and its meaning.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;

use crate::{
    configuration::{self, Entry, Flags},
    output,
};

#[derive(Args)]
pub(crate) struct Show {
    /// The configuration file, TOML [`ATTACHE_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

/// A key as it is printed for programs.
#[derive(Serialize)]
struct Shown<'a> {
    key: &'static str,
    variable: String,
    flag: Option<String>,
    value: String,
    origin: &'a str,
    meaning: &'static str,
}

impl<'a> From<&'a Entry> for Shown<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            key: entry.key.name,
            variable: entry.key.variable(),
            flag: entry.key.flag.map(|flag| format!("--{}", flag.name())),
            value: entry.shown(),
            origin: &entry.origin,
            meaning: entry.key.meaning.trim(),
        }
    }
}

impl Show {
    /// Prints what is in force, and then what is wrong with it.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let loaded = configuration::load(self.config.as_deref(), std::env::vars_os(), self.flags.0)?;
        let shown: Vec<Shown> = loaded.entries.iter().map(Shown::from).collect();
        if self.json {
            output::print_json(&shown)?;
        } else {
            let rows =
                shown.into_iter().map(|it| [it.key.to_owned(), it.value, it.origin.to_owned(), it.meaning.to_owned()]);
            output::print(&output::table(["KEY", "VALUE", "ORIGIN", "MEANING"], rows))?;
        }
        configuration::settings(loaded)?;
        Ok(ExitCode::SUCCESS)
    }
}
