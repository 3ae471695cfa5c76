//! The keys that clients publish at their `jwks_uri`, fetched when they are needed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use attache_core::Timestamp;
use http::StatusCode;
use quick_cache::sync::Cache;
use serde::Deserialize;

use crate::{
    outbound::{AuthoritiesError, Limits, Outbound, OutboundPolicy, Refusal},
    verification_key::VerificationKey,
};

/// As long as this, keys are taken as they were fetched.
const FRESH: Duration = Duration::from_mins(5);

/// As long as this, they are taken when newer ones cannot be fetched.
const USABLE: Duration = Duration::from_hours(24);

/// As long as this passes between two fetches from one address, whatever is asked for: anybody can ask
/// for a key that there is not.
const BETWEEN_FETCHES: Duration = Duration::from_secs(5);

/// As many sets of keys are remembered.
const REMEMBERED: usize = 10_000;

/// The bounds of one fetch.
const LIMITS: Limits = Limits { within: Duration::from_secs(5), body: 64 * 1024 };

/// Fetches and remembers the keys of clients.
pub(crate) struct PublishedKeys {
    outbound: Outbound,
    sets: Cache<String, Arc<KeySet>>,
}

/// The keys at one address.
#[derive(Default)]
struct KeySet {
    /// Held while they are fetched, so that many who need them at once fetch them once.
    fetching: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<[VerificationKey]>,
    /// When these keys were fetched.
    fetched_at: Option<Timestamp>,
    /// When it was tried last, with or without success.
    tried_at: Option<Timestamp>,
}

impl Default for Known {
    fn default() -> Self {
        Self { keys: Arc::from([]), fetched_at: None, tried_at: None }
    }
}

impl Known {
    /// The keys, as far as they can be used still.
    fn usable(&self, now: Timestamp) -> Arc<[VerificationKey]> {
        if self.is_younger(self.fetched_at, USABLE, now) { Arc::clone(&self.keys) } else { Arc::from([]) }
    }

    /// Whether there is nothing to gain from a fetch.
    fn is_enough_for(&self, kid: Option<&str>, now: Timestamp) -> bool {
        let has_kid = kid.is_none_or(|kid| self.keys.iter().any(|key| key.id() == Some(kid)));
        (has_kid && self.is_younger(self.fetched_at, FRESH, now))
            || self.is_younger(self.tried_at, BETWEEN_FETCHES, now)
    }

    #[expect(clippy::unused_self, reason = "it reads as a sentence")]
    fn is_younger(&self, time: Option<Timestamp>, age: Duration, now: Timestamp) -> bool {
        // A clock that was set back makes nothing young for ever.
        time.is_some_and(|time| time <= now && now < time.plus(age))
    }
}

impl PublishedKeys {
    /// Fetches keys under this policy.
    pub(crate) fn new(policy: OutboundPolicy) -> Result<Self, AuthoritiesError> {
        Ok(Self { outbound: Outbound::new(policy, LIMITS)?, sets: Cache::new(REMEMBERED) })
    }

    /// Whether keys may be fetched from an address, as far as its text tells.
    pub(crate) fn admit(&self, uri: &str) -> Result<(), Refusal> {
        self.outbound.admit(uri).map(drop)
    }

    /// The keys at an address; fetched again if they are old, or the one that is meant is not among them.
    /// None if they cannot be had.
    pub(super) async fn at(&self, uri: &str, kid: Option<&str>, now: Timestamp) -> Arc<[VerificationKey]> {
        let made: Result<_, std::convert::Infallible> = self.sets.get_or_insert_with(uri, || Ok(Arc::default()));
        let Ok(set) = made;
        let known = set.known();
        if known.is_enough_for(kid, now) {
            return known.usable(now);
        }
        let _fetching = set.fetching.lock().await;
        // Somebody else may have fetched them meanwhile.
        let known = set.known();
        if known.is_enough_for(kid, now) {
            return known.usable(now);
        }
        let known = match self.fetch(uri).await {
            Ok(keys) => Known { keys: keys.into(), fetched_at: Some(now), tried_at: Some(now) },
            Err(cause) => {
                tracing::warn!(cause, "a client's jwks_uri gives no keys");
                Known { tried_at: Some(now), ..known }
            }
        };
        let keys = known.usable(now);
        set.put(known);
        keys
    }

    async fn fetch(&self, uri: &str) -> Result<Vec<VerificationKey>, String> {
        let answer = self.outbound.get(uri).await.map_err(|error| error.description())?;
        if answer.status != StatusCode::OK {
            return Err(format!("it answers {}", answer.status));
        }
        read(&answer.body).ok_or_else(|| "it answers with no JSON Web Key Set".to_owned())
    }
}

impl KeySet {
    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Reads a JSON Web Key Set (RFC 7517 section 5). Keys of kinds that are not known here are left out, as it
/// asks.
fn read(body: &[u8]) -> Option<Vec<VerificationKey>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).ok()?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Some(keys.filter_map(VerificationKey::of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    const ED25519: &str =
        r#"{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn keys_of_unknown_kinds_are_left_out() {
        let set = format!(r#"{{"keys": [{ED25519}, {{"kty": "future"}}, 7]}}"#);
        assert_eq!(read(set.as_bytes()).unwrap().len(), 1);
        assert!(read(b"{}").is_none() && read(b"").is_none() && read(b"[]").is_none());
    }

    #[test]
    fn keys_are_fetched_when_they_are_old_or_one_is_missing_and_never_too_often() {
        let keys: Arc<[VerificationKey]> =
            Arc::from([VerificationKey::of(serde_json::from_str(ED25519).unwrap()).unwrap()]);
        let known = Known { keys, fetched_at: Some(at(0)), tried_at: Some(at(0)) };
        for (kid, now, is_enough) in [
            (Some("a"), 0, true),
            (Some("b"), 4, true),
            (Some("b"), 5, false),
            (Some("a"), 299, true),
            (None, 299, true),
            (None, 300, false),
        ] {
            assert_eq!(known.is_enough_for(kid, at(now)), is_enough, "{kid:?} {now}");
        }
        assert!(!Known::default().is_enough_for(None, at(0)));
        assert_eq!(known.usable(at(24 * 60 * 60 - 1)).len(), 1);
        assert_eq!(known.usable(at(24 * 60 * 60)).len(), 0);
    }
}
