use attache_core::{AuditEvent, AuditRecord, Authorization, ClientId, LineId, Problem, Purpose, RefreshToken, Scope};
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use axum::{body::Body, response::Response};
use http::Request;

use super::{
    Refused,
    client_authentication::{AuthenticatedClient, authenticate, claimed_client, guarded},
    discovery::endpoints,
    head::Head,
    parameters::Parameters,
};
use crate::{
    app::App,
    query::{self, json_response},
    token::{Token, hash},
};

/// The revocation endpoint (RFC 7009). A refresh token ends what it refreshes, with all tokens of it; an
/// access token ends alone. A token that is good for nothing anyway is as good as revoked.
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, parameters) = Parameters::read(app, request).await?;
    let endpoints = endpoints(app, publisher);
    let claimed = claimed_client(publisher, &head, &parameters);
    let work = authenticate(app, publisher, &endpoints.revocation, &head, &parameters);
    let caller = guarded(app, publisher, claimed.as_deref(), head.source, work).await?;
    let text = parameters.get("token").ok_or(OAuthErrorCode::InvalidRequest.because("token is missing"))?;
    if let Some(token) = app.tokens.read(text, &app.clients) {
        admit(&caller, token.client)?;
        app.tokens.revoke(&token).await.map_err(Problem::from)?;
        let Token { line, scopes, purpose, .. } = token.as_ref();
        record(app, publisher, &caller, &head, Ended { line: *line, scopes, purpose }).await?;
    } else if let Some(RefreshToken { authorization, .. }) =
        app.authorizations.find(hash(text)).await.map_err(Problem::from)?
    {
        admit(&caller, authorization.client)?;
        app.tokens.end(authorization.id, app.clock.now()).await.map_err(Problem::from)?;
        let Authorization { line, scopes, purpose, .. } = &authorization;
        record(app, publisher, &caller, &head, Ended { line: Some(*line), scopes, purpose }).await?;
    }
    Ok(json_response(200, b"{}".to_vec()))
}

/// Lets nobody but its client revoke a token.
fn admit(caller: &AuthenticatedClient, owner: ClientId) -> Result<(), OAuthError> {
    if caller.client.id == owner {
        return Ok(());
    }
    Err(OAuthErrorCode::InvalidGrant.because("the token was issued to another client"))
}

/// What a token was good for.
struct Ended<'a> {
    line: Option<LineId>,
    scopes: &'a [Scope],
    purpose: &'a Purpose,
}

async fn record(
    app: &App,
    publisher: &Publisher,
    caller: &AuthenticatedClient,
    head: &Head,
    ended: Ended<'_>,
) -> Result<(), Problem> {
    app.record(AuditRecord {
        publisher: Some(&publisher.name),
        client_id: Some(&caller.client.client_id),
        action: "revoke",
        subject: ended.line,
        scopes: ended.scopes,
        purpose: Some(ended.purpose),
        legal_basis: ended
            .line
            .and_then(|line| app.consents.basis(caller.client.id, line, ended.purpose, ended.scopes)),
        correlator: query::sent_correlator(&head.headers),
        ..AuditRecord::new(app.clock.now(), AuditEvent::TokenRevoked, "revoked")
    })
    .await
}
