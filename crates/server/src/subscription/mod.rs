//! The pipeline that every request about subscriptions goes through, written once and generic over the face:
//!
//! admit the head → authenticate → authorize → (to make one: read the body → identify the line → limit →
//! observe the network → hold the request against what is allowed here) → do it → audit → render.
//!
//! A subscription belongs to the client that made it and to the version that it was made by; to everybody
//! else it does not exist. A token for a line sees those about that line alone, and none that was made with
//! one ever shows what names its line.

mod create;

use std::{sync::Arc, time::Instant};

use attache_core::{
    AuditEvent, AuditRecord, EndReason, LegalBasis, LineId, Problem, Scope, StoreError, Subscription,
    SubscriptionFilter, SubscriptionId, SubscriptionProblem, SubscriptionStatus,
};
use attache_wire::{PUBLISHERS, Publisher, Refusal, SubscriptionFace};
use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode, header};

use crate::{
    app::App,
    limit::Limiter,
    query::{
        Asking, X_CORRELATOR, add_problem_headers, admit_host_and_target, admit_media_types, authenticate, correlator,
        json_response, known_method, recorded,
    },
    telemetry::{RequestLabels, RequestLine},
    token::Token,
};

/// The most subscriptions that a list has; the contracts know no pages.
const LONGEST_LIST: u32 = 10_000;

/// What is asked for.
enum Operation {
    Create,
    List,
    Read(Option<SubscriptionId>),
    Delete(Option<SubscriptionId>),
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
    let began = Instant::now();
    let method = request.method().clone();
    let (correlator, fault) = correlator(face.correlator, request.headers());
    let correlator_text = recorded(&correlator);
    let mut trail = Trail::default();
    let outcome = match fault {
        None => ask(app, publisher, face, named, request, correlator_text, &mut trail).await,
        Some(problem) => Err(problem.into()),
    };
    let (mut response, problem) = match outcome {
        Ok(Done { status, body: Some(body), .. }) => (json_response(status, body), None),
        Ok(Done { status, body: None, .. }) => (empty_response(status), None),
        Err(problem) => (refuse(face, &problem), Some(problem)),
    };
    response.headers_mut().insert(X_CORRELATOR, correlator.clone());
    if let Some(limiter) = &trail.limiter {
        limiter.tell(app.clock.now(), response.headers_mut());
    }
    let labels = RequestLabels {
        publisher: publisher.name.as_str(),
        api: face.api,
        version: face.version,
        status: response.status().as_u16(),
    };
    app.answered(&RequestLine {
        at: app.clock.now(),
        method: known_method(&method),
        path: face.path,
        labels: &labels,
        problem: problem.as_ref().map(SubscriptionProblem::name),
        client_id: trail.token.as_ref().map(|token| token.client_id.as_str()),
        correlator: Some(correlator_text),
        duration: began.elapsed(),
    });
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
    let operation = operation(&request, named.as_deref())?;
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
        Operation::List => limited(app, trail).and_then(|()| list(app, face, &token)),
        Operation::Read(id) => limited(app, trail).and_then(|()| {
            let subscription = find(app, face, &token, id)?;
            trail.is_about(&subscription);
            Ok(Done { status: 200, body: Some((face.write)(face, &subscription)), name: "read" })
        }),
        Operation::Delete(id) => match limited(app, trail).and_then(|()| find(app, face, &token, id)) {
            Ok(subscription) => {
                trail.is_about(&subscription);
                delete(app, subscription.id).await
            }
            Err(problem) => Err(problem),
        },
    };
    audit(app, face, &token, trail, correlator, &outcome).await?;
    outcome
}

/// What a request asks for, by its method and path. An identifier that is none of ours names nothing, which
/// only those are told who may ask.
fn operation(request: &Request<Body>, named: Option<&str>) -> Result<Operation, Problem> {
    match (request.method(), named) {
        (&Method::POST, None) => Ok(Operation::Create),
        (&Method::GET, None) => Ok(Operation::List),
        (&Method::GET, Some(id)) => Ok(Operation::Read(id.parse().ok())),
        (&Method::DELETE, Some(id)) => Ok(Operation::Delete(id.parse().ok())),
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

fn list(app: &App, face: &SubscriptionFace, token: &Token) -> Result<Done, SubscriptionProblem> {
    let filter = SubscriptionFilter {
        client: Some(token.client),
        line: token.line,
        contract: Some((face.api.to_owned(), face.contract.to_owned())),
        after: None,
        without_deleted: true,
    };
    let subscriptions = app.subscriptions.subscriptions(&filter, LONGEST_LIST).map_err(|error| unavailable(&error))?;
    Ok(Done { status: 200, body: Some((face.write_list)(face, &subscriptions)), name: "listed" })
}

/// The subscription of this identifier, if it is the caller's to see.
fn find(
    app: &App,
    face: &SubscriptionFace,
    token: &Token,
    id: Option<SubscriptionId>,
) -> Result<Subscription, SubscriptionProblem> {
    let id = id.ok_or(SubscriptionProblem::UnknownSubscription)?;
    let found = app.subscriptions.subscription(id).map_err(|error| unavailable(&error))?;
    found
        .filter(|subscription| {
            subscription.client == token.client
                && (subscription.api.as_str(), subscription.contract.as_str()) == (face.api, face.contract)
                && token.line.is_none_or(|line| line == subscription.line)
                && subscription.status != SubscriptionStatus::Ended(EndReason::Deleted)
        })
        .ok_or(SubscriptionProblem::UnknownSubscription)
}

async fn delete(app: &App, id: SubscriptionId) -> Result<Done, SubscriptionProblem> {
    let ended = app.subscriptions.end(id, EndReason::Deleted, None, app.clock.now()).await;
    ended.map_err(|error| unavailable(&error))?;
    Ok(Done { status: 204, body: None, name: "deleted" })
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
