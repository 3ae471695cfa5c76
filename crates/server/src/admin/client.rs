//! `/admin/v1/clients`: the applications that hold credentials.
//!
//! Who changes a client tells by `If-Match` which revision of it they have seen, so that of two who edit it
//! at once one hears of the other (RFC 9110 section 13.1.1, RFC 6585 section 3).

use std::sync::Arc;

use attache_core::{
    AuthenticationMethod, Client, ClientId, ClientKeys, ClientSecret, GrantType, Id, PlanError, PublicKey, Purpose,
    Scope, StoreError, Timestamp,
};
use attache_wire::{PUBLISHERS, Publisher};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jsonwebtoken::{DecodingKey, jwk::Jwk};
use serde_json::{Map, Value};
use url::Url;

use super::{
    AdminError, JsonBody,
    api::{self, ClientList, NewClient, NewSecret, NewWebhookSecret, Registration, RemovedClient},
};
use crate::{
    app::{App, publisher_named},
    delivery::RotateError,
    entropy,
    settings::is_random,
};

/// The publisher and the name of a client, from a path.
type ClientPath = Result<Path<(String, String)>, PathRejection>;

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<ClientList> {
    Json(ClientList { clients: app.clients.list().iter().map(|client| shown(&app, client)).collect() })
}

pub(super) async fn show(State(app): State<Arc<App>>, path: ClientPath) -> Result<Response, AdminError> {
    let client = find(&app, path)?;
    Ok(tell(StatusCode::OK, &client, shown(&app, &client)))
}

pub(super) async fn add(
    State(app): State<Arc<App>>,
    JsonBody(new): JsonBody<NewClient>,
) -> Result<Response, AdminError> {
    let NewClient { publisher, client_id, client_secret, mut registration } = new;
    let publisher = publisher_named(publisher.as_str()).ok_or_else(|| unknown_publisher(publisher.as_str()))?;
    let is_text = |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if client_id.as_deref().is_some_and(|id| !is_text(id) || id.contains(':')) {
        return Err(invalid("client_id: 1 to 255 printable ASCII characters without space and colon are needed"));
    }
    if registration.purposes.is_empty() {
        if !app.is_sandbox() {
            return Err(invalid("purposes: name at least one, such as dpv:FraudPreventionAndDetection"));
        }
        registration.purposes = usual_purposes();
    }
    let has_key = !registration.keys.is_empty() || registration.jwks_uri.is_some();
    let is_public = registration.authentication_methods == [AuthenticationMethod::None];
    let made_secret = if client_secret.is_none() && !has_key && !is_public { Some(make_secret()?) } else { None };
    let now = app.clock.now();
    let secret = client_secret.as_ref().or(made_secret.as_ref());
    let secret = secret.map(|secret| hash_secret(&app, secret, now)).transpose()?;
    let id = Id::new(now, &entropy::bytes().map_err(AdminError::internal)?);
    let client_id = client_id.unwrap_or_else(|| id.to_string());
    let secrets = secret.into_iter().collect();
    let record = Record { id, revision: 1, client_id: client_id.clone(), secrets, registered_at: now };
    let client = record.with(&app, publisher, registration).map_err(AdminError::Invalid)?;
    match app.clients.add(client).await {
        Ok(client) => {
            let told = api::Client { client_secret: made_secret, ..shown(&app, &client) };
            Ok(tell(StatusCode::CREATED, &client, told))
        }
        Err(StoreError::Exists) => Err(AdminError::ClientExists { publisher: publisher.name.to_string(), client_id }),
        Err(error) => Err(AdminError::internal(error)),
    }
}

/// Changes what a JSON Merge Patch (RFC 7396) names: `null` takes a field back to what it is without one.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    path: ClientPath,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<Map<String, Value>>,
) -> Result<Response, AdminError> {
    let client = find(&app, path)?;
    if !headers.contains_key(header::IF_MATCH) {
        return Err(AdminError::Unconditional);
    }
    admit_revision(&headers, &client)?;
    let publisher = publisher_named(client.publisher.as_str()).ok_or_else(|| unknown_publisher("it"))?;
    let registration = serde_json::to_value(registration(&client)).map_err(AdminError::internal)?;
    let registration = serde_json::from_value(merged(registration, Value::Object(asked)))
        .map_err(|error| AdminError::Invalid(format!("the body is not what is needed here: {error}")))?;
    let changed = Record::after(&client).with(&app, publisher, registration).map_err(AdminError::Invalid)?;
    replace(&app, changed, None).await
}

/// Gives a client a new secret, beside the one that it has.
pub(super) async fn rotate_secret(
    State(app): State<Arc<App>>,
    path: ClientPath,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewSecret>,
) -> Result<Response, AdminError> {
    let client = find(&app, path)?;
    admit_revision(&headers, &client)?;
    let publisher = publisher_named(client.publisher.as_str()).ok_or_else(|| unknown_publisher("it"))?;
    let now = app.clock.now();
    check_end(new.previous_ends_at, now)?;
    let mut good: Vec<ClientSecret> = client.secrets_at(now).cloned().collect();
    if good.len() >= Client::MOST_SECRETS {
        return Err(AdminError::TwoSecrets);
    }
    let made = if new.client_secret.is_none() { Some(make_secret()?) } else { None };
    let secret = new.client_secret.as_ref().or(made.as_ref());
    for previous in &mut good {
        previous.ends_at = new.previous_ends_at.or(previous.ends_at);
    }
    if let Some(secret) = secret {
        let secret = hash_secret(&app, secret, now)?;
        if good.iter().any(|known| known.hash == secret.hash) {
            return Err(invalid("client_secret: the client has this one already"));
        }
        good.push(secret);
    }
    let record = Record { secrets: good, ..Record::after(&client) };
    let changed = record.with(&app, publisher, registration(&client)).map_err(AdminError::Invalid)?;
    replace(&app, changed, made).await
}

/// Ends the secret before the newest one.
pub(super) async fn end_previous_secret(
    State(app): State<Arc<App>>,
    path: ClientPath,
    headers: HeaderMap,
) -> Result<Response, AdminError> {
    let client = find(&app, path)?;
    admit_revision(&headers, &client)?;
    let newest = client.secrets.iter().max_by_key(|secret| secret.created_at).cloned();
    let secrets = newest.into_iter().collect();
    let revision = client.revision.saturating_add(1);
    replace(&app, Client { secrets, revision, ..client.as_ref().clone() }, None).await
}

/// Gives a client a new secret by which events to its sinks are signed, beside the one that it has.
pub(super) async fn rotate_webhook_secret(
    State(app): State<Arc<App>>,
    path: ClientPath,
    JsonBody(new): JsonBody<NewWebhookSecret>,
) -> Result<Json<api::Client>, AdminError> {
    let (client, now) = (find(&app, path)?, app.clock.now());
    check_end(new.previous_ends_at, now)?;
    match app.signer.rotate(client.id, new.previous_ends_at, now).await {
        Ok(secret) => Ok(Json(api::Client { webhook_secret: Some(secret), ..shown(&app, &client) })),
        Err(RotateError::TooMany) => Err(AdminError::TwoSecrets),
        Err(RotateError::Failed(error)) => Err(AdminError::internal(error)),
    }
}

/// Ends the secret before the newest one by which events are signed.
pub(super) async fn end_previous_webhook_secret(
    State(app): State<Arc<App>>,
    path: ClientPath,
) -> Result<Json<api::Client>, AdminError> {
    let client = find(&app, path)?;
    app.signer.end_previous(client.id, app.clock.now()).await.map_err(AdminError::internal)?;
    Ok(Json(shown(&app, &client)))
}

/// Ends all secrets by which events are signed: they are not any more.
pub(super) async fn end_webhook_secrets(
    State(app): State<Arc<App>>,
    path: ClientPath,
) -> Result<Json<api::Client>, AdminError> {
    let client = find(&app, path)?;
    app.signer.end_all(client.id).await.map_err(AdminError::internal)?;
    Ok(Json(shown(&app, &client)))
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    path: ClientPath,
    headers: HeaderMap,
) -> Result<Json<RemovedClient>, AdminError> {
    let client = find(&app, path)?;
    admit_revision(&headers, &client)?;
    let removed = app.clients.remove(&client.publisher, &client.client_id, app.clock.now()).await;
    match removed.map_err(AdminError::internal)? {
        Some((client, ended_subscriptions)) => {
            app.consents.end_client(client.id);
            Ok(Json(RemovedClient { removed: true, ended_subscriptions }))
        }
        None => Err(unknown_client(&client.publisher.to_string(), client.client_id.clone())),
    }
}

/// Puts the next revision of a client in the place of the one that was seen.
async fn replace(app: &App, changed: Client, made_secret: Option<String>) -> Result<Response, AdminError> {
    match app.clients.replace(changed).await {
        Ok(client) => {
            let told = api::Client { client_secret: made_secret, ..shown(app, &client) };
            Ok(tell(StatusCode::OK, &client, told))
        }
        Err(StoreError::Changed) => Err(AdminError::Changed),
        Err(error) => Err(AdminError::internal(error)),
    }
}

fn find(app: &App, path: ClientPath) -> Result<Arc<Client>, AdminError> {
    let Path((publisher, client_id)) = path?;
    let publisher = publisher_named(&publisher).ok_or_else(|| unknown_publisher(&publisher))?;
    app.clients.find(&publisher.name, &client_id).ok_or_else(|| unknown_client(&publisher.name.to_string(), client_id))
}

fn unknown_client(publisher: &str, client_id: String) -> AdminError {
    AdminError::UnknownClient { publisher: publisher.to_owned(), client_id }
}

fn unknown_publisher(name: &str) -> AdminError {
    let names: Vec<&str> = PUBLISHERS.iter().map(|publisher| publisher.name.as_str()).collect();
    AdminError::Invalid(format!("there is no publisher `{name}`; there are {}", names.join(", ")))
}

fn invalid(sentence: &str) -> AdminError {
    AdminError::Invalid(sentence.to_owned())
}

/// A response with a client, and by which entity tag this revision of it goes.
fn tell(status: StatusCode, client: &Client, body: api::Client) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::try_from(entity_tag(client)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The record is part of it: a later client of the same name begins anew.
fn entity_tag(client: &Client) -> String {
    format!("\"{}-{}\"", client.id, client.revision)
}

/// Refuses who has seen another revision. Weak tags never match (RFC 9110 section 13.1.1).
fn admit_revision(headers: &HeaderMap, client: &Client) -> Result<(), AdminError> {
    let tag = entity_tag(client);
    let mut conditions = headers.get_all(header::IF_MATCH).iter().peekable();
    let is_met = conditions.peek().is_none()
        || conditions
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.trim() == "*" || value.split(',').any(|candidate| candidate.trim() == tag));
    if is_met { Ok(()) } else { Err(AdminError::Changed) }
}

/// A JSON Merge Patch applied (RFC 7396 section 2).
fn merged(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut target = match target {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            let before = target.remove(&name).unwrap_or_default();
            target.insert(name, merged(before, value));
        }
    }
    Value::Object(target)
}

/// When a secret ends that another replaces.
fn check_end(previous_ends_at: Option<Timestamp>, now: Timestamp) -> Result<(), AdminError> {
    if previous_ends_at.is_some_and(|end| end <= now) {
        return Err(invalid("previous_ends_at: it must be in the future; leave it out to end it by command"));
    }
    Ok(())
}

fn make_secret() -> Result<String, AdminError> {
    entropy::secret().map_err(AdminError::internal)
}

/// What is stored of a secret, if it is one.
fn hash_secret(app: &App, secret: &str, now: Timestamp) -> Result<ClientSecret, AdminError> {
    if !(1..=255).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("client_secret: 1 to 255 printable ASCII characters without space are needed"));
    }
    if !app.is_sandbox() && !is_random(secret) {
        return Err(invalid("client_secret: production needs 128 random bits or more; leave it out to have one made"));
    }
    Ok(ClientSecret { hash: app.keyring.hash_client_secret(secret), created_at: now, ends_at: None })
}

/// The purposes of the publishers' own samples, for a sandbox's client that is registered for none.
fn usual_purposes() -> Vec<Purpose> {
    vec![Purpose::new_static("dpv:FraudPreventionAndDetection"), Purpose::new_static("dpv:NotApplicable")]
}

/// What of a client is not registered by whom it belongs to.
struct Record {
    id: ClientId,
    revision: u64,
    client_id: String,
    secrets: Vec<ClientSecret>,
    registered_at: Timestamp,
}

impl Record {
    /// That of the revision after this one.
    fn after(client: &Client) -> Self {
        Self {
            id: client.id,
            revision: client.revision.saturating_add(1),
            client_id: client.client_id.clone(),
            secrets: client.secrets.clone(),
            registered_at: client.registered_at,
        }
    }

    /// The client with this registration. The error says what to change.
    fn with(self, app: &App, publisher: &Publisher, registration: Registration) -> Result<Client, String> {
        check_texts(&registration)?;
        check_targets(&registration, app.is_sandbox())?;
        check_scopes(publisher, &registration.scopes)?;
        let keys = keys(app, &registration)?;
        let client = Client {
            id: self.id,
            revision: self.revision,
            publisher: publisher.name.clone(),
            client_id: self.client_id,
            name: registration.name,
            organisation: registration.organisation,
            secrets: self.secrets,
            keys,
            authentication_methods: registration.authentication_methods,
            redirect_uris: registration.redirect_uris,
            origins: registration.origins,
            grants: if registration.grants.is_empty() { grants_of(publisher) } else { registration.grants },
            scopes: if registration.scopes.is_empty() { publisher.scopes() } else { registration.scopes },
            purposes: registration.purposes,
            plan: registration.plan.try_into().map_err(|error: PlanError| format!("plan: {error}"))?,
            dpop_required: registration.dpop_required,
            signed_requests_required: registration.signed_requests_required,
            id_token_algorithm: registration.id_token_signed_response_alg,
            sector: registration.sector,
            registered_at: self.registered_at,
        };
        if client.purposes.is_empty() {
            return Err("purposes: name at least one, such as dpv:FraudPreventionAndDetection".to_owned());
        }
        check_credentials(app, publisher, &client)?;
        Ok(client)
    }
}

/// In which ways a publisher's clients get tokens.
fn grants_of(publisher: &Publisher) -> Vec<GrantType> {
    let dialect = &publisher.authorization;
    let has_codes = dialect.authorization_path.is_some();
    let has_backchannel = dialect.backchannel_path.is_some();
    GrantType::ALL
        .iter()
        .copied()
        .filter(|grant| match grant {
            GrantType::ClientCredentials => dialect.client_credentials,
            GrantType::AuthorizationCode => has_codes,
            GrantType::Backchannel => has_backchannel,
            GrantType::JwtBearer => dialect.jwt_bearer,
            GrantType::RefreshToken => dialect.has_subscribers(),
        })
        .collect()
}

/// What subscribers are shown is short, and what it seems to be.
fn check_texts(registration: &Registration) -> Result<(), String> {
    for (field, text) in [("name", &registration.name), ("organisation", &registration.organisation)] {
        let Some(text) = text else { continue };
        // Characters that turn the direction of what follows would let a name pass for another.
        let is_hidden = |character: char| {
            character.is_control()
                || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        };
        if text.trim() != text || text.is_empty() || text.chars().count() > 100 || text.chars().any(is_hidden) {
            return Err(format!("{field}: 1 to 100 visible characters are needed, without space around them"));
        }
    }
    if let Some(sector) = &registration.sector {
        let is_host = Url::parse(&format!("https://{sector}/")).is_ok_and(|url| url.host_str() == Some(sector));
        if !is_host {
            return Err(format!("sector: `{sector}` is no host such as shop.example"));
        }
    }
    Ok(())
}

/// Where browsers come from and go to.
fn check_targets(registration: &Registration, is_sandbox: bool) -> Result<(), String> {
    for uri in &registration.redirect_uris {
        check_redirect_uri(uri, is_sandbox)?;
    }
    for origin in &registration.origins {
        let is_origin = origin.parse().is_ok_and(|url: Url| url.origin().ascii_serialization() == *origin);
        if !is_origin || !origin.starts_with("http") {
            return Err(format!("origins: `{origin}` is no web origin such as https://shop.example, with no path"));
        }
    }
    Ok(())
}

/// The APIs of the publisher need these scopes, or OpenID Connect knows them, which need no registration but
/// which many register.
fn check_scopes(publisher: &Publisher, scopes: &[Scope]) -> Result<(), String> {
    let known = publisher.scopes();
    let is_known = |scope: &Scope| matches!(scope.as_str(), "openid" | "offline_access") || known.contains(scope);
    match scopes.iter().find(|scope| !is_known(scope)) {
        None => Ok(()),
        Some(scope) => {
            let known: Vec<&str> = known.iter().map(Scope::as_str).collect();
            Err(format!("scopes: {} has no API that needs `{scope}`; there are {}", publisher.name, known.join(", ")))
        }
    }
}

/// Where a client's public keys are.
fn keys(app: &App, registration: &Registration) -> Result<ClientKeys, String> {
    for key in &registration.keys {
        check_key(key)?;
    }
    match &registration.jwks_uri {
        None => Ok(ClientKeys::Registered(registration.keys.iter().map(|key| PublicKey(key.to_string())).collect())),
        Some(_) if !registration.keys.is_empty() => {
            Err("jwks_uri: a client has registered keys or publishes them; leave one out".to_owned())
        }
        Some(uri) => {
            let refused = |refusal| format!("jwks_uri: `{uri}` is not asked: {refusal}; see jwks_networks");
            app.published_keys.admit(uri).map_err(refused)?;
            Ok(ClientKeys::Published(uri.clone()))
        }
    }
}

/// A client has a credential for each way in which it is to authenticate, and its publisher takes it.
fn check_credentials(app: &App, publisher: &Publisher, client: &Client) -> Result<(), String> {
    use AuthenticationMethod as Method;
    let has_secret = !client.secrets.is_empty();
    let has_key = !client.keys.is_empty();
    if client.is_public() {
        if has_secret || has_key {
            return Err("authentication_methods: a client with a secret or a key is not public".to_owned());
        }
        if !app.takes(publisher, Method::None) {
            return Err(format!("authentication_methods: {} has nothing for public clients", publisher.name));
        }
        return Ok(());
    }
    for method in &client.authentication_methods {
        let lacks = match method {
            Method::ClientSecretBasic | Method::ClientSecretPost if !has_secret => "a secret",
            Method::PrivateKeyJwt | Method::ApplicationToken if !has_key => "keys or a jwks_uri",
            Method::None => return Err("authentication_methods: `none` stands alone, or not at all".to_owned()),
            _ => "",
        };
        if !lacks.is_empty() {
            return Err(format!("authentication_methods: {method} needs {lacks}"));
        }
        if !app.takes(publisher, *method) {
            return Err(format!("authentication_methods: {} does not take {method}", publisher.name));
        }
    }
    if has_secret && !has_key && !app.takes(publisher, Method::ClientSecretBasic) {
        return Err(format!(
            "keys: in production, {} takes signed assertions (private_key_jwt) only; register keys or a jwks_uri, or \
             set camara_client_secrets",
            publisher.name
        ));
    }
    if !has_secret && !has_key {
        return Err("keys: a client needs a secret, keys or a jwks_uri, unless it is public".to_owned());
    }
    if client.signed_requests_required && !has_key {
        return Err("signed_requests_required: requests are signed with a key; register keys or a jwks_uri".to_owned());
    }
    Ok(())
}

/// What of a client can be changed.
fn registration(client: &Client) -> Registration {
    let (keys, jwks_uri) = match &client.keys {
        ClientKeys::Registered(keys) => {
            (keys.iter().filter_map(|key| serde_json::from_str(&key.0).ok()).collect(), None)
        }
        ClientKeys::Published(uri) => (Vec::new(), Some(uri.clone())),
    };
    Registration {
        name: client.name.clone(),
        organisation: client.organisation.clone(),
        keys,
        jwks_uri,
        authentication_methods: client.authentication_methods.clone(),
        redirect_uris: client.redirect_uris.clone(),
        origins: client.origins.clone(),
        grants: client.grants.clone(),
        scopes: client.scopes.clone(),
        purposes: client.purposes.clone(),
        plan: client.plan.into(),
        dpop_required: client.dpop_required,
        signed_requests_required: client.signed_requests_required,
        id_token_signed_response_alg: client.id_token_algorithm,
        sector: client.sector.clone(),
    }
}

fn shown(app: &App, client: &Client) -> api::Client {
    let now = app.clock.now();
    let secrets = client.secrets_at(now);
    let secrets: Vec<_> =
        secrets.map(|secret| api::Secret { created_at: secret.created_at, ends_at: secret.ends_at }).collect();
    api::Client {
        publisher: client.publisher.clone(),
        client_id: client.client_id.clone(),
        client_secret: None,
        has_secret: !secrets.is_empty(),
        secrets,
        webhook_secret: None,
        webhook_secrets: app
            .signer
            .secrets(client.id, now)
            .into_iter()
            .map(|secret| api::Secret { created_at: secret.created_at, ends_at: secret.ends_at })
            .collect(),
        registration: registration(client),
        registered_at: client.registered_at,
    }
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

    #[test]
    fn a_merge_patch_changes_what_it_names_and_takes_back_what_it_has_null_for() {
        let target = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1, 2]});
        let patch = json!({"a": null, "b": {"c": null, "f": 3}, "e": [3], "g": {"h": null}});
        assert_eq!(merged(target, patch), json!({"b": {"d": 2, "f": 3}, "e": [3], "g": {}}));
    }

    #[test]
    fn a_name_is_what_it_seems_to_be() {
        let check = |name: &str| check_texts(&Registration { name: Some(name.to_owned()), ..Registration::default() });
        for name in ["The Shop", "Crédit Agricole", "株式会社", "a"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", " a", "a\nb", "pohs\u{202e}", "zero\u{200b}width", &"a".repeat(101)] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_sector_is_a_host() {
        let check =
            |sector: &str| check_texts(&Registration { sector: Some(sector.into()), ..Registration::default() });
        assert_eq!(check("shop.example"), Ok(()));
        for sector in ["", "https://shop.example", "shop.example/x", "Shop.example", "a b", "shop.example:443", "u@a"] {
            assert!(check(sector).is_err(), "{sector}");
        }
    }
}
