//! The servers that are measured: processes of their own, ended when they are dropped.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use tempfile::TempDir;

use crate::load::{Connection, number};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The bare one.
    pub(crate) fn bare() -> Result<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg("bare").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse().context("the bare server doesn't say where it listens")? })
    }

    /// A script of Node.js that reads what it is told, and then prints where it listens.
    pub(crate) fn of_node(script: &Path, modules: &Path, told: &str) -> Result<Self> {
        let mut process = Command::new("node")
            .arg(script)
            .env("MODULES", modules)
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("node didn't start")?;
        process.stdin.take().context("no input")?.write_all(told.as_bytes())?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        Ok(Self { process, address: line.trim().parse().context("the script doesn't say where it listens")? })
    }

    /// Attache on a data directory, as soon as it listens.
    pub(crate) fn attache(
        program: &Path,
        data: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let log = fs::File::create(data.join("log"))?;
        let process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} didn't start", program.display()))?;
        let mut server = Self { process, address: ([127, 0, 0, 1], 0).into() };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = server.process.try_wait()? {
                bail!("attache ended ({status}): {}", fs::read_to_string(data.join("log"))?);
            }
            if let Some(address) = server.listens(data) {
                server.address = address;
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(1));
        }
        bail!("attache doesn't listen after {PATIENCE:?}")
    }

    /// Where it listens, once it has said so. An earlier process on the same data has said so too.
    fn listens(&self, data: &Path) -> Option<SocketAddr> {
        let facts: Value = serde_json::from_slice(&fs::read(data.join("server.json")).ok()?).ok()?;
        if facts["pid"] != self.process.id() {
            return None;
        }
        facts["url"].as_str()?.strip_prefix("http://")?.trim_end_matches('/').parse().ok()
    }

    /// How much memory it holds, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
    }

    /// How long it has used a processor, in seconds.
    pub(crate) fn processor_time(&self) -> Result<f64> {
        // Linux counts in hundredths, whatever its own clock does.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("no stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |field: usize| fields.get(field).context("no times")?.parse::<f64>().context("no times");
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        let sent = Command::new("kill").arg(self.process.id().to_string()).status()?;
        ensure!(sent.success(), "kill has failed");
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Attache's program, and a data directory.
pub(crate) struct Attache {
    program: PathBuf,
    data: TempDir,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Attache {
    pub(crate) fn new(program: &Path, arguments: &[&'static str]) -> Result<Self> {
        let (program, data) = (program.to_owned(), tempfile::tempdir()?);
        Ok(Self { program, data, arguments: arguments.to_vec(), environment: Vec::new() })
    }

    /// With variables.
    pub(crate) fn configured(self, environment: &[(&'static str, &'static str)]) -> Self {
        Self { environment: environment.to_vec(), ..self }
    }

    pub(crate) fn start(&self) -> Result<Server> {
        Server::attache(&self.program, self.data.path(), &self.arguments, &self.environment)
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Imports so many lines, by the command that people use, and tells how long it took.
    pub(crate) fn import(&self, count: u64) -> Result<Duration> {
        let file = self.data.path().join("lines.csv");
        let mut text = String::from("phone_number,home_plmn,serving_plmn,reachable,last_seen\n");
        for index in 0..count {
            text.push_str(&number(index));
            // Four in five are at home.
            text.push_str(if index % 5 == 0 {
                ",20801,26201,DATA|SMS,2026-01-31T12:00:00Z\n"
            } else {
                ",20801,20801,DATA|SMS,2026-01-31T12:00:00Z\n"
            });
        }
        fs::write(&file, text)?;
        let start = Instant::now();
        let output = Command::new(&self.program)
            .args(["line", "import"])
            .arg(&file)
            .arg("--data-dir")
            .arg(self.data.path())
            .output()?;
        ensure!(output.status.success(), "attache line import: {}", String::from_utf8_lossy(&output.stderr));
        Ok(start.elapsed())
    }
}

/// Fetches tokens for CAMARA's roaming query.
pub(crate) async fn tokens(server: &Server, count: usize) -> Result<Vec<String>> {
    fetch_tokens(server, "device-roaming-status:read", count).await
}

/// Fetches a token for this scope of CAMARA's.
pub(crate) async fn token_for(server: &Server, scope: &str) -> Result<String> {
    fetch_tokens(server, scope, 1).await?.pop().context("no token")
}

async fn fetch_tokens(server: &Server, scope: &str, count: usize) -> Result<Vec<String>> {
    let mut connection = Connection::open(server.address).await?;
    let facts = connection.call("/sandbox", "none", None).await?;
    let facts: Value = serde_json::from_str(&facts.body)?;
    let camara = &facts["publishers"]["camara"];
    let client = &camara["clients"][0];
    let (id, secret) = (client["client_id"].as_str(), client["client_secret"].as_str());
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", id.context("no client")?, secret.context("no secret")?));
    let endpoint = camara["token_endpoint"].as_str().context("no token endpoint")?;
    let path = endpoint.splitn(4, '/').nth(3).context("no path")?;
    let scope = scope.replace(':', "%3A");
    let form = format!("grant_type=client_credentials&scope=dpv%3AServiceProvision+{scope}");
    let mut tokens = Vec::with_capacity(count);
    for _ in 0..count {
        let answer = connection.call(&format!("/{path}"), &format!("Basic {credentials}"), Some(&form)).await?;
        ensure!(answer.status == 200, "no token: {} {}", answer.status, answer.body);
        let answer: Value = serde_json::from_str(&answer.body)?;
        tokens.push(answer["access_token"].as_str().context("no token")?.to_owned());
    }
    Ok(tokens)
}
