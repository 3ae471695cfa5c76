//! `attache network`: how the simulated network of a running sandbox fares.

use std::process::ExitCode;

use attache_server::admin::api::{NetworkCondition, NetworkState};
use clap::{Args, Subcommand};
use reqwest::Method;

use crate::operator::Connection;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows how it fares
    Show,
    /// Lets it fail: it cannot be asked
    Fail,
    /// Lets it be silent: it does not answer in time
    Silence,
    /// Lets it forget: it answers as if it had never seen any line
    Forget,
    /// Lets it answer again
    Restore,
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        let wanted = match self.command {
            Command::Show => None,
            Command::Fail => Some(NetworkState::Failing),
            Command::Silence => Some(NetworkState::Silent),
            Command::Forget => Some(NetworkState::Unknowing),
            Command::Restore => Some(NetworkState::Up),
        };
        let condition: NetworkCondition = match wanted {
            None => operator.ask(Method::GET, &["network"]).await?,
            Some(state) => {
                let request = operator.request(Method::PUT, &["network"])?;
                operator.read(request.json(&NetworkCondition { state })).await?
            }
        };
        operator.show(&condition, |condition| {
            let told = match condition.state {
                NetworkState::Up => "up: the network answers\n",
                NetworkState::Failing => "failing: the network cannot be asked\n",
                NetworkState::Silent => "silent: the network does not answer in time\n",
                NetworkState::Unknowing => "unknowing: the network answers as if it had never seen any line\n",
            };
            told.to_owned()
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
