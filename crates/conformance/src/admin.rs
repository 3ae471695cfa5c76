//! Attache's admin API, as far as the runner needs it: to change lines, and to have a second client.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{exchange::chain, target::secret};

/// Where the admin API is, and its credential.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The server's address, such as `http://localhost:9091`.
    pub url: Url,
    /// The admin token.
    #[serde(deserialize_with = "secret")]
    pub token: SecretString,
}

impl Admin {
    /// Takes a line abroad and returns it as it then is. Errors: a sentence.
    pub(crate) async fn roam(&self, http: &reqwest::Client, number: &str, country: &str) -> Result<Value, String> {
        self.tell(http, &["lines", number, "roam"], &json!({ "country": country })).await
    }

    /// Takes a line home and returns it as it then is. Errors: a sentence.
    pub(crate) async fn home(&self, http: &reqwest::Client, number: &str) -> Result<Value, String> {
        self.tell(http, &["lines", number, "home"], &json!({})).await
    }

    /// Says how a line can be reached and returns it as it then is. Errors: a sentence.
    pub(crate) async fn reach(
        &self,
        http: &reqwest::Client,
        number: &str,
        data: bool,
        sms: bool,
    ) -> Result<Value, String> {
        self.tell(http, &["lines", number, "reach"], &json!({ "data": data, "sms": sms })).await
    }

    /// Pauses a subscription, or lets it go on. Errors: a sentence.
    pub(crate) async fn pause(&self, http: &reqwest::Client, id: &str, is_paused: bool) -> Result<Value, String> {
        self.tell(http, &["subscriptions", id, if is_paused { "pause" } else { "resume" }], &json!({})).await
    }

    /// Registers a client at CAMARA's issuer, for all that there is. Errors: a sentence.
    pub(crate) async fn register(&self, http: &reqwest::Client, purpose: Option<&str>) -> Result<Value, String> {
        let mut client = json!({ "publisher": "camara" });
        if let Some(purpose) = purpose {
            client["purposes"] = json!([purpose]);
        }
        self.tell(http, &["clients"], &client).await
    }

    /// Removes a client of CAMARA's issuer. Errors: a sentence.
    pub(crate) async fn remove(&self, http: &reqwest::Client, client_id: &str) -> Result<Value, String> {
        let url = self.address(&["clients", "camara", client_id])?;
        self.ask(http.delete(url)).await
    }

    async fn tell(&self, http: &reqwest::Client, path: &[&str], body: &Value) -> Result<Value, String> {
        self.ask(http.post(self.address(path)?).json(body)).await
    }

    fn address(&self, path: &[&str]) -> Result<Url, String> {
        let mut url = self.url.clone();
        let segments = url.path_segments_mut().map(|mut segments| {
            segments.pop_if_empty().extend(["admin", "v1"]).extend(path);
        });
        segments.map_err(|()| format!("{} is no address such as http://localhost:9091", self.url))?;
        Ok(url)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let unreachable = |error: reqwest::Error| format!("the admin API does not answer: {}", chain(&error));
        let response = request.bearer_auth(self.token.expose_secret()).send().await.map_err(unreachable)?;
        let status = response.status();
        let body: Value = response.json().await.map_err(unreachable)?;
        if status.is_success() { Ok(body) } else { Err(format!("the admin API answers {status}: {}", body["message"])) }
    }
}
