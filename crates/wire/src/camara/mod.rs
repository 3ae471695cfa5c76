//! The CAMARA Project: the standard itself, at the root.

use attache_core::{AuthenticationMethod, PublisherName};

use crate::{
    Authorization, Publisher,
    oauth::{self, TokenResponse},
};

pub mod connected_network_type;
pub mod connected_network_type_subscriptions;
pub(crate) mod date_time;
pub(crate) mod device;
pub mod device_reachability_status;
pub mod device_reachability_status_subscriptions;
pub mod device_roaming_status;
pub mod device_roaming_status_subscriptions;
pub mod device_status;
pub(crate) mod error;
pub(crate) mod error_v0_6;
pub(crate) mod error_v1_0;
pub(crate) mod schema;
pub(crate) mod subscription;

/// CAMARA's own APIs in all their public versions, the newest first.
pub const PUBLISHER: Publisher = Publisher {
    name: PublisherName::new_static("camara"),
    root: "",
    alias: None,
    faces: &[
        &device_roaming_status::v1::FACE,
        &device_roaming_status::v1_0::FACE,
        &device_roaming_status::v0_6::FACE,
        &device_reachability_status::v1::FACE,
        &device_reachability_status::v1_0::FACE,
        &device_reachability_status::v0_6::FACE,
        &connected_network_type::v0_2::FACE,
        &connected_network_type::v0_1::FACE,
        &device_status::v0_5::ROAMING,
        &device_status::v0_5::CONNECTIVITY,
        &device_status::v0_4::FACE,
    ],
    subscriptions: &[
        &device_roaming_status_subscriptions::v0_8::FACE,
        &device_roaming_status_subscriptions::v0_7::FACE,
        &device_roaming_status_subscriptions::v0_6::FACE,
        &device_reachability_status_subscriptions::v0_8::FACE,
        &device_reachability_status_subscriptions::v0_7::FACE,
        &device_reachability_status_subscriptions::v0_6::FACE,
        &connected_network_type_subscriptions::v0_2::FACE,
        &connected_network_type_subscriptions::v0_1::FACE,
        &device_status::v0_5_subscriptions::FACE,
    ],
    refuse: error::refuse,
    authorization: Authorization {
        token_path: "/oauth2/token",
        backchannel_path: Some("/oauth2/bc-authorize"),
        authorization_path: Some("/oauth2/authorize"),
        revocation_path: "/oauth2/revoke",
        introspection_path: "/oauth2/introspect",
        userinfo_path: Some("/oauth2/userinfo"),
        redirect_uri_is_repeated: true,
        client_credentials: true,
        // The profile asks for keys ("Client Authentication").
        authentication_methods: &[AuthenticationMethod::PrivateKeyJwt, AuthenticationMethod::None],
        jwt_bearer: true,
        read_scope: oauth::read_scope,
        read_login_hint: oauth::read_login_hint,
        write_acknowledgement: oauth::write_acknowledgement,
        write_token,
        write_error: oauth::write_error,
    },
};

/// The purpose is one of the scopes (CAMARA Security and Interoperability Profile, "Purpose as a scope").
fn write_token(response: &TokenResponse) -> Vec<u8> {
    let scope = format!("{} {}", response.purpose, response.scope);
    oauth::write_token(&TokenResponse { scope, ..response.clone() })
}
