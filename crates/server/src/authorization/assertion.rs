use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use attache_core::{Client, Timestamp};
use attache_wire::Publisher;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use serde::Deserialize;

use crate::app::App;

/// The longest life of an assertion (CAMARA Security and Interoperability Profile, "Client
/// Authentication").
const LONGEST_LIFE_SECONDS: i64 = 300;

/// A client's key may sign with these.
pub(super) const ALGORITHMS: [(Algorithm, &str); 4] = [
    (Algorithm::ES256, "ES256"),
    (Algorithm::RS256, "RS256"),
    (Algorithm::PS256, "PS256"),
    (Algorithm::EdDSA, "EdDSA"),
];

/// The claims of a client's assertion (RFC 7523 section 3).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: Option<i64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn is_one_of(&self, accepted: &[&str]) -> bool {
        match self {
            Self::One(audience) => accepted.contains(&audience.as_str()),
            Self::Many(audiences) => audiences.iter().any(|audience| accepted.contains(&audience.as_str())),
        }
    }
}

/// Judges assertions of clients (`private_key_jwt`), and remembers those that were used.
#[derive(Default)]
pub(crate) struct Assertions {
    /// By the hash of client and `jti`, until when.
    used: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Assertions {
    /// The client that signed an assertion for one of the accepted audiences; `None` for whatever is
    /// wrong with it.
    pub(super) fn client(
        &self,
        app: &App,
        publisher: &Publisher,
        accepted_audiences: &[&str],
        assertion: &str,
    ) -> Option<Arc<Client>> {
        let header = jsonwebtoken::decode_header(assertion).ok()?;
        ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == header.alg)?;
        let client = app.clients.find(&publisher.name, &unverified_subject(assertion)?)?;
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = client.keys.iter().find_map(|key| {
            let key: Jwk = serde_json::from_str(&key.0).ok()?;
            if header.kid.is_some() && key.common.key_id.is_some() && header.kid != key.common.key_id {
                return None;
            }
            let key = DecodingKey::from_jwk(&key).ok()?;
            Some(jsonwebtoken::decode::<Claims>(assertion, &key, &validation).ok()?.claims)
        })?;
        let now = app.clock.now();
        let seconds = now.unix_seconds();
        let is_timely = claims.exp > seconds
            && claims.exp.saturating_sub(seconds) <= LONGEST_LIFE_SECONDS
            && claims.iat.is_none_or(|iat| claims.exp.saturating_sub(iat) <= LONGEST_LIFE_SECONDS);
        if claims.iss != client.client_id
            || claims.sub != client.client_id
            || !claims.aud.is_one_of(accepted_audiences)
            || !is_timely
            || claims.jti.is_empty()
        {
            return None;
        }
        let key = crate::token::hash(&format!("{} {}", client.id, claims.jti));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= 10_000 {
            used.retain(|_, until| *until > now);
        }
        used.insert(key, Timestamp::from_unix_seconds(claims.exp)).is_none_or(|until| until <= now).then_some(client)
    }
}

/// Whom an assertion claims to be from, to find the key that it must be signed with.
fn unverified_subject(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    Some(serde_json::from_slice::<Subject>(&payload).ok()?.sub)
}
