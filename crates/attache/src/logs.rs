//! The log of the program: to standard error, in lines for people or as JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::configuration::{Configuration, LogFormat};

/// Sets the log up. Called once, before anything logs.
pub(crate) fn start(configuration: &Configuration) -> anyhow::Result<()> {
    let as_json = match configuration.log_format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = if as_json {
        layer.json().flatten_event(true).boxed()
    } else {
        layer.with_ansi(io::stderr().is_terminal()).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(configuration.log.clone())).try_init()?;
    Ok(())
}
