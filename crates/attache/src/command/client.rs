//! `attache client`: the clients of a running server.

use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow, bail};
use attache_core::{
    AuthenticationMethod, GrantType, Pace, PublisherName, Purpose, Quota, Scope, SigningAlgorithm, Timestamp,
};
use attache_server::admin::api::{Client, ClientList, NewSecret, NewWebhookSecret, Plan, RemovedClient};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use reqwest::{Method, header};
use serde_json::{Map, Value, json};

use crate::{
    operator::{Connection, Operator},
    output,
};

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
    /// Shows all that is registered of a client
    Show(Named),
    /// Registers a client
    Add(Box<Add>),
    /// Changes what is registered of a client: only what is named, lists as a whole
    Set(Box<Set>),
    /// Gives a client a new secret beside the one that it has, or ends the one before
    RotateSecret(RotateSecret),
    /// Gives a client a new secret by which events to its sinks are signed, beside the one that it has, or ends
    /// the one before, or all
    RotateWebhookSecret(RotateWebhookSecret),
    /// Removes a client; its tokens stop at once
    Remove(Named),
}

/// A client.
#[derive(Args)]
struct Named {
    /// Where it is registered: camara, orange, telefonica or vonage
    #[arg(long, value_name = "NAME")]
    publisher: PublisherName,
    /// What it calls itself, its `client_id`
    id: String,
}

impl Named {
    /// Its path below `/admin/v1`.
    fn path(&self) -> [&str; 3] {
        ["clients", self.publisher.as_str(), &self.id]
    }
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
    #[command(flatten)]
    registration: Registration,
}

#[derive(Args)]
struct Set {
    #[command(flatten)]
    client: Named,
    #[command(flatten)]
    registration: Registration,
    /// What to take back to what it is when nothing is registered
    #[arg(long, value_name = "FIELD", value_parser = PossibleValuesParser::new(CLEARABLE))]
    clear: Vec<String>,
}

/// What can be cleared, by its name in the admin API.
const CLEARABLE: [&str; 12] = [
    "name",
    "organisation",
    "keys",
    "jwks_uri",
    "authentication_methods",
    "redirect_uris",
    "origins",
    "grants",
    "scopes",
    "plan",
    "id_token_signed_response_alg",
    "sector",
];

#[derive(Args)]
struct RotateSecret {
    #[command(flatten)]
    client: Named,
    /// The new secret; one is made, and shown once, if there is none
    #[arg(long)]
    secret: Option<String>,
    /// When the one before ends, such as 2026-01-31T12:00:00Z; by default, when it is ended by
    /// --end-previous
    #[arg(long, value_name = "TIME")]
    previous_ends_at: Option<Timestamp>,
    /// Ends the secret before the newest one now, and makes none
    #[arg(long, conflicts_with_all = ["secret", "previous_ends_at"])]
    end_previous: bool,
}

#[derive(Args)]
struct RotateWebhookSecret {
    #[command(flatten)]
    client: Named,
    /// When the one before ends, such as 2026-01-31T12:00:00Z; by default, when it is ended by
    /// --end-previous
    #[arg(long, value_name = "TIME")]
    previous_ends_at: Option<Timestamp>,
    /// Ends the secret before the newest one now, and makes none
    #[arg(long, conflicts_with_all = ["previous_ends_at", "end_all"])]
    end_previous: bool,
    /// Ends all now, and makes none: events are not signed any more
    #[arg(long, conflicts_with = "previous_ends_at")]
    end_all: bool,
}

/// What is registered of a client.
#[derive(Args)]
struct Registration {
    /// What subscribers are told that it is called; by default its `client_id`
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Who is responsible for it, as subscribers are told
    #[arg(long, value_name = "TEXT")]
    organisation: Option<String>,
    /// A file with its public key: a JSON Web Key or a set of them
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    public_key: Option<PathBuf>,
    /// Where it publishes its public keys instead
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// How it may authenticate, such as `private_key_jwt`, or `none` for a public client; by default, by
    /// whatever it has the credential for
    #[arg(long = "authentication-method", value_name = "METHOD")]
    authentication_methods: Vec<AuthenticationMethod>,
    /// Where the authorization endpoint may send a browser back to
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// A web origin whose pages may call, such as `https://shop.example`
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// How it may get tokens, such as `client_credentials`; by default, in all ways of its publisher
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<GrantType>,
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
    /// Whether its tokens must be bound to a key of its own (`DPoP`)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    dpop_required: Option<bool>,
    /// Whether its authorization requests must be signed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    signed_requests_required: Option<bool>,
    /// What its ID tokens are signed by: RS256, or ES256; by default, RS256
    #[arg(long, value_name = "ALGORITHM")]
    id_token_signed_response_alg: Option<SigningAlgorithm>,
    /// The host whose clients know a subscriber by the same pseudonym
    #[arg(long, value_name = "HOST")]
    sector: Option<String>,
}

impl Registration {
    /// What was given, as the admin API has it: the fields of a registration, or a patch of one.
    fn fields(self) -> anyhow::Result<Map<String, Value>> {
        let mut fields = Map::new();
        let keys = self.public_key.as_deref().map(read_keys).transpose()?;
        let texts = |list: &[String]| (!list.is_empty()).then(|| json!(list));
        let given = [
            ("name", self.name.map(Value::from)),
            ("organisation", self.organisation.map(Value::from)),
            ("keys", keys.map(Value::from)),
            ("jwks_uri", self.jwks_uri.map(Value::from)),
            (
                "authentication_methods",
                (!self.authentication_methods.is_empty()).then(|| json!(self.authentication_methods)),
            ),
            ("redirect_uris", texts(&self.redirect_uris)),
            ("origins", texts(&self.origins)),
            ("grants", (!self.grants.is_empty()).then(|| json!(self.grants))),
            ("scopes", (!self.scopes.is_empty()).then(|| json!(self.scopes))),
            ("purposes", (!self.purposes.is_empty()).then(|| json!(self.purposes))),
            ("dpop_required", self.dpop_required.map(Value::from)),
            ("signed_requests_required", self.signed_requests_required.map(Value::from)),
            ("id_token_signed_response_alg", self.id_token_signed_response_alg.map(|algorithm| json!(algorithm))),
            ("sector", self.sector.map(Value::from)),
        ];
        fields.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        // A new rate has its own burst; the quota stays as it is, unless there is a new one.
        let rate = self.rate.map(|rate| json!({"rate": rate, "burst": self.burst})).unwrap_or_default();
        let quota = self.quota.map(|quota| json!({"quota": quota})).unwrap_or_default();
        let plan: Map<String, Value> =
            [rate, quota].into_iter().filter_map(|part| part.as_object().cloned()).flatten().collect();
        if !plan.is_empty() {
            fields.insert("plan".to_owned(), plan.into());
        }
        Ok(fields)
    }
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        match self.command {
            Command::List => {
                let list: ClientList = operator.ask(Method::GET, &["clients"]).await?;
                operator.show(&list, |list| output::table(HEADINGS, list.clients.iter().map(row)))?;
            }
            Command::Show(client) => {
                let client: Client = operator.ask(Method::GET, &client.path()).await?;
                operator.show(&client, output::fields)?;
            }
            Command::Add(add) => {
                let mut fields = add.registration.fields()?;
                fields.insert("publisher".to_owned(), json!(add.publisher));
                fields.insert("client_id".to_owned(), json!(add.id));
                fields.insert("client_secret".to_owned(), json!(add.secret));
                operator.show(&operator.tell(&["clients"], &fields).await?, with_secret)?;
            }
            Command::Set(set) => operator.show(&change(&operator, *set).await?, with_secret)?,
            Command::RotateSecret(rotate) => operator.show(&rotate_secret(&operator, rotate).await?, with_secret)?,
            Command::RotateWebhookSecret(rotate) => {
                operator.show(&rotate_webhook_secret(&operator, rotate).await?, with_secret)?;
            }
            Command::Remove(client) => {
                let removed: RemovedClient = operator.ask(Method::DELETE, &client.path()).await?;
                operator.show(&removed, |removed| {
                    let Named { publisher, id } = client;
                    let ended = match removed.ended_subscriptions {
                        0 => String::new(),
                        1 => ", and 1 subscription has ended".to_owned(),
                        more => format!(", and {more} subscriptions have ended"),
                    };
                    format!("{id} at {publisher} is removed; its tokens are worth nothing now{ended}\n")
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Changes a client as it is now: whoever changes it at the same time is told, or is heard of.
async fn change(operator: &Operator, set: Set) -> anyhow::Result<Client> {
    let mut fields = set.registration.fields()?;
    fields.extend(set.clear.into_iter().map(|field| (field, Value::Null)));
    if fields.is_empty() {
        bail!("name what to change; `attache help client set` tells what there is");
    }
    let path = set.client.path();
    let seen = operator.send(operator.request(Method::GET, &path)?).await?;
    let tag = seen.headers().get(header::ETAG).cloned();
    let tag = tag.ok_or_else(|| anyhow!("the server did not tell which revision of the client it has"))?;
    operator.read(operator.request(Method::PATCH, &path)?.header(header::IF_MATCH, tag).json(&fields)).await
}

async fn rotate_secret(operator: &Operator, rotate: RotateSecret) -> anyhow::Result<Client> {
    let path = rotate.client.path();
    if rotate.end_previous {
        return operator.ask(Method::DELETE, &[path.as_slice(), &["secrets", "previous"]].concat()).await;
    }
    let new = NewSecret { client_secret: rotate.secret, previous_ends_at: rotate.previous_ends_at };
    operator.tell(&[path.as_slice(), &["secrets"]].concat(), &new).await
}

async fn rotate_webhook_secret(operator: &Operator, rotate: RotateWebhookSecret) -> anyhow::Result<Client> {
    let client = rotate.client.path();
    let path = [client.as_slice(), &["webhook-secrets"]].concat();
    if rotate.end_all {
        return operator.ask(Method::DELETE, &path).await;
    }
    if rotate.end_previous {
        return operator.ask(Method::DELETE, &[path.as_slice(), &["previous"]].concat()).await;
    }
    operator.tell(&path, &NewWebhookSecret { previous_ends_at: rotate.previous_ends_at }).await
}

/// A client, and a secret that was made for it.
fn with_secret(client: &Client) -> String {
    let secret = client.client_secret.as_ref().or(client.webhook_secret.as_ref());
    let secret = secret.map(|secret| format!("secret, shown only now: {secret}\n"));
    output::table(HEADINGS, [row(client)]) + &secret.unwrap_or_default()
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
    let registration = &client.registration;
    let secrets = match client.secrets.len() {
        0 => None,
        1 => Some("secret".to_owned()),
        count => Some(format!("{count} secrets")),
    };
    let keys = match (registration.keys.len(), &registration.jwks_uri) {
        (_, Some(_)) => Some("jwks_uri".to_owned()),
        (0, None) => None,
        (1, None) => Some("1 key".to_owned()),
        (count, None) => Some(format!("{count} keys")),
    };
    let credentials: Vec<String> = [secrets, keys].into_iter().flatten().collect();
    let credential = if credentials.is_empty() { "public".to_owned() } else { credentials.join(", ") };
    let join = |texts: &mut dyn Iterator<Item = &str>| texts.collect::<Vec<_>>().join(" ");
    [
        client.publisher.to_string(),
        client.client_id.clone(),
        credential,
        plan(&registration.plan),
        join(&mut registration.scopes.iter().map(Scope::as_str)),
        join(&mut registration.purposes.iter().map(Purpose::as_str)),
        registration.redirect_uris.join(" "),
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
