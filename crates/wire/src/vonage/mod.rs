//! Vonage, at `/vonage`.
//!
//! Source: the API reference "Vonage Device Status API", version `v050`. Where it is silent, the API
//! is CAMARA device-status 0.5.

use attache_core::{AuthenticationMethod, DeviceIdentifier, PhoneNumber, Problem, PublisherName};

use crate::{Authorization, Publisher, oauth};

pub mod device_status_v050;

/// Vonage and its two operations of Device Status.
pub const PUBLISHER: Publisher = Publisher {
    name: PublisherName::new_static("vonage"),
    root: "/vonage",
    alias: None,
    faces: &[&device_status_v050::CONNECTIVITY, &device_status_v050::ROAMING],
    subscriptions: &[],
    refuse: crate::camara::device_status::v0_5::refuse,
    authorization: Authorization {
        token_path: "/oauth2/token",
        backchannel_path: Some("/oauth2/bc-authorize"),
        authorization_path: None,
        revocation_path: "/oauth2/revoke",
        introspection_path: "/oauth2/introspect",
        userinfo_path: Some("/oauth2/userinfo"),
        redirect_uri_is_repeated: true,
        client_credentials: false,
        authentication_methods: &[
            AuthenticationMethod::ClientSecretBasic,
            AuthenticationMethod::ClientSecretPost,
            AuthenticationMethod::PrivateKeyJwt,
            AuthenticationMethod::ApplicationToken,
        ],
        jwt_bearer: false,
        read_scope: oauth::read_joined_scope,
        read_login_hint,
        write_acknowledgement: oauth::write_acknowledgement,
        write_token: oauth::write_token,
        write_error: oauth::write_error,
    },
};

/// Beside the standard forms, a bare phone number: numbers stand with and without `+` here.
fn read_login_hint(hint: &str) -> Result<DeviceIdentifier, Problem> {
    let number = hint.strip_prefix("tel:").unwrap_or(hint);
    match PhoneNumber::from_digits(number.strip_prefix('+').unwrap_or(number)) {
        Ok(number) => Ok(DeviceIdentifier::PhoneNumber(number)),
        Err(_) => oauth::read_login_hint(hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_hint_is_a_number_with_or_without_plus() {
        for hint in ["123456789", "+123456789", "tel:+123456789", "tel:123456789"] {
            assert_eq!(read_login_hint(hint), read_login_hint("tel:+123456789"), "{hint}");
        }
        assert!(read_login_hint("123").is_err());
    }
}
