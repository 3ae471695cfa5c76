//! The operator's API, below `/admin/v1`: lines and clients, with a credential of its own.
//!
//! Everything here is answered in one envelope, [`Refusal`]'s, unknown paths included, and only to
//! the bearer of the admin token. No other origin's page may read it: it never sends CORS headers.

pub mod api;
mod audit;
mod client;
mod consent;
mod key;
mod line;
mod network;
mod subject;
mod subscription;

use std::{collections::HashMap, sync::Arc, time::Instant};

use attache_core::{AuditEvent, AuditRecord, PhoneNumber, PhoneNumberError, Problem, RequestId, StoreError};
use attache_network::ChangeError;
use axum::{
    Json, Router,
    body::Body,
    extract::{
        FromRequest, FromRequestParts, MatchedPath, Path, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, delete, get, post, put},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;

pub(crate) use consent::withdraw_meant as withdraw_consents;

use crate::{
    app::App,
    linger::lingering,
    query::{admit_host_and_target, known_method, media_type_is, read_body, sent_correlator},
    routes::{Serve as _, is_operator},
};

/// The answer to a path that there is not.
pub(crate) async fn unknown_path() -> Response {
    AdminError::UnknownPath.into_response()
}

/// Everything below `/admin`.
pub(crate) fn router(app: Arc<App>) -> Router {
    let unknown = || any(async || AdminError::UnknownPath);
    Router::new()
        .serve("/admin/v1/lines", get(line::list).post(line::add))
        .serve("/admin/v1/lines/import", post(line::import))
        .serve("/admin/v1/lines/export", get(line::export))
        .serve("/admin/v1/lines/{number}", get(line::show).delete(line::remove))
        .serve("/admin/v1/lines/{number}/roam", post(line::roam))
        .serve("/admin/v1/lines/{number}/home", post(line::home))
        .serve("/admin/v1/lines/{number}/reach", post(line::reach))
        .serve("/admin/v1/lines/{number}/technology", post(line::technology))
        .serve("/admin/v1/lines/{number}/eligibility", post(line::eligibility))
        .serve("/admin/v1/lines/{number}/consents", get(consent::list))
        .serve("/admin/v1/lines/{number}/consents/withdraw", post(consent::withdraw))
        .serve("/admin/v1/lines/{number}/subscriber", put(consent::set_subscriber))
        .serve("/admin/v1/consent-requests", get(consent::pending))
        .serve("/admin/v1/consent-requests/{id}/grant", post(consent::grant))
        .serve("/admin/v1/consent-requests/{id}/deny", post(consent::deny))
        .serve("/admin/v1/lines/{number}/operator-token", post(line::operator_token))
        .serve("/admin/v1/subscriptions", get(subscription::list))
        .serve("/admin/v1/subscriptions/{id}", get(subscription::show))
        .serve("/admin/v1/subscriptions/{id}/deliveries", get(subscription::deliveries))
        .serve("/admin/v1/subscriptions/{id}/replay", post(subscription::replay))
        .serve("/admin/v1/subscriptions/{id}/pause", post(subscription::pause))
        .serve("/admin/v1/subscriptions/{id}/resume", post(subscription::resume))
        .serve("/admin/v1/dead-letters", get(subscription::dead_letters))
        .serve("/admin/v1/dead-letters/replay", post(subscription::replay_of_all))
        .serve("/admin/v1/network", get(network::show).put(network::set))
        .serve("/admin/v1/keys", get(key::list).post(key::rotate))
        .serve("/admin/v1/keys/{id}", delete(key::retire))
        .serve("/admin/v1/tokens/introspect", post(key::introspect_token))
        .serve("/admin/v1/clients", get(client::list).post(client::add))
        .serve(
            "/admin/v1/clients/{publisher}/{client_id}",
            get(client::show).patch(client::change).delete(client::remove),
        )
        .serve("/admin/v1/clients/{publisher}/{client_id}/secrets", post(client::rotate_secret))
        .serve("/admin/v1/clients/{publisher}/{client_id}/secrets/previous", delete(client::end_previous_secret))
        .serve(
            "/admin/v1/clients/{publisher}/{client_id}/webhook-secrets",
            post(client::rotate_webhook_secret).delete(client::end_webhook_secrets),
        )
        .serve(
            "/admin/v1/clients/{publisher}/{client_id}/webhook-secrets/previous",
            delete(client::end_previous_webhook_secret),
        )
        .serve("/admin/v1/audit", get(audit::list))
        .serve("/admin/v1/audit/export", get(audit::export))
        .serve("/admin/v1/audit/retain", post(audit::retain))
        .serve("/admin/v1/subjects/{number}", get(subject::export).delete(subject::erase))
        .method_not_allowed_fallback(async || AdminError::MethodNotAllowed)
        .serve("/admin", unknown())
        .serve("/admin/", unknown())
        .serve("/admin/{*rest}", unknown())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// Lets only the operator through, audits what the operator does, and logs every request: never by its
/// path, which may name a line.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let request = lingering(&app.settings, request);
    let subject = match request.uri().path().strip_prefix("/admin/v1/") {
        Some(path) if path.starts_with("clients") => "clients",
        Some(path) if path.starts_with("network") => "network",
        Some(path) if path.starts_with("audit") => "audit",
        Some(path) if path.starts_with("subjects") => "subjects",
        Some(path) if path.starts_with("subscriptions") => "subscriptions",
        Some(path) if path.starts_with("keys") => "keys",
        Some(path) if path.starts_with("tokens") => "tokens",
        Some(path) if path.starts_with("consent-requests") => "consent-requests",
        _ => "lines",
    };
    let response = match admit_host_and_target(&app, &request)
        .map_err(AdminError::from)
        .and_then(|()| if is_operator(&app, request.headers()) { Ok(()) } else { Err(AdminError::Unauthenticated) })
    {
        Ok(()) => audited(&app, request, next).await,
        Err(error) => error.into_response(),
    };
    if app.settings.request_log {
        let status = response.status().as_u16();
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(%method, subject, status, milliseconds, "answered the operator");
    }
    response
}

/// Does what the operator asks, and leaves a record of it before the answer leaves.
async fn audited(app: &App, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let action = format!("{} {}", known_method(&parts.method), route.as_ref().map_or("unknown", MatchedPath::as_str));
    let correlator = sent_correlator(&parts.headers).map(str::to_owned);
    // Asked before the line may be gone.
    let number = Path::<HashMap<String, String>>::from_request_parts(&mut parts, app).await;
    let number = number.ok().and_then(|Path(parameters)| parameters.get("number")?.parse().ok());
    let line = number.and_then(|number| app.simulator.get(number)).map(|line| line.id);

    // Dropping what is old may be what makes room.
    if app.can_record().is_err() && !route.as_ref().is_some_and(|route| route.as_str().starts_with("/admin/v1/audit")) {
        return AdminError::Unauditable.into_response();
    }
    let response = next.run(Request::from_parts(parts, body)).await;
    let record = AuditRecord {
        action: &action,
        subject: line.or(response.extensions().get().copied()),
        correlator: correlator.as_deref(),
        ..AuditRecord::new(
            app.clock.now(),
            AuditEvent::Administration,
            response.extensions().get().map_or("answered", |Told(code)| code),
        )
    };
    match app.record(record).await {
        Ok(()) => response,
        Err(_) => AdminError::Unaudited.into_response(),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// An error and what it was caused by, one by the other.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}

/// The code of the error that the operator is told.
#[derive(Clone, Copy)]
struct Told(&'static str);

/// What can go wrong for an operator.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    #[error("the admin token is missing or wrong; send it as 'Authorization: Bearer <token>'")]
    Unauthenticated,
    #[error("there is no such resource; the paths are in docs/admin-api.md")]
    UnknownPath,
    #[error("this path does not support the request's method; the header Allow names those it does")]
    MethodNotAllowed,
    #[error("{0}")]
    Invalid(String),
    #[error("the body must be {0}; set the Content-Type header")]
    MediaType(&'static str),
    #[error("{0}")]
    Body(Problem),
    #[error("no line has the number {0}; `attache line list` shows those there are")]
    UnknownLine(PhoneNumber),
    #[error("a line has the number {0} already; remove it first, or change its state")]
    LineExists(PhoneNumber),
    #[error("no request {0} waits for an answer; `attache consent pending` shows those that do")]
    UnknownRequest(RequestId),
    #[error("there is no signing key {0}; `attache key list` shows those there are")]
    UnknownKey(String),
    #[error("{publisher} has no client {client_id}; `attache client list` shows those there are")]
    UnknownClient { publisher: String, client_id: String },
    #[error("{publisher} has a client {client_id} already; remove it first, or take another name")]
    ClientExists { publisher: String, client_id: String },
    #[error("send If-Match with the ETag of what you have seen, so that no change of somebody else's is lost")]
    Unconditional,
    #[error("somebody else has changed it meanwhile; look at it and try again")]
    Changed,
    #[error("the client has two secrets that are good now; end the previous one first")]
    TwoSecrets,
    #[error("there is no subscription {0}; `attache subscription list` shows those there are")]
    UnknownSubscription(String),
    #[error("only a sandbox does this; start one with `attache serve`")]
    SandboxOnly,
    #[error("the audit log cannot be written, so what came of the request cannot be told; make room on its disk")]
    Unaudited,
    #[error("the audit log cannot be written, so nothing is done now; make room on its disk")]
    Unauditable,
    #[error("the database cannot be used now, so this was not done; the server's log says why")]
    Unstored(#[source] AnyError),
    #[error("an internal error; nothing was changed, and the server's log tells more")]
    Internal(#[source] AnyError),
}

impl AdminError {
    /// What went wrong inside; the store's failures are told as such.
    fn internal(cause: impl Into<AnyError>) -> Self {
        let cause = cause.into();
        let is_of_the_store = causes(cause.as_ref()).any(|cause| {
            matches!(cause.downcast_ref(), Some(StoreError::Failed { .. }))
                || matches!(cause.downcast_ref(), Some(Problem::StoreUnavailable))
        });
        if is_of_the_store { Self::Unstored(cause) } else { Self::Internal(cause) }
    }

    /// What came of a change to the line with this number.
    fn of_change(error: ChangeError, number: PhoneNumber) -> Self {
        match error {
            ChangeError::Unknown => Self::UnknownLine(number),
            ChangeError::Exists => Self::LineExists(number),
            ChangeError::NamedTwice | ChangeError::Store(_) | ChangeError::Interrupted(_) => Self::internal(error),
        }
    }

    const fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Self::UnknownPath => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::Invalid(_) | Self::Body(_) => match self {
                Self::Body(Problem::BodyTooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"),
                Self::Body(Problem::BodyTimedOut) => (StatusCode::REQUEST_TIMEOUT, "BODY_TIMED_OUT"),
                Self::Body(Problem::LengthRequired) => (StatusCode::LENGTH_REQUIRED, "LENGTH_REQUIRED"),
                Self::Body(Problem::TargetTooLong) => (StatusCode::URI_TOO_LONG, "TARGET_TOO_LONG"),
                _ => (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            },
            Self::MediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            Self::SandboxOnly => (StatusCode::FORBIDDEN, "SANDBOX_ONLY"),
            Self::UnknownLine(_) => (StatusCode::NOT_FOUND, "UNKNOWN_LINE"),
            Self::LineExists(_) => (StatusCode::CONFLICT, "LINE_EXISTS"),
            Self::UnknownRequest(_) => (StatusCode::NOT_FOUND, "UNKNOWN_REQUEST"),
            Self::UnknownSubscription(_) => (StatusCode::NOT_FOUND, "UNKNOWN_SUBSCRIPTION"),
            Self::UnknownKey(_) => (StatusCode::NOT_FOUND, "UNKNOWN_KEY"),
            Self::UnknownClient { .. } => (StatusCode::NOT_FOUND, "UNKNOWN_CLIENT"),
            Self::ClientExists { .. } => (StatusCode::CONFLICT, "CLIENT_EXISTS"),
            Self::Unaudited => (StatusCode::SERVICE_UNAVAILABLE, "UNAUDITED"),
            Self::Unauditable | Self::Unstored(_) => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            Self::Unconditional => (StatusCode::PRECONDITION_REQUIRED, "PRECONDITION_REQUIRED"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
            Self::TwoSecrets => (StatusCode::CONFLICT, "TWO_SECRETS"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        }
    }
}

impl From<Problem> for AdminError {
    fn from(problem: Problem) -> Self {
        Self::Body(problem)
    }
}

impl From<&AdminError> for api::Refusal {
    /// The error in the words of the API. This is where what went wrong inside is logged.
    fn from(error: &AdminError) -> Self {
        let chain = |cause: &AnyError| causes(cause.as_ref()).map(ToString::to_string).collect::<Vec<_>>().join(": ");
        match error {
            AdminError::Internal(cause) => tracing::error!(cause = chain(cause), "an operator's request failed"),
            // The store tells its trouble itself.
            AdminError::Unstored(cause) => tracing::debug!(cause = chain(cause), "an operator's request failed"),
            _ => {}
        }
        Self { code: error.code().1.to_owned(), message: error.to_string() }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let (status, code) = self.code();
        let mut response = (status, Json(api::Refusal::from(&self))).into_response();
        response.extensions_mut().insert(Told(code));
        if matches!(self, Self::Unauthenticated) {
            let challenge = HeaderValue::from_static("Bearer realm=\"attache admin\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The body of a request, read as JSON within the limits of every other body.
struct JsonBody<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request<Body>, app: &Arc<App>) -> Result<Self, AdminError> {
        let headers = request.headers();
        // RFC 7396 has a type of its own for patches of JSON.
        if !media_type_is(headers, "application/json") && !media_type_is(headers, "application/merge-patch+json") {
            return Err(AdminError::MediaType("application/json"));
        }
        let body = read_body(app, request).await?;
        let read = serde_json::from_slice(&body)
            .map_err(|error| AdminError::Invalid(format!("the body is not what is needed here: {error}")))?;
        // An array would be taken for the fields in their order, and an empty one for none of them.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(AdminError::Invalid("the body is not what is needed here: send a JSON object".to_owned()));
        }
        Ok(Self(read))
    }
}

/// The phone number in a path.
struct NumberInPath(PhoneNumber);

impl FromRequestParts<Arc<App>> for NumberInPath {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, AdminError> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await?;
        text.parse().map(Self).map_err(|error: PhoneNumberError| AdminError::Invalid(error.to_string()))
    }
}

impl From<PathRejection> for AdminError {
    fn from(error: PathRejection) -> Self {
        Self::Invalid(error.body_text())
    }
}

impl From<QueryRejection> for AdminError {
    fn from(error: QueryRejection) -> Self {
        Self::Invalid(error.body_text())
    }
}
