use async_trait::async_trait;

use crate::{Id, Plan, PublisherName, Purpose, Scope, StoreError, Timestamp};

/// The identifier of a [`Client`]'s record, which no later client of the same name shares.
pub type ClientId = Id<Client>;

/// An application that holds credentials at one publisher (an OAuth 2.0 client).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// The identifier of the record.
    pub id: ClientId,
    /// Where it is registered.
    pub publisher: PublisherName,
    /// What it calls itself at the token endpoint: OAuth's `client_id`, unique at its publisher.
    pub client_id: String,
    /// The hash of its secret, if it has one.
    pub secret: Option<SecretHash>,
    /// The public keys that its assertions may be signed with.
    pub keys: Vec<PublicKey>,
    /// Where the authorization endpoint may send a browser back to, exactly.
    pub redirect_uris: Vec<String>,
    /// The web origins whose pages may call.
    pub origins: Vec<String>,
    /// What it may ask for.
    pub scopes: Vec<Scope>,
    /// What it may ask for it for. The first is assumed where a publisher's requests name none.
    pub purposes: Vec<Purpose>,
    /// How much it may ask.
    pub plan: Plan,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// What is stored of a client's secret: its HMAC-SHA256 under a key that is not stored beside it, so
/// that whoever reads the store alone cannot try secrets out, also not those that people chose.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A public key as a JSON Web Key (RFC 7517), in its JSON text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey(pub String);

/// Keeps clients over restarts.
#[async_trait]
pub trait Clients: Send + Sync {
    /// All clients.
    fn load(&self) -> Result<Vec<Client>, StoreError>;
    /// Adds one.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the publisher has one of this `client_id`.
    async fn add(&self, client: Client) -> Result<(), StoreError>;
    /// Removes one.
    async fn remove(&self, id: ClientId) -> Result<(), StoreError>;
}
