//! A public key of a client, made ready when it becomes known, so that nothing of it is read anew for each
//! signature.

use std::sync::Arc;

use attache_core::{Client, ClientKeys};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{CommonParameters, Jwk, PublicKeyUse},
};

/// A key that verifies what its client has signed.
pub(crate) struct VerificationKey {
    /// What it is meant for.
    common: CommonParameters,
    key: DecodingKey,
}

impl VerificationKey {
    /// Makes a key ready; `None` for one of a kind that is not known here.
    pub(crate) fn of(jwk: Jwk) -> Option<Self> {
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, common: jwk.common })
    }

    /// The keys that a client has registered; none for a client that publishes its keys.
    pub(crate) fn registered_by(client: &Client) -> Arc<[Self]> {
        match &client.keys {
            ClientKeys::Registered(keys) => {
                keys.iter().filter_map(|key| Self::of(serde_json::from_str(&key.0).ok()?)).collect()
            }
            ClientKeys::Published(_) => Arc::from([]),
        }
    }

    /// Its `kid`.
    pub(crate) fn id(&self) -> Option<&str> {
        self.common.key_id.as_deref()
    }

    /// The key itself.
    pub(crate) fn key(&self) -> &DecodingKey {
        &self.key
    }

    /// Whether it is meant for a signature with this `kid` and algorithm.
    pub(crate) fn is_for(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        let common = &self.common;
        let is_named = self.id().is_none() || kid.is_none() || self.id() == kid;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let is_for_algorithm = common.key_algorithm.is_none_or(|own| own.to_string().parse() == Ok(algorithm));
        is_named && is_for_signatures && is_for_algorithm
    }
}
