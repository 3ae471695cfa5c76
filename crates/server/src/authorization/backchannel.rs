use std::{sync::Arc, time::Duration};

use attache_core::{Backchannel, Grant, GrantKind, GrantType, LineId, Problem, RequestId};
use attache_wire::{
    Publisher,
    oauth::{Acknowledgement, OAuthErrorCode},
};
use axum::{body::Body, response::Response};
use http::Request;

use super::{
    Endpoint, Refused,
    client_authentication::{authenticate, claimed_client, guarded},
    discovery::endpoints,
    head::Head,
    login_hint,
    parameters::Parameters,
    request_object,
    token::admit_scopes,
    trail::Trail,
};
use crate::{
    app::App,
    consent::{self, Standing, Use},
    entropy,
    query::json_response,
    token::hash,
};

/// The backchannel authentication endpoint (OpenID Connect CIBA Core section 7).
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, parameters) = Parameters::read(app, request).await?;
    let mut trail = Trail::begin(app, publisher, Some(&head.headers), &parameters);
    let claimed = claimed_client(publisher, &head, &parameters);
    let work = begin(app, publisher, &head, &parameters, &mut trail);
    let outcome = guarded(app, publisher, claimed.as_deref(), head.source, work).await;
    trail.end_with_identification(app, "bc-authorize", outcome).await
}

/// Identifies the subscriber and begins to ask for consent.
async fn begin(
    app: &App,
    publisher: &'static Publisher,
    head: &Head,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<Response, Refused> {
    let endpoints = endpoints(app, publisher);
    let endpoint_url = endpoints.backchannel.as_deref().unwrap_or_default();
    let caller = authenticate(app, publisher, endpoint_url, head, parameters).await?;
    trail.client = Some(Arc::clone(&caller.client));
    if !caller.is_confidential {
        return Err(OAuthErrorCode::UnauthorizedClient.because("a public client cannot use this grant").into());
    }
    caller.may_use(GrantType::Backchannel)?;
    let object = (Endpoint::Backchannel, endpoint_url);
    let signed = request_object::parameters(app, publisher, &caller.client, object, parameters).await?;
    let parameters = signed.as_ref().unwrap_or(parameters);
    if parameters.get("login_hint_token").or(parameters.get("id_token_hint")).is_some() {
        return Err(OAuthErrorCode::InvalidRequest.because("login_hint must be the only hint").into());
    }
    let asked = admit_scopes(publisher, &caller.client, parameters)?;
    trail.asks_for(&asked.scopes, &asked.purpose);
    let hint = parameters.get("login_hint").ok_or(OAuthErrorCode::InvalidRequest.because("login_hint is missing"))?;
    let now = app.clock.now();
    let line = match login_hint::identify(app, publisher, hint).await {
        Ok(line) => {
            let wanted = Use { client: &caller.client, line, purpose: &asked.purpose, scopes: &asked.scopes };
            trail.is_about(app, wanted).await;
            if consent::settle(app, wanted).await? == Standing::Refused {
                return Err(OAuthErrorCode::AccessDenied.because("the subscriber does not want this use").into());
            }
            line
        }
        // A line that nobody has: nobody will answer for it, and until then it is as any other.
        Err(Problem::UnknownLine) if app.settings.conceal_unknown_subscribers => {
            LineId::new(now, &entropy::bytes().map_err(|_| Problem::Internal)?)
        }
        Err(Problem::UnknownLine | Problem::IdentifierUnsupported) => {
            let unknown = OAuthErrorCode::UnknownUserId.because("no subscriber is known by this login_hint");
            return Err(login_hint::refusal(hint, unknown));
        }
        Err(Problem::FieldInvalid { .. }) => {
            return Err(OAuthErrorCode::InvalidRequest
                .because(
                    "login_hint is malformed; it has the form tel:+34666666666, ipport:80.90.34.2:16790 or \
                     operatortoken:...",
                )
                .into());
        }
        Err(other) => return Err(other.into()),
    };
    let request = RequestId::new(now, &entropy::bytes().map_err(|_| Problem::Internal)?);
    let auth_req_id = entropy::secret().map_err(|_| Problem::Internal)?;
    let lifetime = app.settings.backchannel_lifetime;
    let grant = Grant {
        publisher: publisher.name.clone(),
        client: caller.client.id,
        line,
        scopes: asked.scopes,
        purpose: asked.purpose,
        openid: asked.openid,
        offline_access: asked.offline_access,
        authenticated_at: now,
        kind: GrantKind::Backchannel(Backchannel { id: request, asked_at: now }),
        expires_at: now.plus(lifetime),
    };
    app.grants.put(hash(&auth_req_id), grant).await.map_err(Problem::from)?;
    let acknowledgement = Acknowledgement {
        auth_req_id,
        expires_in: lifetime.as_secs(),
        interval: whole_seconds(app.settings.backchannel_interval),
    };
    Ok(json_response(200, (publisher.authorization.write_acknowledgement)(&acknowledgement)))
}

/// A client that waits as long as it is told does not poll too fast, so parts of a second count whole.
fn whole_seconds(interval: Duration) -> u64 {
    interval.as_secs() + u64::from(interval.subsec_nanos() > 0)
}
