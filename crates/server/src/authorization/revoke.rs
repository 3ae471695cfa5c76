use attache_core::{Problem, RefreshToken};
use attache_wire::{Publisher, oauth::OAuthErrorCode};
use axum::{body::Body, response::Response};
use http::Request;

use super::{Refused, client_authentication::authenticate, discovery::endpoints, parameters::Parameters};
use crate::{app::App, query::json_response, token::hash};

/// The revocation endpoint (RFC 7009). A refresh token ends what it refreshes, with all tokens of it; an
/// access token ends alone. A token that is good for nothing anyway is as good as revoked.
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, parameters) = Parameters::read(app, request).await?;
    let endpoints = endpoints(app, publisher);
    let caller = authenticate(app, publisher, &endpoints.revocation, &head, &parameters).await?;
    let of_another = || Refused::from(OAuthErrorCode::InvalidGrant.because("the token was issued to another client"));
    let text = parameters.get("token").ok_or(OAuthErrorCode::InvalidRequest.because("token is missing"))?;
    if let Some(token) = app.tokens.read(text) {
        if token.client != caller.client.id {
            return Err(of_another());
        }
        app.tokens.revoke(&token).await.map_err(Problem::from)?;
    } else if let Some(RefreshToken { authorization, .. }) =
        app.authorizations.find(hash(text)).await.map_err(Problem::from)?
    {
        if authorization.client != caller.client.id {
            return Err(of_another());
        }
        app.tokens.end(authorization.id, app.clock.now()).await.map_err(Problem::from)?;
    }
    Ok(json_response(200, b"{}".to_vec()))
}
