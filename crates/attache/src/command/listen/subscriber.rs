//! The sandbox's demo client, subscribing as any application would.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use attache_core::{Clock as _, EventType, PhoneNumber};
use attache_server::SystemClock;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use crate::{
    banner::member,
    operator::{self, Connection},
};

/// How long a subscription lives whose listener is killed before it could end it.
const LIFETIME: Duration = Duration::from_hours(24);

/// The line of the example.
const EXAMPLE: &str = "+33639980001";

/// The demo client.
pub(super) struct Subscriber {
    http: reqwest::Client,
    server: Url,
    data_dir: PathBuf,
    /// What the sink insists on.
    sink_token: Option<SecretString>,
    camara: Camara,
    client: DemoClient,
    made: Vec<Made>,
}

/// A subscription that was made, and what is needed to end it.
struct Made {
    id: String,
    url: String,
    delete_scope: String,
}

/// What a sandbox tells at `/sandbox`, as far as it is needed here.
#[derive(Deserialize)]
struct Sandbox {
    publishers: Publishers,
}

#[derive(Deserialize)]
struct Publishers {
    camara: Camara,
}

#[derive(Deserialize)]
struct Camara {
    token_endpoint: String,
    clients: Vec<DemoClient>,
    subscriptions: Vec<Api>,
}

#[derive(Clone, Deserialize)]
struct DemoClient {
    client_id: String,
    client_secret: String,
    purposes: Vec<String>,
}

#[derive(Deserialize)]
struct Api {
    url: String,
    types: Vec<Type>,
    delete_scope: String,
}

#[derive(Deserialize)]
struct Type {
    name: String,
    scope: String,
}

/// What comes back for a token request.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
}

impl Subscriber {
    /// Finds the sandbox on this machine, and its demo client.
    pub(super) async fn find(connection: &Connection, sink_token: Option<SecretString>) -> anyhow::Result<Self> {
        let configuration = connection.configuration()?;
        let server = connection.server(&configuration)?;
        let data_dir = operator::data_dir(&configuration)?.to_owned();
        let http = operator::http_client(&server)?;
        let mut asked = server.clone();
        asked.set_path("/sandbox");
        let answer = operator::send(http.get(asked), &server).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            bail!(
                "{server} is no sandbox: only a sandbox trusts the certificate of `attache listen`. Start one with \
                 `attache serve`; if its operator has an address of its own, name the other one with --url"
            );
        }
        let Sandbox { publishers: Publishers { camara } } = read(answer).await?;
        let client = camara.clients.first().cloned().context("the sandbox's demo client camara-demo is gone")?;
        Ok(Self { http, server, data_dir, sink_token, camara, client, made: Vec::new() })
    }

    pub(super) fn server(&self) -> &Url {
        &self.server
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client.client_id
    }

    /// Makes a subscription and tells its identifier.
    pub(super) async fn subscribe(
        &mut self,
        sink: &str,
        event: EventType,
        line: PhoneNumber,
    ) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Subscription {
            id: String,
        }
        let (api, of_type) = self.offer(event)?;
        let mut body = self.request(sink, of_type, &line.to_string());
        body["config"]["subscriptionExpireTime"] = json!(format!("{:.0}", SystemClock.now().plus(LIFETIME)));
        let token = self.token(&of_type.scope).await?;
        let request = self.http.post(&api.url).bearer_auth(token.expose_secret()).json(&body);
        let (url, delete_scope) = (api.url.clone(), api.delete_scope.clone());
        let what = || format!("{} could not subscribe to {} of {line}", self.client.client_id, event.as_str());
        let Subscription { id } = self.ask(request).await.with_context(what)?;
        self.made.push(Made { id: id.clone(), url, delete_scope });
        Ok(id)
    }

    /// Ends the subscriptions that it made. Returns which it could end.
    pub(super) async fn end(&self) -> BTreeSet<String> {
        let mut ended = BTreeSet::new();
        for made in &self.made {
            match self.delete(made).await {
                Ok(()) => drop(ended.insert(made.id.clone())),
                Err(error) => super::tell(&format!("subscription {} ends within a day: {error:#}\n", made.id)),
            }
        }
        ended
    }

    async fn delete(&self, made: &Made) -> anyhow::Result<()> {
        let token = self.token(&made.delete_scope).await?;
        let request = self.http.delete(format!("{}/{}", made.url, made.id)).bearer_auth(token.expose_secret());
        let status = operator::send(request, &self.server).await?.status();
        if status.is_success() { Ok(()) } else { Err(anyhow!("the server answers {status}")) }
    }

    /// A command for a shell that subscribes this sink to a line.
    pub(super) fn curl(&self, sink: &str, event: EventType) -> anyhow::Result<String> {
        let (api, of_type) = self.offer(event)?;
        let DemoClient { client_id, client_secret, .. } = &self.client;
        let (endpoint, scope) = (&self.camara.token_endpoint, self.asked(&of_type.scope));
        Ok(format!(
            "curl -s -w '\\n' {} \\\n  -H 'Content-Type: application/json' -d '{}' \\\n  -H \"Authorization: Bearer $(\n    \
             curl -s {endpoint} -u {client_id}:{client_secret} -d grant_type=client_credentials --data-urlencode \
             'scope={scope}' |\n    {})\"\n",
            api.url,
            self.request(sink, of_type, EXAMPLE),
            member("access_token"),
        ))
    }

    /// The newest API that has events of a type.
    fn offer(&self, event: EventType) -> anyhow::Result<(&Api, &Type)> {
        let suffix = format!(".{}", event.as_str());
        let mut offers = self.camara.subscriptions.iter().filter_map(|api| {
            let of_type = api.types.iter().find(|known| known.name.ends_with(&suffix))?;
            Some((api, of_type))
        });
        offers.next().with_context(|| format!("no API of this sandbox tells {}", event.as_str()))
    }

    /// The body of a request for a subscription.
    fn request(&self, sink: &str, of_type: &Type, number: &str) -> Value {
        let mut body = json!({
            "protocol": "HTTP",
            "sink": sink,
            "types": [of_type.name],
            "config": { "subscriptionDetail": { "device": { "phoneNumber": number } } },
        });
        if let Some(token) = &self.sink_token {
            body["sinkCredential"] = json!({
                "credentialType": "ACCESSTOKEN",
                "accessToken": token.expose_secret(),
                "accessTokenExpiresUtc": format!("{:.0}", SystemClock.now().plus(LIFETIME * 2)),
                "accessTokenType": "bearer",
            });
        }
        body
    }

    /// What is written as `scope` in a token request.
    fn asked(&self, scope: &str) -> String {
        let purpose = self.client.purposes.first().map(String::as_str).unwrap_or_default();
        format!("{purpose} {scope}")
    }

    async fn token(&self, scope: &str) -> anyhow::Result<SecretString> {
        let scope = self.asked(scope);
        let form = [("grant_type", "client_credentials"), ("scope", &scope)];
        let request = self.http.post(&self.camara.token_endpoint).form(&form);
        let request = request.basic_auth(&self.client.client_id, Some(&self.client.client_secret));
        let TokenResponse { access_token } = self.ask(request).await.context("no token is issued")?;
        Ok(access_token.into())
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        read(operator::send(request, &self.server).await?).await
    }
}

/// Reads an answer. The error of an unsuccessful one says what the server said.
async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> anyhow::Result<T> {
    let status = answer.status();
    let body = answer.bytes().await.context("the server stopped answering")?;
    if !status.is_success() {
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = told["message"].as_str().or(told["error_description"].as_str()).unwrap_or_default();
        bail!("the server answers {status} {message}");
    }
    serde_json::from_slice(&body).context("the server does not answer as a sandbox of this version does")
}
