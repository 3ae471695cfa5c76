//! The requests that the start prints, pasted into a shell as they stand there.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::harness::{Attache, eventually};

/// The requests that the start prints, one a publisher, each with the comment above it.
fn printed(attache: &Attache) -> Vec<String> {
    let printed = eventually("the start prints its last line", || {
        Some(attache.printed()).filter(|printed| printed.contains("Ctrl-C stops the server."))
    });
    let blocks = printed.split("\n\n").map(str::trim).filter(|block| block.starts_with("# ") && block.contains("curl"));
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_readme_has_every_request_that_the_start_prints() {
    let attache = Attache::sandbox();
    let printed = printed(&attache);
    assert_eq!(printed.len(), 4, "one for each publisher");
    // Whoever builds without the README has nothing to compare.
    let Ok(readme) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")) else { return };
    let ours =
        ["http://127.0.0.1:9091", "http://localhost:9091"].map(|address| readme.replace(address, &attache.url("")));
    for request in printed {
        assert!(ours.iter().any(|readme| readme.contains(&request)), "the README lacks\n{request}");
    }
}

mod needs_curl {
    use super::*;

    #[test]
    #[ignore = "needs curl: cargo xtask test"]
    fn every_request_that_the_start_prints_is_answered_when_it_is_pasted() {
        let attache = Attache::sandbox();
        for request in printed(&attache) {
            let output = Command::new("bash").args(["-c", &request]).env("NO_PROXY", "127.0.0.1").output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {output:?} of\n{request}"));
            assert!(answer["roaming"].is_boolean(), "{answer} to\n{request}");
        }
    }
}
