//! The chores of the project, `cargo xtask <chore>`: one command each, with nothing to install first.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

mod dependencies;
mod test;
mod tools;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test    install what the tests need, run all of them, print their count
  tools   only install what the tests need
  lint    formatting, clippy, and the rules for dependencies
  check   lint, then test: what a change has to pass
  bench   measure against a bare server of the same HTTP stack; writes target/bench.md
  bench tokens
          measure the authorization server beside oidc-provider, which it installs into target/tools;
          writes target/bench-tokens.md
  bench events
          measure the way of events to their sinks beside a bare loop of the same HTTP client; writes
          target/bench-events.md";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let chore = arguments.next();
    let rest: Vec<String> = arguments.collect();
    match chore.as_deref() {
        Some("test") => test::run(),
        Some("tools") => tools::install().map(drop),
        Some("lint") => lint(),
        Some("check") => lint().and_then(|()| test::run()),
        Some("bench") => bench(&rest),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("there is no chore {other:?}\n\n{USAGE}"),
        None => bail!("which chore?\n\n{USAGE}"),
    }
}

fn lint() -> Result<()> {
    must(cargo(["fmt", "--all", "--check"]), "the code isn't formatted: cargo fmt --all")?;
    must(
        cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        "clippy has found something",
    )?;
    dependencies::check()
}

fn bench(rest: &[String]) -> Result<()> {
    must(
        cargo(["build", "--release", "--locked", "--package", "attache", "--package", "attache-bench"]),
        "the release doesn't build",
    )?;
    let built = target_folder().join("release");
    let (attache, mut bench) = (built.join("attache"), Command::new(built.join("attache-bench")));
    match rest.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("tokens", rest)) => {
            let modules = tools::install_provider()?;
            bench.arg("tokens").arg(attache).arg(target_folder().join("bench-tokens.md")).arg(modules).args(rest);
        }
        Some(("events", rest)) => {
            bench.arg("events").arg(attache).arg(target_folder().join("bench-events.md")).args(rest);
        }
        _ => {
            bench.arg("run").arg(attache).arg(target_folder().join("bench.md")).args(rest);
        }
    }
    must(bench, "the measurement has failed")
}

/// The folder of the workspace.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// Where cargo puts what it builds.
fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Cargo, in the workspace: the one that runs us.
fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(workspace());
    cargo
}

/// Runs a command to its end, and fails with `otherwise` when it does.
fn must(mut command: Command, otherwise: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{} didn't start", command.get_program().display()))?;
    if !status.success() {
        bail!("{otherwise}");
    }
    Ok(())
}
