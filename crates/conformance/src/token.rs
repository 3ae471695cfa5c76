//! Where the runner has its tokens from: the file, or the authorization server, by client credentials
//! (RFC 6749 section 4.4) and by CIBA in poll mode (CIBA Core section 7).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded::Serializer};

use crate::{
    exchange::chain,
    plan::{Bearer, has_scope},
    target::{Client, Target},
};

/// What is sent where a token should be.
const MALFORMED: &str = "this-is-not-a-token";

/// How often a CIBA request is polled before its subscriber is given up.
const POLLS: u32 = 30;

/// Fetches tokens, each once.
#[derive(Default)]
pub(crate) struct Tokens {
    fetched: Mutex<HashMap<(Bearer, String), SecretString>>,
}

impl Tokens {
    /// The `Authorization` header of a bearer with these scopes, separated by spaces. Errors: a sentence.
    pub(crate) async fn authorization(
        &self,
        http: &reqwest::Client,
        target: &Target,
        scopes: &str,
        bearer: &Bearer,
    ) -> Result<Option<String>, String> {
        let key = (bearer.clone(), scopes.to_owned());
        let known = self.lock().get(&key).cloned();
        let token = match (known, bearer) {
            (_, Bearer::Missing) => return Ok(None),
            (_, Bearer::OtherScheme) => return Ok(Some("Basic Y29uZm9ybWFuY2U6Y29uZm9ybWFuY2U=".to_owned())),
            (Some(token), _) => token,
            (None, bearer) => {
                let token = find(http, target, scopes, bearer).await?;
                self.lock().insert(key, token.clone());
                token
            }
        };
        Ok(Some(format!("Bearer {}", token.expose_secret())))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Bearer, String), SecretString>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token at hand, or a fetched one.
async fn find(http: &reqwest::Client, target: &Target, scopes: &str, bearer: &Bearer) -> Result<SecretString, String> {
    let tokens = &target.tokens;
    let at_hand = match bearer {
        Bearer::Missing | Bearer::OtherScheme | Bearer::Malformed => Some(SecretString::from(MALFORMED)),
        Bearer::Expired => tokens.expired.clone(),
        Bearer::Foreign => tokens.foreign.clone(),
        Bearer::TwoLegged => tokens.two_legged.clone(),
        Bearer::WithoutScope => tokens.without_scope.clone(),
        Bearer::OtherClient => tokens.other_client.clone(),
        Bearer::OverRate => tokens.over_rate.clone(),
        Bearer::OverQuota => tokens.over_quota.clone(),
        Bearer::ThreeLegged(number) => {
            let given = tokens.three_legged.iter().find(|given| given.phone_number == *number);
            given.map(|given| given.token.clone())
        }
    };
    if let Some(token) = at_hand {
        return Ok(token);
    }
    let client = match bearer {
        Bearer::Foreign => &target.foreign_client,
        Bearer::OtherClient => &target.other_client,
        Bearer::OverRate => &target.rate_client,
        Bearer::OverQuota => &target.quota_client,
        _ => &target.client,
    };
    let client = client.as_ref().ok_or("no client is given")?;
    match bearer {
        Bearer::ThreeLegged(number) => by_ciba(http, client, scopes, number).await,
        Bearer::WithoutScope => {
            let other = client.scopes.iter().find(|scope| !has_scope(scopes, scope));
            by_client_credentials(http, client, other.map(String::as_str)).await
        }
        Bearer::Foreign => by_client_credentials(http, client, None).await,
        _ => by_client_credentials(http, client, Some(scopes)).await,
    }
}

/// `scope`, with the purpose as the CAMARA profile puts it there.
fn scope_parameter(client: &Client, scope: &str) -> String {
    client.purpose.iter().map(String::as_str).chain([scope]).collect::<Vec<_>>().join(" ")
}

async fn by_client_credentials(
    http: &reqwest::Client,
    client: &Client,
    scope: Option<&str>,
) -> Result<SecretString, String> {
    let scope = scope.map(|scope| scope_parameter(client, scope));
    let fields = [("grant_type", Some("client_credentials")), ("scope", scope.as_deref())];
    let fields: Vec<_> = fields.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    let answer = post(http, client, &client.token_endpoint, &fields).await?;
    access_token(&answer).ok_or_else(|| refused("the token endpoint", &answer))
}

async fn by_ciba(http: &reqwest::Client, client: &Client, scope: &str, number: &str) -> Result<SecretString, String> {
    let endpoint = client.backchannel_authentication_endpoint.as_ref().ok_or("the client has no CIBA endpoint")?;
    let scope = format!("openid {}", scope_parameter(client, scope));
    let hint = format!("tel:{number}");
    let answer = post(http, client, endpoint, &[("scope", &scope), ("login_hint", &hint)]).await?;
    let request = answer["auth_req_id"].as_str().ok_or_else(|| refused("the CIBA endpoint", &answer))?;
    let interval = Duration::from_secs(answer["interval"].as_u64().unwrap_or(5).clamp(1, 30));
    for _ in 0..POLLS {
        let fields = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", request)];
        let answer = post(http, client, &client.token_endpoint, &fields).await?;
        match (access_token(&answer), answer["error"].as_str()) {
            (Some(token), _) => return Ok(token),
            (None, Some("authorization_pending" | "slow_down")) => tokio::time::sleep(interval).await,
            (None, _) => return Err(refused("the token endpoint", &answer)),
        }
    }
    Err(format!("the subscriber of {number} did not answer the CIBA request"))
}

async fn post(http: &reqwest::Client, client: &Client, url: &Url, fields: &[(&str, &str)]) -> Result<Value, String> {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http
        .post(url.clone())
        .basic_auth(&client.client_id, Some(client.client_secret.expose_secret()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let unreachable = |error: reqwest::Error| format!("{url} does not answer: {}", chain(&error.without_url()));
    let response: Response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    serde_json::from_str(&text).map_err(|_| format!("{url} answers {status} without JSON"))
}

fn access_token(answer: &Value) -> Option<SecretString> {
    answer["access_token"].as_str().map(SecretString::from)
}

/// Why there is no token, without what the answer may hold beside.
fn refused(who: &str, answer: &Value) -> String {
    let said = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let (error, description) = (said("error"), said("error_description"));
    format!("{who} gives no token: {error} {description}").trim_end().to_owned()
}
