//! What was revoked before its time: in memory, where every query looks, and in the store.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use attache_core::{AuthorizationId, Authorizations, Consent, RevocationKey, StoreError, Timestamp};

/// Everything that is revoked: tokens by their identifier, and authorizations with all tokens that rest on
/// them. It is remembered until the last of those tokens has expired.
pub(crate) struct Revocations {
    store: Arc<dyn Authorizations>,
    revoked: RwLock<hashbrown::HashMap<RevocationKey, Timestamp>>,
    /// Whether there is anything, so that a query takes the lock only then.
    is_any: AtomicBool,
}

impl Revocations {
    /// Reads them from their store.
    pub(crate) fn load(store: Arc<dyn Authorizations>) -> Result<Self, StoreError> {
        let revoked: hashbrown::HashMap<_, _> = store.revoked()?.into_iter().collect();
        Ok(Self { store, is_any: AtomicBool::new(!revoked.is_empty()), revoked: RwLock::new(revoked) })
    }

    /// Whether a token, or what it rests on, is revoked.
    pub(crate) fn include(&self, token: &RevocationKey, authorization: Option<AuthorizationId>) -> bool {
        if !self.is_any.load(Ordering::Acquire) {
            return false;
        }
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        revoked.contains_key(token) || authorization.is_some_and(|id| revoked.contains_key(id.as_bytes()))
    }

    /// Revokes a token or an authorization, whose tokens would be good until then. When this returns, nobody
    /// gets anything for them any more, also after a restart.
    pub(crate) async fn revoke(&self, key: RevocationKey, until: Timestamp) -> Result<(), StoreError> {
        self.store.revoke(key, until).await?;
        self.remember(&[key], until);
        Ok(())
    }

    /// Revokes what rests on a consent that has ended. Returns how many authorizations that were.
    pub(crate) async fn withdraw(&self, consent: &Consent, until: Timestamp) -> Result<usize, StoreError> {
        let Consent { client, line, purpose, scope, .. } = consent;
        let keys = self.store.withdraw(*client, *line, purpose.clone(), scope.clone(), until).await?;
        self.remember(&keys, until);
        Ok(keys.len())
    }

    fn remember(&self, keys: &[RevocationKey], until: Timestamp) {
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            let known = revoked.entry(*key).or_insert(until);
            *known = until.max(*known);
        }
        self.is_any.store(!revoked.is_empty(), Ordering::Release);
    }

    /// Forgets what has expired.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        {
            let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
            revoked.retain(|_, until| now < *until);
            self.is_any.store(!revoked.is_empty(), Ordering::Release);
        }
        self.store.forget_expired(now).await
    }
}
