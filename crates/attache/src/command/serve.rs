//! `attache serve`: runs the server until it is told to stop.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use attache_server::Server;
use clap::Args;

use crate::{
    banner,
    configuration::{self, Flags},
    logs, output,
    signals::Signals,
};

#[derive(Args)]
pub(crate) struct Serve {
    /// The configuration file, TOML [`ATTACHE_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    /// Starts, tells how it can be reached, and serves. The first signal lets the requests under way
    /// end, a second one stops at once.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let loaded = configuration::load(self.config.as_deref(), std::env::vars_os(), self.flags.0)?;
        // Before the start, so that a signal is not missed between the two.
        let mut signals = Signals::new().context("can't listen to signals")?;
        logs::start(&loaded.configuration)?;
        let settings = configuration::settings(loaded)?;
        let data_dir = settings.data_dir.clone();
        let makes_admin_token = settings.admin_token.is_none();
        let mut server = Server::start(settings).await?;
        output::print(&banner::banner(&server, &data_dir, makes_admin_token))?;
        tokio::select! {
            () = signals.next() => {}
            error = server.failed() => return Err(error).context("the server stopped"),
        }
        tracing::info!("stopping: requests under way may end; a second signal stops at once");
        tokio::select! {
            () = server.shutdown_and_wait() => Ok(ExitCode::SUCCESS),
            () = signals.next() => Ok(ExitCode::FAILURE),
        }
    }
}
