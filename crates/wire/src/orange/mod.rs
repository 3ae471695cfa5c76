//! Orange: the CAMARA sandbox of its lab, at `/orange`.
//!
//! Source: the developer pages "Device Roaming Status - CAMARA Sandbox - Orange lab 0.1 Beta" and
//! "Device Reachability Status - CAMARA Sandbox - Orange lab 0.1 Beta".

use attache_core::PublisherName;
use serde::Serialize;

use crate::{
    Authorization, Publisher, json,
    oauth::{self, Asked, OAuthError, ScopeParameters, TokenResponse},
};

mod gateway;
pub mod reachability_v0;
pub mod roaming_v0;

/// Orange and its lab's two APIs.
pub const PUBLISHER: Publisher = Publisher {
    name: PublisherName::new_static("orange"),
    root: "/orange",
    alias: None,
    faces: &[&roaming_v0::FACE, &reachability_v0::FACE],
    subscriptions: &[],
    refuse: gateway::refuse,
    authorization: Authorization {
        token_path: "/oauth/v3/token",
        backchannel_path: None,
        authorization_path: None,
        revocation_path: "/oauth/v3/revoke",
        introspection_path: "/oauth/v3/introspect",
        userinfo_path: None,
        redirect_uri_is_repeated: true,
        client_credentials: true,
        authentication_methods: oauth::PROOFS,
        jwt_bearer: false,
        read_scope,
        read_login_hint: oauth::read_login_hint,
        write_acknowledgement: oauth::write_acknowledgement,
        write_token,
        write_error: oauth::write_error,
    },
};

/// The registration of a client says which APIs it may call; a request names no scope, and one that
/// does is taken at its word.
fn read_scope(parameters: &ScopeParameters<'_>) -> Result<Asked, OAuthError> {
    match parameters.scope {
        None | Some("") => Ok(Asked::default()),
        Some(_) => oauth::read_joined_scope(parameters),
    }
}

/// Orange's token response: three fields, and `expires_in` is a text.
#[derive(Serialize)]
struct TokenBody<'a> {
    token_type: &'static str,
    access_token: &'a str,
    expires_in: String,
}

fn write_token(response: &TokenResponse) -> Vec<u8> {
    json::write(&TokenBody {
        token_type: response.token_type,
        access_token: &response.access_token,
        expires_in: response.expires_in.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use attache_core::Purpose;

    use super::*;

    #[test]
    fn expires_in_is_a_text() {
        let body = write_token(&TokenResponse {
            access_token: "66Ae".into(),
            token_type: "Bearer",
            expires_in: 3600,
            scope: "a".into(),
            refresh_token: None,
            id_token: None,
            purpose: Purpose::new_static("dpv:ServiceProvision"),
        });
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"token_type":"Bearer","access_token":"66Ae","expires_in":"3600"}"#
        );
    }
}
