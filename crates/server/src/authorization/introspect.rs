use attache_core::{ClientId, Problem, RefreshToken};
use attache_wire::{Publisher, oauth::OAuthErrorCode};
use axum::{body::Body, response::Response};
use http::Request;
use serde::Serialize;

use super::{
    Refused,
    client_authentication::{authenticate, claimed_client, guarded},
    discovery::endpoints,
    parameters::Parameters,
};
use crate::{
    app::App,
    query::{self, json_response},
    token::{hash, join},
};

/// What is told of a token (RFC 7662 section 2.2): of one that is not good, no more than that.
#[derive(Serialize, Default)]
pub(crate) struct Introspection {
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    token: Option<Told>,
}

#[derive(Serialize)]
struct Told {
    iss: String,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    client_id: String,
    scope: String,
    purpose: String,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<crate::token::Confirmation>,
}

/// The introspection endpoint (RFC 7662). A client learns about its own tokens; the operator about all, by
/// the admin API.
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, parameters) = Parameters::read(app, request).await?;
    let endpoints = endpoints(app, publisher);
    let claimed = claimed_client(publisher, &head, &parameters);
    let work = authenticate(app, publisher, &endpoints.introspection, &head, &parameters);
    let caller = guarded(app, publisher, claimed.as_deref(), head.source, work).await?;
    if !caller.is_confidential {
        return Err(OAuthErrorCode::InvalidClient.because("a public client cannot ask about tokens").into());
    }
    let token = parameters.get("token").ok_or(OAuthErrorCode::InvalidRequest.because("token is missing"))?;
    let told = introspect(app, publisher, token, Some(caller.client.id)).await?;
    Ok(json_response(200, serde_json::to_vec(&told).map_err(|_| Problem::Internal)?))
}

/// What there is to tell of a token of a publisher, to one client or to the operator.
pub(crate) async fn introspect(
    app: &App,
    publisher: &'static Publisher,
    text: &str,
    asks: Option<ClientId>,
) -> Result<Introspection, Problem> {
    let token = match query::verify(app, publisher, text) {
        Ok(caller) if asks.is_none_or(|client| client == caller.token.client) => {
            app.tokens.claims(text).map(|claims| Told {
                iss: claims.iss,
                sub: claims.sub,
                aud: Some(claims.aud),
                client_id: claims.client_id,
                scope: claims.scope,
                purpose: claims.purpose.to_string(),
                exp: claims.exp,
                iat: Some(claims.iat),
                jti: Some(claims.jti),
                token_type: Some(if claims.cnf.is_some() { "DPoP" } else { "Bearer" }),
                cnf: claims.cnf,
            })
        }
        Ok(_) => None,
        Err(_) => refresh_token(app, publisher, text, asks).await?,
    };
    Ok(Introspection { active: token.is_some(), token })
}

async fn refresh_token(
    app: &App,
    publisher: &Publisher,
    text: &str,
    asks: Option<ClientId>,
) -> Result<Option<Told>, Problem> {
    let Some(RefreshToken { authorization, is_used, expires_at }) = app.authorizations.find(hash(text)).await? else {
        return Ok(None);
    };
    let Some(client) = app.clients.get(authorization.client) else { return Ok(None) };
    let is_good = !is_used
        && expires_at > app.clock.now()
        && authorization.publisher == publisher.name
        && asks.is_none_or(|asking| asking == client.id)
        && !app.tokens.is_ended(authorization.id)
        && app.consents.permits(client.id, authorization.line, &authorization.purpose, &authorization.scopes);
    if !is_good {
        return Ok(None);
    }
    Ok(Some(Told {
        iss: app.issuer(publisher),
        sub: app.tokens.subject(&client, Some(authorization.line)).map_err(|_| Problem::Internal)?,
        aud: None,
        client_id: client.client_id.clone(),
        scope: join(&authorization.scopes, authorization.openid),
        purpose: authorization.purpose.to_string(),
        exp: expires_at.unix_seconds(),
        iat: None,
        jti: None,
        token_type: None,
        cnf: None,
    }))
}
