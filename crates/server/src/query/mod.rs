//! The pipeline that every question goes through, written once and generic over the face:
//!
//! admit the head → authenticate → authorize → read the body → identify the line → limit → observe
//! the network → audit → render.
//!
//! Where versions share a path, the body tells which is meant. The scope of either is enough to have it
//! read; then that of the one that is meant is needed. Who is refused before is refused in the words of
//! the version that is meant, too: for that a small body is looked at, and for nothing else.
//!
//! Each step takes what the step before it returned, so none can be skipped. A problem at any step
//! is rendered by the face. Who is not authenticated learns nothing else: a fault of the body is told
//! only to the bearer of a good token (CAMARA API Design Guide section 3.2.1, note 1).

mod body;
mod head;
mod identify;

use std::sync::Arc;

use attache_core::{AuditEvent, AuditRecord, Device, LegalBasis, LineId, NetworkType, Problem, Reachability, Roaming};
use attache_wire::{Answering, Face, Publisher};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

pub(crate) use body::read_body;
use body::read_small_body;
pub(crate) use head::{
    X_CORRELATOR, admit_host_and_target, admit_media_types, correlator, media_type_is, recorded, sent_correlator,
};
pub(crate) use identify::line as identify_line;

use crate::{
    app::App,
    consent,
    dpop::{self, ProofError},
    frame::{Ended, Frame},
    limit::Limiter,
    mounts::Mount,
    sandbox,
    token::Token,
};

/// What a request is asked by, without its body.
pub(crate) struct Asking<'a> {
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
}

impl<'a> Asking<'a> {
    pub(crate) fn of(request: &'a Request<Body>) -> Self {
        Self { method: request.method(), path: request.uri().path(), headers: request.headers() }
    }
}

/// The caller showed a good token: who it is.
pub(crate) struct Authenticated {
    pub(crate) token: Arc<Token>,
    /// What it may still ask, where its plan limits that.
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// By what right it uses the line of its token, if that has one.
    pub(crate) basis: Option<LegalBasis>,
}

/// The caller may use one of the versions at this path: which one is meant, the body will tell.
struct Admitted(Arc<Token>);

/// The caller may ask this face's question.
struct Entitled(Arc<Token>);

/// What is learned on the way, for the audit, the metrics and the log.
struct Trail {
    /// The version that is meant, as far as that is known.
    face: &'static Face,
    token: Option<Arc<Token>>,
    /// What the caller may still ask, where its plan limits that.
    limiter: Option<Arc<Limiter>>,
    /// Whose data are used.
    line: Option<LineId>,
    /// By what right.
    basis: Option<LegalBasis>,
}

/// Answers one request to one path.
pub(crate) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    mount: &Mount,
    request: Request<Body>,
) -> Response {
    let (frame, fault) = Frame::begin(mount.newest.correlator, &request);
    let mut trail = Trail { face: mount.newest, token: None, limiter: None, line: None, basis: None };
    let outcome = match fault {
        None => ask(app, publisher, mount, request, frame.correlator(), &mut trail).await,
        Some(problem) => Err(problem),
    };
    let face = trail.face;
    let (mut response, problem) = match outcome {
        Ok(body) => (json_response(200, body), None),
        Err(problem) => {
            let refusal = (face.refuse)(&problem);
            let mut response = json_response(refusal.status, refusal.body);
            add_problem_headers(&problem, response.headers_mut());
            (response, Some(problem))
        }
    };
    mount.tell_deprecation(face, response.headers_mut());
    let ended = Ended {
        version: face.into(),
        path: face.path,
        problem: problem.as_ref().map(Problem::name),
        token: trail.token.as_deref(),
        limiter: trail.limiter.as_deref(),
    };
    frame.end(app, publisher, &ended, &mut response);
    response
}

/// The steps, in order.
async fn ask(
    app: &App,
    publisher: &Publisher,
    mount: &Mount,
    request: Request<Body>,
    correlator: &str,
    trail: &mut Trail,
) -> Result<Vec<u8>, Problem> {
    admit_host_and_target(app, &request)?;
    head::admit_method(&request)?;
    let admitted = match admit(app, publisher, mount, &Asking::of(&request), trail).await {
        Ok(admitted) => admitted,
        Err(problem) => {
            trail.face = face_meant(app, mount, request).await;
            return Err(match problem {
                Problem::ScopeMissing { .. } => Problem::ScopeMissing { scope: trail.face.scope.clone() },
                problem => problem,
            });
        }
    };
    let body = read_body(app, request).await?;
    let face = mount.face_of(&body);
    trail.face = face;
    let entitled = authorize(admitted, face)?;
    app.can_record()?;
    let device = (face.read)(&body)?;
    trail.line = entitled.0.line;
    let outcome = look(app, face, &entitled, &device, trail).await;
    // Personal data was used once a line was looked for, whatever came of it.
    audit(app, &entitled, trail, correlator, outcome.as_ref().err()).await?;
    outcome
}

/// Whether the request may go on to its body: by its caller, and by its media types.
async fn admit(
    app: &App,
    publisher: &Publisher,
    mount: &Mount,
    asking: &Asking<'_>,
    trail: &mut Trail,
) -> Result<Admitted, Problem> {
    let caller = authenticate(app, publisher, asking).await?;
    trail.token = Some(Arc::clone(&caller.token));
    trail.limiter = caller.limiter;
    trail.basis = caller.basis;
    let admitted = admit_to_any(caller.token, mount)?;
    head::admit_media_types(asking.headers)?;
    Ok(admitted)
}

/// The version that a request which is refused before its body is read is meant for, so that it is refused
/// in its words. Where there is no choice, or the body is not small and there at once, it is the newest.
async fn face_meant(app: &App, mount: &Mount, request: Request<Body>) -> &'static Face {
    if mount.is_of_one() {
        return mount.newest;
    }
    match read_small_body(app, request).await {
        Some(body) => mount.face_of(&body),
        None => mount.newest,
    }
}

/// Who calls.
pub(crate) async fn authenticate(
    app: &App,
    publisher: &Publisher,
    asking: &Asking<'_>,
) -> Result<Authenticated, Problem> {
    let mut authorizations = asking.headers.get_all(header::AUTHORIZATION).iter();
    let header = authorizations.next().ok_or(Problem::CredentialsMissing)?;
    if authorizations.next().is_some() {
        return Err(Problem::CredentialsInvalid);
    }
    let (scheme, token) = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .map(|(scheme, token)| (scheme, token.trim()))
        .ok_or(Problem::CredentialsInvalid)?;
    if scheme.eq_ignore_ascii_case("dpop") {
        return authenticate_with_proof(app, publisher, token, asking).await;
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::CredentialsMissing);
    }
    if app.is_sandbox()
        && let Some(token) = sandbox::documented_token(app, publisher, token)
    {
        let limiter = app.clients.limiter(token.client)?;
        return Ok(Authenticated { token: Arc::new(token), limiter, basis: None });
    }
    let caller = verify(app, publisher, token)?;
    // Whoever has stolen it has not stolen the key.
    if caller.token.bound_to.is_some() {
        return Err(Problem::ProofInvalid);
    }
    Ok(caller)
}

/// What a good token says. One of a line ends with the consents that it rests on.
pub(crate) fn verify(app: &App, publisher: &Publisher, token: &str) -> Result<Authenticated, Problem> {
    let (token, limiter) = app.tokens.verify(token, &publisher.name, &app.clients, app.clock.as_ref())?;
    let basis = match (token.line, token.permitted_since) {
        (None, _) => None,
        (Some(_), None) => return Err(Problem::CredentialsInvalid),
        (Some(line), Some(then)) => {
            let permission = app.consents.permission(token.client, line, &token.purpose, &token.scopes);
            let permission = permission.filter(|permission| permission.since <= then);
            Some(permission.ok_or(Problem::CredentialsInvalid)?.basis)
        }
    };
    Ok(Authenticated { token, limiter, basis })
}

/// Who calls with a token that is bound to a key (RFC 9449 section 7).
async fn authenticate_with_proof(
    app: &App,
    publisher: &Publisher,
    access_token: &str,
    asking: &Asking<'_>,
) -> Result<Authenticated, Problem> {
    let caller = verify(app, publisher, access_token)?;
    let bound_to = caller.token.bound_to.as_ref().ok_or(Problem::CredentialsInvalid)?;
    let url = format!("{}{}", app.base_url, asking.path);
    let asked = dpop::Request { method: asking.method.as_str(), url: &url, access_token: Some(access_token) };
    match dpop::prove(app, asking.headers, &asked).await {
        Ok(key) if key == *bound_to => Ok(caller),
        Ok(_) | Err(ProofError::Missing | ProofError::Invalid) => Err(Problem::ProofInvalid),
        Err(ProofError::Problem(problem)) => Err(problem),
    }
}

/// Whether the caller may ask anything here.
fn admit_to_any(token: Arc<Token>, mount: &Mount) -> Result<Admitted, Problem> {
    if mount.faces().any(|face| token.scopes.contains(&face.scope)) {
        Ok(Admitted(token))
    } else {
        Err(Problem::ScopeMissing { scope: mount.newest.scope.clone() })
    }
}

/// Whether the caller may ask this.
fn authorize(Admitted(token): Admitted, face: &Face) -> Result<Entitled, Problem> {
    if token.scopes.contains(&face.scope) {
        Ok(Entitled(token))
    } else {
        Err(Problem::ScopeMissing { scope: face.scope.clone() })
    }
}

/// Finds the line, asks the network unless the caller asks too much, and renders the answer. Notes the line as soon as
/// it is known.
async fn look(
    app: &App,
    face: &Face,
    Entitled(token): &Entitled,
    device: &Device,
    trail: &mut Trail,
) -> Result<Vec<u8>, Problem> {
    let identified =
        identify::line(app.network.as_ref(), &app.settings.supported_identifiers, face, token.line, device).await?;
    trail.line = Some(identified.line);
    if let Some(limiter) = &trail.limiter {
        limiter.take(app.clock.now())?;
    }
    if token.line.is_none() {
        consent::permit_unasked(app, token, identified.line, &face.scope)?;
    }
    let line = match app.network.observe(identified.line).await {
        // The line of the token is gone: its number may have passed to somebody else.
        Err(Problem::UnknownLine) if token.line.is_some() => return Err(Problem::CredentialsInvalid),
        observed => observed?,
    };
    if token.line.is_none() {
        trail.basis = consent::basis_unasked(app, line.home, face.api, &token.purpose);
    }
    if !line.eligible {
        return Err(Problem::LineNotEligible);
    }
    match face.answer {
        Answering::Roaming(render) => Ok(render(&Roaming::of(&line)?, identified.told)),
        Answering::Reachability(render) => Ok(render(&Reachability::of(&line)?, identified.told)),
        Answering::NetworkType(render) => Ok(render(&NetworkType::of(&line), identified.told)),
    }
}

/// Leaves a record before the answer leaves.
async fn audit(
    app: &App,
    Entitled(token): &Entitled,
    trail: &Trail,
    correlator: &str,
    problem: Option<&Problem>,
) -> Result<(), Problem> {
    let record = AuditRecord {
        publisher: Some(&token.publisher),
        client_id: Some(&token.client_id),
        action: trail.face.path,
        subject: trail.line,
        scopes: std::slice::from_ref(&trail.face.scope),
        purpose: Some(&token.purpose),
        legal_basis: trail.basis,
        correlator: Some(correlator),
        ..AuditRecord::new(app.clock.now(), AuditEvent::Query, problem.map_or("answered", Problem::name))
    };
    app.record(record).await
}

/// The name of a method for the log: a foreign one might be anything.
pub(crate) fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}

/// A JSON response.
pub(crate) fn json_response(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    // Faces use the statuses of their documents, all of which are valid.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The headers that follow from a problem, in every face.
pub(crate) fn add_problem_headers(problem: &Problem, headers: &mut HeaderMap) {
    match problem {
        Problem::MethodNotAllowed { allow } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        Problem::CredentialsMissing => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Problem::CredentialsInvalid | Problem::CredentialsExpired => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer error="invalid_token""#));
        }
        Problem::ProofInvalid => {
            let challenge = r#"DPoP error="invalid_dpop_proof", algs="ES256 RS256 PS256 EdDSA""#;
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Problem::ScopeMissing { .. } => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer error="insufficient_scope""#));
        }
        Problem::TooManyRequests { retry_after } | Problem::QuotaExceeded { retry_after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        // What is left of the body cannot be told from a next request.
        Problem::BodyTimedOut | Problem::BodyIncomplete | Problem::BodyTooLarge { .. } => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}
