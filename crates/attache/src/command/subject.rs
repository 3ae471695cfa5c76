//! `attache subject`: what is stored about a subscriber, to be handed out or forgotten.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use attache_core::PhoneNumber;
use attache_server::admin::api::Erased;
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
    /// Writes everything that is stored about a line, as JSON: the right of access
    Export {
        /// Its number, such as +33699901032
        number: PhoneNumber,
        /// The file, which must not exist; only you can read it. Absent: standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Forgets a subscriber for good: the right to erasure. What was granted ends, and nobody can tell any more
    /// which audit records are about the line; its number and state stay, as a new line
    Erase {
        /// Its number
        number: PhoneNumber,
    },
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        match self.command {
            Command::Export { number, output } => {
                // What was handed out about somebody else is not lost by a slip of the hand.
                if let Some(output) = output.as_deref().filter(|output| output.exists()) {
                    bail!("{} exists already; name another file", output.display());
                }
                let request = operator.request(Method::GET, &["subjects", &number.to_string()])?;
                output::save(operator.send(request).await?, output.as_deref()).await?;
            }
            Command::Erase { number } => {
                let erased: Erased = operator.ask(Method::DELETE, &["subjects", &number.to_string()]).await?;
                operator.show(&erased, |_| {
                    format!(
                        "{number} is forgotten: what was granted has ended, and its audit records name nobody any more\n"
                    )
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
