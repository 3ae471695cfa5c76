//! The pipeline that every request about subscriptions goes through, written once and generic over the face:
//!
//! admit the head → authenticate → authorize → (to make one: read the body → look whether it was sent before →
//! identify the line → limit → whether its subject has said no → observe the network → hold the request against what
//! is allowed here) → do it → audit → render.
//!
//! A subscription belongs to the client that made it and to the version that it was made by; to everybody
//! else it does not exist. A token for a line sees those about that line alone, without what names it; and none
//! that was made with one ever shows that.

mod create;

use std::sync::Arc;

use attache_core::{
    AuditEvent, AuditRecord, EndReason, LegalBasis, LineId, Problem, Scope, StoreError, Subscription,
    SubscriptionFilter, SubscriptionId, SubscriptionProblem, SubscriptionStatus, Subscriptions,
};
use attache_wire::{PUBLISHERS, Publisher, Refusal, SubscriptionFace};
use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode, header};

use crate::{
    app::App,
    frame::{Ended, Frame},
    limit::Limiter,
    query::{Asking, add_problem_headers, admit_host_and_target, admit_media_types, authenticate, json_response},
    token::Token,
};

/// The most subscriptions that a list has; the contracts know no pages.
const LONGEST_LIST: u32 = 10_000;

/// What is asked for.
enum Operation {
    Create,
    List,
    /// With what the path names one by.
    Read(String),
    Delete(String),
}

/// What came of it.
struct Done {
    status: u16,
    body: Option<Vec<u8>>,
    /// As it stands in the audit.
    name: &'static str,
}

/// What is learned on the way, for the audit, the metrics and the log.
#[derive(Default)]
struct Trail {
    token: Option<Arc<Token>>,
    limiter: Option<Arc<Limiter>>,
    subject: Option<LineId>,
    /// By what right the subject's data are used.
    basis: Option<LegalBasis>,
    subscription: Option<SubscriptionId>,
}

impl Trail {
    fn is_about(&mut self, subscription: &Subscription) {
        self.subject = Some(subscription.line);
        self.subscription = Some(subscription.id);
    }
}

/// Answers one request about subscriptions: about all of them, or about the one that the path names.
pub(crate) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    face: &'static SubscriptionFace,
    named: Option<String>,
    request: Request<Body>,
) -> Response {
    let (frame, fault) = Frame::begin(face.correlator, &request);
    let mut trail = Trail::default();
    let outcome = match fault {
        None => ask(app, publisher, face, named, request, frame.correlator(), &mut trail).await,
        Some(problem) => Err(problem.into()),
    };
    let (mut response, problem) = match outcome {
        Ok(Done { status, body: Some(body), .. }) => (json_response(status, body), None),
        Ok(Done { status, body: None, .. }) => (empty_response(status), None),
        Err(problem) => (refuse(face, &problem), Some(problem)),
    };
    let ended = Ended {
        version: face.into(),
        path: face.path,
        problem: problem.as_ref().map(SubscriptionProblem::name),
        token: trail.token.as_deref(),
        limiter: trail.limiter.as_deref(),
    };
    frame.end(app, publisher, &ended, &mut response);
    response
}

/// A problem in the words of a face.
pub(crate) fn refuse(face: &SubscriptionFace, problem: &SubscriptionProblem) -> Response {
    let Refusal { status, body } = (face.refuse)(problem);
    let mut response = json_response(status, body);
    if let SubscriptionProblem::Problem(problem) = problem {
        add_problem_headers(problem, response.headers_mut());
    }
    response
}

/// The steps, in order.
async fn ask(
    app: &App,
    publisher: &Publisher,
    face: &SubscriptionFace,
    named: Option<String>,
    request: Request<Body>,
    correlator: &str,
    trail: &mut Trail,
) -> Result<Done, SubscriptionProblem> {
    admit_host_and_target(app, &request)?;
    let operation = operation(&request, named)?;
    let caller = authenticate(app, publisher, &Asking::of(&request)).await?;
    let token = Arc::clone(&caller.token);
    trail.token = Some(caller.token);
    trail.limiter = caller.limiter;
    trail.basis = caller.basis;
    authorize(&token, face, &operation)?;
    admit_media_types(request.headers())?;
    app.can_record()?;
    let outcome = match operation {
        Operation::Create => create::create(app, face, &token, request, trail).await,
        Operation::List => list(app, face, &token, trail).await,
        Operation::Read(named) => read(app, face, &token, &named, trail).await,
        Operation::Delete(named) => delete(app, face, &token, &named, trail).await,
    };
    audit(app, face, &token, trail, correlator, &outcome).await?;
    outcome
}

/// What a request asks for, by its method and path.
fn operation(request: &Request<Body>, named: Option<String>) -> Result<Operation, Problem> {
    match (request.method(), named) {
        (&Method::POST, None) => Ok(Operation::Create),
        (&Method::GET, None) => Ok(Operation::List),
        (&Method::GET, Some(named)) => Ok(Operation::Read(named)),
        (&Method::DELETE, Some(named)) => Ok(Operation::Delete(named)),
        (_, None) => Err(Problem::MethodNotAllowed { allow: "GET, POST" }),
        (_, Some(_)) => Err(Problem::MethodNotAllowed { allow: "GET, DELETE" }),
    }
}

/// Whether the caller may do such a thing at all. For which type it may make a subscription, the body tells.
fn authorize(token: &Token, face: &SubscriptionFace, operation: &Operation) -> Result<(), Problem> {
    let has = |scope: &Scope| token.scopes.contains(scope);
    let needed = match operation {
        Operation::Create => {
            let mut scopes = face.types.iter().map(|subscribed| &subscribed.create_scope);
            if scopes.clone().any(has) {
                return Ok(());
            }
            scopes.next().unwrap_or(&face.read_scope)
        }
        Operation::List | Operation::Read(_) => &face.read_scope,
        Operation::Delete(_) => &face.delete_scope,
    };
    if has(needed) { Ok(()) } else { Err(Problem::ScopeMissing { scope: needed.clone() }) }
}

fn limited(app: &App, trail: &Trail) -> Result<(), SubscriptionProblem> {
    match &trail.limiter {
        Some(limiter) => Ok(limiter.take(app.clock.now())?),
        None => Ok(()),
    }
}

async fn list(app: &App, face: &SubscriptionFace, token: &Token, trail: &Trail) -> Result<Done, SubscriptionProblem> {
    limited(app, trail)?;
    let filter = SubscriptionFilter {
        client: Some(token.client),
        line: token.line,
        contract: Some((face.api.to_owned(), face.contract.to_owned())),
        after: None,
        without_deleted: true,
    };
    let listed = stored(app, move |store| store.subscriptions(&filter, LONGEST_LIST)).await?;
    let listed: Vec<Subscription> = listed.into_iter().map(|subscription| as_seen(token, subscription)).collect();
    Ok(Done { status: 200, body: Some((face.write_list)(face, &listed)), name: "listed" })
}

async fn read(
    app: &App,
    face: &SubscriptionFace,
    token: &Token,
    named: &str,
    trail: &mut Trail,
) -> Result<Done, SubscriptionProblem> {
    let subscription = as_seen(token, find(app, face, token, named, trail).await?);
    Ok(Done { status: 200, body: Some((face.write)(face, &subscription)), name: "read" })
}

async fn delete(
    app: &App,
    face: &SubscriptionFace,
    token: &Token,
    named: &str,
    trail: &mut Trail,
) -> Result<Done, SubscriptionProblem> {
    let subscription = find(app, face, token, named, trail).await?;
    let ended = app.subscriptions.end(subscription.id, EndReason::Deleted, None, app.clock.now()).await;
    ended.map_err(|error| unavailable(&error))?;
    Ok(Done { status: 204, body: None, name: "deleted" })
}

/// The subscription that a path names, if it is the caller's to see.
async fn find(
    app: &App,
    face: &SubscriptionFace,
    token: &Token,
    named: &str,
    trail: &mut Trail,
) -> Result<Subscription, SubscriptionProblem> {
    limited(app, trail)?;
    let id = identifier(face, named)?;
    let found = stored(app, move |store| store.subscription(id)).await?;
    let is_seen = |subscription: &Subscription| {
        subscription.client == token.client
            && (subscription.api.as_str(), subscription.contract.as_str()) == (face.api, face.contract)
            && token.line.is_none_or(|line| line == subscription.line)
            && subscription.status != SubscriptionStatus::Ended(EndReason::Deleted)
    };
    let subscription = found.filter(is_seen).ok_or(SubscriptionProblem::UnknownSubscription)?;
    trail.is_about(&subscription);
    Ok(subscription)
}

/// The identifier that stands in a path. One that is none of ours names nothing, where the contract takes any text.
fn identifier(face: &SubscriptionFace, named: &str) -> Result<SubscriptionId, SubscriptionProblem> {
    const FIELD: &str = "subscriptionId";
    if named.is_empty() {
        return Err(Problem::FieldMissing { field: FIELD }.into());
    }
    named.parse().map_err(|_| {
        if face.has_uuids {
            Problem::FieldInvalid { field: FIELD.into(), reason: "a UUID is needed".into() }.into()
        } else {
            SubscriptionProblem::UnknownSubscription
        }
    })
}

/// A subscription as the bearer of a token may see it: nothing tells a token's bearer what names its line, whoever
/// made the subscription (CAMARA Event Subscription and Notification Guide section 2.2.2).
fn as_seen(token: &Token, subscription: Subscription) -> Subscription {
    let device = subscription.device.filter(|_| token.line.is_none());
    Subscription { device, ..subscription }
}

/// Reads from the store, on a thread that may wait for it.
async fn stored<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&dyn Subscriptions) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, SubscriptionProblem> {
    let store = Arc::clone(&app.subscriptions);
    match tokio::task::spawn_blocking(move || read(store.as_ref())).await {
        Ok(read) => read.map_err(|error| unavailable(&error)),
        Err(_) => Err(Problem::Internal.into()),
    }
}

/// The version that a subscription was made by.
pub(crate) fn face_of(subscription: &Subscription) -> Option<(&'static Publisher, &'static SubscriptionFace)> {
    let publisher = PUBLISHERS.iter().find(|publisher| publisher.name == subscription.publisher)?;
    let made_by = (subscription.api.as_str(), subscription.contract.as_str());
    let face = publisher.subscriptions.iter().find(|face| (face.api, face.contract) == made_by)?;
    Some((publisher, face))
}

/// Leaves a record before the answer leaves.
async fn audit(
    app: &App,
    face: &SubscriptionFace,
    token: &Token,
    trail: &Trail,
    correlator: &str,
    outcome: &Result<Done, SubscriptionProblem>,
) -> Result<(), Problem> {
    let outcome = match outcome {
        Ok(done) => done.name,
        Err(problem) => problem.name(),
    };
    let record = AuditRecord {
        publisher: Some(&token.publisher),
        client_id: Some(&token.client_id),
        action: face.path,
        subject: trail.subject,
        purpose: Some(&token.purpose),
        legal_basis: trail.basis,
        subscription: trail.subscription,
        correlator: Some(correlator),
        ..AuditRecord::new(app.clock.now(), AuditEvent::Subscription, outcome)
    };
    app.record(record).await
}

/// The store failed, which it tells itself.
fn unavailable(error: &StoreError) -> SubscriptionProblem {
    tracing::debug!(error = error as &dyn std::error::Error, "a request about subscriptions failed");
    Problem::StoreUnavailable.into()
}

fn empty_response(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
    response.headers_mut().insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
