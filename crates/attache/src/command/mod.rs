//! The commands, one file each.

mod audit;
mod client;
mod config;
mod conformance;
mod consent;
mod key;
mod line;
mod listen;
mod network;
mod serve;
mod subject;
mod subscription;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The open platform for CAMARA Device Status.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the server: without configuration, a sandbox on this machine
    Serve(serve::Serve),
    /// Shows every key of the configuration: its value, where it comes from, what it means
    Config(config::Show),
    /// Shows and changes the lines of a running server's simulated network
    Line(line::Arguments),
    /// Shows how a running sandbox's simulated network fares, and lets it fail
    Network(network::Arguments),
    /// Shows, registers and removes the clients of a running server
    Client(client::Arguments),
    /// Shows, exports, verifies and shortens the audit log: who asked what about whom, and why
    Audit(audit::Arguments),
    /// Hands out or forgets what is stored about a subscriber
    Subject(subject::Arguments),
    /// Shows what subscribers have consented to and what waits for their answers, and answers and withdraws
    Consent(consent::Arguments),
    /// Shows the subscriptions of a running server, what became of their events, and sends dead letters again
    Subscription(subscription::Arguments),
    /// Opens a sink that a sandbox on this machine trusts, and shows events as they arrive
    Listen(listen::Listen),
    /// Shows and changes the keys that sign a running server's tokens
    Key(key::Arguments),
    /// Holds a server, this one or anybody's, against the CAMARA contracts
    Conformance(conformance::Arguments),
}

impl Cli {
    /// Runs the command and tells how it went.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(command) => command.run().await,
            Command::Config(command) => command.run(),
            Command::Line(command) => command.run().await,
            Command::Network(command) => command.run().await,
            Command::Client(command) => command.run().await,
            Command::Audit(command) => command.run().await,
            Command::Subject(command) => command.run().await,
            Command::Consent(command) => command.run().await,
            Command::Subscription(command) => command.run().await,
            Command::Listen(command) => command.run().await,
            Command::Key(command) => command.run().await,
            Command::Conformance(command) => command.run().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
