use std::sync::Arc;

use attache_core::{AuditEvent, AuditRecord, Problem, Scope};
use attache_wire::Publisher;
use axum::{body::Body, response::Response};
use http::Request;
use serde::Serialize;

use super::Refused;
use crate::{
    app::App,
    query::{self, Asking, Authenticated, json_response},
    token::{OPENID, Token},
};

/// What is told of a subscriber (OpenID Connect Core section 5.3.2): the pseudonym, and no more.
#[derive(Serialize)]
struct Claims {
    sub: String,
}

/// The userinfo endpoint (OpenID Connect Core section 5.3).
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let Authenticated { token, basis, .. } = query::authenticate(app, publisher, &Asking::of(&request)).await?;
    let told = tell(app, &token).await;
    let record = AuditRecord {
        publisher: Some(&publisher.name),
        client_id: Some(&token.client_id),
        action: "userinfo",
        subject: token.line,
        scopes: &token.scopes,
        purpose: Some(&token.purpose),
        legal_basis: basis,
        correlator: query::sent_correlator(request.headers()),
        ..AuditRecord::new(
            app.clock.now(),
            AuditEvent::Userinfo,
            told.as_ref().map_or_else(Problem::name, |_| "answered"),
        )
    };
    app.record(record).await?;
    Ok(json_response(200, serde_json::to_vec(&told?).map_err(|_| Problem::Internal)?))
}

async fn tell(app: &App, token: &Arc<Token>) -> Result<Claims, Problem> {
    let line = token.line.filter(|_| token.openid).ok_or(Problem::ScopeMissing { scope: Scope::new_static(OPENID) })?;
    // The line is gone: its number may have passed to somebody else.
    app.network.profile(line).await.map_err(|_| Problem::CredentialsInvalid)?;
    let client = app.clients.get(token.client).ok_or(Problem::CredentialsInvalid)?;
    let sub = app.tokens.subject(&client, Some(line)).map_err(|_| Problem::Internal)?;
    Ok(Claims { sub })
}
