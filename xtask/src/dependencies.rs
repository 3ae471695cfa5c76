//! The rules for dependencies, held against what cargo resolves for every platform. It reads nothing
//! but the lock file and the manifests, so it works without a network and takes a second; a general
//! checker would have to be built first, which takes longer than the tests.
//!
//! - Every crate comes from crates.io.
//! - One library does cryptography and one does TLS; the ones below aren't among them.
//! - Every licence is on the list.

use anyhow::{Result, bail};

use crate::cargo;

/// What must not be built into anything of ours, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl", "TLS is rustls"),
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    ("boring", "cryptography is aws-lc-rs"),
    ("ring", "cryptography is aws-lc-rs"),
    ("sha2", "cryptography is aws-lc-rs"),
    ("rsa", "cryptography is aws-lc-rs; and RUSTSEC-2023-0071"),
    ("p256", "cryptography is aws-lc-rs"),
];

/// What there must be no second version of: their types meet at our borders, or they are large.
const SINGLE: &[&str] =
    &["aws-lc-rs", "axum", "http", "hyper", "jiff", "reqwest", "rusqlite", "rustls", "serde", "tokio"];

/// The licences that we can pass on under Apache-2.0 with no more than a notice.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Licences that one crate may have, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("option-ext", "MPL-2.0", "its files are used unchanged"),
    ("webpki-root-certs", "CDLA-Permissive-2.0", "the licence of Mozilla's list of certificates, which is data"),
];

/// A crate that something of ours is built from.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
    licence: &'a str,
}

impl<'a> Package<'a> {
    /// Reads a line of `cargo tree --format "{p}|{l}"`: `name v1.0.0 (where it comes from)|licence (*)`,
    /// where a crate of crates.io comes from nowhere, and a procedural macro from `(proc-macro)`.
    fn read(line: &'a str) -> Option<Self> {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.splitn(3, ' ');
        let (name, version) = (words.next()?, words.next()?);
        let source =
            words.next().and_then(|rest| rest.rsplit_once('(')).map(|(_, source)| source.trim_end_matches(')'));
        let source = source.filter(|source| *source != "proc-macro");
        Some(Self { name, version, source, licence: licence.trim_end_matches("(*)").trim() })
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some((_, why)) = BANNED.iter().find(|(name, _)| *name == self.name) {
            faults.push(format!("{} is banned: {why} (cargo tree --target all --invert {0})", self.name));
        }
        if let Some(source) =
            self.source.filter(|source| !source.starts_with(env!("CARGO_MANIFEST_DIR").trim_end_matches("xtask")))
        {
            faults.push(format!("{} comes from {source}, not from crates.io", self.name));
        }
        let excepted = EXCEPTIONS.iter().any(|(name, licence, _)| (*name, *licence) == (self.name, self.licence));
        if !excepted && !allowed(self.licence) {
            faults.push(format!("{} {} is under {:?}, which isn't on the list", self.name, self.version, self.licence));
        }
        faults
    }
}

/// Holds all dependencies against the rules, and tells every fault at once.
pub(crate) fn check() -> Result<()> {
    let output = cargo(["tree", "--workspace", "--locked", "--target", "all", "--edges", "normal,build,dev"])
        .args(["--prefix", "none", "--format", "{p}|{l}"])
        .output()?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches("(*)").trim()).collect();
    lines.sort_unstable();
    lines.dedup();
    let packages: Vec<Package<'_>> = lines.iter().filter_map(|line| Package::read(line)).collect();

    let mut faults: Vec<String> = packages.iter().flat_map(Package::faults).collect();
    for name in SINGLE {
        let mut versions: Vec<&str> =
            packages.iter().filter(|package| package.name == *name).map(|package| package.version).collect();
        versions.dedup();
        if versions.len() > 1 {
            faults.push(format!("{name} is there in several versions: {}", versions.join(", ")));
        }
    }
    if !faults.is_empty() {
        bail!("the dependencies break the rules of xtask/src/dependencies.rs:\n  {}", faults.join("\n  "));
    }
    println!("{} dependencies: sources, licences, bans and versions are in order", packages.len());
    Ok(())
}

/// Whether an SPDX expression lets us choose licences that are all on the list. `/` is the old `OR`.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let verdict = either(&mut rest);
    verdict == Some(true) && rest.is_empty()
}

/// `both OR both OR ...`
fn either(words: &mut &[&str]) -> Option<bool> {
    let mut verdict = both(words)?;
    while let Some((&"OR", rest)) = words.split_first() {
        *words = rest;
        verdict |= both(words)?;
    }
    Some(verdict)
}

/// `one AND one AND ...`
fn both(words: &mut &[&str]) -> Option<bool> {
    let mut verdict = one(words)?;
    while let Some((&"AND", rest)) = words.split_first() {
        *words = rest;
        verdict &= one(words)?;
    }
    Some(verdict)
}

/// A licence, one with an exception, or an expression in parentheses.
fn one(words: &mut &[&str]) -> Option<bool> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    if *first == "(" {
        let verdict = either(words)?;
        let (&")", rest) = words.split_first()? else { return None };
        *words = rest;
        return Some(verdict);
    }
    if let [with @ "WITH", exception, rest @ ..] = *words {
        *words = rest;
        return Some(LICENCES.contains(&format!("{first} {with} {exception}").as_str()));
    }
    Some(LICENCES.contains(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_allowed_when_a_choice_is_wholly_on_the_list() {
        for licence in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/GPL-3.0",
            "Apache-2.0 / MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "ISC AND (Apache-2.0 OR GPL-2.0)",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
        ] {
            assert!(allowed(licence), "{licence}");
        }
        for licence in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT MIT", "GPL-2.0 WITH LLVM-exception", "MIT OR"] {
            assert!(!allowed(licence), "{licence}");
        }
    }

    #[test]
    fn a_line_of_the_tree_is_read_in_each_of_its_forms() {
        let read =
            |line| Package::read(line).map(|package| (package.name, package.version, package.source, package.licence));
        assert_eq!(read("a v1.0.0|MIT"), Some(("a", "v1.0.0", None, "MIT")));
        assert_eq!(read("a v1.0.0 (proc-macro)|MIT (*)"), Some(("a", "v1.0.0", None, "MIT")));
        assert_eq!(read("a v1.0.0 (https://a.example/a#1)|"), Some(("a", "v1.0.0", Some("https://a.example/a#1"), "")));
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_banned_crate_a_foreign_source_and_a_strange_licence_are_faults() {
        let faults = |line| Package::read(line).map(|package| package.faults().len());
        assert_eq!(faults("serde v1.0.0|MIT"), Some(0));
        assert_eq!(faults("openssl v0.10.0|Apache-2.0"), Some(1));
        assert_eq!(faults("serde v1.0.0 (https://a.example/a#1)|MIT"), Some(1));
        assert_eq!(faults("serde v1.0.0|GPL-3.0"), Some(1));
        assert_eq!(faults("option-ext v0.2.0|MPL-2.0"), Some(0));
    }
}
