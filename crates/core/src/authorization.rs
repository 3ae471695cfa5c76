use async_trait::async_trait;

use crate::{ClientId, GrantKey, Id, LineId, PublisherName, Purpose, Scope, StoreError, Timestamp};

/// The identifier of an [`Authorization`], which its tokens bear.
pub type AuthorizationId = Id<Authorization>;

/// The SHA-256 of a refresh token: what is handed out is never stored.
pub type RefreshTokenHash = [u8; 32];

/// What can be revoked: the identifier of a token (`jti`), or of the authorization that tokens rest on.
pub type RevocationKey = [u8; 16];

/// What a client was authorized to do about a line for as long as it refreshes its tokens: what every
/// token of one code or one `auth_req_id` rests on (OpenID Connect Core section 11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorization {
    /// The identifier.
    pub id: AuthorizationId,
    /// Where it was given.
    pub publisher: PublisherName,
    /// To whom; nobody else can use its refresh tokens.
    pub client: ClientId,
    /// About whom.
    pub line: LineId,
    /// For what, at most.
    pub scopes: Vec<Scope>,
    /// Why.
    pub purpose: Purpose,
    /// Whether ID tokens go with it (`openid`).
    pub openid: bool,
    /// When the subscriber was authenticated (`auth_time`).
    pub authenticated_at: Timestamp,
    /// The thumbprint of the key that its refresh tokens are bound to, as those of a public client are (RFC
    /// 9449 section 5).
    pub bound_to: Option<Box<str>>,
}

impl Authorization {
    /// The identifier of what a code or an `auth_req_id` led to: it follows from its key, so that a code
    /// that is presented again names what it gave the first time.
    #[must_use]
    pub fn id_of(key: &GrantKey) -> AuthorizationId {
        let mut id = [0; 16];
        id.copy_from_slice(&key[..16]);
        AuthorizationId::from_bytes(id)
    }
}

/// A refresh token as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshToken {
    /// What it refreshes.
    pub authorization: Authorization,
    /// Whether another has taken its place: then whoever presents it has stolen it, or was stolen from.
    pub is_used: bool,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Keeps authorizations with their refresh tokens, and what was revoked, over restarts.
#[async_trait]
pub trait Authorizations: Send + Sync {
    /// Everything that is revoked, each until when its tokens would have been good.
    fn revoked(&self) -> Result<Vec<(RevocationKey, Timestamp)>, StoreError>;
    /// Begins an authorization with its first refresh token. `false`, and nothing is done, if it is revoked
    /// already.
    async fn begin(
        &self,
        authorization: Authorization,
        token: RefreshTokenHash,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// A refresh token, used or not.
    async fn find(&self, token: RefreshTokenHash) -> Result<Option<RefreshToken>, StoreError>;
    /// About whom an authorization is that can still be refreshed.
    async fn line_of(&self, authorization: AuthorizationId) -> Result<Option<LineId>, StoreError>;
    /// The refresh tokens about a line, used or not.
    async fn about(&self, line: LineId) -> Result<Vec<RefreshToken>, StoreError>;
    /// Puts a new refresh token in the place of one. `false`, and nothing is done, if that one is used or
    /// gone by now.
    async fn rotate(
        &self,
        used: RefreshTokenHash,
        new: RefreshTokenHash,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Revokes a token or an authorization, which ends with its refresh tokens.
    async fn revoke(&self, key: RevocationKey, until: Timestamp) -> Result<(), StoreError>;
    /// Revokes every authorization that rests on a consent: of a client about a line, for a purpose, and by a
    /// scope beside others. Returns which these are.
    async fn withdraw(
        &self,
        client: ClientId,
        line: LineId,
        purpose: Purpose,
        scope: Scope,
        until: Timestamp,
    ) -> Result<Vec<RevocationKey>, StoreError>;
    /// Forgets what has expired.
    async fn forget_expired(&self, now: Timestamp) -> Result<(), StoreError>;
}
