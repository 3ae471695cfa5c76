use std::fmt;

use async_trait::async_trait;

use crate::{ClientId, StoreError, Timestamp};

/// A secret by which what is sent to a client's sinks is signed (Standard Webhooks), encrypted by the caller.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    /// The secret, encrypted.
    pub sealed: Vec<u8>,
    /// Since when it is good.
    pub created_at: Timestamp,
    /// Until when it is good; `None`: until it is ended.
    pub ends_at: Option<Timestamp>,
}

impl WebhookSecret {
    /// Whether it is good still.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSecret").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// Keeps the webhook secrets of clients over restarts.
#[async_trait]
pub trait WebhookSecrets: Send + Sync {
    /// All, each client's oldest first.
    fn load(&self) -> Result<Vec<(ClientId, WebhookSecret)>, StoreError>;
    /// Puts these in the place of those that a client has.
    async fn replace(&self, client: ClientId, secrets: Vec<WebhookSecret>) -> Result<(), StoreError>;
}
