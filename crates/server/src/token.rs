//! Access tokens: signed JSON Web Tokens (RFC 9068), and ID tokens.
//!
//! A token is bound to its publisher by name (`aud`), so it survives a changed address; to the
//! record of its client (`client`), so that a later client of the same name does not inherit it; and
//! to a line by the pairwise pseudonym in `sub`, when it was issued for one. A signature is checked
//! once: what it said is then remembered by the token's SHA-256 until it expires. Tokens that this
//! process issued are remembered from the start.

use std::{sync::Arc, time::Duration};

use attache_core::{
    AuthorizationId, Client, ClientId, Clock, Consent, LineId, Problem, PublisherName, Purpose, RevocationKey, Scope,
    SigningAlgorithm, StoreError, Timestamp,
};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation};
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};
use serde::{Deserialize, Serialize};

use crate::{
    clients::ClientRegistry,
    dpop::Thumbprint,
    entropy,
    keyring::Keyring,
    limit::Limiter,
    revocations::Revocations,
    signing_keys::{KeyError, SigningKeys},
};

/// How many tokens are remembered: at some 300 bytes each.
const REMEMBERED_TOKENS: usize = 100_000;

/// The scope of OpenID Connect, which opens the userinfo endpoint.
pub(crate) const OPENID: &str = "openid";

/// Tells access tokens from other tokens that the same key signs (RFC 9068 section 2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claims of an access token (RFC 9068 section 2.2).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) client_id: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    pub(crate) scope: String,
    pub(crate) purpose: Purpose,
    /// The record of the client.
    client: ClientId,
    /// What the token rests on, if it is about a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<AuthorizationId>,
    /// Since when that was permitted, if it is about a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permitted_since: Option<Timestamp>,
    /// The key that the token is bound to, if it is to one (RFC 9449 section 6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cnf: Option<Confirmation>,
}

/// How it is proved that a token is used by whom it was issued to (RFC 7800).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Confirmation {
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
    /// Since when the consents were in force that it rests on. It does not rest on others that were given later.
    pub(crate) permitted_since: Option<Timestamp>,
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
    /// Since when the consents are in force that it will rest on.
    pub(crate) permitted_since: Option<Timestamp>,
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

/// Issues and verifies tokens.
pub(crate) struct Tokens {
    keys: SigningKeys,
    keyring: Arc<Keyring>,
    revocations: Arc<Revocations>,
    lifetime: Duration,
    validation: Validation,
    remembered: Cache<[u8; 32], Arc<Token>>,
}

impl Tokens {
    /// Tokens signed by these keys.
    pub(crate) fn new(
        keys: SigningKeys,
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

    /// The keys that sign.
    pub(crate) const fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// Takes a key out, and with it all tokens that it signed. `false` if there is no such key.
    pub(crate) async fn retire_key(&self, id: &str, now: Timestamp) -> Result<bool, KeyError> {
        let is_retired = self.keys.retire(id, now).await?;
        // Those that were verified by it as well.
        self.remembered.clear();
        Ok(is_retired)
    }

    /// For how long a token is good, if nothing else is said.
    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Issues an access token.
    pub(crate) fn issue(&self, issue: &Issue<'_>, now: Timestamp) -> Result<String, IssueError> {
        let key = self.keys.signing(SigningAlgorithm::Es256, now).ok_or(IssueError)?;
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
            permitted_since: issue.permitted_since,
            cnf: issue.bound_to.map(|jkt| Confirmation { jkt: jkt.clone() }),
        };
        let text = key.sign(ACCESS_TOKEN_TYPE, &claims).ok_or(IssueError)?;
        let token = Token {
            id,
            authorization: issue.authorization,
            publisher: issue.client.publisher.clone(),
            client: issue.client.id,
            client_id: claims.client_id,
            line: issue.line,
            permitted_since: issue.permitted_since,
            scopes: issue.scopes.to_vec(),
            openid: issue.openid,
            purpose: claims.purpose,
            expires_at: Timestamp::from_unix_seconds(claims.exp),
            bound_to: issue.bound_to.cloned(),
        };
        self.remembered.insert(hash(&text), Arc::new(token));
        Ok(text)
    }

    /// Issues the ID token beside an access token about a line, signed by what its client is registered for.
    pub(crate) async fn issue_id_token(
        &self,
        issue: &Issue<'_>,
        access_token: &str,
        authenticated_at: Option<Timestamp>,
        nonce: Option<&str>,
        clock: &dyn Clock,
    ) -> Result<String, IssueError> {
        let key = self.keys.ready(issue.client.id_token_algorithm, clock).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "no key could be made to sign ID tokens");
            IssueError
        })?;
        let now = clock.now();
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
        key.sign("JWT", &claims).ok_or(IssueError)
    }

    /// Who a token is about: a line by its pseudonym, or the client itself (RFC 9068 section 2.2).
    pub(crate) fn subject(&self, client: &Client, line: Option<LineId>) -> Result<String, IssueError> {
        match line {
            Some(line) => {
                let pseudonym = self.keyring.pseudonym(client, line).ok_or(IssueError)?;
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
            let token = Arc::new(self.check(text, clients).ok_or(Problem::CredentialsInvalid)?);
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
        self.revocations.revoke(*authorization.as_bytes(), self.last_until(now)).await
    }

    /// Revokes what rests on a consent that has ended. Returns how many authorizations that were.
    pub(crate) async fn withdraw(&self, consent: &Consent, now: Timestamp) -> Result<usize, StoreError> {
        self.revocations.withdraw(consent, self.last_until(now)).await
    }

    /// Until when a token is good at most that is issued now.
    fn last_until(&self, now: Timestamp) -> Timestamp {
        // One that is being issued at this moment counts its life from a moment later.
        now.plus(self.lifetime).plus(Duration::from_mins(1))
    }

    /// Whether an authorization was revoked.
    pub(crate) fn is_ended(&self, authorization: AuthorizationId) -> bool {
        self.revocations.include(authorization.as_bytes(), None)
    }

    /// What a token said when it was issued, whether or not it is still good; `None` if it was not issued
    /// here.
    pub(crate) fn read(&self, text: &str, clients: &ClientRegistry) -> Option<Arc<Token>> {
        self.remembered.get(&hash(text)).or_else(|| self.check(text, clients).map(Arc::new))
    }

    /// The claims of a token that was verified.
    pub(crate) fn claims(&self, verified: &str) -> Option<AccessClaims> {
        let header = jsonwebtoken::decode_header(verified).ok()?;
        let key = self.keys.find(header.kid.as_deref()?)?;
        Some(jsonwebtoken::decode::<AccessClaims>(verified, key.verifier(), &self.validation).ok()?.claims)
    }

    /// Checks the signature and reads the claims.
    fn check(&self, text: &str, clients: &ClientRegistry) -> Option<Token> {
        let header = jsonwebtoken::decode_header(text).ok()?;
        if header.typ.as_deref() != Some(ACCESS_TOKEN_TYPE) {
            return None;
        }
        let key = self.keys.find(header.kid.as_deref()?)?;
        let claims = jsonwebtoken::decode::<AccessClaims>(text, key.verifier(), &self.validation).ok()?.claims;
        let line = if claims.sub == claims.client_id {
            None
        } else {
            let client = clients.get(claims.client)?;
            Some(self.keyring.line(&client, &URL_SAFE_NO_PAD.decode(&claims.sub).ok()?)?)
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
            permitted_since: claims.permitted_since,
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
            permitted_since: None,
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
