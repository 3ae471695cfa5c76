use std::sync::Arc;

use attache_core::Client;
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

use super::parameters::{Parameters, decode};
use crate::app::App;

/// Why a client cannot be authenticated. One text for every cause: who guesses learns nothing.
const REFUSED: OAuthError = OAuthErrorCode::InvalidClient
    .because("the client is unknown or its credentials are wrong; authenticate with a Basic header, client_secret or client_assertion");

/// The client that proved who it is; a public client only by its name.
pub(super) struct AuthenticatedClient {
    pub(super) client: Arc<Client>,
    /// Whether it has proved it with a secret or a key.
    pub(super) is_confidential: bool,
}

/// Authenticates a client by `client_secret_basic`, `client_secret_post` or `private_key_jwt`
/// (OpenID Connect Core section 9); one method at a time (RFC 6749 section 2.3).
pub(super) fn authenticate(
    app: &App,
    publisher: &Publisher,
    endpoint_url: &str,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<AuthenticatedClient, OAuthError> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let basic = authorizations.next();
    if authorizations.next().is_some() {
        return Err(OAuthErrorCode::InvalidRequest.because("there is more than one Authorization header; send one"));
    }
    let secret = parameters.get("client_secret");
    let assertion = parameters.get("client_assertion");
    match (basic, secret, assertion) {
        (Some(basic), None, None) => {
            let (client_id, secret) = basic.to_str().ok().and_then(read_basic).ok_or(REFUSED)?;
            if parameters.get("client_id").is_some_and(|other| other != client_id) {
                return Err(REFUSED);
            }
            by_secret(app, publisher, &client_id, &secret)
        }
        (None, Some(secret), None) => by_secret(app, publisher, parameters.get("client_id").ok_or(REFUSED)?, secret),
        (None, None, Some(assertion)) => {
            if parameters.get("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            {
                return Err(REFUSED);
            }
            let issuer = app.issuer(publisher);
            // The endpoint stands below the publisher's other root as well.
            let path = endpoint_url.strip_prefix(&issuer).unwrap_or_default();
            let aliased = format!("{issuer}{}{path}", publisher.alias.unwrap_or_default());
            let client = app
                .assertions
                .client(app, publisher, &[endpoint_url, &aliased, &issuer], assertion)
                .filter(|client| parameters.get("client_id").is_none_or(|id| id == client.client_id))
                .ok_or(REFUSED)?;
            Ok(AuthenticatedClient { client, is_confidential: true })
        }
        (None, None, None) => {
            let client = parameters.get("client_id").and_then(|id| app.clients.find(&publisher.name, id));
            let client = client.filter(|client| client.secret.is_none() && client.keys.is_empty()).ok_or(REFUSED)?;
            Ok(AuthenticatedClient { client, is_confidential: false })
        }
        _ => Err(OAuthErrorCode::InvalidRequest.because("the client authenticates in more than one way; use one")),
    }
}

fn by_secret(
    app: &App,
    publisher: &Publisher,
    client_id: &str,
    secret: &str,
) -> Result<AuthenticatedClient, OAuthError> {
    let client = app.clients.find(&publisher.name, client_id).ok_or(REFUSED)?;
    let hash = client.secret.as_ref().ok_or(REFUSED)?;
    if !app.keyring.is_client_secret(secret, hash) {
        return Err(REFUSED);
    }
    Ok(AuthenticatedClient { client, is_confidential: true })
}

/// Reads `Basic base64(id:secret)`.
pub(super) fn read_basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (client_id, secret) = credentials.split_once(':')?;
    Some((decode(client_id).into_owned(), decode(secret).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_header_is_read() {
        let header = format!("basic {}", STANDARD.encode("my-app-id:my%3Aapp"));
        assert_eq!(read_basic(&header), Some(("my-app-id".into(), "my:app".into())));
        for header in ["Basic", "Basic !", "Bearer bXk6YQ==", "Basic bXk="] {
            assert_eq!(read_basic(header), None, "{header}");
        }
    }
}
