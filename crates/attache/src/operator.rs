//! The operator's side of a running server: finds it, finds the credential, asks its admin API.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use attache_server::admin::api::Refusal;
use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::{Host, Url};

use crate::{
    banner,
    configuration::{self, Configuration, Given, URL_VARIABLE},
    output,
};

/// Which server a command talks to, and how it prints.
#[derive(Args)]
pub(crate) struct Connection {
    /// The server's address [`ATTACHE_URL`]; by default that of the server on this data directory
    #[arg(long, global = true, value_name = "URL")]
    url: Option<Url>,
    /// The server's data directory [`ATTACHE_DATA_DIR`]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// The configuration file, TOML [`ATTACHE_CONFIG`]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What a running server writes into its data directory as `server.json`.
#[derive(Deserialize)]
struct Written {
    url: String,
}

/// A server that runs on a data directory.
pub(crate) struct Running {
    /// Its address.
    pub(crate) url: Url,
    /// The operator's credential.
    pub(crate) token: SecretString,
    /// The directory.
    pub(crate) data_dir: PathBuf,
}

impl Running {
    /// The one on a data directory; by default on that of this user.
    pub(crate) fn on(directory: Option<String>) -> anyhow::Result<Self> {
        let connection = Connection { url: None, data_dir: directory, config: None, json: false };
        let configuration = connection.configuration()?;
        let data_dir = data_dir(&configuration)?.to_owned();
        Ok(Self { url: running_on(&data_dir)?, token: token(configuration)?.0, data_dir })
    }

    /// Whether it has this address. A machine has several names for itself.
    pub(crate) fn is_at(&self, url: &Url) -> bool {
        let is_here = |url: &Url| match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let is_same_host = url.host() == self.url.host() || (is_here(url) && is_here(&self.url));
        is_same_host && url.port_or_known_default() == self.url.port_or_known_default()
    }
}

/// A connection to the admin API of a running server.
pub(crate) struct Operator {
    http: reqwest::Client,
    server: Url,
    token: SecretString,
    /// Where the token comes from, for the message when it is refused.
    token_origin: String,
    /// Whether it prints JSON.
    json: bool,
}

impl Connection {
    /// Finds the server and the credential.
    pub(crate) fn open(&self) -> anyhow::Result<Operator> {
        let configuration = self.configuration()?;
        let server = self.server(&configuration)?;
        let (token, token_origin) = token(configuration)?;
        Ok(Operator { http: http_client(&server)?, server, token, token_origin, json: self.json })
    }

    /// The configuration that the server has, as far as this user can read it.
    pub(crate) fn configuration(&self) -> anyhow::Result<Configuration> {
        let data_dir = self.data_dir.iter().map(|directory| Given {
            key: "data_dir",
            texts: vec![directory.clone()],
            origin: "--data-dir".to_owned(),
        });
        let loaded = configuration::load(self.config.as_deref(), std::env::vars_os(), data_dir.collect())?;
        if !loaded.faults.is_empty() {
            return Err(loaded.faults.into());
        }
        Ok(loaded.configuration)
    }

    /// A command to the same server, as it is to be typed.
    pub(crate) fn hint(&self, command: &str) -> String {
        let data_dir = self.data_dir.as_ref().map(|directory| format!(" --data-dir '{directory}'"));
        format!("{} {command}{}", banner::program(), data_dir.unwrap_or_default())
    }

    /// The address of the server.
    pub(crate) fn server(&self, configuration: &Configuration) -> anyhow::Result<Url> {
        if let Some(url) = &self.url {
            return Ok(url.clone());
        }
        if let Some(url) = std::env::var_os(URL_VARIABLE) {
            let url = url.to_str().and_then(|url| url.parse().ok());
            return url.with_context(|| format!("{URL_VARIABLE} is no address such as http://127.0.0.1:9091"));
        }
        running_on(data_dir(configuration)?)
    }
}

/// The address of the server that runs on a data directory.
fn running_on(directory: &Path) -> anyhow::Result<Url> {
    let path = directory.join("server.json");
    let text = fs::read_to_string(&path).map_err(|_| not_running(&format!("on {}", directory.display())))?;
    let damaged = || format!("{} is damaged", path.display());
    let written: Written = serde_json::from_str(&text).with_context(damaged)?;
    written.url.parse().with_context(damaged)
}

/// A client to ask a server with.
pub(crate) fn http_client(server: &Url) -> anyhow::Result<reqwest::Client> {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    // The system's certificates are read only if they are needed: a small container has none.
    let http = if server.scheme() == "http" { http.tls_certs_only([]) } else { http };
    http.build().context("can't prepare an HTTP client")
}

/// Sends a request to a server that should run.
pub(crate) async fn send(request: RequestBuilder, server: &Url) -> anyhow::Result<Response> {
    request.send().await.map_err(|error| {
        if is_refused(&error) {
            not_running(&format!("at {server}"))
        } else {
            anyhow!(error.without_url()).context(format!("{server} can't be asked"))
        }
    })
}

/// The server's data directory.
pub(crate) fn data_dir(configuration: &Configuration) -> anyhow::Result<&Path> {
    configuration
        .data_dir
        .as_deref()
        .context("name the server's data directory with --data-dir, or its address with --url")
}

fn token(configuration: Configuration) -> anyhow::Result<(SecretString, String)> {
    if let Some(token) = configuration.admin_token {
        return Ok((token, "the configured admin_token".to_owned()));
    }
    let path = data_dir(&configuration)?.join("admin-token");
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "no credential: set ATTACHE_ADMIN_TOKEN to the server's admin token, since {} can't be read",
            path.display()
        )
    })?;
    Ok((text.trim().to_owned().into(), path.display().to_string()))
}

fn not_running(place: &str) -> anyhow::Error {
    anyhow!(
        "no server runs {place}: start one with `attache serve`, or name another with --url, {URL_VARIABLE} or --data-dir"
    )
}

impl Operator {
    /// Prints what came of a command: as JSON if that is asked for, else as this text.
    pub(crate) fn show<T: Serialize>(&self, answer: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        if self.json { output::print_json(answer) } else { Ok(output::print(&text(answer))?) }
    }

    /// Asks and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, method: Method, path: &[&str]) -> anyhow::Result<T> {
        self.read(self.request(method, path)?).await
    }

    /// Tells something and reads the answer.
    pub(crate) async fn tell<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> anyhow::Result<T> {
        self.read(self.request(Method::POST, path)?.json(body)).await
    }

    /// Sends a request and reads its answer as JSON.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let answer = self.send(request).await?.json().await;
        answer.with_context(|| format!("{} did not answer as an Attache server of this version does", self.server))
    }

    /// A request below `/admin/v1`, each part of its path escaped.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} is no address such as http://127.0.0.1:9091", self.server))?
            .pop_if_empty()
            .extend(["admin", "v1"])
            .extend(path);
        Ok(self.http.request(method, url).bearer_auth(self.token.expose_secret()))
    }

    /// Sends a request. The error of an unsuccessful one says what to do.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = send(request, &self.server).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "{} refuses {}: set ATTACHE_ADMIN_TOKEN to its admin token, or --data-dir to its data directory",
                self.server,
                self.token_origin
            );
        }
        match response.json::<Refusal>().await {
            Ok(refusal) => Err(anyhow!(refusal.message)),
            Err(_) => Err(anyhow!("{} answers {status}: is it an Attache server of this version?", self.server)),
        }
    }
}

/// Whether nobody listens there.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source());
    causes.any(|cause| cause.downcast_ref().is_some_and(|io: &io::Error| io.kind() == io::ErrorKind::ConnectionRefused))
}
