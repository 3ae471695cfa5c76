//! The README's requests, as they stand there.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::harness::{Attache, eventually};

/// The address that a sandbox listens on when it isn't told another, and that the README is for.
const ADDRESS: &str = "http://127.0.0.1:9091";

/// The requests, one a publisher, with a comment above each.
fn requests() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- curls -->\n```sh\n").unwrap();
    let (text, _) = rest.split_once("```\n<!-- /curls -->").unwrap();
    text.split("\n\n").map(|request| request.trim().to_owned()).collect()
}

#[test]
fn the_start_prints_the_requests_of_the_readme() {
    let attache = Attache::sandbox();
    let printed = eventually("the start prints its last line", || {
        Some(attache.log()).filter(|printed| printed.contains("Ctrl-C stops the server."))
    });
    for request in requests() {
        let here = request.replace(ADDRESS, &attache.url(""));
        assert!(printed.contains(&here), "this isn't printed:\n{here}\n--- but\n{printed}");
    }
}

mod needs_curl {
    use super::*;

    #[test]
    #[ignore = "needs curl: cargo xtask test"]
    fn every_request_of_the_readme_is_answered_when_it_is_pasted() {
        let attache = Attache::sandbox();
        let requests = requests();
        assert_eq!(requests.len(), 4, "one for each publisher");
        for request in requests {
            let here = request.replace(ADDRESS, &attache.url(""));
            let output = Command::new("sh").args(["-c", &here]).env("NO_PROXY", "127.0.0.1").output().unwrap();
            let answer: Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?} of\n{here}"));
            assert!(answer["roaming"].is_boolean(), "{answer} to\n{here}");
        }
    }
}
