//! The errors of Orange's gateway: a numeric code, a message and a description.
//!
//! Source: the list of HTTP statuses of the page "Device Reachability Status - CAMARA Sandbox - Orange
//! lab 0.1 Beta", its oddities included: code 53 stands under two statuses, 1 under 502 with the
//! message of 3, and 6 under 503 and 504 with different messages.

use attache_core::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Refusal, camara::schema::Status, json};

/// A row of the list.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = GatewayError)]
pub(super) struct Row {
    #[serde(skip)]
    status: u16,
    // An integer without a range, as is a status.
    #[schema(value_type = Status)]
    code: u8,
    message: &'static str,
    description: &'static str,
}

impl Row {
    pub(super) fn refusal(self) -> Refusal {
        Refusal { status: self.status, body: json::write(&self) }
    }
}

/// The list: status, code, message, description. The page names every code and describes one of each
/// status; the other descriptions are ours.
#[rustfmt::skip]
const LIST: &[(u16, u8, &str, &str)] = &[
    (400, 20, "Invalid URL parameter value", "One or more URL parameters contain invalid values."),
    (400, 21, "Missing body", "The request has no body, and the requested resource needs one."),
    (400, 22, "Invalid body", "The body of the request is not a well-formed JSON object."),
    (400, 23, "Missing body field", "One or more mandatory fields are missing in the body of the request."),
    (400, 24, "Invalid body field", "One or more fields of the body contain invalid values."),
    (400, 25, "Missing header", "One or more mandatory headers are missing."),
    (400, 26, "Invalid header value", "One or more headers contain invalid values."),
    (400, 27, "Missing query-string parameter", "One or more mandatory query-string parameters are missing."),
    (400, 28, "Invalid query-string parameter value", "One or more query-string parameters contain invalid values."),
    (401, 40, "Missing credentials", "The requested service needs credentials, and none were provided."),
    (401, 41, "Invalid credentials", "The requested service needs credentials, and the ones provided were invalid."),
    (401, 42, "Expired credentials", "The requested service needs credentials, and the ones provided were out-of-date."),
    (403, 50, "Access denied", "The application is not allowed to access this service."),
    (403, 51, "Forbidden requester", "The application is not allowed to make this request."),
    (403, 52, "Forbidden user", "The application is not allowed to make this request about this user."),
    (403, 53, "Too many requests", "The application has made too many calls and has exceeded the rate limit for this service."),
    (404, 60, "Resource not found", "The requested URI or the requested resource does not exist."),
    (405, 61, "Method not allowed", "The URI does not support the requested method. The available methods should be set in the response header 'Allow'"),
    (406, 62, "Not acceptable", "The Accept incoming header does not match any available content-type."),
    (408, 63, "Request time-out", "The server timed out waiting for the incoming request."),
    (409, 69, "Conflict", "The request could not be completed due to a conflict with the current state of the resource."),
    (411, 64, "Length required", "The request did not specify a Content-Length header, which is required by the requested resource."),
    (412, 65, "Precondition failed", "One of the precondition request headers (aka. 'If-None-Match', 'If-Match', 'If-Modified-Since', and 'If-Unmodified-Since') failed to match."),
    (413, 66, "Request entity too large", "The body of the request/response (PATCH, POST and PUT methods) is larger than the server is willing or able to process."),
    (414, 67, "Request-URI too long", "The URI provided was too long for the server to process."),
    (415, 68, "Unsupported Media Type", "The format of the posted body is not supported by the endpoint."),
    (429, 53, "Too many requests", "The application has made too many calls and has exceeded the rate limit for this service."),
    (500, 1, "Internal error", "Generic failure message, used if no more precise code can be provided."),
    (502, 1, "Bad gateway", "A runtime execution error occurs (RaiseFault)."),
    (502, 3, "Bad gateway", "The backend server gave no usable response."),
    (503, 5, "The service is temporarily unavailable", "The service cannot handle the call at the moment."),
    (503, 6, "Orange API is over capacity, retry later !", "The service faces too much requests and can not handle the call."),
    (504, 6, "Gateway timeout", "No response was received in time from a backend server acting as gateway or proxy."),
];

/// The statuses of the list, of those that are answered, and 422, which is CAMARA's.
pub(super) const STATUSES: &[u16] =
    &[400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 422, 429, 500, 502, 503, 504];

/// Finds a row. It is called in constants only, so that a row that is not in the list does not
/// compile.
const fn row(status: u16, code: u8) -> Row {
    let mut index = 0;
    while index < LIST.len() {
        let (row_status, row_code, message, description) = LIST[index];
        if row_status == status && row_code == code {
            return Row { status, code, message, description };
        }
        index += 1;
    }
    panic!("the list has no such row")
}

/// The row for a problem; none for what only the API behind the gateway can know.
///
/// No problem has the rows 20, 27 and 28 (the paths take no parameters), 25 (no header is mandatory that
/// has no row of its own), 51, 502/3, 409 and 412 (a query changes nothing and has no preconditions).
pub(super) const fn row_of(problem: &Problem) -> Option<Row> {
    Some(match problem {
        Problem::BodyMissing => const { row(400, 21) },
        Problem::BodyIncomplete | Problem::BodyMalformed { .. } => const { row(400, 22) },
        // Only a token issued for a device could make up for a missing device.
        Problem::FieldMissing { .. } | Problem::IdentifierMissing => const { row(400, 23) },
        Problem::FieldInvalid { .. } | Problem::IdentifierUnnecessary => const { row(400, 24) },
        Problem::InvalidHeader { .. } => const { row(400, 26) },
        Problem::CredentialsMissing => const { row(401, 40) },
        Problem::CredentialsInvalid | Problem::ProofInvalid => const { row(401, 41) },
        Problem::CredentialsExpired => const { row(401, 42) },
        Problem::ScopeMissing { .. } => const { row(403, 50) },
        Problem::LineOfAnotherToken | Problem::SubjectRefuses => const { row(403, 52) },
        // Both statuses have the row: a limit of the plan stays until the quota begins anew, one of the
        // rate is over soon.
        Problem::QuotaExceeded { .. } => const { row(403, 53) },
        Problem::UnknownPath | Problem::UnknownLine => const { row(404, 60) },
        Problem::MethodNotAllowed { .. } => const { row(405, 61) },
        Problem::NotAcceptable => const { row(406, 62) },
        Problem::BodyTimedOut => const { row(408, 63) },
        Problem::LengthRequired => const { row(411, 64) },
        Problem::BodyTooLarge { .. } => const { row(413, 66) },
        Problem::TargetTooLong => const { row(414, 67) },
        Problem::UnsupportedMediaType => const { row(415, 68) },
        Problem::TooManyRequests { .. } => const { row(429, 53) },
        Problem::Internal => const { row(500, 1) },
        Problem::NetworkAnswerInvalid => const { row(502, 1) },
        Problem::NetworkUnavailable | Problem::StoreUnavailable => const { row(503, 5) },
        Problem::Overloaded => const { row(503, 6) },
        Problem::NetworkTimedOut => const { row(504, 6) },
        Problem::IdentifierUnsupported
        | Problem::IdentifiersDisagree
        | Problem::LineNotEligible
        | Problem::NeverSeen => return None,
    })
}

/// Writes what no face catches.
pub(super) fn refuse(problem: &Problem) -> Refusal {
    // Without a face there is no device to be wrong, so every problem has its row.
    row_of(problem).unwrap_or(const { row(500, 1) }).refusal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_examples_are_written() {
        for (problem, status, body) in [
            (
                Problem::CredentialsExpired,
                401,
                r#"{"code":42,"message":"Expired credentials","description":"The requested service needs credentials, and the ones provided were out-of-date."}"#,
            ),
            (
                Problem::QuotaExceeded { retry_after: std::time::Duration::ZERO },
                403,
                r#"{"code":53,"message":"Too many requests","description":"The application has made too many calls and has exceeded the rate limit for this service."}"#,
            ),
            (
                Problem::UnknownPath,
                404,
                r#"{"code":60,"message":"Resource not found","description":"The requested URI or the requested resource does not exist."}"#,
            ),
            (
                Problem::MethodNotAllowed { allow: "POST" },
                405,
                r#"{"code":61,"message":"Method not allowed","description":"The URI does not support the requested method. The available methods should be set in the response header 'Allow'"}"#,
            ),
            (
                Problem::NotAcceptable,
                406,
                r#"{"code":62,"message":"Not acceptable","description":"The Accept incoming header does not match any available content-type."}"#,
            ),
            (
                Problem::BodyTimedOut,
                408,
                r#"{"code":63,"message":"Request time-out","description":"The server timed out waiting for the incoming request."}"#,
            ),
            (
                Problem::LengthRequired,
                411,
                r#"{"code":64,"message":"Length required","description":"The request did not specify a Content-Length header, which is required by the requested resource."}"#,
            ),
            (
                Problem::BodyTooLarge { limit: 1 },
                413,
                r#"{"code":66,"message":"Request entity too large","description":"The body of the request/response (PATCH, POST and PUT methods) is larger than the server is willing or able to process."}"#,
            ),
            (
                Problem::TargetTooLong,
                414,
                r#"{"code":67,"message":"Request-URI too long","description":"The URI provided was too long for the server to process."}"#,
            ),
            (
                Problem::UnsupportedMediaType,
                415,
                r#"{"code":68,"message":"Unsupported Media Type","description":"The format of the posted body is not supported by the endpoint."}"#,
            ),
            (
                Problem::TooManyRequests { retry_after: std::time::Duration::ZERO },
                429,
                r#"{"code":53,"message":"Too many requests","description":"The application has made too many calls and has exceeded the rate limit for this service."}"#,
            ),
            (
                Problem::Internal,
                500,
                r#"{"code":1,"message":"Internal error","description":"Generic failure message, used if no more precise code can be provided."}"#,
            ),
            (
                Problem::NetworkAnswerInvalid,
                502,
                r#"{"code":1,"message":"Bad gateway","description":"A runtime execution error occurs (RaiseFault)."}"#,
            ),
            (
                Problem::Overloaded,
                503,
                r#"{"code":6,"message":"Orange API is over capacity, retry later !","description":"The service faces too much requests and can not handle the call."}"#,
            ),
            (
                Problem::NetworkTimedOut,
                504,
                r#"{"code":6,"message":"Gateway timeout","description":"No response was received in time from a backend server acting as gateway or proxy."}"#,
            ),
        ] {
            let refusal = refuse(&problem);
            assert_eq!((refusal.status, String::from_utf8(refusal.body).unwrap().as_str()), (status, body));
        }
    }

    #[test]
    fn no_row_stands_twice() {
        let rows: std::collections::HashSet<(u16, u8)> =
            LIST.iter().map(|(status, code, ..)| (*status, *code)).collect();
        assert_eq!(rows.len(), LIST.len());
    }
}
