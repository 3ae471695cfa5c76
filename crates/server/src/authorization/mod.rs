//! The authorization servers: one for each publisher, in its dialect, over one implementation.
//!
//! `token` (client credentials, backchannel authentication, authorization code), `backchannel`
//! (OpenID Connect CIBA, poll mode), `authorize` (authorization code, PKCE), `discovery` (OpenID
//! Connect Discovery, RFC 8414, and the key set). Who calls is told by `client_authentication`; what
//! was granted and waits to be fetched lies in the `GrantBook`.

mod application_token;
mod assertion;
mod authorize;
mod backchannel;
mod client_authentication;
mod discovery;
mod grant_book;
mod head;
pub(crate) mod interaction;
mod introspect;
mod jwt_bearer;
mod login_hint;
mod parameters;
mod published_keys;
mod request_object;
mod revoke;
mod signed;
mod token;
mod trail;
mod userinfo;

use std::{sync::Arc, time::Instant};

use attache_core::Problem;
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use axum::{body::Body, response::Response};
use http::{HeaderValue, Method, Request, header};

pub(crate) use assertion::CLOCKS_DIFFER;
pub(crate) use discovery::endpoints;
pub(crate) use grant_book::{GrantBook, PendingRequest};
pub(crate) use interaction::Interactions;
pub(crate) use introspect::{Introspection, introspect};
pub(crate) use published_keys::PublishedKeys;
pub(crate) use signed::ALGORITHMS;

use crate::{
    app::App,
    query,
    telemetry::{RequestLabels, RequestLine},
};

/// An endpoint of an authorization server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Endpoint {
    Token,
    Backchannel,
    Authorize,
    Revoke,
    Introspect,
    Userinfo,
    Metadata,
    Keys,
}

impl Endpoint {
    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Backchannel => "bc-authorize",
            Self::Authorize => "authorize",
            Self::Revoke => "revoke",
            Self::Introspect => "introspect",
            Self::Userinfo => "userinfo",
            Self::Metadata => "metadata",
            Self::Keys => "jwks",
        }
    }

    /// The methods that it takes, as the header `Allow` lists them.
    const fn methods(self) -> &'static str {
        match self {
            Self::Token | Self::Backchannel | Self::Revoke | Self::Introspect => "POST",
            Self::Authorize | Self::Metadata | Self::Keys => "GET",
            Self::Userinfo => "GET, POST",
        }
    }
}

/// Why an endpoint did not do what it was asked.
pub(crate) enum Refused {
    /// By the protocol.
    OAuth(OAuthError),
    /// By the protocol, since a credential is not good. Whoever presents many of these is slowed down.
    Credential(OAuthError),
    /// Because of the request itself, or of this server: with the status that the problem has.
    Problem(Problem),
}

impl Refused {
    /// The name of it, as it stands in the audit, the log and the metrics.
    const fn name(&self) -> &'static str {
        match self {
            Self::OAuth(error) | Self::Credential(error) => error.code.name(),
            Self::Problem(problem) => problem.name(),
        }
    }
}

impl From<OAuthError> for Refused {
    /// Some codes are about credentials and nothing else. An `invalid_grant` is not: it also means that
    /// something good has ended.
    fn from(error: OAuthError) -> Self {
        match error.code {
            OAuthErrorCode::InvalidClient | OAuthErrorCode::InvalidRequestObject | OAuthErrorCode::InvalidDpopProof => {
                Self::Credential(error)
            }
            _ => Self::OAuth(error),
        }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Answers one request to an authorization server.
pub(crate) async fn answer(
    app: Arc<App>,
    publisher: &'static Publisher,
    endpoint: Endpoint,
    path: &'static str,
    request: Request<Body>,
) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    // It goes back as it came. The profile has no rule for it here, so nobody is refused for it.
    let is_correlator = |sent: &&HeaderValue| !query::recorded(sent).is_empty();
    let correlator = request.headers().get(query::X_CORRELATOR).filter(is_correlator).cloned();
    let tries_bearer = client_authentication::takes_application_tokens(publisher)
        && request.headers().get(header::AUTHORIZATION).is_some_and(client_authentication::is_bearer);
    let outcome = match admit(&app, endpoint, &request) {
        Err(problem) => Err(Refused::Problem(problem)),
        Ok(()) => match endpoint {
            Endpoint::Token => token::answer(&app, publisher, request).await,
            Endpoint::Backchannel => backchannel::answer(&app, publisher, request).await,
            Endpoint::Authorize => authorize::answer(&app, publisher, request).await,
            Endpoint::Revoke => revoke::answer(&app, publisher, request).await,
            Endpoint::Introspect => introspect::answer(&app, publisher, request).await,
            Endpoint::Userinfo => userinfo::answer(&app, publisher, request).await,
            Endpoint::Metadata => Ok(discovery::metadata(&app, publisher)),
            Endpoint::Keys => discovery::keys(&app).await,
        },
    };
    let (mut response, problem) = match outcome {
        Ok(response) => (response, None),
        Err(refused) => (refuse(publisher, endpoint, tries_bearer, &refused), Some(refused.name())),
    };
    if let Some(correlator) = &correlator {
        response.headers_mut().insert(query::X_CORRELATOR, correlator.clone());
    }
    let labels = RequestLabels {
        publisher: publisher.name.as_str(),
        api: "authorization",
        version: endpoint.name(),
        status: response.status().as_u16(),
    };
    app.answered(&RequestLine {
        at: app.clock.now(),
        method: query::known_method(&method),
        path,
        labels: &labels,
        problem,
        client_id: None,
        correlator: correlator.as_ref().map(query::recorded),
        duration: began.elapsed(),
    });
    response
}

fn admit(app: &App, endpoint: Endpoint, request: &Request<Body>) -> Result<(), Problem> {
    query::admit_host_and_target(app, request)?;
    // HEAD works wherever GET does (RFC 9110 section 9.1).
    let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
    if !endpoint.methods().split(", ").any(|allowed| allowed == method) {
        return Err(Problem::MethodNotAllowed { allow: endpoint.methods() });
    }
    match endpoint {
        // What they tell is public, and is recorded nowhere.
        Endpoint::Metadata | Endpoint::Keys => Ok(()),
        _ => app.can_record(),
    }
}

/// Renders a refusal in the publisher's words.
fn refuse(publisher: &Publisher, endpoint: Endpoint, tries_bearer: bool, refused: &Refused) -> Response {
    match refused {
        Refused::OAuth(error) | Refused::Credential(error) => {
            // CIBA Core has 403 for a denial at its own endpoint (section 13), and 400 at the token
            // endpoint (section 11).
            let status = match (error.code, endpoint) {
                (OAuthErrorCode::AccessDenied, Endpoint::Token) => 400,
                (code, _) => code.status(),
            };
            let mut response = query::json_response(status, (publisher.authorization.write_error)(error, status));
            if error.code == OAuthErrorCode::InvalidClient {
                // By the scheme that the client has tried (RFC 6749 section 5.2).
                let challenge = if tries_bearer { "Bearer error=\"invalid_token\"" } else { "Basic" };
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            response
        }
        Refused::Problem(problem) => {
            let (status, error) = in_oauth(problem);
            let mut response = query::json_response(status, (publisher.authorization.write_error)(&error, status));
            query::add_problem_headers(problem, response.headers_mut());
            response
        }
    }
}

/// A problem of the request or of the server in the words of OAuth.
fn in_oauth(problem: &Problem) -> (u16, OAuthError) {
    use OAuthErrorCode::{
        InsufficientScope, InvalidDpopProof, InvalidRequest, InvalidToken, ServerError, TemporarilyUnavailable,
    };
    match problem {
        Problem::MethodNotAllowed { .. } => {
            (405, InvalidRequest.because("this endpoint does not support the method; see the Allow header"))
        }
        Problem::CredentialsMissing => (401, InvalidToken.because("the access token is missing")),
        Problem::CredentialsInvalid | Problem::CredentialsExpired => {
            (401, InvalidToken.because("the access token is malformed, foreign, revoked or expired"))
        }
        Problem::ProofInvalid => (401, InvalidDpopProof.because("the DPoP proof is missing or not good for this")),
        Problem::ScopeMissing { .. } => (403, InsufficientScope.because("the access token has not the scope openid")),
        Problem::TargetTooLong => (414, InvalidRequest.because("the request target is too long")),
        Problem::InvalidHeader { .. } => (400, InvalidRequest.because("the Host header does not name this server")),
        Problem::UnsupportedMediaType => {
            (400, InvalidRequest.because("the body must be application/x-www-form-urlencoded in UTF-8"))
        }
        Problem::LengthRequired => (411, InvalidRequest.because("the request has neither a Content-Length nor chunks")),
        Problem::BodyTooLarge { .. } => (413, InvalidRequest.because("the body is too large")),
        Problem::BodyTimedOut => (408, InvalidRequest.because("the body did not arrive in time")),
        Problem::BodyIncomplete => (400, InvalidRequest.because("the body broke off before its end")),
        // RFC 6585 has the status, and OAuth no code of its own for it.
        Problem::TooManyRequests { .. } => (
            429,
            TemporarilyUnavailable.because("too many attempts have failed; try again after what Retry-After says"),
        ),
        Problem::StoreUnavailable | Problem::NetworkUnavailable | Problem::NetworkTimedOut | Problem::Overloaded => {
            (503, TemporarilyUnavailable.because("the server cannot do this now; try again later"))
        }
        _ => (500, ServerError.because("an internal error; try again later")),
    }
}
