//! What clients sign: assertions, request objects, application tokens.

use attache_core::{Client, ClientKeys};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, de::DeserializeOwned};

use crate::app::App;

/// A client's key may sign with these.
pub(crate) const ALGORITHMS: [(Algorithm, &str); 4] = [
    (Algorithm::ES256, "ES256"),
    (Algorithm::RS256, "RS256"),
    (Algorithm::PS256, "PS256"),
    (Algorithm::EdDSA, "EdDSA"),
];

/// Whom a signed text is for: `aud` is one text or several (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether one of these is meant.
    pub(super) fn is_one_of(&self, accepted: &[&str]) -> bool {
        match self {
            Self::One(audience) => accepted.contains(&audience.as_str()),
            Self::Many(audiences) => audiences.iter().any(|audience| accepted.contains(&audience.as_str())),
        }
    }
}

/// What a client says in a JSON Web Token, if one of its keys has signed it. Each kind of token has a
/// `typ` of its own, by which it is not taken for another; many clients send none, or `JWT`.
pub(super) async fn claims<Claims: DeserializeOwned>(
    app: &App,
    client: &Client,
    own_type: &str,
    token: &str,
) -> Option<Claims> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let is_known = ALGORITHMS.iter().any(|(algorithm, _)| *algorithm == header.alg);
    let is_of_type =
        header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case(own_type));
    // What an extension demands that is not known here cannot be met (RFC 7515 section 4.1.11).
    if !is_known || !is_of_type || header.crit.is_some() {
        return None;
    }
    let mut validation = Validation::new(header.alg);
    // Each kind has its own rules for these.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let kid = header.kid.as_deref();
    let keys = match &client.keys {
        ClientKeys::Registered(_) => app.clients.verification_keys(client.id),
        ClientKeys::Published(uri) => app.published_keys.at(uri, kid, app.clock.now()).await,
    };
    let fitting = keys.iter().filter(|key| key.is_for(kid, header.alg));
    fitting
        .map(|key| jsonwebtoken::decode(token, key.key(), &validation))
        .find_map(|decoded| Some(decoded.ok()?.claims))
}

/// What a token claims, to find the client whose keys it must be signed with. Nothing else may be made
/// of it.
pub(super) fn unverified<Claims: DeserializeOwned>(token: &str) -> Option<Claims> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}
