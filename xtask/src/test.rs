//! Runs every test of the workspace and counts them. By cargo-nextest where it is installed, which
//! gives each test a process and a limit of time, and otherwise by cargo itself: building nextest first
//! would take longer than all tests.

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind, Read},
    ops::AddAssign,
    path::PathBuf,
    process::Stdio,
    thread,
};

use anyhow::{Context, Result, bail};

use crate::{cargo, tools, workspace};

/// How many tests came to which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Installs, runs, counts.
pub(crate) fn run() -> Result<()> {
    let missing = tools::install()?;
    if !missing.is_empty() && env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!("CI=true, and what the tests need can't be installed: {}", missing.join(", "));
    }
    let mut skip: Vec<String> = missing.iter().map(|tool| format!("_{tool}")).collect();
    if !workspace().join("../shared/vendors").is_dir() {
        println!(
            "the publishers' documents aren't at ../shared/vendors: their samples are not run, only our own tests of them"
        );
        skip.push("telefonica_samples::".to_owned());
    }
    if !workspace().join("../shared/camara").is_dir() {
        println!(
            "the official contracts aren't at ../shared/camara: the tests that hold Attache against them (contracts, \
             documents, properties, fuzz) have nothing to compare, and are counted as passed"
        );
    }
    forget_figures()?;
    let chosen: Vec<&str> =
        ["--include-ignored"].into_iter().chain(skip.iter().flat_map(|name| ["--skip", name.as_str()])).collect();

    let mut count = Count::default();
    let mut fault = None;
    let runs: &[(&[&str], &[&str])] = if tools::has("cargo", &["nextest", "--version"]) {
        // nextest leaves the examples of the documentation to cargo, where an ignored one isn't code.
        &[
            (&["nextest", "run", "--no-fail-fast", "--color", "never"], &chosen),
            (&["test", "--no-fail-fast", "--doc"], &[]),
        ]
    } else {
        &[(&["test", "--no-fail-fast"], &chosen)]
    };
    for (run, chosen) in runs {
        let (counted, succeeded) = run_and_count(run, chosen)?;
        count += counted;
        if !succeeded {
            fault = Some(format!("cargo {} has failed", run.join(" ")));
        }
    }
    if count == Count::default() {
        bail!("{}", fault.unwrap_or_else(|| "no test was run".to_owned()));
    }
    if let Some(fault) = &fault {
        eprintln!("error: {fault}");
    }
    print_figures();
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    if fault.is_some() || count.failed > 0 {
        // The count stays the last line.
        std::process::exit(1);
    }
    Ok(())
}

/// Where Schemathesis leaves what it asked and was answered.
fn fuzz_figures() -> PathBuf {
    workspace().join("target/fuzz")
}

/// Where it is left how often the server was killed, and what became of the events.
fn kill_figures() -> PathBuf {
    workspace().join("target/kills")
}

fn forget_figures() -> Result<()> {
    for figures in [fuzz_figures(), kill_figures()] {
        if let Err(cause) = fs::remove_dir_all(figures)
            && cause.kind() != ErrorKind::NotFound
        {
            return Err(cause).context("old figures can't be removed");
        }
    }
    Ok(())
}

/// Shows the figures that tests have left, whose output the runners keep to themselves.
fn print_figures() {
    for legs in ["2-legged", "3-legged", "subscriptions-2-legged", "subscriptions-3-legged"] {
        if let Ok(table) = fs::read_to_string(fuzz_figures().join(legs).with_extension("md")) {
            println!("Schemathesis, with {legs} tokens:\n{table}");
        }
    }
    if let Ok(figures) = fs::read_to_string(kill_figures().join("figures.txt")) {
        println!("Killed at any moment: {figures}");
    }
}

/// Runs cargo, showing what it prints, and counts by the lines that its runner closes with.
fn run_and_count(run: &[&str], chosen: &[&str]) -> Result<(Count, bool)> {
    let mut child = cargo([])
        .args(run)
        .args(["--locked", "--workspace", "--"])
        .args(chosen)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo didn't start")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let errors = thread::spawn(move || stderr.map_or_else(Count::default, show_and_count));
    let mut count = stdout.map_or_else(Count::default, show_and_count);
    count += errors.join().unwrap_or_default();
    Ok((count, child.wait()?.success()))
}

fn show_and_count(stream: impl Read) -> Count {
    let mut count = Count::default();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        count += closing_line(&line).unwrap_or_default();
    }
    count
}

/// Reads the closing line of a runner, if this is one.
///
/// nextest repeats, indented, what a failed test has printed: the closing line of its one test is no
/// closing line.
///
/// - cargo: `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s`
/// - nextest: `Summary [   0.1s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped`
fn closing_line(line: &str) -> Option<Count> {
    let parts: Vec<String> = if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ")?.1.split(';').map(str::to_owned).collect()
    } else if line.trim_start().starts_with("Summary [") {
        without_parentheses(line.split_once("run:")?.1).split(',').map(str::to_owned).collect()
    } else {
        return None;
    };
    let mut count = Count::default();
    for part in &parts {
        let Some((number, end)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        match end.trim() {
            "passed" => count.passed += number,
            "failed" | "timed out" | "exec failed" => count.failed += number,
            "skipped" | "ignored" | "filtered out" => count.skipped += number,
            _ => {}
        }
    }
    Some(count)
}

/// Leaves out what nextest adds to a number: `3 passed (1 slow, 1 leaky)`.
fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|character| match character {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_both_runners_are_counted() {
        for (line, passed, failed, skipped) in [
            ("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s", 3, 0, 3),
            (
                "test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
                0,
                2,
                0,
            ),
            ("     Summary [   0.101s] 5 tests run: 5 passed, 2 skipped", 5, 0, 2),
            ("Summary [ 61.1s] 5/9 tests run: 3 passed (1 slow, 1 leaky), 1 failed, 1 timed out, 0 skipped", 3, 2, 0),
            ("     Summary [   0.101s] 1 test run: 1 passed, 0 skipped", 1, 0, 0),
        ] {
            assert_eq!(closing_line(line), Some(Count { passed, failed, skipped }), "{line}");
        }
        assert_eq!(
            closing_line("    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 9 filtered out"),
            None
        );
        assert_eq!(closing_line("test wire::tests::a_sentence ... ok"), None);
    }
}
