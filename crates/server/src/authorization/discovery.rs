use std::collections::BTreeSet;

use attache_core::{AuthenticationMethod, Problem, Scope, SigningAlgorithm};
use attache_wire::Publisher;
use axum::response::Response;
use http::{HeaderValue, header};
use serde::Serialize;

use super::{Refused, authorize::PROMPTS, signed::ALGORITHMS};
use crate::{app::App, docs, pages::Language, query::json_response, routes::KEYS_PATH, signing_keys::KeyError};

/// The addresses of a publisher's authorization server.
pub(crate) struct Endpoints {
    pub(crate) issuer: String,
    pub(crate) token: String,
    pub(crate) backchannel: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) revocation: String,
    pub(crate) introspection: String,
    userinfo: Option<String>,
    keys: String,
}

/// The addresses of a publisher's authorization server.
pub(crate) fn endpoints(app: &App, publisher: &Publisher) -> Endpoints {
    let issuer = app.issuer(publisher);
    let dialect = &publisher.authorization;
    Endpoints {
        token: format!("{issuer}{}", dialect.token_path),
        backchannel: dialect.backchannel_path.map(|path| format!("{issuer}{path}")),
        authorization: dialect.authorization_path.map(|path| format!("{issuer}{path}")),
        revocation: format!("{issuer}{}", dialect.revocation_path),
        introspection: format!("{issuer}{}", dialect.introspection_path),
        userinfo: dialect.userinfo_path.map(|path| format!("{issuer}{path}")),
        keys: format!("{issuer}{KEYS_PATH}"),
        issuer,
    }
}

/// Metadata of an authorization server (OpenID Connect Discovery section 3, RFC 8414 section 2). A member with nothing
/// in it is left out (RFC 8414 section 3.2), unless it has to be there.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the specifications have these")]
struct Metadata<'a> {
    issuer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<&'a str>,
    token_endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_authentication_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    userinfo_endpoint: Option<&'a str>,
    revocation_endpoint: &'a str,
    introspection_endpoint: &'a str,
    jwks_uri: &'a str,
    scopes_supported: BTreeSet<&'a str>,
    response_types_supported: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_modes_supported: Option<[&'a str; 1]>,
    grant_types_supported: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_types_supported: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token_signing_alg_values_supported: Option<&'a [SigningAlgorithm]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ui_locales_supported: Option<[&'a str; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_values_supported: Option<[&'a str; 4]>,
    token_endpoint_auth_methods_supported: Vec<&'a str>,
    token_endpoint_auth_signing_alg_values_supported: [&'a str; 4],
    revocation_endpoint_auth_methods_supported: Vec<&'a str>,
    revocation_endpoint_auth_signing_alg_values_supported: [&'a str; 4],
    introspection_endpoint_auth_methods_supported: Vec<&'a str>,
    introspection_endpoint_auth_signing_alg_values_supported: [&'a str; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    claims_supported: Option<[&'a str; 8]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_token_delivery_modes_supported: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_user_code_parameter_supported: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_challenge_methods_supported: Option<[&'a str; 1]>,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_object_signing_alg_values_supported: Option<[&'a str; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_authentication_request_signing_alg_values_supported: Option<[&'a str; 4]>,
    dpop_signing_alg_values_supported: [&'a str; 4],
    authorization_response_iss_parameter_supported: bool,
    service_documentation: String,
}

/// What the specifications have names for, of the ways in which clients prove who they are.
const METHODS: [AuthenticationMethod; 4] = [
    AuthenticationMethod::ClientSecretBasic,
    AuthenticationMethod::ClientSecretPost,
    AuthenticationMethod::PrivateKeyJwt,
    AuthenticationMethod::None,
];

/// What ID tokens and the userinfo endpoint tell.
const CLAIMS: [&str; 8] = ["iss", "sub", "aud", "iat", "exp", "auth_time", "at_hash", "nonce"];

/// The metadata document of a publisher's authorization server.
pub(super) fn metadata(app: &App, publisher: &Publisher) -> Response {
    let endpoints = endpoints(app, publisher);
    let has_codes = endpoints.authorization.is_some();
    let has_backchannel = endpoints.backchannel.is_some();
    let has_subscribers = publisher.authorization.has_subscribers();
    let grants = [
        (publisher.authorization.client_credentials, "client_credentials"),
        (has_codes, "authorization_code"),
        (has_backchannel, "urn:openid:params:grant-type:ciba"),
        (publisher.authorization.jwt_bearer, "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        (has_subscribers, "refresh_token"),
    ];
    let scopes = publisher.scopes();
    let oidc_scopes: &[&str] = if has_subscribers { &["openid", "offline_access"] } else { &[] };
    let methods = METHODS.into_iter().filter(|method| app.takes(publisher, *method));
    let methods: Vec<&str> = methods.map(AuthenticationMethod::as_str).collect();
    // Who has not proved who it is hears nothing about tokens.
    let proofs: Vec<&str> =
        methods.iter().copied().filter(|name| *name != AuthenticationMethod::None.as_str()).collect();
    let algorithms = ALGORITHMS.map(|(_, name)| name);
    let metadata = Metadata {
        issuer: &endpoints.issuer,
        authorization_endpoint: endpoints.authorization.as_deref(),
        token_endpoint: &endpoints.token,
        backchannel_authentication_endpoint: endpoints.backchannel.as_deref(),
        userinfo_endpoint: endpoints.userinfo.as_deref(),
        revocation_endpoint: &endpoints.revocation,
        introspection_endpoint: &endpoints.introspection,
        jwks_uri: &endpoints.keys,
        scopes_supported: scopes.iter().map(Scope::as_str).chain(oidc_scopes.iter().copied()).collect(),
        response_types_supported: if has_codes { &["code"] } else { &[] },
        response_modes_supported: has_codes.then_some(["query"]),
        grant_types_supported: grants.into_iter().filter_map(|(has, grant)| has.then_some(grant)).collect(),
        subject_types_supported: has_subscribers.then_some(["pairwise"]),
        id_token_signing_alg_values_supported: has_subscribers.then_some(SigningAlgorithm::ALL),
        ui_locales_supported: has_codes.then_some(Language::ALL.map(Language::tag)),
        prompt_values_supported: has_codes.then_some(PROMPTS),
        token_endpoint_auth_methods_supported: methods.clone(),
        token_endpoint_auth_signing_alg_values_supported: algorithms,
        revocation_endpoint_auth_methods_supported: methods.clone(),
        revocation_endpoint_auth_signing_alg_values_supported: algorithms,
        introspection_endpoint_auth_methods_supported: proofs,
        introspection_endpoint_auth_signing_alg_values_supported: algorithms,
        claims_supported: has_subscribers.then_some(CLAIMS),
        backchannel_token_delivery_modes_supported: has_backchannel.then_some(["poll"]),
        backchannel_user_code_parameter_supported: has_backchannel.then_some(false),
        code_challenge_methods_supported: has_codes.then_some(["S256"]),
        claims_parameter_supported: false,
        request_parameter_supported: has_codes || has_backchannel,
        request_uri_parameter_supported: false,
        request_object_signing_alg_values_supported: has_codes.then_some(algorithms),
        backchannel_authentication_request_signing_alg_values_supported: has_backchannel.then_some(algorithms),
        dpop_signing_alg_values_supported: algorithms,
        authorization_response_iss_parameter_supported: has_codes,
        service_documentation: format!("{}{}", app.base_url, docs::PATH),
    };
    json_response(200, serde_json::to_vec(&metadata).unwrap_or_default())
}

/// The keys that tokens are verified with (RFC 7517 section 5). Caches ask again before a new one signs.
pub(super) async fn keys(app: &App) -> Result<Response, Refused> {
    let keys = app.tokens.keys();
    let public = keys.public(app.clock.as_ref()).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the published keys are not complete");
        match error {
            KeyError::Store(error) => Problem::from(error),
            KeyError::Entropy(_) | KeyError::SecretsKey(_) => Problem::Internal,
        }
    })?;
    let mut response = json_response(200, serde_json::to_vec(&public).unwrap_or_default());
    let cached = format!("public, max-age={}", keys.cached_for().as_secs());
    // It is made of digits.
    if let Ok(cached) = HeaderValue::from_str(&cached) {
        response.headers_mut().insert(header::CACHE_CONTROL, cached);
    }
    Ok(response)
}
