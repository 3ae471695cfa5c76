//! Access tokens: signed JSON Web Tokens (RFC 9068), and ID tokens.
//!
//! A token is bound to its publisher by name (`aud`), so it survives a changed address; to the
//! record of its client (`client`), so that a later client of the same name does not inherit it; and
//! to a line by the pairwise pseudonym in `sub`, when it was issued for one. A signature is checked
//! once: what it said is then remembered by the token's SHA-256 until it expires. Tokens that this
//! process issued are remembered from the start.

use std::{sync::Arc, time::Duration};

use attache_core::{
    AuthorizationId, Client, ClientId, Clock, LineId, Problem, PublisherName, Purpose, RevocationKey, Scope,
    StoreError, Timestamp,
};
use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};
use serde::{Deserialize, Serialize};

use crate::{
    clients::ClientRegistry,
    dpop::Thumbprint,
    entropy,
    keyring::{Keyring, WrongSecretsKey},
    limit::Limiter,
    revocations::Revocations,
};

/// How many tokens are remembered: at some 300 bytes each.
const REMEMBERED_TOKENS: usize = 100_000;

/// The scope of OpenID Connect, which opens the userinfo endpoint.
pub(crate) const OPENID: &str = "openid";

/// Tells access tokens from other tokens that the same key signs (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claims of an access token (RFC 9068 section 2.2).
#[derive(Debug, Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: String,
    scope: String,
    purpose: Purpose,
    /// The record of the client.
    client: ClientId,
    /// What the token rests on, if it is about a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<AuthorizationId>,
    /// The key that the token is bound to, if it is to one (RFC 9449 section 6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

/// How it is proved that a token is used by whom it was issued to (RFC 7800).
#[derive(Debug, Serialize, Deserialize)]
struct Confirmation {
    jkt: Thumbprint,
}

/// The claims of an ID token (OpenID Connect Core section 2).
#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    /// Binds it to the access token beside it: the left half of that one's SHA-256 (section 3.1.3.6).
    at_hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// What a token says, once its signature was found good.
#[derive(Debug)]
pub(crate) struct Token {
    /// Its identifier, `jti`.
    pub(crate) id: RevocationKey,
    /// What it rests on.
    pub(crate) authorization: Option<AuthorizationId>,
    pub(crate) publisher: PublisherName,
    pub(crate) client: ClientId,
    pub(crate) client_id: String,
    /// The line that it was issued for; `None` for a 2-legged token.
    pub(crate) line: Option<LineId>,
    /// What it may be used for, without `openid`.
    pub(crate) scopes: Vec<Scope>,
    /// Whether it opens the userinfo endpoint.
    pub(crate) openid: bool,
    pub(crate) purpose: Purpose,
    pub(crate) expires_at: Timestamp,
    /// The key that it is bound to; `None` for a bearer's token.
    pub(crate) bound_to: Option<Thumbprint>,
}

/// What a token is to be issued for.
pub(crate) struct Issue<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a Client,
    pub(crate) line: Option<LineId>,
    pub(crate) authorization: Option<AuthorizationId>,
    pub(crate) scopes: &'a [Scope],
    /// Whether it opens the userinfo endpoint.
    pub(crate) openid: bool,
    pub(crate) purpose: &'a Purpose,
    /// The key that the client has proved to have (RFC 9449), if the token is to be bound to it.
    pub(crate) bound_to: Option<&'a Thumbprint>,
    pub(crate) lifetime: Duration,
}

/// A token could not be issued.
#[derive(Debug, thiserror::Error)]
#[error("a token could not be signed")]
pub(crate) struct IssueError;

/// A key that signs tokens, in the forms in which it is needed.
pub(crate) struct SigningKey {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Jwk,
}

impl SigningKey {
    /// The identifier of the key: its thumbprint (RFC 7638).
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Draws a new P-256 key, in PKCS#8.
    pub(crate) fn generate() -> Result<Vec<u8>, entropy::NoEntropy> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| entropy::NoEntropy)
    }

    /// Reads a key from PKCS#8. Its identifier is its thumbprint (RFC 7638).
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, WrongSecretsKey> {
        let encoding = EncodingKey::from_ec_der(pkcs8);
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::ES256).map_err(|_| WrongSecretsKey)?;
        let id = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| WrongSecretsKey)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&public).map_err(|_| WrongSecretsKey)?;
        Ok(Self { id, encoding, decoding, public })
    }
}

/// Issues and verifies tokens.
pub(crate) struct Tokens {
    /// The first signs; all verify.
    keys: Vec<SigningKey>,
    keyring: Arc<Keyring>,
    revocations: Arc<Revocations>,
    lifetime: Duration,
    validation: Validation,
    remembered: Cache<[u8; 32], Arc<Token>>,
}

impl Tokens {
    /// Tokens signed by the first of these keys.
    pub(crate) fn new(
        keys: Vec<SigningKey>,
        keyring: Arc<Keyring>,
        revocations: Arc<Revocations>,
        lifetime: Duration,
    ) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        // Expiry is judged by our own clock, the audience by the publisher that is asked.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self { keys, keyring, revocations, lifetime, validation, remembered: memory(REMEMBERED_TOKENS) }
    }

    /// The public keys, for everyone who verifies a token (RFC 7517).
    pub(crate) fn public_keys(&self) -> JwkSet {
        JwkSet { keys: self.keys.iter().map(|key| key.public.clone()).collect() }
    }

    /// For how long a token is good, if nothing else is said.
    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Issues an access token.
    pub(crate) fn issue(&self, issue: &Issue<'_>, now: Timestamp) -> Result<String, IssueError> {
        let key = self.keys.first().ok_or(IssueError)?;
        let expires_at = now.plus(issue.lifetime);
        let id: RevocationKey = entropy::bytes().map_err(|_| IssueError)?;
        let claims = AccessClaims {
            iss: issue.issuer.to_owned(),
            sub: self.subject(issue.client, issue.line)?,
            aud: issue.client.publisher.to_string(),
            client_id: issue.client.client_id.clone(),
            iat: now.unix_seconds(),
            exp: expires_at.unix_seconds(),
            jti: URL_SAFE_NO_PAD.encode(id),
            scope: join(issue.scopes, issue.openid),
            purpose: issue.purpose.clone(),
            client: issue.client.id,
            authorization: issue.authorization,
            cnf: issue.bound_to.map(|jkt| Confirmation { jkt: jkt.clone() }),
        };
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
        header.kid = Some(key.id.clone());
        let text = jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(|_| IssueError)?;
        let token = Token {
            id,
            authorization: issue.authorization,
            publisher: issue.client.publisher.clone(),
            client: issue.client.id,
            client_id: claims.client_id,
            line: issue.line,
            scopes: issue.scopes.to_vec(),
            openid: issue.openid,
            purpose: claims.purpose,
            expires_at: Timestamp::from_unix_seconds(claims.exp),
            bound_to: issue.bound_to.cloned(),
        };
        self.remembered.insert(hash(&text), Arc::new(token));
        Ok(text)
    }

    /// Issues the ID token beside an access token about a line.
    pub(crate) fn issue_id_token(
        &self,
        issue: &Issue<'_>,
        access_token: &str,
        authenticated_at: Option<Timestamp>,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<String, IssueError> {
        let key = self.keys.first().ok_or(IssueError)?;
        let claims = IdClaims {
            iss: issue.issuer,
            sub: &self.subject(issue.client, issue.line)?,
            aud: &issue.client.client_id,
            iat: now.unix_seconds(),
            exp: now.plus(self.lifetime).unix_seconds(),
            auth_time: authenticated_at.map(Timestamp::unix_seconds),
            at_hash: &URL_SAFE_NO_PAD.encode(&hash(access_token)[..16]),
            nonce,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(|_| IssueError)
    }

    /// Who a token is about: a line by its pseudonym, or the client itself (RFC 9068 section 2.2).
    pub(crate) fn subject(&self, client: &Client, line: Option<LineId>) -> Result<String, IssueError> {
        match line {
            Some(line) => {
                let pseudonym = self.keyring.pseudonym(client.id, line).ok_or(IssueError)?;
                Ok(URL_SAFE_NO_PAD.encode(pseudonym))
            }
            None => Ok(client.client_id.clone()),
        }
    }

    /// What a token says, if it is good at this publisher now; and what its client may still ask.
    ///
    /// # Errors
    /// [`Problem::CredentialsInvalid`], [`Problem::CredentialsExpired`].
    pub(crate) fn verify(
        &self,
        text: &str,
        publisher: &PublisherName,
        clients: &ClientRegistry,
        clock: &dyn Clock,
    ) -> Result<(Arc<Token>, Option<Arc<Limiter>>), Problem> {
        let hash = hash(text);
        let token = if let Some(token) = self.remembered.get(&hash) {
            token
        } else {
            let token = Arc::new(self.check(text).ok_or(Problem::CredentialsInvalid)?);
            self.remembered.insert(hash, Arc::clone(&token));
            token
        };
        if token.publisher != *publisher {
            return Err(Problem::CredentialsInvalid);
        }
        let limiter = clients.limiter(token.client)?;
        if token.expires_at <= clock.now() {
            return Err(Problem::CredentialsExpired);
        }
        if self.revocations.include(&token.id, token.authorization) {
            return Err(Problem::CredentialsInvalid);
        }
        Ok((token, limiter))
    }

    /// Revokes an access token.
    pub(crate) async fn revoke(&self, token: &Token) -> Result<(), StoreError> {
        self.revocations.revoke(token.id, token.expires_at).await
    }

    /// Revokes all tokens that rest on an authorization, and its refresh tokens.
    pub(crate) async fn end(&self, authorization: AuthorizationId, now: Timestamp) -> Result<(), StoreError> {
        // A token that is being issued at this moment counts its life from a moment later.
        let until = now.plus(self.lifetime).plus(Duration::from_mins(1));
        self.revocations.revoke(*authorization.as_bytes(), until).await
    }

    /// Whether an authorization was revoked.
    pub(crate) fn is_ended(&self, authorization: AuthorizationId) -> bool {
        self.revocations.include(authorization.as_bytes(), None)
    }

    /// What a token said when it was issued, whether or not it is still good; `None` if it was not issued
    /// here.
    pub(crate) fn read(&self, text: &str) -> Option<Arc<Token>> {
        self.remembered.get(&hash(text)).or_else(|| self.check(text).map(Arc::new))
    }

    /// Checks the signature and reads the claims.
    fn check(&self, text: &str) -> Option<Token> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        if header.typ.as_deref() != Some(ACCESS_TOKEN_TYPE) {
            return None;
        }
        let key = self.keys.iter().find(|key| Some(&key.id) == header.kid.as_ref())?;
        let claims = jsonwebtoken::decode::<AccessClaims>(text, &key.decoding, &self.validation).ok()?.claims;
        let line = if claims.sub == claims.client_id {
            None
        } else {
            Some(self.keyring.line(claims.client, &URL_SAFE_NO_PAD.decode(&claims.sub).ok()?)?)
        };
        let id = URL_SAFE_NO_PAD.decode(&claims.jti).ok()?;
        let scopes = || claims.scope.split(' ');
        Some(Token {
            id: id.try_into().ok()?,
            authorization: claims.authorization,
            publisher: claims.aud.parse().ok()?,
            client: claims.client,
            client_id: claims.client_id,
            line,
            scopes: scopes().filter(|scope| *scope != OPENID).map(str::parse).collect::<Result<_, _>>().ok()?,
            openid: scopes().any(|scope| scope == OPENID),
            purpose: claims.purpose,
            expires_at: Timestamp::from_unix_seconds(claims.exp),
            bound_to: claims.cnf.map(|confirmation| confirmation.jkt),
        })
    }
}

/// A memory for this many tokens. Half of it is for those that were used once or not yet: by the cache's
/// own measure they would have a thirtieth, and of many tokens issued at once most would be forgotten
/// before their first use.
fn memory(tokens: usize) -> Cache<[u8; 32], Arc<Token>> {
    let mut options = OptionsBuilder::new();
    options.estimated_items_capacity(tokens).weight_capacity(tokens as u64).hot_allocation(0.5);
    match options.build() {
        Ok(options) => {
            Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }
        Err(_) => Cache::new(tokens),
    }
}

/// Scopes as one text (RFC 6749 section 3.3), `openid` before those of the APIs.
pub(crate) fn join(scopes: &[Scope], openid: bool) -> String {
    let openid = openid.then_some(OPENID);
    openid.into_iter().chain(scopes.iter().map(Scope::as_str)).collect::<Vec<_>>().join(" ")
}

/// The SHA-256 by which something secret is remembered.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tokens_that_were_issued_just_now_none_is_forgotten_for_older_ones() {
        let memory = memory(1_000);
        let token = Arc::new(Token {
            id: [0; 16],
            authorization: None,
            publisher: "camara".parse().unwrap(),
            client: ClientId::new(Timestamp::from_unix_seconds(0), &[0; 10]),
            client_id: "client".to_owned(),
            line: None,
            scopes: Vec::new(),
            openid: false,
            purpose: "dpv:FraudPreventionAndDetection".parse().unwrap(),
            expires_at: Timestamp::from_unix_seconds(0),
            bound_to: None,
        });
        let key = |index: u32| hash(&index.to_string());
        for index in 0..10_000 {
            memory.insert(key(index), Arc::clone(&token));
            if index < 9_800 {
                memory.get(&key(index));
                memory.get(&key(index));
            }
        }
        let forgotten = (9_800..10_000).filter(|index| memory.get(&key(*index)).is_none()).count();
        assert_eq!(forgotten, 0);
    }
}
