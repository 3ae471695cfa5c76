//! The JWT bearer grant (RFC 7523 section 2.1): a client states, signed, for which subscriber it wants a
//! token. The CAMARA profile ("JWT Bearer Flow") has the rules; who signs is who asks, so nothing else need
//! prove that.

use std::sync::Arc;

use attache_core::{Client, LineId, Problem, Timestamp};
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode, ScopeParameters},
};
use serde::Deserialize;

use super::{
    Refused,
    assertion::LONGEST_LIFE,
    client_authentication::AuthenticatedClient,
    login_hint,
    parameters::Parameters,
    signed::{self, Audience},
    token::{Admitted, admit},
};
use crate::{
    app::App,
    consent::{self, Standing, Use},
};

/// Why an assertion is not taken. One text for every cause: who guesses learns nothing.
const REFUSED: OAuthError = OAuthErrorCode::InvalidGrant.because(
    "the assertion is not signed by a key of the client that iss names, not for this endpoint, not of this time, \
     incomplete, or was used before",
);

/// What the client states.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    jti: String,
    scope: String,
}

impl Claims {
    /// Whether it is good at this time, by the profile's rules.
    const fn is_timely(&self, now: i64) -> bool {
        self.exp > now
            && self.exp.saturating_sub(now) <= LONGEST_LIFE
            && self.iat <= now
            && self.exp.saturating_sub(self.iat) <= LONGEST_LIFE
    }
}

/// The `client_id` of whom an assertion claims to be from.
pub(super) fn claimed_name(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    Some(signed::unverified::<Issuer>(assertion)?.iss)
}

/// The client that has signed an assertion, and what it states. An assertion is good once.
pub(super) async fn authenticate(
    app: &App,
    publisher: &Publisher,
    endpoint_url: &str,
    parameters: &Parameters,
) -> Result<(AuthenticatedClient, Claims), Refused> {
    if parameters.get("scope").is_some() {
        return Err(OAuthErrorCode::InvalidRequest
            .because("scope is a claim of the assertion, not a parameter")
            .into());
    }
    let assertion =
        parameters.get("assertion").ok_or(OAuthErrorCode::InvalidRequest.because("assertion is missing"))?;
    let refused = || Refused::Credential(REFUSED);
    let issuer = claimed_name(assertion).ok_or_else(refused)?;
    let client = app.clients.find(&publisher.name, &issuer).ok_or_else(refused)?;
    let claims = stated(app, publisher, endpoint_url, &client, assertion).await.ok_or_else(refused)?;
    let until = Timestamp::from_unix_seconds(claims.exp);
    if !app.used_once.spend(client.id.as_bytes(), &claims.jti, until, app.clock.now()).await? {
        return Err(refused());
    }
    if parameters.get("client_id").is_some_and(|client_id| client_id != client.client_id) {
        return Err(OAuthErrorCode::InvalidClient.because("client_id is not the iss of the assertion").into());
    }
    Ok((AuthenticatedClient { client, is_confidential: true }, claims))
}

/// What a client has signed, if it is good at this endpoint and at this time.
async fn stated(
    app: &App,
    publisher: &Publisher,
    endpoint_url: &str,
    client: &Arc<Client>,
    assertion: &str,
) -> Option<Claims> {
    let claims: Claims = signed::claims(app, client, "JWT", assertion).await?;
    // The endpoint stands below the publisher's other root as well.
    let issuer = app.issuer(publisher);
    let path = endpoint_url.strip_prefix(&issuer)?;
    let aliased = format!("{issuer}{}{path}", publisher.alias.unwrap_or_default());
    let is_good = claims.iss == client.client_id
        && claims.aud.is_one_of(&[endpoint_url, &aliased])
        && claims.is_timely(app.clock.now().unix_seconds())
        && !claims.jti.is_empty();
    is_good.then_some(claims)
}

/// The line that an assertion is about, and what its client may do about it: the subject has consented, or
/// need not. An operator token is spent by this.
pub(super) async fn grant(
    app: &App,
    publisher: &Publisher,
    client: &Client,
    claims: &Claims,
) -> Result<(LineId, Admitted), Refused> {
    let scope = ScopeParameters { scope: Some(&claims.scope), purpose: None };
    let admitted = admit(client, (publisher.authorization.read_scope)(&scope)?)?;
    let unpermitted = OAuthErrorCode::InvalidGrant.because("the subscriber has not consented to this use");
    let unknown = OAuthErrorCode::InvalidGrant.because("no subscriber is known by the sub of the assertion");
    let unknown = if app.settings.conceal_unknown_subscribers { unpermitted.clone() } else { unknown };
    if !claims.sub.starts_with("tel:") && !claims.sub.starts_with("operatortoken:") {
        return Err(OAuthErrorCode::InvalidGrant
            .because("the sub of the assertion has the form tel:+34666666666 or operatortoken:...")
            .into());
    }
    let line = login_hint::identify(app, publisher, &claims.sub).await.map_err(|problem| match problem {
        Problem::UnknownLine | Problem::IdentifierUnsupported | Problem::FieldInvalid { .. } => {
            login_hint::refusal(&claims.sub, unknown)
        }
        other => other.into(),
    })?;
    let wanted = Use { client, line, purpose: &admitted.purpose, scopes: &admitted.scopes };
    match consent::settle(app, wanted).await? {
        Standing::Permitted => Ok((line, admitted)),
        Standing::NeedsConsent | Standing::Denied | Standing::Refused => Err(unpermitted.into()),
    }
}
