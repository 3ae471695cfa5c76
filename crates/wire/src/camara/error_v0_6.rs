//! The codes of CAMARA's device-roaming-status and device-reachability-status 0.6, by which Orange's
//! faces answer as well, where their own pages are silent.
//!
//! Source: the responses of both contracts 0.6, and "Handling of device information" there.

use attache_core::Problem;

use super::error::{self, error_info};
use crate::Refusal;

/// The statuses of errors that both contracts list, but for 501: everything is implemented.
pub(crate) const STATUSES: &[u16] = &[400, 401, 403, 404, 406, 415, 422, 429, 500, 502, 503, 504];

/// Writes a problem. The last argument is that of [`status_and_code`].
pub(crate) fn refuse(problem: &Problem, unable_to_provide: &'static str) -> Refusal {
    let (status, code) = status_and_code(problem, unable_to_provide);
    error_info(status, code, &error::message(problem, code))
}

/// Status and code of a problem. The last argument is the one code in which the two APIs differ: that
/// the status cannot be provided.
pub(crate) const fn status_and_code(problem: &Problem, unable_to_provide: &'static str) -> (u16, &'static str) {
    match problem {
        Problem::InvalidHeader { .. }
        | Problem::BodyIncomplete
        | Problem::BodyMissing
        | Problem::BodyMalformed { .. }
        | Problem::FieldMissing { .. }
        | Problem::FieldInvalid { .. } => (400, "INVALID_ARGUMENT"),
        Problem::CredentialsMissing | Problem::CredentialsInvalid | Problem::ProofInvalid => (401, "UNAUTHENTICATED"),
        Problem::CredentialsExpired => (401, "AUTHENTICATION_REQUIRED"),
        Problem::ScopeMissing { .. } | Problem::SubjectRefuses => (403, "PERMISSION_DENIED"),
        Problem::LineOfAnotherToken => (403, "INVALID_TOKEN_CONTEXT"),
        Problem::UnknownPath => (404, "NOT_FOUND"),
        Problem::UnknownLine => (404, "DEVICE_NOT_FOUND"),
        Problem::NotAcceptable => (406, "NOT_ACCEPTABLE"),
        Problem::UnsupportedMediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
        Problem::IdentifierMissing => (422, "UNIDENTIFIABLE_DEVICE"),
        Problem::IdentifierUnsupported => (422, "UNSUPPORTED_DEVICE_IDENTIFIERS"),
        Problem::IdentifiersDisagree => (422, "DEVICE_IDENTIFIERS_MISMATCH"),
        Problem::LineNotEligible => (422, "DEVICE_NOT_APPLICABLE"),
        Problem::NeverSeen => (422, unable_to_provide),
        Problem::TooManyRequests { .. } => (429, "TOO_MANY_REQUESTS"),
        Problem::QuotaExceeded { .. } => (429, "QUOTA_EXCEEDED"),
        Problem::Internal => (500, "INTERNAL"),
        Problem::NetworkAnswerInvalid => (502, "BAD_GATEWAY"),
        Problem::NetworkUnavailable | Problem::Overloaded | Problem::StoreUnavailable => (503, "UNAVAILABLE"),
        Problem::NetworkTimedOut => (504, "TIMEOUT"),
        // 0.6 does not list these; the codes are those of the newest versions.
        Problem::MethodNotAllowed { .. } => (405, "METHOD_NOT_ALLOWED"),
        Problem::BodyTimedOut => (408, "REQUEST_TIMEOUT"),
        Problem::LengthRequired => (411, "LENGTH_REQUIRED"),
        Problem::BodyTooLarge { .. } => (413, "CONTENT_TOO_LARGE"),
        Problem::TargetTooLong => (414, "URI_TOO_LONG"),
        Problem::IdentifierUnnecessary => (422, "UNNECESSARY_IDENTIFIER"),
    }
}
