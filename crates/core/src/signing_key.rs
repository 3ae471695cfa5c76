use std::time::Duration;

use async_trait::async_trait;

use crate::{StoreError, Timestamp};

/// A key that signs tokens, as it is kept: encrypted by whoever keeps it here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedKey {
    /// By what tokens name it (`kid`); not secret.
    pub id: String,
    /// The key, encrypted.
    pub sealed: Vec<u8>,
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// From when on it signs, unless a newer one does.
    pub signs_from: Timestamp,
    /// The longest life of a token that it may have signed.
    pub token_lifetime: Duration,
}

/// Keeps signing keys over restarts.
#[async_trait]
pub trait SealedKeys: Send + Sync {
    /// All of them, the newest first.
    fn load(&self) -> Result<Vec<SealedKey>, StoreError>;
    /// Puts these in the place of those with the same identifiers, or beside them, and removes others: all or
    /// nothing.
    async fn change(&self, put: Vec<SealedKey>, removed: Vec<String>) -> Result<(), StoreError>;
}
