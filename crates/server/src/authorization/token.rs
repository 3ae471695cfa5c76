use std::sync::Arc;

use attache_core::{Client, CodeChallenge, Grant, GrantKind, GrantType, Problem, Purpose, Scope};
use attache_wire::{
    Publisher,
    oauth::{OAuthErrorCode, ScopeParameters, TokenResponse},
};
use axum::{body::Body, response::Response};
use http::Request;

use super::{
    Refused,
    client_authentication::{AuthenticatedClient, authenticate},
    discovery::endpoints,
    grant_book::Poll,
    head::Head,
    parameters::Parameters,
    trail::Trail,
};
use crate::{
    app::App,
    dpop::{self, ProofError, Thumbprint},
    query::json_response,
    token::{Issue, hash, join},
};

/// What the client presents, by its `grant_type`.
const CLIENT_CREDENTIALS: &str = "client_credentials";
const AUTHORIZATION_CODE: &str = "authorization_code";
const BACKCHANNEL: &str = "urn:openid:params:grant-type:ciba";

/// What a token will be issued for.
struct Granted {
    line: Option<attache_core::LineId>,
    scopes: Vec<Scope>,
    purpose: Purpose,
    openid: bool,
    nonce: Option<String>,
}

/// The token endpoint (RFC 6749 section 3.2).
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, parameters) = Parameters::read(app, request).await?;
    let grant_type = match parameters.get("grant_type") {
        Some(CLIENT_CREDENTIALS) => CLIENT_CREDENTIALS,
        Some(AUTHORIZATION_CODE) => AUTHORIZATION_CODE,
        Some(BACKCHANNEL) => BACKCHANNEL,
        Some(_) => "other",
        None => "none",
    };
    let mut trail = Trail::begin(app, publisher, Some(&head.headers), &parameters);
    let outcome = fetch(app, publisher, &head, &parameters, &mut trail).await;
    let outcome = trail.end_with_token(app, grant_type, outcome).await;
    let told = outcome.as_ref().map_or_else(Refused::name, |_| "issued");
    app.metrics.token(publisher.name.as_str(), grant_type, told);
    outcome
}

async fn fetch(
    app: &App,
    publisher: &'static Publisher,
    head: &Head,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<Response, Refused> {
    let endpoints = endpoints(app, publisher);
    let caller = authenticate(app, publisher, &endpoints.token, head, parameters).await?;
    trail.client = Some(Arc::clone(&caller.client));
    let bound_to = proved_key(app, head, &caller.client).await?;
    let outcome = redeem(app, publisher, &endpoints.issuer, &caller, bound_to.as_ref(), parameters, trail).await;
    if matches!(&outcome, Err(Refused::OAuth(error)) if error.code == OAuthErrorCode::InvalidGrant) {
        // Who guesses at codes is slowed down as who guesses at secrets is.
        caller.failed(app, head);
    }
    outcome
}

/// Exchanges what the client presents for tokens.
async fn redeem(
    app: &App,
    publisher: &'static Publisher,
    issuer: &str,
    caller: &AuthenticatedClient,
    bound_to: Option<&Thumbprint>,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<Response, Refused> {
    let dialect = &publisher.authorization;
    let granted = match parameters.get("grant_type") {
        None => return Err(OAuthErrorCode::InvalidRequest.because("grant_type is missing").into()),
        Some(CLIENT_CREDENTIALS) if dialect.client_credentials => {
            caller.may_use(GrantType::ClientCredentials)?;
            client_credentials(publisher, caller, parameters)?
        }
        Some(AUTHORIZATION_CODE) if dialect.authorization_path.is_some() => {
            caller.may_use(GrantType::AuthorizationCode)?;
            authorization_code(app, publisher, caller, parameters).await?
        }
        Some(BACKCHANNEL) if dialect.backchannel_path.is_some() => {
            caller.may_use(GrantType::Backchannel)?;
            backchannel(app, caller, parameters).await?
        }
        Some(_) => {
            return Err(OAuthErrorCode::UnsupportedGrantType
                .because("this grant_type is not supported here; see grant_types_supported in the metadata")
                .into());
        }
    };
    trail.line = granted.line;
    trail.asks_for(&granted.scopes, &granted.purpose);
    issue(app, publisher, issuer, &caller.client, bound_to, &granted)
}

/// The key that the tokens will be bound to: the one that the request proves to come from (RFC 9449
/// section 5), if it does.
async fn proved_key(app: &App, head: &Head, client: &Client) -> Result<Option<Thumbprint>, Refused> {
    let request = dpop::Request { method: "POST", url: &head.url, access_token: None };
    match dpop::prove(app, &head.headers, &request).await {
        Ok(thumbprint) => Ok(Some(thumbprint)),
        Err(ProofError::Missing) if !client.dpop_required => Ok(None),
        Err(ProofError::Missing) => Err(OAuthErrorCode::InvalidDpopProof
            .because("the client is registered for tokens that are bound to a key; send a DPoP header")
            .into()),
        Err(ProofError::Invalid) => Err(OAuthErrorCode::InvalidDpopProof
            .because(
                "the DPoP proof is not of this request, not of this time, not signed by its key, or was used before",
            )
            .into()),
        Err(ProofError::Problem(problem)) => Err(problem.into()),
    }
}

/// A token for the client itself (RFC 6749 section 4.4).
fn client_credentials(
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    parameters: &Parameters,
) -> Result<Granted, Refused> {
    if !caller.is_confidential {
        return Err(OAuthErrorCode::UnauthorizedClient.because("a public client cannot use this grant").into());
    }
    let (scopes, purpose, _) = admit_scopes(publisher, &caller.client, parameters)?;
    Ok(Granted { line: None, scopes, purpose, openid: false, nonce: None })
}

/// The scopes and the purpose that a request asks for, as far as the client is registered for them;
/// and whether it asks for an ID token.
pub(super) fn admit_scopes(
    publisher: &Publisher,
    client: &Client,
    parameters: &Parameters,
) -> Result<(Vec<Scope>, Purpose, bool), Refused> {
    let asked = (publisher.authorization.read_scope)(&ScopeParameters {
        scope: parameters.get("scope"),
        purpose: parameters.get("purpose"),
    })?;
    let scopes = if asked.scopes.is_empty() { client.scopes.clone() } else { asked.scopes };
    if scopes.is_empty() || !scopes.iter().all(|scope| client.scopes.contains(scope)) {
        return Err(OAuthErrorCode::InvalidScope.because("the client is not registered for one of the scopes").into());
    }
    let purpose = match asked.purpose {
        Some(purpose) if client.purposes.contains(&purpose) => purpose,
        Some(_) => {
            return Err(OAuthErrorCode::InvalidScope.because("the client is not registered for the purpose").into());
        }
        None => client
            .purposes
            .first()
            .cloned()
            .ok_or(OAuthErrorCode::InvalidScope.because("the client is registered for no purpose"))?,
    };
    Ok((scopes, purpose, asked.openid))
}

/// A token for whom the authorization endpoint identified (RFC 6749 section 4.1.3).
async fn authorization_code(
    app: &App,
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    parameters: &Parameters,
) -> Result<Granted, Refused> {
    let refused = OAuthErrorCode::InvalidGrant.because(
        "the code is unknown, expired, used, of another client, or does not fit redirect_uri or code_verifier",
    );
    let code = parameters.get("code").ok_or(OAuthErrorCode::InvalidRequest.because("code is missing"))?;
    let redirect_uri = parameters.get("redirect_uri");
    if redirect_uri.is_none() && publisher.authorization.redirect_uri_is_repeated {
        return Err(OAuthErrorCode::InvalidRequest.because("redirect_uri is missing").into());
    }
    let verifier = parameters.get("code_verifier");
    let now = app.clock.now();
    // A code that is presented wrongly is spent as well: who guesses has one try (RFC 9700 section
    // 4.5). Only its own client can spend it.
    let grant = app
        .grants
        .take(hash(code), |grant| {
            grant.client == caller.client.id && matches!(grant.kind, GrantKind::AuthorizationCode(_))
        })
        .await
        .map_err(Problem::from)?
        .ok_or_else(|| refused.clone())?;
    let Grant { kind: GrantKind::AuthorizationCode(redirect), line, scopes, purpose, expires_at, openid, .. } = grant
    else {
        return Err(refused.into());
    };
    let proves_verifier = match (redirect.code_challenge, verifier) {
        (Some(CodeChallenge(challenge)), Some(verifier)) => {
            aws_lc_rs::constant_time::verify_slices_are_equal(&hash(verifier), &challenge).is_ok()
        }
        (None, None) => caller.is_confidential,
        // A verifier without a challenge is a downgrade (RFC 9700 section 4.8.2).
        (Some(_), None) | (None, Some(_)) => false,
    };
    // What the code rests on may have ended since it was handed out.
    let is_permitted = app.consents.permits(caller.client.id, line, &purpose, &scopes);
    if expires_at <= now
        || redirect_uri.is_some_and(|uri| uri != redirect.redirect_uri)
        || !proves_verifier
        || !is_permitted
    {
        return Err(refused.into());
    }
    Ok(Granted { line: Some(line), scopes, purpose, openid, nonce: redirect.nonce })
}

/// A token for whom the backchannel authentication identified (CIBA Core section 10.1).
async fn backchannel(app: &App, caller: &AuthenticatedClient, parameters: &Parameters) -> Result<Granted, Refused> {
    let unknown = OAuthErrorCode::InvalidGrant.because("the auth_req_id is unknown, used, or of another client");
    let id = parameters.get("auth_req_id").ok_or(OAuthErrorCode::InvalidRequest.because("auth_req_id is missing"))?;
    let key = hash(id);
    match app.grants.poll(&key, caller.client.id, &app.consents, app.clock.now()) {
        Poll::Unknown => return Err(unknown.into()),
        Poll::Expired => {
            return Err(OAuthErrorCode::ExpiredToken.because("the auth_req_id has expired; begin anew").into());
        }
        Poll::TooFast => {
            return Err(OAuthErrorCode::SlowDown
                .because("polling is too fast; the interval is 5 seconds longer from now on")
                .into());
        }
        Poll::Pending => {
            return Err(OAuthErrorCode::AuthorizationPending.because("the subscriber has not answered yet").into());
        }
        Poll::Denied => {
            return Err(OAuthErrorCode::AccessDenied.because("the subscriber has said no").into());
        }
        Poll::Ready => {}
    }
    let grant = app.grants.take(key, |_| true).await.map_err(Problem::from)?.ok_or(unknown)?;
    Ok(Granted {
        line: Some(grant.line),
        scopes: grant.scopes,
        purpose: grant.purpose,
        openid: grant.openid,
        nonce: None,
    })
}

/// Issues the token, and the ID token if it was asked for.
fn issue(
    app: &App,
    publisher: &Publisher,
    issuer: &str,
    client: &Arc<Client>,
    bound_to: Option<&Thumbprint>,
    granted: &Granted,
) -> Result<Response, Refused> {
    let Granted { scopes, purpose, .. } = granted;
    let issue = Issue { issuer, client, line: granted.line, scopes, purpose, bound_to };
    let now = app.clock.now();
    let failed = |error| {
        tracing::error!(error = &error as &dyn std::error::Error, "no token was issued");
        Problem::Internal
    };
    let access_token = app.tokens.issue(&issue, now).map_err(failed)?;
    let id_token = if granted.openid {
        Some(app.tokens.issue_id_token(&issue, granted.nonce.as_deref(), now).map_err(failed)?)
    } else {
        None
    };
    let response = TokenResponse {
        access_token,
        token_type: if bound_to.is_some() { "DPoP" } else { "Bearer" },
        expires_in: app.tokens.lifetime().as_secs(),
        scope: join(&granted.scopes),
        id_token,
        purpose: granted.purpose.clone(),
    };
    Ok(json_response(200, (publisher.authorization.write_token)(&response)))
}
