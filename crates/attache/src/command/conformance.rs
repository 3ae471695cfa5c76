//! `attache conformance`: holds a server, ours or anybody's, against the CAMARA contracts.

use std::{fs, io, path::PathBuf, process::ExitCode};

use anyhow::Context;
use attache_conformance::{Admin, Local, Only, Runner};
use attache_server::issue_sink_certificate;
use clap::Args;
use url::Url;

use crate::{operator::Running, output};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The root of the server's APIs, such as <http://localhost:9091>
    #[arg(long, value_name = "URL")]
    base_url: Url,
    /// The data directory of a server on this machine, whose lines may be changed and changed back to see the
    /// events that this sends; by default that of this user, if the server runs there [`ATTACHE_DATA_DIR`]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// What is known of the server, TOML: which line is in which state, which tokens to use; an
    /// Attache sandbox needs none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tries one API, or one version of it, such as `device-roaming-status/1.1`; can be given several times
    #[arg(long, value_name = "API[/VERSION]")]
    only: Vec<Only>,
    /// Writes the report as an HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the report as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

const HEADINGS: [&str; 7] = ["API", "VERSION", "TRIED", "PASSED", "FAILED", "SKIPPED", ""];

impl Arguments {
    /// Tries the scenarios, reports, and fails if one of them failed, or none was tried.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let read =
            |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()));
        let file = self.config.as_ref().map(read).transpose()?;
        let local = local(&self.base_url, self.data_dir)?;
        let report = Runner::new(self.base_url, file.as_deref(), local).await?.run(&self.only).await;
        for (path, text) in [(&self.html, report.html()), (&self.junit, report.junit())] {
            if let Some(path) = path {
                fs::write(path, text).with_context(|| format!("{} can't be written", path.display()))?;
            }
        }
        let counts = report.counts();
        if self.json {
            output::print_json(&report)?;
        } else {
            output::print(&output::table(HEADINGS, report.rows()))?;
            output::print(&report.details())?;
            output::print(&format!(
                "\n{} scenarios tried against {}: {} passed, {} failed; {} skipped\n",
                counts.tried, report.target, counts.passed, counts.failed, counts.skipped
            ))?;
        }
        // Nothing tried proves nothing.
        Ok(if counts.failed == 0 && counts.tried > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What a server on this machine lends: that of the data directory, if it is the one that is tried.
fn local(base_url: &Url, data_dir: Option<String>) -> anyhow::Result<Local> {
    let is_named = data_dir.is_some();
    let running = match Running::on(data_dir) {
        Ok(running) if is_named || running.is_at(base_url) => running,
        Err(error) if is_named => return Err(error),
        Ok(_) | Err(_) => return Ok(Local::default()),
    };
    let certificate = match issue_sink_certificate(&running.data_dir) {
        Ok(issued) => Some((issued.certificate.into_bytes(), issued.key.into_bytes())),
        // Who is no sandbox has no authority of its own.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).context("no certificate can be made for the sink"),
    };
    Ok(Local { admin: Some(Admin { url: running.url, token: running.token }), certificate })
}
