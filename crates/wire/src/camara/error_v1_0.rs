//! The codes of the versions that follow CAMARA Commonalities 0.5: device-roaming-status and
//! device-reachability-status 1.0, and connected-network-type 0.1.
//!
//! Source: the enumerations of codes in their responses.

use attache_core::Problem;

use super::error::{self, error_info};
use crate::Refusal;

/// Writes a problem. The last argument is the one code in which the contracts differ: that an access
/// token has expired.
pub(crate) fn refuse(problem: &Problem, expired: &'static str) -> Refusal {
    let (status, code) = match problem {
        Problem::CredentialsExpired => (401, expired),
        Problem::IdentifiersDisagree => (422, "IDENTIFIER_MISMATCH"),
        // As in the versions after.
        Problem::UnknownPath
        | Problem::MethodNotAllowed { .. }
        | Problem::TargetTooLong
        | Problem::InvalidHeader { .. }
        | Problem::NotAcceptable
        | Problem::UnsupportedMediaType
        | Problem::LengthRequired
        | Problem::BodyTooLarge { .. }
        | Problem::BodyTimedOut
        | Problem::BodyIncomplete
        | Problem::BodyMissing
        | Problem::BodyMalformed { .. }
        | Problem::FieldMissing { .. }
        | Problem::FieldInvalid { .. }
        | Problem::CredentialsMissing
        | Problem::CredentialsInvalid
        | Problem::ProofInvalid
        | Problem::ScopeMissing { .. }
        | Problem::LineOfAnotherToken
        | Problem::SubjectRefuses
        | Problem::IdentifierMissing
        | Problem::IdentifierUnnecessary
        | Problem::IdentifierUnsupported
        | Problem::UnknownLine
        | Problem::LineNotEligible
        | Problem::NeverSeen
        | Problem::TooManyRequests { .. }
        | Problem::QuotaExceeded { .. }
        | Problem::NetworkUnavailable
        | Problem::NetworkAnswerInvalid
        | Problem::NetworkTimedOut
        | Problem::Overloaded
        | Problem::StoreUnavailable
        | Problem::Internal => return error::refuse(problem),
    };
    error_info(status, code, &error::message(problem, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_token_is_told_where_the_contract_has_a_code_for_it() {
        let told = |code| String::from_utf8(refuse(&Problem::CredentialsExpired, code).body).unwrap();
        assert_eq!(
            told("AUTHENTICATION_REQUIRED"),
            r#"{"status":401,"code":"AUTHENTICATION_REQUIRED","message":"the access token has expired; ask for a new one"}"#
        );
        let missing = refuse(&Problem::CredentialsMissing, error::UNAUTHENTICATED);
        assert_eq!(refuse(&Problem::CredentialsExpired, error::UNAUTHENTICATED), missing);
    }

    #[test]
    fn identifiers_of_different_devices_are_told() {
        let refusal = refuse(&Problem::IdentifiersDisagree, "AUTHENTICATION_REQUIRED");
        assert_eq!(
            String::from_utf8(refusal.body).unwrap(),
            r#"{"status":422,"code":"IDENTIFIER_MISMATCH","message":"the device identifiers in the request belong to different devices"}"#
        );
    }
}
