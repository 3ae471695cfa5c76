//! Cross-origin requests (the Fetch standard's CORS protocol): a page may call faces and
//! authorization servers when a client of that publisher has registered its origin. Credentials
//! travel in headers that the page sets, never in cookies, so none are allowed.

use attache_wire::Publisher;
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use crate::app::App;

/// The origin of a request, if it may call this publisher.
pub(crate) fn allowed_origin(app: &App, publisher: &Publisher, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    app.clients.knows_origin(&publisher.name, origin.to_str().ok()?).then(|| origin.clone())
}

/// The answer to a preflight request from an allowed origin. From any other, `OPTIONS` is a method
/// that the path does not support.
pub(crate) fn preflight(
    request: &Request<Body>,
    origin: Option<&HeaderValue>,
    methods: &'static str,
) -> Option<Response> {
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = origin.filter(|_| is_preflight)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, cache-control, dpop, x-correlator"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    allow(headers, origin);
    Some(response)
}

/// Lets the page of this origin read a response.
pub(crate) fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("x-correlator, retry-after, ratelimit, ratelimit-policy, deprecation, sunset"),
    );
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}
