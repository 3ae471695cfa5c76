//! `attache client`: the clients of a running server.

use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use attache_core::{Pace, PublisherName, Purpose, Quota, Scope};
use attache_server::admin::api::{Client, ClientList, NewClient, Plan, Removed};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::{operator::Connection, output};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the clients
    List,
    /// Registers a client
    Add(Add),
    /// Removes a client; its tokens stop at once
    Remove {
        /// Where it is registered: camara, orange, telefonica or vonage
        #[arg(long, value_name = "NAME")]
        publisher: PublisherName,
        /// What it calls itself, its `client_id`
        id: String,
    },
}

#[derive(Args)]
struct Add {
    /// Where to register it: camara, orange, telefonica or vonage
    #[arg(long, value_name = "NAME")]
    publisher: PublisherName,
    /// What it will call itself, its `client_id`; one is made if there is none
    #[arg(long)]
    id: Option<String>,
    /// Its secret; one is made, and shown once, if there is neither secret nor key
    #[arg(long)]
    secret: Option<String>,
    /// A file with its public key: a JSON Web Key or a set of them
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Where the authorization endpoint may send a browser back to
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// A web origin whose pages may call, such as `https://shop.example`
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// What it may ask for; by default, what the publisher's APIs need
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// What it may ask it for, such as `dpv:FraudPreventionAndDetection`
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<Purpose>,
    /// How fast it may ask, such as 10/s, 600/min or 1/h; by default, as fast as it can
    #[arg(long)]
    rate: Option<Pace>,
    /// How many requests may come at once after a pause; by default, those of the rate
    #[arg(long, value_name = "REQUESTS", requires = "rate")]
    burst: Option<NonZeroU32>,
    /// How much it may ask on one day of UTC, such as 1000/day
    #[arg(long)]
    quota: Option<Quota>,
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        let json = self.connection.json;
        match self.command {
            Command::List => {
                let list: ClientList = operator.ask(Method::GET, &["clients"]).await?;
                if json {
                    output::print_json(&list)?;
                } else {
                    let rows: Vec<_> = list.clients.iter().map(row).collect();
                    output::print(&output::table(HEADINGS, &rows))?;
                }
            }
            Command::Add(add) => {
                let client: Client = operator.tell(&["clients"], &NewClient::try_from(add)?).await?;
                if json {
                    output::print_json(&client)?;
                } else {
                    output::print(&output::table(HEADINGS, &[row(&client)]))?;
                    if let Some(secret) = &client.client_secret {
                        output::print(&format!("secret, shown only now: {secret}\n"))?;
                    }
                }
            }
            Command::Remove { publisher, id } => {
                let removed: Removed = operator.ask(Method::DELETE, &["clients", publisher.as_str(), &id]).await?;
                if json {
                    output::print_json(&removed)?;
                } else {
                    output::print(&format!("{id} at {publisher} is removed; its tokens are worth nothing now\n"))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl TryFrom<Add> for NewClient {
    type Error = anyhow::Error;

    fn try_from(add: Add) -> anyhow::Result<Self> {
        Ok(Self {
            publisher: add.publisher,
            client_id: add.id,
            client_secret: add.secret,
            keys: add.public_key.as_deref().map(read_keys).transpose()?.unwrap_or_default(),
            redirect_uris: add.redirect_uris,
            origins: add.origins,
            scopes: add.scopes,
            purposes: add.purposes,
            plan: Plan { rate: add.rate, burst: add.burst, quota: add.quota },
        })
    }
}

/// Reads a JSON Web Key or a set of them (RFC 7517). A private key is refused before it leaves.
fn read_keys(path: &Path) -> anyhow::Result<Vec<Value>> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{shown} can't be read"))?;
    let json: Value = serde_json::from_str(&text)
        .with_context(|| format!("{shown} is no JSON Web Key, such as {{\"kty\":\"EC\",\"crv\":\"P-256\",...}}"))?;
    let keys = match json {
        Value::Object(mut set) if set.contains_key("keys") => match set.remove("keys") {
            Some(Value::Array(keys)) => keys,
            _ => bail!("{shown} is no set of JSON Web Keys: `keys` must be a list"),
        },
        key => vec![key],
    };
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        bail!("{shown} has a private or a symmetric key: keep it, and register the public part alone");
    }
    Ok(keys)
}

const HEADINGS: [&str; 7] = ["PUBLISHER", "CLIENT", "CREDENTIAL", "PLAN", "SCOPES", "PURPOSES", "REDIRECT URIS"];

fn row(client: &Client) -> [String; 7] {
    let credential = match (client.has_secret, client.keys.len()) {
        (true, 0) => "secret".to_owned(),
        (true, keys) => format!("secret, {keys} keys"),
        (false, 1) => "1 key".to_owned(),
        (false, keys) => format!("{keys} keys"),
    };
    let join = |texts: &mut dyn Iterator<Item = &str>| texts.collect::<Vec<_>>().join(" ");
    [
        client.publisher.to_string(),
        client.client_id.clone(),
        credential,
        plan(&client.plan),
        join(&mut client.scopes.iter().map(Scope::as_str)),
        join(&mut client.purposes.iter().map(Purpose::as_str)),
        client.redirect_uris.join(" "),
    ]
}

/// What limits a client, in the words of the flags.
fn plan(plan: &Plan) -> String {
    let rate = plan.rate.map(|rate| rate.to_string());
    let burst = plan.burst.map(|burst| format!("burst {burst}"));
    let quota = plan.quota.map(|quota| quota.to_string());
    let limits: Vec<String> = [rate, burst, quota].into_iter().flatten().collect();
    if limits.is_empty() { "-".to_owned() } else { limits.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn keys_in(text: &str) -> anyhow::Result<Vec<Value>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read_keys(file.path())
    }

    #[test]
    fn a_file_has_one_key_or_a_set() {
        assert_eq!(keys_in(r#"{"kty":"EC"}"#).unwrap().len(), 1);
        assert_eq!(keys_in(r#"{"keys":[{"kty":"EC"},{"kty":"OKP"}]}"#).unwrap().len(), 2);
        assert!(keys_in(r#"{"keys":1}"#).is_err());
        assert!(keys_in("-----BEGIN PUBLIC KEY-----").is_err());
    }

    #[test]
    fn a_private_key_does_not_leave() {
        assert!(keys_in(r#"{"kty":"EC","d":"AA"}"#).unwrap_err().to_string().contains("private"));
        assert!(keys_in(r#"{"keys":[{"kty":"oct","k":"AA"}]}"#).is_err());
    }
}
