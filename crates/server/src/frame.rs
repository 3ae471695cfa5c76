//! What every request to a face begins and ends with, whatever it asks: the correlator, what is left of the client's
//! plan, a count and a line in the log.

use std::time::Instant;

use attache_core::Problem;
use attache_wire::{ApiVersion, Correlator, Publisher};
use axum::{body::Body, response::Response};
use http::{HeaderValue, Request};

use crate::{
    app::App,
    limit::Limiter,
    query::{X_CORRELATOR, correlator, known_method, recorded},
    telemetry::{RequestLabels, RequestLine},
    token::Token,
};

/// A request that has begun.
pub(crate) struct Frame {
    began: Instant,
    method: &'static str,
    correlator: HeaderValue,
}

/// What came of a request.
pub(crate) struct Ended<'a> {
    /// The version that answers.
    pub(crate) version: ApiVersion,
    /// Its path.
    pub(crate) path: &'static str,
    /// The name of what went wrong.
    pub(crate) problem: Option<&'static str>,
    /// Who asked, once that is known.
    pub(crate) token: Option<&'a Token>,
    /// What it may still ask, where its plan limits that.
    pub(crate) limiter: Option<&'a Limiter>,
}

impl Frame {
    /// Begins, and finds the correlator that the request was sent with at fault, or not.
    pub(crate) fn begin(rule: Correlator, request: &Request<Body>) -> (Self, Option<Problem>) {
        let (correlator, fault) = correlator(rule, request.headers());
        (Self { began: Instant::now(), method: known_method(request.method()), correlator }, fault)
    }

    /// The correlator as it is written into log and audit.
    pub(crate) fn correlator(&self) -> &str {
        recorded(&self.correlator)
    }

    /// Ends: completes the response, counts it and logs it.
    pub(crate) fn end(&self, app: &App, publisher: &'static Publisher, ended: &Ended<'_>, response: &mut Response) {
        response.headers_mut().insert(X_CORRELATOR, self.correlator.clone());
        if let Some(limiter) = ended.limiter {
            limiter.tell(app.clock.now(), response.headers_mut());
        }
        let labels = RequestLabels {
            publisher: publisher.name.as_str(),
            api: ended.version.api,
            version: ended.version.version,
            status: response.status().as_u16(),
        };
        app.answered(&RequestLine {
            at: app.clock.now(),
            method: self.method,
            path: ended.path,
            labels: &labels,
            problem: ended.problem,
            client_id: ended.token.map(|token| token.client_id.as_str()),
            correlator: Some(self.correlator()),
            duration: self.began.elapsed(),
        });
    }
}
