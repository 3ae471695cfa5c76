use std::time::Duration;

use crate::{Scope, StoreError};

/// Everything that can stand between a question and its answer. Each face renders every one of
/// them in its own words, by a `match` without a wildcard.
///
/// What is displayed is meant for the caller and says what to do about it; it names no phone number
/// and no secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No face stands at this path.
    #[error("there is no such resource; check the path")]
    UnknownPath,
    /// The path exists, for other methods.
    #[error("this path does not support the request's method; use {allow}")]
    MethodNotAllowed {
        /// The methods that it supports, as the `Allow` header lists them.
        allow: &'static str,
    },
    /// The request target is longer than the server reads.
    #[error("the request target is too long: at most 8191 bytes are read")]
    TargetTooLong,
    /// A header is missing or cannot be used.
    #[error("the header {name} {reason}")]
    InvalidHeader {
        /// The header's name.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The `Accept` header excludes JSON.
    #[error("the answer is application/json, which the Accept header excludes")]
    NotAcceptable,
    /// The body is of another media type than JSON.
    #[error("the body must be application/json in UTF-8; set the Content-Type header")]
    UnsupportedMediaType,
    /// The body has neither a length nor chunks.
    #[error("the request has a body neither by Content-Length nor in chunks; send a JSON object")]
    LengthRequired,
    /// The body is larger than the server reads.
    #[error("the body is too large: at most {limit} bytes are read")]
    BodyTooLarge {
        /// How many bytes are read.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive in time; send the request again")]
    BodyTimedOut,
    /// The body broke off.
    #[error("the body broke off before its end; send the request again")]
    BodyIncomplete,
    /// There is no body.
    #[error("the body is missing; send a JSON object")]
    BodyMissing,
    /// The body is not a JSON object.
    #[error("the body is not a JSON object in UTF-8: {reason}")]
    BodyMalformed {
        /// Where it ceases to be one.
        reason: String,
    },
    /// A field that is required is not there.
    #[error("the field {field} is missing")]
    FieldMissing {
        /// The path of the field.
        field: &'static str,
    },
    /// A field has a value that its type or format does not allow.
    #[error("the field {field} is invalid: {reason}")]
    FieldInvalid {
        /// The path of the field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The request bears no access token.
    #[error("the request has no access token; send it as 'Authorization: Bearer <token>'")]
    CredentialsMissing,
    /// The access token is malformed, foreign, revoked, or its client or line is gone.
    #[error("the access token is not valid here; ask this publisher's token endpoint for a new one")]
    CredentialsInvalid,
    /// The access token has expired.
    #[error("the access token has expired; ask for a new one")]
    CredentialsExpired,
    /// The access token is bound to a key, and the request does not prove to come from who has it
    /// (RFC 9449).
    #[error(
        "the access token is bound to a key: send it as 'Authorization: DPoP <token>', with a DPoP proof made for this request and no other"
    )]
    ProofInvalid,
    /// The access token lacks the face's scope.
    #[error("the access token lacks the scope {scope}")]
    ScopeMissing {
        /// The scope that the face needs.
        scope: Scope,
    },
    /// The access token was issued for another line than the request names.
    #[error("the device in the request is not the one that the access token was issued for")]
    LineOfAnotherToken,
    /// The access token is for no line, and the subject of the line that the request names has said no to this use.
    #[error(
        "the subscriber of this device has said no to this use: ask for consent, by an access token for the device"
    )]
    SubjectRefuses,

    /// Neither the token nor the request names a line.
    #[error("the device cannot be identified: name it in the request, or use a token issued for it")]
    IdentifierMissing,
    /// The token names the line already.
    #[error("the access token already identifies the device; leave it out of the request")]
    IdentifierUnnecessary,
    /// None of the identifiers is of a kind that is supported.
    #[error("none of the device identifiers in the request is supported; use a phone number or an IP address")]
    IdentifierUnsupported,
    /// The identifiers name different lines.
    #[error("the device identifiers in the request belong to different devices")]
    IdentifiersDisagree,
    /// No line is known by the identifier.
    #[error("no device is known by this identifier")]
    UnknownLine,
    /// The service is not offered for the line.
    #[error("the service is not available for this device")]
    LineNotEligible,
    /// The network never saw the line.
    #[error("the network has no status of this device: it has never been seen")]
    NeverSeen,

    /// The client asked more often than its plan allows.
    #[error("too many requests; try again in {} s", retry_after.as_secs())]
    TooManyRequests {
        /// When the next one is welcome.
        retry_after: Duration,
    },
    /// The client used up its quota.
    #[error("the quota is used up; it begins anew in {} s", retry_after.as_secs())]
    QuotaExceeded {
        /// When the quota begins anew.
        retry_after: Duration,
    },

    /// The network cannot be asked now.
    #[error("the mobile network cannot be reached now; try again later")]
    NetworkUnavailable,
    /// The network answered with nonsense.
    #[error("the mobile network gave no usable answer; try again later")]
    NetworkAnswerInvalid,
    /// The network did not answer in time.
    #[error("the mobile network did not answer in time; try again later")]
    NetworkTimedOut,
    /// This server takes no more requests now.
    #[error("the server is over capacity; try again later")]
    Overloaded,
    /// What must be stored could not be.
    #[error("the server cannot store its records now; try again later")]
    StoreUnavailable,
    /// A fault of this server.
    #[error("an internal error; try again later, and report the correlator if it stays")]
    Internal,
}

impl From<StoreError> for Problem {
    fn from(_: StoreError) -> Self {
        Self::StoreUnavailable
    }
}

impl Problem {
    /// One of each, for tests that walk all of them through every face.
    #[must_use]
    pub fn examples() -> Vec<Self> {
        let retry_after = Duration::from_secs(7);
        let examples = vec![
            Self::UnknownPath,
            Self::MethodNotAllowed { allow: "POST" },
            Self::TargetTooLong,
            Self::InvalidHeader { name: "x-correlator", reason: "does not match its pattern" },
            Self::NotAcceptable,
            Self::UnsupportedMediaType,
            Self::LengthRequired,
            Self::BodyTooLarge { limit: 65_536 },
            Self::BodyTimedOut,
            Self::BodyIncomplete,
            Self::BodyMissing,
            Self::BodyMalformed { reason: "expected value at line 1 column 1".into() },
            Self::FieldMissing { field: "device" },
            Self::FieldInvalid { field: "device.phoneNumber".into(), reason: "not a phone number".into() },
            Self::CredentialsMissing,
            Self::CredentialsInvalid,
            Self::CredentialsExpired,
            Self::ProofInvalid,
            Self::ScopeMissing { scope: Scope::new_static("device-roaming-status:read") },
            Self::LineOfAnotherToken,
            Self::SubjectRefuses,
            Self::IdentifierMissing,
            Self::IdentifierUnnecessary,
            Self::IdentifierUnsupported,
            Self::IdentifiersDisagree,
            Self::UnknownLine,
            Self::LineNotEligible,
            Self::NeverSeen,
            Self::TooManyRequests { retry_after },
            Self::QuotaExceeded { retry_after },
            Self::NetworkUnavailable,
            Self::NetworkAnswerInvalid,
            Self::NetworkTimedOut,
            Self::Overloaded,
            Self::StoreUnavailable,
            Self::Internal,
        ];
        debug_assert!(examples.iter().enumerate().all(|(index, problem)| problem.index() == index));
        examples
    }

    /// The place of the problem in [`Self::examples`]. It is here so that a new variant does not
    /// compile before it has an example.
    const fn index(&self) -> usize {
        match self {
            Self::UnknownPath => 0,
            Self::MethodNotAllowed { .. } => 1,
            Self::TargetTooLong => 2,
            Self::InvalidHeader { .. } => 3,
            Self::NotAcceptable => 4,
            Self::UnsupportedMediaType => 5,
            Self::LengthRequired => 6,
            Self::BodyTooLarge { .. } => 7,
            Self::BodyTimedOut => 8,
            Self::BodyIncomplete => 9,
            Self::BodyMissing => 10,
            Self::BodyMalformed { .. } => 11,
            Self::FieldMissing { .. } => 12,
            Self::FieldInvalid { .. } => 13,
            Self::CredentialsMissing => 14,
            Self::CredentialsInvalid => 15,
            Self::CredentialsExpired => 16,
            Self::ProofInvalid => 17,
            Self::ScopeMissing { .. } => 18,
            Self::LineOfAnotherToken => 19,
            Self::SubjectRefuses => 20,
            Self::IdentifierMissing => 21,
            Self::IdentifierUnnecessary => 22,
            Self::IdentifierUnsupported => 23,
            Self::IdentifiersDisagree => 24,
            Self::UnknownLine => 25,
            Self::LineNotEligible => 26,
            Self::NeverSeen => 27,
            Self::TooManyRequests { .. } => 28,
            Self::QuotaExceeded { .. } => 29,
            Self::NetworkUnavailable => 30,
            Self::NetworkAnswerInvalid => 31,
            Self::NetworkTimedOut => 32,
            Self::Overloaded => 33,
            Self::StoreUnavailable => 34,
            Self::Internal => 35,
        }
    }

    /// The name of the problem, as it stands in the audit, the log and the metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown_path",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::TargetTooLong => "target_too_long",
            Self::InvalidHeader { .. } => "invalid_header",
            Self::NotAcceptable => "not_acceptable",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::LengthRequired => "length_required",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut => "body_timed_out",
            Self::BodyIncomplete => "body_incomplete",
            Self::BodyMissing => "body_missing",
            Self::BodyMalformed { .. } => "body_malformed",
            Self::FieldMissing { .. } => "field_missing",
            Self::FieldInvalid { .. } => "field_invalid",
            Self::CredentialsMissing => "credentials_missing",
            Self::CredentialsInvalid => "credentials_invalid",
            Self::CredentialsExpired => "credentials_expired",
            Self::ProofInvalid => "proof_invalid",
            Self::ScopeMissing { .. } => "scope_missing",
            Self::LineOfAnotherToken => "line_of_another_token",
            Self::SubjectRefuses => "subject_refuses",
            Self::IdentifierMissing => "identifier_missing",
            Self::IdentifierUnnecessary => "identifier_unnecessary",
            Self::IdentifierUnsupported => "identifier_unsupported",
            Self::IdentifiersDisagree => "identifiers_disagree",
            Self::UnknownLine => "unknown_line",
            Self::LineNotEligible => "line_not_eligible",
            Self::NeverSeen => "never_seen",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::NetworkUnavailable => "network_unavailable",
            Self::NetworkAnswerInvalid => "network_answer_invalid",
            Self::NetworkTimedOut => "network_timed_out",
            Self::Overloaded => "overloaded",
            Self::StoreUnavailable => "store_unavailable",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_example() {
        for (index, problem) in Problem::examples().iter().enumerate() {
            assert_eq!(problem.index(), index, "{problem:?}");
        }
        assert_eq!(Problem::Internal.index() + 1, Problem::examples().len());
    }
}
