//! What the tests need beside Rust: the interpreters that the publishers' samples are written for, and
//! a browser. Only what is missing is installed: Debian's packages by apt, the rest into
//! `target/tools`, where the tests look for it.
//!
//! A test says what it needs by its module: `needs_python`, `needs_chromium_and_node`. It is marked as
//! ignored, so that a plain `cargo test` runs what needs nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{must, workspace};

const PYTHON_PACKAGES: [&str; 5] =
    ["requests==2.34.2", "flask==3.1.3", "schemathesis==4.32.5", "authlib==1.9.8", "standardwebhooks==1.1.0"];
const NODE_PACKAGES: [&str; 4] = ["express@5.3.0", "playwright-core@1.65.1", "axe-core@4.14.1", "openid-client@6.8.9"];
const PROVIDER_PACKAGES: [&str; 1] = ["oidc-provider@9.13.3"];
const ORG_JSON: &str = "/usr/share/java/json.jar";

/// Something that tests need.
pub(crate) struct Tool {
    /// As it stands in the names of the modules that need it.
    pub(crate) name: &'static str,
    /// Debian's packages of it.
    packages: &'static [&'static str],
    /// Whether what comes by apt is there.
    is_installed: fn() -> bool,
    /// Gets the rest, into `target/tools`.
    complete: fn(&Path) -> Result<()>,
}

const TOOLS: &[Tool] = &[
    Tool { name: "curl", packages: &["curl"], is_installed: || has("curl", &["--version"]), complete: |_| Ok(()) },
    Tool {
        name: "python",
        packages: &["python3", "python3-venv"],
        is_installed: || has("python3", &["-c", "import venv, ensurepip"]),
        complete: python,
    },
    Tool {
        name: "node",
        packages: &["nodejs", "npm"],
        is_installed: || has("node", &["-e", "fetch"]) && has("npm", &["--version"]),
        complete: node,
    },
    Tool {
        name: "java",
        packages: &["default-jdk-headless", "libandroid-json-org-java"],
        is_installed: || has("javac", &["-version"]) && Path::new(ORG_JSON).exists(),
        complete: |_| Ok(()),
    },
    Tool {
        name: "chromium",
        packages: &["chromium"],
        is_installed: || Path::new("/usr/bin/chromium").exists(),
        complete: |_| Ok(()),
    },
];

/// Installs the server that the authorization server is measured beside, and returns the folder that Node.js
/// finds it in.
pub(crate) fn install_provider() -> Result<PathBuf> {
    let node = TOOLS.iter().find(|tool| tool.name == "node").context("there is no such tool")?;
    if !(node.is_installed)() {
        apt(node.packages)?;
    }
    let environment = folder().join("oidc-provider");
    npm(&environment, &PROVIDER_PACKAGES)?;
    Ok(environment.join("node_modules"))
}

/// Where tools are put.
fn folder() -> PathBuf {
    workspace().join("target/tools")
}

/// Installs what is missing. Returns the tools that can't be had, after saying why.
pub(crate) fn install() -> Result<Vec<&'static str>> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let packages: Vec<&str> =
        TOOLS.iter().filter(|tool| !(tool.is_installed)()).flat_map(|tool| tool.packages).copied().collect();
    if !packages.is_empty()
        && let Err(error) = apt(&packages)
    {
        eprintln!("warning: {error:#}");
    }
    let mut missing = Vec::new();
    for tool in TOOLS {
        if !(tool.is_installed)() {
            eprintln!("warning: {} is missing (Debian's packages: {})", tool.name, tool.packages.join(", "));
            missing.push(tool.name);
        } else if let Err(error) = (tool.complete)(&folder) {
            eprintln!("warning: {}: {error:#}", tool.name);
            missing.push(tool.name);
        }
    }
    Ok(missing)
}

/// Installs Debian's packages, as root or by a `sudo` that doesn't ask.
fn apt(packages: &[&str]) -> Result<()> {
    if !has("apt-get", &["--version"]) {
        bail!("the tests want {}; without apt-get, install them by hand", packages.join(", "));
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let apt_get = |arguments: &[&str]| {
        let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root {
            command.args(["-n", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]).args(arguments).stdin(Stdio::null());
        must(command, &format!("apt-get {} has failed", arguments.join(" ")))
    };
    println!("installing {}", packages.join(", "));
    let install: Vec<&str> = ["install", "--no-install-recommends"].iter().chain(packages).copied().collect();
    // A machine may have no lists of packages yet, or old ones.
    apt_get(&install).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install)))
}

/// A virtual environment of Python with the packages that the samples import.
fn python(folder: &Path) -> Result<()> {
    let environment = folder.join("python");
    let python = environment.join("bin/python");
    let wanted = PYTHON_PACKAGES.join(" ");
    if is_done(&environment, &wanted) {
        return Ok(());
    }
    println!("installing {wanted}");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&environment);
    must(venv, "python3 -m venv has failed")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON_PACKAGES);
    must(pip, "pip install has failed")?;
    done(&environment, &wanted)
}

/// The packages that the samples and the scripts import.
fn node(folder: &Path) -> Result<()> {
    npm(&folder.join("node"), &NODE_PACKAGES)
}

/// Packages of Node.js in a folder of their own.
fn npm(environment: &Path, packages: &[&str]) -> Result<()> {
    let wanted = packages.join(" ");
    if is_done(environment, &wanted) {
        return Ok(());
    }
    println!("installing {wanted}");
    fs::create_dir_all(environment)?;
    fs::write(environment.join("package.json"), "{\"private\":true}\n")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(environment).args(packages);
    must(npm, "npm install has failed")?;
    done(environment, &wanted)
}

/// Whether `wanted` was installed into a folder, to the end.
fn is_done(environment: &Path, wanted: &str) -> bool {
    fs::read_to_string(environment.join("installed")).is_ok_and(|installed| installed == wanted)
}

fn done(environment: &Path, wanted: &str) -> Result<()> {
    Ok(fs::write(environment.join("installed"), wanted)?)
}

/// Whether a program is there and does what it is asked.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let status =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
