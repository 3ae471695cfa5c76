//! The error envelope of CAMARA, and the codes of its newest versions.
//!
//! Source: CAMARA API Design Guide, sections 3.2.1 and 3.2.2, and the enumerations of codes in
//! device-roaming-status and device-reachability-status 1.1.

use std::borrow::Cow;

use attache_core::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Status;
use crate::{Refusal, json};

/// `ErrorInfo`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorInfo<'a> {
    #[schema(value_type = Status)]
    status: u16,
    code: &'static str,
    message: &'a str,
}

/// The statuses of errors that device-roaming-status and device-reachability-status 1.0 and 1.1 list.
pub(crate) const STATUSES: &[u16] = &[400, 401, 403, 404, 422, 429, 503];

/// Writes `ErrorInfo`.
pub(crate) fn error_info(status: u16, code: &'static str, message: &str) -> Refusal {
    Refusal { status, body: json::write(&ErrorInfo { status, code, message }) }
}

/// Writes a problem for the newest versions, and for what no face catches.
pub(crate) fn refuse(problem: &Problem) -> Refusal {
    let (status, code) = match problem {
        Problem::InvalidHeader { .. }
        | Problem::BodyIncomplete
        | Problem::BodyMissing
        | Problem::BodyMalformed { .. }
        | Problem::FieldMissing { .. }
        | Problem::FieldInvalid { .. }
        // These versions never compare identifiers; a network that does finds a request against the rule
        // that they belong to one device.
        | Problem::IdentifiersDisagree => (400, "INVALID_ARGUMENT"),
        Problem::CredentialsMissing | Problem::CredentialsInvalid | Problem::CredentialsExpired | Problem::ProofInvalid => {
            (401, UNAUTHENTICATED)
        }
        // 1.1 lists no INVALID_TOKEN_CONTEXT: it would confirm whose token it is.
        Problem::ScopeMissing { .. } | Problem::LineOfAnotherToken | Problem::SubjectRefuses => {
            (403, "PERMISSION_DENIED")
        }
        Problem::UnknownPath => (404, "NOT_FOUND"),
        Problem::UnknownLine => (404, "IDENTIFIER_NOT_FOUND"),
        Problem::MethodNotAllowed { .. } => (405, "METHOD_NOT_ALLOWED"),
        Problem::NotAcceptable => (406, "NOT_ACCEPTABLE"),
        // CAMARA has no codes for 408, 411, 413 and 414: these four are ours.
        Problem::BodyTimedOut => (408, "REQUEST_TIMEOUT"),
        Problem::LengthRequired => (411, "LENGTH_REQUIRED"),
        Problem::BodyTooLarge { .. } => (413, "CONTENT_TOO_LARGE"),
        Problem::TargetTooLong => (414, "URI_TOO_LONG"),
        Problem::UnsupportedMediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
        Problem::IdentifierMissing => (422, "MISSING_IDENTIFIER"),
        Problem::IdentifierUnnecessary => (422, "UNNECESSARY_IDENTIFIER"),
        Problem::IdentifierUnsupported => (422, "UNSUPPORTED_IDENTIFIER"),
        Problem::LineNotEligible => (422, "SERVICE_NOT_APPLICABLE"),
        Problem::TooManyRequests { .. } => (429, "TOO_MANY_REQUESTS"),
        Problem::QuotaExceeded { .. } => (429, "QUOTA_EXCEEDED"),
        Problem::Internal => (500, "INTERNAL"),
        // 1.1 lists neither 502 nor 504, and has no code of its own for a line without status.
        Problem::NeverSeen
        | Problem::NetworkUnavailable
        | Problem::NetworkAnswerInvalid
        | Problem::NetworkTimedOut
        | Problem::Overloaded
        | Problem::StoreUnavailable => (503, "UNAVAILABLE"),
    };
    error_info(status, code, &message(problem, code))
}

/// The code for which the Design Guide (3.2.1, note 1) wants one text, which tells nothing, whatever is
/// wrong with the credentials.
pub(crate) const UNAUTHENTICATED: &str = "UNAUTHENTICATED";

/// What is told beside a code.
pub(crate) fn message(problem: &Problem, code: &str) -> Cow<'static, str> {
    if code == UNAUTHENTICATED {
        "Request not authenticated due to missing, invalid, or expired credentials. A new authentication is required."
            .into()
    } else {
        problem.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_status_code_and_message() {
        for (problem, status, body) in [
            (
                Problem::UnknownLine,
                404,
                r#"{"status":404,"code":"IDENTIFIER_NOT_FOUND","message":"no device is known by this identifier"}"#,
            ),
            (
                Problem::FieldMissing { field: "device" },
                400,
                r#"{"status":400,"code":"INVALID_ARGUMENT","message":"the field device is missing"}"#,
            ),
            (
                Problem::NeverSeen,
                503,
                r#"{"status":503,"code":"UNAVAILABLE","message":"the network has no status of this device: it has never been seen"}"#,
            ),
        ] {
            let refusal = refuse(&problem);
            assert_eq!((refusal.status, String::from_utf8(refusal.body).unwrap().as_str()), (status, body));
        }
    }

    #[test]
    fn what_is_wrong_with_the_credentials_is_not_told() {
        let missing = refuse(&Problem::CredentialsMissing);
        assert_eq!(missing, refuse(&Problem::CredentialsInvalid));
        assert_eq!(missing, refuse(&Problem::CredentialsExpired));
    }
}
