//! `/admin/v1/clients`: the applications that hold credentials.

use std::sync::Arc;

use attache_core::{Client, ClientKeys, ClientSecret, GrantType, Id, PlanError, PublicKey, Purpose, Scope, StoreError};
use attache_wire::{PUBLISHERS, Publisher};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use http::StatusCode;
use jsonwebtoken::{DecodingKey, jwk::Jwk};
use url::Url;

use super::{
    AdminError, JsonBody,
    api::{self, ClientList, NewClient, Removed},
};
use crate::{
    app::{App, publisher_named},
    entropy,
    settings::is_random,
};

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<ClientList> {
    Json(ClientList { clients: app.clients.list().iter().map(|client| shown(client)).collect() })
}

pub(super) async fn add(
    State(app): State<Arc<App>>,
    JsonBody(new): JsonBody<NewClient>,
) -> Result<(StatusCode, Json<api::Client>), AdminError> {
    let publisher = publisher_named(new.publisher.as_str()).ok_or_else(|| unknown_publisher(new.publisher.as_str()))?;
    check(&app, publisher, &new).map_err(AdminError::Invalid)?;
    let plan = new.plan.try_into().map_err(|error: PlanError| AdminError::Invalid(format!("plan: {error}")))?;
    let made_secret = match (&new.client_secret, new.keys.is_empty()) {
        (None, true) => Some(entropy::secret().map_err(AdminError::internal)?),
        _ => None,
    };
    let secret = new.client_secret.as_ref().or(made_secret.as_ref());
    let random = entropy::bytes().map_err(AdminError::internal)?;
    let now = app.clock.now();
    let id = Id::new(now, &random);
    let client = Client {
        id,
        publisher: publisher.name.clone(),
        client_id: new.client_id.unwrap_or_else(|| id.to_string()),
        revision: 1,
        name: None,
        organisation: None,
        secrets: secret
            .map(|secret| ClientSecret { hash: app.keyring.hash_client_secret(secret), created_at: now, ends_at: None })
            .into_iter()
            .collect(),
        keys: ClientKeys::Registered(new.keys.iter().map(|key| PublicKey(key.to_string())).collect()),
        authentication_methods: Vec::new(),
        redirect_uris: new.redirect_uris,
        origins: new.origins,
        grants: GrantType::ALL.to_vec(),
        scopes: if new.scopes.is_empty() { publisher.scopes() } else { new.scopes },
        purposes: if new.purposes.is_empty() { usual_purposes() } else { new.purposes },
        plan,
        dpop_required: false,
        signed_requests_required: false,
        sector: None,
        registered_at: now,
    };
    let client_id = client.client_id.clone();
    match app.clients.add(client).await {
        Ok(client) => Ok((StatusCode::CREATED, Json(api::Client { client_secret: made_secret, ..shown(&client) }))),
        Err(StoreError::Exists) => Err(AdminError::ClientExists { publisher: publisher.name.to_string(), client_id }),
        Err(error @ (StoreError::Failed { .. } | StoreError::Changed)) => Err(AdminError::internal(error)),
    }
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Removed>, AdminError> {
    let Path((publisher, client_id)) = path?;
    let publisher = publisher_named(&publisher).ok_or_else(|| unknown_publisher(&publisher))?;
    match app.clients.remove(&publisher.name, &client_id).await.map_err(AdminError::internal)? {
        Some(client) => {
            app.consents.end_client(client.id);
            Ok(Json(Removed { removed: true }))
        }
        None => Err(AdminError::UnknownClient { publisher: publisher.name.to_string(), client_id }),
    }
}

fn unknown_publisher(name: &str) -> AdminError {
    let names: Vec<&str> = PUBLISHERS.iter().map(|publisher| publisher.name.as_str()).collect();
    AdminError::Invalid(format!("there is no publisher `{name}`; there are {}", names.join(", ")))
}

/// The purposes of the publishers' own samples, for a sandbox's client that is registered for none.
fn usual_purposes() -> Vec<Purpose> {
    vec![Purpose::new_static("dpv:FraudPreventionAndDetection"), Purpose::new_static("dpv:NotApplicable")]
}

/// What must hold of a client. The error says what to change.
fn check(app: &App, publisher: &Publisher, new: &NewClient) -> Result<(), String> {
    let is_text = |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if new.client_id.as_deref().is_some_and(|id| !is_text(id) || id.contains(':')) {
        return Err("client_id: 1 to 255 printable ASCII characters without space and colon are needed".to_owned());
    }
    if new.client_secret.as_deref().is_some_and(|secret| !is_text(secret)) {
        return Err("client_secret: 1 to 255 printable ASCII characters without space are needed".to_owned());
    }
    if !app.is_sandbox() {
        if new.client_secret.as_deref().is_some_and(|secret| !is_random(secret)) {
            return Err(
                "client_secret: production needs 128 random bits or more; leave it out to have one made".to_owned()
            );
        }
        if new.purposes.is_empty() {
            return Err("purposes: name at least one, such as dpv:FraudPreventionAndDetection".to_owned());
        }
    }
    for key in &new.keys {
        check_key(key)?;
    }
    for uri in &new.redirect_uris {
        check_redirect_uri(uri, app.is_sandbox())?;
    }
    for origin in &new.origins {
        let is_origin = origin.parse().is_ok_and(|url: Url| url.origin().ascii_serialization() == *origin);
        if !is_origin || !origin.starts_with("http") {
            return Err(format!("origins: `{origin}` is no web origin such as https://shop.example, with no path"));
        }
    }
    let known = publisher.scopes();
    // OpenID Connect's own scope needs no registration, and many register it.
    if let Some(scope) = new.scopes.iter().find(|scope| scope.as_str() != "openid" && !known.contains(scope)) {
        let known: Vec<&str> = known.iter().map(Scope::as_str).collect();
        return Err(format!(
            "scopes: {} has no API that needs `{scope}`; there are {}",
            publisher.name,
            known.join(", ")
        ));
    }
    Ok(())
}

/// A key must be public and of a kind that signatures are checked with.
fn check_key(key: &serde_json::Value) -> Result<(), String> {
    if key.get("d").is_some() || key.get("k").is_some() {
        return Err("keys: a private or symmetric key; keep it, and register the public part alone".to_owned());
    }
    let key: Option<Jwk> = serde_json::from_value(key.clone()).ok();
    match key.map(|key| DecodingKey::from_jwk(&key)) {
        Some(Ok(_)) => Ok(()),
        _ => Err("keys: an RSA, EC or OKP public key as a JSON Web Key (RFC 7517) is needed".to_owned()),
    }
}

/// Redirects are exact, absolute and without fragment (RFC 6749 section 3.1.2). Outside a sandbox they
/// are https, an application's own scheme, or loopback (RFC 8252 section 7).
fn check_redirect_uri(text: &str, is_sandbox: bool) -> Result<(), String> {
    let url: Url = text
        .parse()
        .map_err(|_| format!("redirect_uris: `{text}` is no absolute URI such as https://shop.example/callback"))?;
    if url.fragment().is_some() || matches!(url.scheme(), "javascript" | "data" | "file" | "blob") {
        return Err(format!("redirect_uris: `{text}` has a fragment, or a scheme that no application can listen to"));
    }
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !is_loopback && !is_sandbox {
        return Err(format!("redirect_uris: `{text}` must be https outside a sandbox"));
    }
    Ok(())
}

fn shown(client: &Client) -> api::Client {
    api::Client {
        publisher: client.publisher.clone(),
        client_id: client.client_id.clone(),
        client_secret: None,
        has_secret: !client.secrets.is_empty(),
        keys: match &client.keys {
            ClientKeys::Registered(keys) => keys.iter().filter_map(|key| serde_json::from_str(&key.0).ok()).collect(),
            ClientKeys::Published(_) => Vec::new(),
        },
        redirect_uris: client.redirect_uris.clone(),
        origins: client.origins.clone(),
        scopes: client.scopes.clone(),
        purposes: client.purposes.clone(),
        plan: client.plan.into(),
        registered_at: client.registered_at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_public_keys_are_registered() {
        let public = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(check_key(&public), Ok(()));
        let mut private = public;
        private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        assert!(check_key(&private).is_err());
        for key in [json!({}), json!("key"), json!({"kty": "oct", "k": "AA"}), json!({"kty": "EC"})] {
            assert!(check_key(&key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_redirect_goes_to_the_application_and_nowhere_else() {
        for uri in ["https://shop.example/callback", "http://localhost:3000/cb", "http://[::1]/cb", "com.shop:/cb"] {
            assert_eq!(check_redirect_uri(uri, false), Ok(()), "{uri}");
        }
        for uri in ["", "/callback", "https://shop.example/#x", "javascript:alert(1)", "http://shop.example/cb"] {
            assert!(check_redirect_uri(uri, false).is_err(), "{uri}");
        }
        assert_eq!(check_redirect_uri("http://shop.example/cb", true), Ok(()));
    }

    #[test]
    fn every_publisher_has_scopes() {
        assert!(PUBLISHERS.iter().all(|publisher| !publisher.scopes().is_empty()));
    }
}
