use std::{sync::Arc, time::Duration};

use attache_core::{
    Authorization, AuthorizationId, Client, CodeChallenge, Grant, GrantKey, GrantKind, GrantType, LineId, Problem,
    Purpose, Scope, Timestamp,
};
use attache_wire::{
    Publisher,
    oauth::{Asked, OAuthErrorCode, ScopeParameters, TokenResponse},
};
use axum::{body::Body, response::Response};
use http::Request;

use super::{
    Refused,
    client_authentication::{AuthenticatedClient, authenticate, claimed_client, guarded},
    discovery::endpoints,
    grant_book::Poll,
    head::Head,
    jwt_bearer,
    parameters::Parameters,
    trail::Trail,
};
use crate::{
    app::App,
    dpop::{self, ProofError, Thumbprint},
    entropy,
    query::json_response,
    token::{Issue, OPENID, hash, join},
};

/// What the client presents, by its `grant_type`.
const CLIENT_CREDENTIALS: &str = "client_credentials";
const AUTHORIZATION_CODE: &str = "authorization_code";
const BACKCHANNEL: &str = "urn:openid:params:grant-type:ciba";
const REFRESH_TOKEN: &str = "refresh_token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Why a refresh token is good for nothing. One text for every cause: who guesses learns nothing.
const REFRESH_TOKEN_REFUSED: &str = "the refresh token is unknown, expired, used, revoked, or of another client";

/// What a token will be issued for.
struct Granted {
    line: Option<LineId>,
    /// What it rests on, if it is about a line.
    authorization: Option<AuthorizationId>,
    scopes: Vec<Scope>,
    purpose: Purpose,
    /// What an ID token tells, if one goes with it.
    openid: Option<Authentication>,
    /// What the next token will be fetched with.
    refresh_token: Option<String>,
    lifetime: Duration,
}

/// What an ID token tells of how its subject was authenticated.
struct Authentication {
    at: Timestamp,
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
        Some(REFRESH_TOKEN) => REFRESH_TOKEN,
        Some(JWT_BEARER) => JWT_BEARER,
        Some(_) => "other",
        None => "none",
    };
    let mut trail = Trail::begin(app, publisher, Some(&head.headers), &parameters);
    let claimed = claimed_client(publisher, &head, &parameters);
    let work = fetch(app, publisher, &head, &parameters, &mut trail);
    let outcome = guarded(app, publisher, claimed.as_deref(), head.source, work).await;
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
    let (caller, assertion) = match parameters.get("grant_type") {
        Some(JWT_BEARER) if publisher.authorization.jwt_bearer => {
            let (caller, claims) = jwt_bearer::authenticate(app, publisher, &endpoints.token, parameters).await?;
            (caller, Some(claims))
        }
        _ => (authenticate(app, publisher, &endpoints.token, head, parameters).await?, None),
    };
    trail.client = Some(Arc::clone(&caller.client));
    let bound_to = proved_key(app, head, &caller.client).await?;
    let granted = match &assertion {
        Some(claims) => jwt_bearer(app, publisher, &caller, claims).await,
        None => redeem(app, publisher, &caller, bound_to.as_ref(), parameters, trail).await,
    };
    let granted = granted?;
    trail.asks_for(&granted.scopes, &granted.purpose);
    if let Some(line) = granted.line {
        trail.is_granted(app, caller.client.id, line);
    }
    issue(app, publisher, &endpoints.issuer, &caller.client, bound_to.as_ref(), granted).await
}

/// What the client presents is good for.
async fn redeem(
    app: &App,
    publisher: &'static Publisher,
    caller: &AuthenticatedClient,
    bound_to: Option<&Thumbprint>,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<Granted, Refused> {
    let dialect = &publisher.authorization;
    match parameters.get("grant_type") {
        None => Err(OAuthErrorCode::InvalidRequest.because("grant_type is missing").into()),
        Some(CLIENT_CREDENTIALS) if dialect.client_credentials => {
            caller.may_use(GrantType::ClientCredentials)?;
            client_credentials(app, publisher, caller, parameters)
        }
        Some(AUTHORIZATION_CODE) if dialect.authorization_path.is_some() => {
            caller.may_use(GrantType::AuthorizationCode)?;
            authorization_code(app, publisher, caller, bound_to, parameters, trail).await
        }
        Some(BACKCHANNEL) if dialect.backchannel_path.is_some() => {
            caller.may_use(GrantType::Backchannel)?;
            backchannel(app, caller, bound_to, parameters).await
        }
        Some(REFRESH_TOKEN) if dialect.has_subscribers() => {
            caller.may_use(GrantType::RefreshToken)?;
            refresh_token(app, publisher, caller, bound_to, parameters, trail).await
        }
        Some(_) => Err(OAuthErrorCode::UnsupportedGrantType
            .because("this grant_type is not supported here; see grant_types_supported in the metadata")
            .into()),
    }
}

/// A short-lived token for the subscriber that a client has named in a signed statement, without a refresh
/// token (CAMARA Security and Interoperability Profile, "JWT Bearer Flow").
async fn jwt_bearer(
    app: &App,
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    claims: &jwt_bearer::Claims,
) -> Result<Granted, Refused> {
    caller.may_use(GrantType::JwtBearer)?;
    let (line, Admitted { scopes, purpose, .. }) = jwt_bearer::grant(app, publisher, &caller.client, claims).await?;
    Ok(Granted {
        line: Some(line),
        authorization: None,
        scopes,
        purpose,
        openid: None,
        refresh_token: None,
        lifetime: app.settings.jwt_bearer_token_lifetime,
    })
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
    app: &App,
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    parameters: &Parameters,
) -> Result<Granted, Refused> {
    if !caller.is_confidential {
        return Err(OAuthErrorCode::UnauthorizedClient.because("a public client cannot use this grant").into());
    }
    let Admitted { scopes, purpose, .. } = admit_scopes(publisher, &caller.client, parameters)?;
    Ok(Granted {
        line: None,
        authorization: None,
        scopes,
        purpose,
        openid: None,
        refresh_token: None,
        lifetime: app.tokens.lifetime(),
    })
}

/// What a request asks for that its client is registered for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Admitted {
    pub(super) scopes: Vec<Scope>,
    pub(super) purpose: Purpose,
    /// Whether it asks for an ID token.
    pub(super) openid: bool,
    /// Whether it asks for a refresh token.
    pub(super) offline_access: bool,
}

/// The scopes and the purpose that a request asks for.
///
/// # Errors
/// `invalid_scope` when the client is not registered for one of them.
pub(super) fn admit_scopes(
    publisher: &Publisher,
    client: &Client,
    parameters: &Parameters,
) -> Result<Admitted, Refused> {
    let asked = (publisher.authorization.read_scope)(&ScopeParameters {
        scope: parameters.get("scope"),
        purpose: parameters.get("purpose"),
    })?;
    if parameters.get("claims").is_some() && !asked.openid {
        return Err(OAuthErrorCode::InvalidRequest
            .because("claims of OpenID Connect are asked for without the scope openid")
            .into());
    }
    admit(client, asked)
}

/// As [`admit_scopes`], of what was read.
pub(super) fn admit(client: &Client, asked: Asked) -> Result<Admitted, Refused> {
    let scopes = if asked.scopes.is_empty() {
        client.scopes.iter().filter(|scope| scope.as_str() != OPENID).cloned().collect()
    } else {
        asked.scopes
    };
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
    // It is ignored where nothing comes of it (OpenID Connect Core section 11).
    let offline_access = asked.offline_access && client.grants.contains(&GrantType::RefreshToken);
    Ok(Admitted { scopes, purpose, openid: asked.openid, offline_access })
}

/// A token for whom the authorization endpoint identified (RFC 6749 section 4.1.3).
async fn authorization_code(
    app: &App,
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    bound_to: Option<&Thumbprint>,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
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
    let (key, now) = (hash(code), app.clock.now());
    // A code that is presented wrongly is spent as well: who guesses has one try (RFC 9700 section
    // 4.5). Only its own client can spend it.
    let grant = app
        .grants
        .take(key, |grant| grant.client == caller.client.id && matches!(grant.kind, GrantKind::AuthorizationCode(_)))
        .await
        .map_err(Problem::from)?;
    let Some(grant) = grant else {
        // What it led to may be refreshed for longer than spent codes are remembered.
        let led_to = Authorization::id_of(&key);
        let spent = app.grants.spent(&key, now);
        let refreshed = app.authorizations.line_of(led_to).await.map_err(Problem::from)?;
        if spent.is_some() || refreshed.is_some() {
            tracing::warn!(client_id = caller.client.client_id, "a code was used twice: what it led to is revoked");
            app.tokens.end(led_to, now).await.map_err(Problem::from)?;
            trail.line = spent.and_then(|spent| spent.line).or(refreshed);
            trail.is_revoked(app, "code_reused").await?;
        }
        return Err(Refused::Credential(refused));
    };
    let GrantKind::AuthorizationCode(redirect) = &grant.kind else { return Err(Refused::Credential(refused)) };
    let proves_verifier = match (redirect.code_challenge, verifier) {
        (Some(CodeChallenge(challenge)), Some(verifier)) => {
            aws_lc_rs::constant_time::verify_slices_are_equal(&hash(verifier), &challenge).is_ok()
        }
        (None, None) => caller.is_confidential,
        // A verifier without a challenge is a downgrade (RFC 9700 section 4.8.2).
        (Some(_), None) | (None, Some(_)) => false,
    };
    // What the code rests on may have ended since it was handed out, also if it has begun again.
    let Grant { client, line, purpose, scopes, authenticated_at, .. } = &grant;
    let permission = app.consents.permission(*client, *line, purpose, scopes);
    let is_permitted = permission.is_some_and(|permission| permission.since <= *authenticated_at);
    if grant.expires_at <= now
        || redirect_uri.is_some_and(|uri| uri != redirect.redirect_uri)
        || !proves_verifier
        || !is_permitted
    {
        return Err(Refused::Credential(refused));
    }
    let nonce = redirect.nonce.clone();
    fetched(app, caller, bound_to, &key, grant, nonce).await
}

/// A token for whom the backchannel authentication identified (CIBA Core section 10.1).
async fn backchannel(
    app: &App,
    caller: &AuthenticatedClient,
    bound_to: Option<&Thumbprint>,
    parameters: &Parameters,
) -> Result<Granted, Refused> {
    let unknown = OAuthErrorCode::InvalidGrant.because("the auth_req_id is unknown, used, or of another client");
    let id = parameters.get("auth_req_id").ok_or(OAuthErrorCode::InvalidRequest.because("auth_req_id is missing"))?;
    let key = hash(id);
    match app.grants.poll(&key, caller.client.id, &app.consents, app.clock.now()) {
        Poll::Unknown => return Err(Refused::Credential(unknown)),
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
    fetched(app, caller, bound_to, &key, grant, None).await
}

/// What a grant that was taken out is good for.
async fn fetched(
    app: &App,
    caller: &AuthenticatedClient,
    bound_to: Option<&Thumbprint>,
    key: &GrantKey,
    grant: Grant,
    nonce: Option<String>,
) -> Result<Granted, Refused> {
    // Who has proved who it is proves it again with each refresh token; of a public client the key does.
    let bound_to = bound_to.filter(|_| !caller.is_confidential);
    let authorization = Authorization {
        id: Authorization::id_of(key),
        publisher: grant.publisher,
        client: grant.client,
        line: grant.line,
        scopes: grant.scopes,
        purpose: grant.purpose,
        openid: grant.openid,
        authenticated_at: grant.authenticated_at,
        bound_to: bound_to.map(|thumbprint| thumbprint.as_str().into()),
    };
    let refresh_token = if grant.offline_access {
        let token = entropy::secret().map_err(|_| Problem::Internal)?;
        let expires_at = app.clock.now().plus(app.settings.refresh_token_lifetime);
        let begun = app.authorizations.begin(authorization.clone(), hash(&token), expires_at).await;
        if !begun.map_err(Problem::from)? {
            return Err(OAuthErrorCode::InvalidGrant.because("what was granted is revoked").into());
        }
        Some(token)
    } else {
        None
    };
    Ok(authorized(app, authorization, nonce, refresh_token))
}

/// What an authorization is good for.
fn authorized(
    app: &App,
    authorization: Authorization,
    nonce: Option<String>,
    refresh_token: Option<String>,
) -> Granted {
    Granted {
        line: Some(authorization.line),
        authorization: Some(authorization.id),
        scopes: authorization.scopes,
        purpose: authorization.purpose,
        openid: authorization.openid.then_some(Authentication { at: authorization.authenticated_at, nonce }),
        refresh_token,
        lifetime: app.tokens.lifetime(),
    }
}

/// A token in the place of one before (RFC 6749 section 6). Each refresh token is good once: one that is
/// presented again was stolen from its client or by it, and ends what it refreshes (RFC 9700 section 4.14.2).
async fn refresh_token(
    app: &App,
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    bound_to: Option<&Thumbprint>,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<Granted, Refused> {
    let refused = || Refused::Credential(OAuthErrorCode::InvalidGrant.because(REFRESH_TOKEN_REFUSED));
    let presented = parameters.get("refresh_token");
    let presented = hash(presented.ok_or(OAuthErrorCode::InvalidRequest.because("refresh_token is missing"))?);
    let now = app.clock.now();
    let token = app.authorizations.find(presented).await.map_err(Problem::from)?.ok_or_else(refused)?;
    let mut authorization = token.authorization;
    let is_bound_to_another =
        authorization.bound_to.is_some() && authorization.bound_to.as_deref() != bound_to.map(Thumbprint::as_str);
    if authorization.client != caller.client.id
        || is_bound_to_another
        || token.expires_at <= now
        || app.tokens.is_ended(authorization.id)
    {
        return Err(refused());
    }
    trail.asks_for(&authorization.scopes, &authorization.purpose);
    trail.is_granted(app, authorization.client, authorization.line);
    if token.is_used {
        return Err(reused(app, &authorization, now, trail).await);
    }
    if !authorization.scopes.iter().all(|scope| caller.client.scopes.contains(scope))
        || !caller.client.purposes.contains(&authorization.purpose)
    {
        return Err(OAuthErrorCode::InvalidGrant
            .because("the client is not registered any more for what was granted; begin anew")
            .into());
    }
    if let Some(scope) = parameters.get("scope") {
        authorization = narrowed(publisher, authorization, scope)?;
    }
    let Authorization { client, line, purpose, scopes, .. } = &authorization;
    if !app.consents.permits(*client, *line, purpose, scopes) {
        return Err(OAuthErrorCode::InvalidGrant.because("what was granted has ended; begin anew").into());
    }
    let next = entropy::secret().map_err(|_| Problem::Internal)?;
    let expires_at = now.plus(app.settings.refresh_token_lifetime);
    if !app.authorizations.rotate(presented, hash(&next), expires_at).await.map_err(Problem::from)? {
        return Err(reused(app, &authorization, now, trail).await);
    }
    Ok(authorized(app, authorization, None, Some(next)))
}

/// Ends what a refresh token refreshes that was presented twice.
async fn reused(app: &App, authorization: &Authorization, now: Timestamp, trail: &Trail<'_>) -> Refused {
    tracing::warn!(authorization = %authorization.id, "a refresh token was used twice: what it refreshes is revoked");
    if let Err(error) = app.tokens.end(authorization.id, now).await {
        return Problem::from(error).into();
    }
    match trail.is_revoked(app, "refresh_token_reused").await {
        Ok(()) => Refused::Credential(OAuthErrorCode::InvalidGrant.because(REFRESH_TOKEN_REFUSED)),
        Err(unaudited) => unaudited,
    }
}

/// The part of an authorization that a request to refresh names; it may ask for less, never for more.
fn narrowed(publisher: &Publisher, authorization: Authorization, scope: &str) -> Result<Authorization, Refused> {
    // The purpose stays what it was, and may be left out.
    let names_purpose = scope.split(' ').any(|scope| scope.starts_with("dpv:"));
    let scope = if names_purpose { scope } else { &format!("{} {scope}", authorization.purpose) };
    let asked = (publisher.authorization.read_scope)(&ScopeParameters { scope: Some(scope), purpose: None })?;
    let is_granted = asked.scopes.iter().all(|scope| authorization.scopes.contains(scope))
        && asked.purpose.is_none_or(|purpose| purpose == authorization.purpose)
        && (authorization.openid || !asked.openid);
    if asked.scopes.is_empty() || !is_granted {
        return Err(OAuthErrorCode::InvalidScope.because("scope names none, or more than what was granted").into());
    }
    Ok(Authorization { scopes: asked.scopes, openid: asked.openid, ..authorization })
}

/// Issues the token, and the ID token if it was asked for.
async fn issue(
    app: &App,
    publisher: &Publisher,
    issuer: &str,
    client: &Arc<Client>,
    bound_to: Option<&Thumbprint>,
    granted: Granted,
) -> Result<Response, Refused> {
    let permitted_since = match granted.line {
        None => None,
        Some(line) => {
            let ended = OAuthErrorCode::InvalidGrant.because("what was granted has ended; begin anew");
            let permission = app.consents.permission(client.id, line, &granted.purpose, &granted.scopes);
            Some(permission.ok_or(ended)?.since)
        }
    };
    let issue = Issue {
        issuer,
        client,
        line: granted.line,
        permitted_since,
        authorization: granted.authorization,
        scopes: &granted.scopes,
        openid: granted.openid.is_some(),
        purpose: &granted.purpose,
        bound_to,
        lifetime: granted.lifetime,
    };
    let now = app.clock.now();
    let failed = |error| {
        tracing::error!(error = &error as &dyn std::error::Error, "no token was issued");
        Problem::Internal
    };
    let access_token = app.tokens.issue(&issue, now).map_err(failed)?;
    let id_token = match &granted.openid {
        Some(Authentication { at, nonce }) => {
            let clock = app.clock.as_ref();
            let signed = app.tokens.issue_id_token(&issue, &access_token, Some(*at), nonce.as_deref(), clock).await;
            Some(signed.map_err(failed)?)
        }
        None => None,
    };
    let response = TokenResponse {
        access_token,
        token_type: if bound_to.is_some() { "DPoP" } else { "Bearer" },
        expires_in: issue.lifetime.as_secs(),
        scope: join(&granted.scopes, granted.openid.is_some()),
        refresh_token: granted.refresh_token,
        id_token,
        purpose: granted.purpose,
    };
    Ok(json_response(200, (publisher.authorization.write_token)(&response)))
}
