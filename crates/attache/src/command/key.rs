//! `attache key`: the keys that sign a running server's tokens.

use std::process::ExitCode;

use attache_server::admin::api::{KeyList, KeyState, NewKey, Removed, SigningKey};
use clap::{Args, Subcommand};
use reqwest::Method;

use crate::{operator::Connection, output};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the keys: by algorithm, of each the newest first
    List,
    /// Makes a new key for each algorithm: it is published now, and signs after the configured notice; the one
    /// before it stays published until its last token has expired
    Rotate {
        /// It signs at once: whoever caches the published keys will refuse its tokens until asking again
        #[arg(long)]
        now: bool,
    },
    /// Takes a key out at once, with all tokens that it signed: for one that has leaked
    Retire {
        /// Its identifier
        id: String,
    },
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        match self.command {
            Command::List => operator.show(&operator.ask(Method::GET, &["keys"]).await?, table)?,
            Command::Rotate { now } => {
                operator.show(&operator.tell(&["keys"], &NewKey { immediately: now }).await?, table)?;
            }
            Command::Retire { id } => {
                let removed: Removed = operator.ask(Method::DELETE, &["keys", &id]).await?;
                operator.show(&removed, |_| {
                    format!("{id} is retired; the tokens that it signed are worth nothing now\n")
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(list: &KeyList) -> String {
    output::table(HEADINGS, list.keys.iter().map(row))
}

const HEADINGS: [&str; 6] = ["KEY", "ALGORITHM", "STATE", "PUBLISHED", "SIGNS FROM", "PUBLISHED UNTIL"];

fn row(key: &SigningKey) -> [String; 6] {
    let state = match key.state {
        KeyState::Next => "next",
        KeyState::Signing => "signing",
        KeyState::Verifying => "verifying",
    };
    [
        key.id.clone(),
        key.algorithm.to_string(),
        state.to_owned(),
        format!("{:.0}", key.created_at),
        format!("{:.0}", key.signs_from),
        key.published_until.map(|until| format!("{until:.0}")).unwrap_or_default(),
    ]
}
