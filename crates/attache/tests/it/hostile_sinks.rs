//! Sinks that mean harm, or are out of order; and what the operator says of whom to trust.

use std::{fs, process::Output};

use crate::harness::program;

/// What `attache serve` says that does not start.
fn serve(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    program(directory.path()).args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).output().unwrap()
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_stops_the_start_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authorities.pem");
    let pem = |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    for (text, told) in [
        (None, "cannot be read"),
        (Some(String::new()), "has no certificate"),
        (Some("no PEM at all".to_owned()), "has no certificate"),
        (Some(pem("?")), "has something that is no certificate"),
        (Some(pem("aGVsbG8=")), "has something that is no certificate"),
    ] {
        if let Some(text) = &text {
            fs::write(&path, text).unwrap();
        }
        for flag in ["--sink-ca", "--jwks-ca"] {
            let output = serve(&[flag, path.to_str().unwrap()]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{flag} {text:?}");
            assert!(said.contains(told) && said.contains(path.to_str().unwrap()), "{flag} {text:?}: {said}");
        }
    }
}
