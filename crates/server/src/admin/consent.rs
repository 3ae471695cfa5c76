//! `/admin/v1/consent-requests` and `/admin/v1/lines/{number}/consents`: the operator asks subjects on this
//! server's behalf, by its own app, voice menu or SMS, and ends consents for those who ask it to.

use std::sync::Arc;

use attache_core::{DeviceIdentifier, LineId, PhoneNumber, Problem, RequestId};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::PathRejection, rejection::QueryRejection},
};

use super::{
    AdminError, JsonBody, NumberInPath,
    api::{
        self, AnsweredRequest, ConsentList, ConsentRequest, ConsentRequestPage, ConsentRequestQuery, Withdrawal,
        Withdrawn,
    },
};
use crate::{
    app::App,
    authorization::PendingRequest,
    consent::{self, Use},
    sandbox,
};

/// How many requests are told where nobody says how many.
const PAGE: usize = 100;
/// How many requests are told at most.
const LONGEST_PAGE: usize = 10_000;

pub(super) async fn pending(
    State(app): State<Arc<App>>,
    query: Result<Query<ConsentRequestQuery>, QueryRejection>,
) -> Result<Json<ConsentRequestPage>, AdminError> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let line = match query.phone_number {
        Some(number) => Some(line_of(&app, number).await?),
        None => None,
    };
    let found = app.grants.pending(query.after, line, limit, &app.consents, app.clock.now());
    let next = (found.len() == limit).then(|| found.last().map(|request| request.id)).flatten();
    let mut requests = Vec::with_capacity(found.len());
    for request in found {
        requests.extend(shown_request(&app, &request).await?);
    }
    Ok(Json(ConsentRequestPage { requests, next }))
}

pub(super) async fn grant(
    state: State<Arc<App>>,
    id: Result<Path<RequestId>, PathRejection>,
) -> Result<Json<AnsweredRequest>, AdminError> {
    answer(state, id, true).await
}

pub(super) async fn deny(
    state: State<Arc<App>>,
    id: Result<Path<RequestId>, PathRejection>,
) -> Result<Json<AnsweredRequest>, AdminError> {
    answer(state, id, false).await
}

async fn answer(
    State(app): State<Arc<App>>,
    id: Result<Path<RequestId>, PathRejection>,
    yes: bool,
) -> Result<Json<AnsweredRequest>, AdminError> {
    let Path(id) = id?;
    let unknown = || AdminError::UnknownRequest(id);
    let request = app.grants.find_pending(id, &app.consents, app.clock.now()).ok_or_else(unknown)?;
    let client = app.clients.get(request.client).ok_or_else(unknown)?;
    let wanted = Use { client: &client, line: request.line, purpose: &request.purpose, scopes: &request.scopes };
    let answered = if yes { consent::grant(&app, wanted).await } else { consent::deny(&app, wanted).await };
    answered.map_err(|problem| match problem {
        Problem::UnknownLine => unknown(),
        other => AdminError::internal(other),
    })?;
    Ok(Json(AnsweredRequest { id, answer: if yes { api::Answer::Granted } else { api::Answer::Denied } }))
}

pub(super) async fn set_subscriber(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
    JsonBody(subscriber): JsonBody<api::Subscriber>,
) -> Result<Json<api::Subscriber>, AdminError> {
    if !app.is_sandbox() {
        return Err(AdminError::SandboxOnly);
    }
    let line = line_of(&app, number).await?;
    sandbox::set_answer(&app, line, subscriber.answer);
    Ok(Json(subscriber))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<Json<ConsentList>, AdminError> {
    let line = line_of(&app, number).await?;
    let consents = app.consents.of_line(line);
    Ok(Json(ConsentList { consents: consents.iter().filter_map(|consent| shown(&app, number, consent)).collect() }))
}

pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
    JsonBody(meant): JsonBody<Withdrawal>,
) -> Result<Json<Withdrawn>, AdminError> {
    let line = line_of(&app, number).await?;
    let withdrawn = withdraw_meant(&app, line, meant).await.map_err(AdminError::internal)?;
    let withdrawn = withdrawn.iter().filter_map(|consent| shown(&app, number, consent)).collect();
    Ok(Json(Withdrawn { withdrawn }))
}

/// Withdraws those consents of a line that are meant, and returns them.
pub(crate) async fn withdraw_meant(
    app: &App,
    line: LineId,
    meant: Withdrawal,
) -> Result<Vec<attache_core::Consent>, Problem> {
    let clients: Vec<_> = app
        .clients
        .list()
        .iter()
        .filter(|client| meant.publisher.as_ref().is_none_or(|publisher| *publisher == client.publisher))
        .filter(|client| meant.client_id.as_ref().is_none_or(|client_id| *client_id == client.client_id))
        .map(|client| client.id)
        .collect();
    consent::withdraw(app, line, move |consent| {
        clients.contains(&consent.client)
            && meant.purpose.as_ref().is_none_or(|purpose| *purpose == consent.purpose)
            && meant.scope.as_ref().is_none_or(|scope| *scope == consent.scope)
    })
    .await
}

async fn line_of(app: &App, number: PhoneNumber) -> Result<LineId, AdminError> {
    app.network.identify(&DeviceIdentifier::PhoneNumber(number)).await.map_err(|problem| match problem {
        Problem::UnknownLine => AdminError::UnknownLine(number),
        other => AdminError::internal(other),
    })
}

/// A request in the words of the API; `None` if its client or its line has just gone.
async fn shown_request(app: &App, request: &PendingRequest) -> Result<Option<ConsentRequest>, AdminError> {
    let Some(client) = app.clients.get(request.client) else { return Ok(None) };
    let phone_number = match app.network.profile(request.line).await {
        Ok(profile) => profile.phone_number,
        Err(Problem::UnknownLine) => return Ok(None),
        Err(other) => return Err(AdminError::internal(other)),
    };
    Ok(Some(ConsentRequest {
        id: request.id,
        publisher: client.publisher.clone(),
        client_id: client.client_id.clone(),
        phone_number,
        purpose: request.purpose.clone(),
        scopes: request.scopes.clone(),
        asked_at: request.asked_at,
        expires_at: request.expires_at,
    }))
}

pub(super) fn shown(app: &App, phone_number: PhoneNumber, consent: &attache_core::Consent) -> Option<api::Consent> {
    use attache_core::ConsentState;
    let client = app.clients.get(consent.client)?;
    let (granted_at, ended_at) = match consent.state {
        ConsentState::Granted { at } => (Some(at), None),
        ConsentState::Denied { at } => (None, Some(at)),
        ConsentState::Withdrawn { granted_at, at } => (Some(granted_at), Some(at)),
    };
    Some(api::Consent {
        publisher: client.publisher.clone(),
        client_id: client.client_id.clone(),
        phone_number,
        purpose: consent.purpose.clone(),
        scope: consent.scope.clone(),
        basis: consent.basis,
        state: consent.state.as_str().to_owned(),
        granted_at,
        ended_at,
    })
}
