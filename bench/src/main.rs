//! Measures Attache beside a bare server of the same HTTP stack, on loopback, in one run:
//! `cargo xtask bench`, which builds the release and calls `attache-bench run ATTACHE REPORT`.
//!
//! Three kinds of processes share the machine: this one, which makes the load with one thread; Attache,
//! several times over, with different settings and data; and the bare server, which is this program
//! again (`attache-bench bare`). Only one server is asked at a time. They take turns round after round,
//! so that whatever else the machine does falls on all of them, and medians over the rounds are
//! reported. It takes about three minutes, and stops by itself.
//!
//! `cargo xtask bench tokens` measures the authorization server in the same way beside oidc-provider
//! instead: see [`tokens`]. `cargo xtask bench events` measures the way of events to their sinks, beside a bare loop
//! of the same HTTP client: see [`events`].

mod bare;
mod events;
mod load;
mod machine;
mod plan;
mod report;
mod server;
mod tokens;

use std::{env, path::Path};

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["bare"] => tokio::runtime::Runtime::new()?.block_on(bare::serve()),
        ["run", attache, report, options @ ..] => {
            plan::run(Path::new(attache), Path::new(report), plan::Size::read(options)?)
        }
        ["tokens", attache, report, modules, options @ ..] => {
            tokens::run(Path::new(attache), Path::new(report), Path::new(modules), tokens::Size::read(options)?)
        }
        ["events", attache, report, options @ ..] => {
            events::run(Path::new(attache), Path::new(report), events::Size::read(options)?)
        }
        ["post", port, sinks, connections, seconds, body] => {
            tokio::runtime::Runtime::new()?.block_on(events::post::post(port, sinks, connections, seconds, body))
        }
        _ => bail!(
            "usage: attache-bench run ATTACHE REPORT [--rounds N] [--seconds N] [--lines N]\n\
             or:    attache-bench tokens ATTACHE REPORT MODULES [--rounds N] [--seconds N] [--pending N] [--polls N]\n\
             or:    attache-bench events ATTACHE REPORT [--seconds N] [--subscriptions N]"
        ),
    }
}
