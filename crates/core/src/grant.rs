use async_trait::async_trait;

use crate::{ClientId, Id, LineId, PublisherName, Purpose, Scope, StoreError, Timestamp};

/// The SHA-256 of a code or an `auth_req_id`: what is handed out is never stored.
pub type GrantKey = [u8; 32];

/// What was granted to a client and waits to be fetched at the token endpoint, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Where it was asked for.
    pub publisher: PublisherName,
    /// By whom; nobody else can fetch it.
    pub client: ClientId,
    /// About whom.
    pub line: LineId,
    /// For what.
    pub scopes: Vec<Scope>,
    /// Why.
    pub purpose: Purpose,
    /// Whether an ID token is fetched with it (`openid`).
    pub openid: bool,
    /// Whether a refresh token is fetched with it (`offline_access`).
    pub offline_access: bool,
    /// When the network told who the subscriber is.
    pub authenticated_at: Timestamp,
    /// How it is fetched.
    pub kind: GrantKind,
    /// Until when.
    pub expires_at: Timestamp,
}

/// How a grant is fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GrantKind {
    /// By an `auth_req_id` (OpenID Connect CIBA Core, poll mode), once the subject has consented.
    Backchannel(Backchannel),
    /// By an authorization code (RFC 6749 section 4.1).
    AuthorizationCode(Redirect),
}

/// The identifier of a [`Backchannel`] request, by which whoever asks the subject names it. It is no
/// secret: the token is fetched by the `auth_req_id` only.
pub type RequestId = Id<Backchannel>;

/// A request that its subject is asked about elsewhere. What the subject said is no part of it: that is a
/// [`crate::Consent`], which answers every request about the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backchannel {
    /// The identifier of the request.
    pub id: RequestId,
    /// When it was asked; what was said before is no answer to it, unless it was yes and still is.
    pub asked_at: Timestamp,
}

/// What the request to the authorization endpoint ties its code to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// Where the code was sent; the token request must repeat it.
    pub redirect_uri: String,
    /// What the token request must prove to know (RFC 7636).
    pub code_challenge: Option<CodeChallenge>,
    /// What the ID token repeats.
    pub nonce: Option<String>,
}

/// The SHA-256 of a code verifier (RFC 7636, method `S256`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeChallenge(pub [u8; 32]);

/// Keeps grants over restarts.
#[async_trait]
pub trait Grants: Send + Sync {
    /// The codes that were fetched with, each until when it is remembered.
    fn spent(&self) -> Result<Vec<(GrantKey, Timestamp)>, StoreError>;
    /// All that have not been fetched.
    fn load(&self) -> Result<Vec<(GrantKey, Grant)>, StoreError>;
    /// Keeps one.
    async fn put(&self, key: GrantKey, grant: Grant) -> Result<(), StoreError>;
    /// Forgets one that was fetched, and remembers until then that it was.
    async fn spend(&self, key: GrantKey, until: Timestamp) -> Result<(), StoreError>;
    /// Forgets those that were fetched or have expired, as grants and as spent ones.
    async fn remove(&self, keys: Vec<GrantKey>) -> Result<(), StoreError>;
}
