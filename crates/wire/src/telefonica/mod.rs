//! Telefónica Open Gateway, at `/telefonica` and, as in its sandbox, at `/telefonica/apigateway`.
//!
//! Source: the documents "OIDC Authorization" 1, "Device Status" 0.4, and the sample code for Device
//! Status.

use attache_core::{DeviceIdentifier, Problem, PublisherName};
use serde::Serialize;

use crate::{
    Authorization, Publisher,
    camara::device_status::v0_4,
    json,
    oauth::{self, Acknowledgement, Asked, OAuthError, ScopeParameters, TokenResponse},
};

pub mod device_status_v0;

/// Telefónica and its one API of this family.
pub const PUBLISHER: Publisher = Publisher {
    name: PublisherName::new_static("telefonica"),
    root: "/telefonica",
    alias: Some("/apigateway"),
    faces: &[&device_status_v0::FACE],
    subscriptions: &[],
    refuse: v0_4::refuse,
    authorization: Authorization {
        token_path: "/token",
        backchannel_path: Some("/bc-authorize"),
        authorization_path: Some("/authorize"),
        revocation_path: "/revoke",
        introspection_path: "/introspect",
        userinfo_path: Some("/userinfo"),
        redirect_uri_is_repeated: false,
        client_credentials: false,
        authentication_methods: oauth::USUAL_METHODS,
        jwt_bearer: false,
        read_scope,
        read_login_hint,
        write_acknowledgement,
        write_token,
        write_error,
    },
};

/// The samples send `dpv:Purpose#scope` in `scope`, one of them in `purpose`.
fn read_scope(parameters: &ScopeParameters<'_>) -> Result<Asked, OAuthError> {
    let scope = parameters.scope.filter(|scope| !scope.is_empty()).or(parameters.purpose);
    oauth::read_joined_scope(&ScopeParameters { scope, purpose: None })
}

/// Beside the standard forms, the samples send `+34…` and `phone_number:+34…`.
fn read_login_hint(hint: &str) -> Result<DeviceIdentifier, Problem> {
    match hint.strip_prefix("phone_number:").or_else(|| hint.starts_with('+').then_some(hint)) {
        Some(number) => oauth::read_phone_number(number),
        None => oauth::read_login_hint(hint),
    }
}

/// The document defines `auth_req_id`, as CIBA and the samples have it, but requires `request_id`: both
/// are there.
#[derive(Serialize)]
struct AuthorizationRequestId<'a> {
    #[serde(flatten)]
    standard: &'a Acknowledgement,
    request_id: &'a str,
}

fn write_acknowledgement(acknowledgement: &Acknowledgement) -> Vec<u8> {
    json::write(&AuthorizationRequestId { standard: acknowledgement, request_id: &acknowledgement.auth_req_id })
}

#[derive(Serialize)]
struct Token<'a> {
    #[serde(flatten)]
    standard: &'a TokenResponse,
    purpose: &'a str,
}

fn write_token(response: &TokenResponse) -> Vec<u8> {
    json::write(&Token { standard: response, purpose: response.purpose.as_str() })
}

/// The document has `code` (an integer, the HTTP status) and `message`; the samples read `error_description`, `error`
/// and `message`.
#[derive(Serialize)]
struct ErrorBody {
    error: &'static str,
    error_description: &'static str,
    code: u16,
    message: &'static str,
}

fn write_error(error: &OAuthError, status: u16) -> Vec<u8> {
    json::write(&ErrorBody {
        error: error.code.name(),
        error_description: error.description,
        code: status,
        message: error.description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::OAuthErrorCode;

    #[test]
    fn the_scope_may_stand_in_scope_or_in_purpose() {
        let text = Some("dpv:FraudPreventionAndDetection#device-status-roaming-read");
        let in_scope = read_scope(&ScopeParameters { scope: text, purpose: None }).unwrap();
        let in_purpose = read_scope(&ScopeParameters { scope: None, purpose: text }).unwrap();
        assert_eq!(in_scope, in_purpose);
        assert!(read_scope(&ScopeParameters::default()).is_err());
    }

    #[test]
    fn every_login_hint_of_the_samples_is_accepted() {
        for hint in ["+34666555343", "phone_number:+34777777777", "tel:+34666666666", "ipport:80.90.34.2:16790"] {
            assert!(read_login_hint(hint).is_ok(), "{hint}");
        }
        for hint in ["34666555343", "phone_number:34666555343", "mail:a@b"] {
            assert!(read_login_hint(hint).is_err(), "{hint}");
        }
    }

    #[test]
    fn an_authorization_request_has_what_the_document_defines_and_what_it_requires() {
        let body = write_acknowledgement(&Acknowledgement { auth_req_id: "1c2a".into(), expires_in: 120, interval: 2 });
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"auth_req_id":"1c2a","expires_in":120,"interval":2,"request_id":"1c2a"}"#
        );
    }

    #[test]
    fn an_error_has_what_the_document_and_the_samples_read() {
        let body = write_error(&OAuthErrorCode::InvalidClient.because("no"), 401);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":"invalid_client","error_description":"no","code":401,"message":"no"}"#
        );
    }
}
