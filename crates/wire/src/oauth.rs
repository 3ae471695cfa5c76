//! What the authorization servers of all publishers share: OAuth 2.0 (RFC 6749), OpenID Connect
//! Client-Initiated Backchannel Authentication, and the CAMARA Security and Interoperability Profile.

use std::net::{IpAddr, SocketAddr};

use attache_core::{AuthenticationMethod, DeviceIdentifier, Ipv4Identifier, PhoneNumber, Problem, Purpose, Scope};
use serde::Serialize;

use crate::json;

/// How clients prove who they are where nothing else is said.
pub(crate) const PROOFS: &[AuthenticationMethod] = &[
    AuthenticationMethod::ClientSecretBasic,
    AuthenticationMethod::ClientSecretPost,
    AuthenticationMethod::PrivateKeyJwt,
];

/// The same where there are codes, which a public client proves to be its own.
pub(crate) const USUAL_METHODS: &[AuthenticationMethod] = &[
    AuthenticationMethod::ClientSecretBasic,
    AuthenticationMethod::ClientSecretPost,
    AuthenticationMethod::PrivateKeyJwt,
    AuthenticationMethod::None,
];

/// The parameters of a request that tell scopes and purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeParameters<'a> {
    /// The parameter `scope`.
    pub scope: Option<&'a str>,
    /// The parameter `purpose`, which only some publishers know.
    pub purpose: Option<&'a str>,
}

/// The scopes and the purpose that a request asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// The scopes, without those that OpenID Connect defines; empty for what the client is
    /// registered for.
    pub scopes: Vec<Scope>,
    /// The purpose, where the request names one.
    pub purpose: Option<Purpose>,
    /// Whether an ID token is asked for (`openid`).
    pub openid: bool,
    /// Whether a refresh token is asked for (`offline_access`).
    pub offline_access: bool,
}

/// A token response (RFC 6749 section 5.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// `Bearer`, or `DPoP` for a token that is bound to a key (RFC 9449).
    pub token_type: &'static str,
    /// For how many seconds the token is good.
    pub expires_in: u64,
    /// The scopes of the token, separated by spaces.
    pub scope: String,
    /// What the next token is fetched with, if that was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The ID token, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The purpose of the token, which CAMARA carries in `scope`.
    #[serde(skip)]
    pub purpose: Purpose,
}

/// The answer to a backchannel authentication request (CIBA Core section 7.3).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Acknowledgement {
    /// What the token is fetched with.
    pub auth_req_id: String,
    /// For how many seconds.
    pub expires_in: u64,
    /// The least time between two polls, in seconds.
    pub interval: u64,
}

/// An error of an authorization server, as RFC 6749, CIBA Core and appendix A of the CAMARA profile
/// define them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}: {description}", code.name())]
pub struct OAuthError {
    /// The code.
    pub code: OAuthErrorCode,
    /// What is wrong and what to do about it, for the developer: printable ASCII without quotes or
    /// backslashes (RFC 6749 section 5.2), and without personal data.
    pub description: &'static str,
}

/// The codes of [`OAuthError`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the codes of the specifications")]
pub enum OAuthErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidToken,
    InsufficientScope,
    InvalidGrant,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    RequestNotSupported,
    RequestUriNotSupported,
    AccessDenied,
    LoginRequired,
    ConsentRequired,
    UnknownUserId,
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    InvalidRequestObject,
    InvalidDpopProof,
    ServerError,
    TemporarilyUnavailable,
}

impl OAuthErrorCode {
    /// The code as it stands in `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::UnknownUserId => "unknown_user_id",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status of a direct response. [`Self::AccessDenied`] is 403 at the backchannel
    /// authentication endpoint, and 400 at the token endpoint.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::AccessDenied | Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::InvalidScope
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::UnknownUserId
            | Self::AuthorizationPending
            | Self::SlowDown
            | Self::ExpiredToken
            | Self::InvalidRequestObject
            | Self::InvalidDpopProof => 400,
        }
    }

    /// This error, described.
    #[must_use]
    pub const fn because(self, description: &'static str) -> OAuthError {
        OAuthError { code: self, description }
    }
}

/// The body of an error (RFC 6749 section 5.2).
#[derive(Serialize)]
struct ErrorBody {
    error: &'static str,
    error_description: &'static str,
}

/// Writes a token response as the standards have it.
#[must_use]
pub fn write_token(response: &TokenResponse) -> Vec<u8> {
    json::write(response)
}

/// Writes the answer to a backchannel authentication request as the standards have it.
#[must_use]
pub fn write_acknowledgement(acknowledgement: &Acknowledgement) -> Vec<u8> {
    json::write(acknowledgement)
}

/// Writes an error as the standards have it.
#[must_use]
pub fn write_error(error: &OAuthError, _: u16) -> Vec<u8> {
    json::write(&ErrorBody { error: error.code.name(), error_description: error.description })
}

/// Reads the scopes by the CAMARA profile: exactly one of them is a purpose, `dpv:…`
/// ("Purpose as a scope").
pub fn read_scope(parameters: &ScopeParameters<'_>) -> Result<Asked, OAuthError> {
    let asked = read_scope_list(parameters.scope.unwrap_or_default(), apart)?;
    if asked.scopes.is_empty() {
        return Err(OAuthErrorCode::InvalidScope.because("scope must name at least one scope of an API"));
    }
    if asked.purpose.is_none() {
        return Err(OAuthErrorCode::InvalidScope
            .because("scope must contain exactly one purpose, such as dpv:FraudPreventionAndDetection"));
    }
    Ok(asked)
}

/// Reads the scopes in the older form that joins the purpose and the scope, `dpv:Purpose#scope`, as
/// well as in the newer one.
pub(crate) fn read_joined_scope(parameters: &ScopeParameters<'_>) -> Result<Asked, OAuthError> {
    let asked = read_scope_list(parameters.scope.unwrap_or_default(), apart_or_joined)?;
    if asked.scopes.is_empty() {
        return Err(OAuthErrorCode::InvalidScope.because("scope is missing; it has the form dpv:Purpose#scope"));
    }
    Ok(asked)
}

/// Splits a list of scopes by spaces (RFC 6749 section 3.3) and sorts out purposes and `openid`.
fn read_scope_list(text: &str, split: fn(&str) -> (Option<&str>, Option<&str>)) -> Result<Asked, OAuthError> {
    let mut asked = Asked::default();
    for token in text.split(' ').filter(|token| !token.is_empty()) {
        let (purpose, scope) = split(token);
        if let Some(purpose) = purpose {
            let purpose: Purpose = purpose.parse().map_err(|_| {
                OAuthErrorCode::InvalidScope.because("the purpose is malformed; it has the form dpv:Purpose")
            })?;
            if asked.purpose.as_ref().is_some_and(|other| *other != purpose) {
                return Err(OAuthErrorCode::InvalidScope.because("scope must contain exactly one purpose"));
            }
            asked.purpose = Some(purpose);
        }
        match scope {
            None => {}
            Some("openid") => asked.openid = true,
            Some("offline_access") => asked.offline_access = true,
            Some(scope) => {
                let scope: Scope =
                    scope.parse().map_err(|_| OAuthErrorCode::InvalidScope.because("scope is malformed"))?;
                if !asked.scopes.contains(&scope) {
                    asked.scopes.push(scope);
                }
            }
        }
    }
    if !asked.openid
        && asked.scopes.iter().any(|scope| ["profile", "email", "address", "phone"].contains(&scope.as_str()))
    {
        return Err(
            OAuthErrorCode::InvalidRequest.because("claims of OpenID Connect are asked for without the scope openid")
        );
    }
    Ok(asked)
}

/// A purpose, or a scope.
fn apart(token: &str) -> (Option<&str>, Option<&str>) {
    if token.starts_with("dpv:") { (Some(token), None) } else { (None, Some(token)) }
}

/// A purpose, a scope, or both as one.
fn apart_or_joined(token: &str) -> (Option<&str>, Option<&str>) {
    match token.split_once('#').filter(|_| token.starts_with("dpv:")) {
        Some((purpose, scope)) => (Some(purpose), Some(scope)),
        None => apart(token),
    }
}

/// Reads a `login_hint` by the CAMARA profile ("Format of `login_hint`"): `tel:+…` or `ipport:…`.
pub fn read_login_hint(hint: &str) -> Result<DeviceIdentifier, Problem> {
    if let Some(number) = hint.strip_prefix("tel:") {
        return read_phone_number(number);
    }
    if let Some(address) = hint.strip_prefix("ipport:") {
        return read_address(address);
    }
    if hint.starts_with("operatortoken:") {
        return Err(Problem::IdentifierUnsupported);
    }
    Err(invalid_hint("it has the form tel:+34666666666 or ipport:80.90.34.2:16790"))
}

/// Reads the phone number of a `login_hint`, in E.164 format with its `+`.
pub(crate) fn read_phone_number(number: &str) -> Result<DeviceIdentifier, Problem> {
    let number: PhoneNumber = number.parse().map_err(|_| invalid_hint("the phone number is not in E.164 format"))?;
    Ok(DeviceIdentifier::PhoneNumber(number))
}

/// Reads `80.90.34.2:16790`, `80.90.34.2`, `[2001:db8::1]:8080`, `[2001:db8::1]`.
fn read_address(text: &str) -> Result<DeviceIdentifier, Problem> {
    let (address, port) = if let Ok(socket) = text.parse::<SocketAddr>() {
        (socket.ip(), Some(socket.port()))
    } else {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let address = bare.parse::<IpAddr>().map_err(|_| invalid_hint("the IP address or its port is malformed"))?;
        (address, None)
    };
    Ok(match address {
        IpAddr::V4(public_address) => {
            DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port: port, private_address: None })
        }
        IpAddr::V6(address) => DeviceIdentifier::Ipv6(address),
    })
}

fn invalid_hint(reason: &str) -> Problem {
    Problem::FieldInvalid { field: "login_hint".into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Result<Asked, OAuthErrorCode> {
        read_scope(&ScopeParameters { scope: Some(text), purpose: None }).map_err(|error| error.code)
    }

    #[test]
    fn a_request_has_scopes_and_exactly_one_purpose() {
        let asked = scope("openid dpv:FraudPreventionAndDetection device-roaming-status:read").unwrap();
        assert_eq!(asked.scopes, [Scope::new_static("device-roaming-status:read")]);
        assert_eq!(asked.purpose, Some(Purpose::new_static("dpv:FraudPreventionAndDetection")));
        assert!(asked.openid);
        for refused in ["", "device-roaming-status:read", "dpv:A", "dpv:A dpv:B a:read", "dpv: a:read", "dpv:A a\"b"] {
            assert_eq!(scope(refused), Err(OAuthErrorCode::InvalidScope), "{refused}");
        }
    }

    #[test]
    fn the_joined_form_is_one_purpose_and_one_scope() {
        let asked = read_joined_scope(&ScopeParameters {
            scope: Some(
                "dpv:NotApplicable#device-status:roaming:read dpv:NotApplicable#device-status:connectivity:read",
            ),
            purpose: None,
        })
        .unwrap();
        assert_eq!(asked.purpose, Some(Purpose::new_static("dpv:NotApplicable")));
        assert_eq!(asked.scopes.len(), 2);
    }

    #[test]
    fn a_login_hint_is_a_telephone_number_or_an_address() {
        for hint in [
            "tel:+34666666666",
            "ipport:80.90.34.2:16790",
            "ipport:80.90.34.2",
            "ipport:[2001:db8::1]:8080",
            "ipport:[2001:db8::1]",
        ] {
            assert!(read_login_hint(hint).is_ok(), "{hint}");
        }
        for hint in [
            "",
            "+34666666666",
            "tel:34666666666",
            "tel:+34 666",
            "ipport:80.90.34.2:99999",
            "ipport:",
            "phone_number:+34666666666",
        ] {
            assert!(matches!(read_login_hint(hint), Err(Problem::FieldInvalid { .. })), "{hint}");
        }
        assert_eq!(read_login_hint("operatortoken:abc"), Err(Problem::IdentifierUnsupported));
    }

    #[test]
    fn an_error_is_written_as_oauth_has_it() {
        let body = write_error(&OAuthErrorCode::InvalidScope.because("no"), 400);
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"error":"invalid_scope","error_description":"no"}"#);
    }
}
