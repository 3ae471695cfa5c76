use std::{net::IpAddr, sync::Arc};

use attache_core::{AuthenticationMethod, Client, GrantType};
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header};

use super::{
    Refused, application_token, assertion,
    head::Head,
    jwt_bearer,
    parameters::{Parameters, decode},
};
use crate::{app::App, throttle::Attempt};

/// Why a client cannot be authenticated. One text for every cause: who guesses learns nothing.
const REFUSED: OAuthError = OAuthErrorCode::InvalidClient
    .because("the client is unknown or its credentials are wrong; authenticate with a Basic header, client_secret or client_assertion");

/// The client that proved who it is; a public client only by its name.
pub(super) struct AuthenticatedClient {
    pub(super) client: Arc<Client>,
    /// Whether it has proved it with a secret or a key.
    pub(super) is_confidential: bool,
}

impl AuthenticatedClient {
    /// Refuses the client that is not registered for a grant.
    pub(super) fn may_use(&self, grant: GrantType) -> Result<(), OAuthError> {
        if self.client.grants.contains(&grant) {
            return Ok(());
        }
        Err(OAuthErrorCode::UnauthorizedClient.because("the client is not registered for this grant"))
    }
}

/// How a request says who it is from.
enum Presented<'a> {
    /// More than one secret where it is in doubt how what was sent is encoded.
    Secret {
        method: AuthenticationMethod,
        client_id: String,
        secrets: Vec<String>,
    },
    Assertion(&'a str),
    ApplicationToken(&'a str),
    Nothing {
        client_id: Option<&'a str>,
    },
}

impl Presented<'_> {
    /// Whom it claims to be from.
    fn client_id(&self) -> Option<String> {
        match self {
            Self::Secret { client_id, .. } => Some(client_id.clone()),
            Self::Assertion(assertion) => assertion::claimed_name(assertion),
            Self::ApplicationToken(token) => application_token::claimed_name(token),
            Self::Nothing { client_id } => client_id.map(str::to_owned),
        }
    }
}

/// Does what a request is about that has credentials of whatever kind, unless too many of this client's from
/// this address were wrong. Every endpoint that takes credentials does its work in here.
pub(super) async fn guarded<T>(
    app: &App,
    publisher: &Publisher,
    client_id: Option<&str>,
    source: Option<IpAddr>,
    work: impl Future<Output = Result<T, Refused>>,
) -> Result<T, Refused> {
    let attempt = Attempt { publisher: &publisher.name, client_id: client_id.unwrap_or_default(), source };
    app.throttle.admit(attempt, app.clock.now())?;
    let outcome = work.await;
    if matches!(outcome, Err(Refused::Credential(_))) {
        app.throttle.failed(attempt, app.clock.now());
    }
    outcome
}

/// The client that a request claims to be from, whether or not it is.
pub(super) fn claimed_client(publisher: &Publisher, head: &Head, parameters: &Parameters) -> Option<String> {
    let stated = || jwt_bearer::claimed_name(parameters.get("assertion")?);
    read(publisher, head, parameters).ok()?.client_id().or_else(stated)
}

/// Authenticates a client by `client_secret_basic`, `client_secret_post` or `private_key_jwt`
/// (OpenID Connect Core section 9), or by an application token where its publisher has these; one method at a time (RFC 6749 section 2.3).
pub(super) async fn authenticate(
    app: &App,
    publisher: &Publisher,
    endpoint_url: &str,
    head: &Head,
    parameters: &Parameters,
) -> Result<AuthenticatedClient, Refused> {
    let (client, method) = match read(publisher, head, parameters)? {
        Presented::Secret { method, client_id, secrets } => {
            let client = app.clients.find(&publisher.name, &client_id).ok_or(REFUSED)?;
            if !secrets.iter().any(|secret| has_secret(app, &client, secret)) {
                return Err(REFUSED.into());
            }
            (client, method)
        }
        Presented::Assertion(assertion) => {
            let client = assertion::claimed_name(assertion)
                .and_then(|client_id| app.clients.find(&publisher.name, &client_id))
                .filter(|client| parameters.get("client_id").is_none_or(|id| id == client.client_id))
                .ok_or(REFUSED)?;
            let audiences = assertion::audiences(app, publisher, endpoint_url);
            if !assertion::proves(app, &client, &audiences, assertion).await? {
                return Err(REFUSED.into());
            }
            (client, AuthenticationMethod::PrivateKeyJwt)
        }
        Presented::ApplicationToken(token) => {
            let client = application_token::claimed_name(token)
                .and_then(|client_id| app.clients.find(&publisher.name, &client_id))
                .filter(|client| parameters.get("client_id").is_none_or(|id| id == client.client_id))
                .ok_or(REFUSED)?;
            if !application_token::proves(app, &client, token).await? {
                return Err(REFUSED.into());
            }
            (client, AuthenticationMethod::ApplicationToken)
        }
        Presented::Nothing { client_id } => {
            let client = client_id.and_then(|id| app.clients.find(&publisher.name, id)).ok_or(REFUSED)?;
            (client, AuthenticationMethod::None)
        }
    };
    if !app.takes(publisher, method) || !client.may_authenticate_by(method) {
        return Err(REFUSED.into());
    }
    Ok(AuthenticatedClient { client, is_confidential: method != AuthenticationMethod::None })
}

/// Reads how a request says who it is from.
fn read<'a>(publisher: &Publisher, head: &'a Head, parameters: &'a Parameters) -> Result<Presented<'a>, OAuthError> {
    let mut authorizations = head.headers.get_all(header::AUTHORIZATION).iter();
    let basic = authorizations.next();
    if authorizations.next().is_some() {
        return Err(OAuthErrorCode::InvalidRequest.because("there is more than one Authorization header; send one"));
    }
    let client_id = parameters.get("client_id");
    match (basic, parameters.get("client_secret"), parameters.get("client_assertion")) {
        (Some(bearer), None, None) if takes_application_tokens(publisher) && is_bearer(bearer) => {
            let (_, token) = bearer.to_str().ok().and_then(|header| header.split_once(' ')).ok_or(REFUSED)?;
            Ok(Presented::ApplicationToken(token.trim()))
        }
        (Some(basic), None, None) => {
            let (name, secrets) = basic.to_str().ok().and_then(read_basic).ok_or(REFUSED)?;
            if client_id.is_some_and(|other| other != name) {
                return Err(REFUSED);
            }
            Ok(Presented::Secret { method: AuthenticationMethod::ClientSecretBasic, client_id: name, secrets })
        }
        (None, Some(secret), None) => Ok(Presented::Secret {
            method: AuthenticationMethod::ClientSecretPost,
            client_id: client_id.ok_or(REFUSED)?.to_owned(),
            secrets: vec![secret.to_owned()],
        }),
        (None, None, Some(assertion)) => {
            if parameters.get("client_assertion_type") != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            {
                return Err(REFUSED);
            }
            Ok(Presented::Assertion(assertion))
        }
        (None, None, None) => Ok(Presented::Nothing { client_id }),
        _ => Err(OAuthErrorCode::InvalidRequest.because("the client authenticates in more than one way; use one")),
    }
}

/// Whether a publisher's clients may send application tokens.
pub(super) fn takes_application_tokens(publisher: &Publisher) -> bool {
    publisher.authorization.authentication_methods.contains(&AuthenticationMethod::ApplicationToken)
}

/// Whether a request tries a Bearer token, by the scheme of its header.
pub(super) fn is_bearer(authorization: &HeaderValue) -> bool {
    authorization.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

/// Whether a secret is one of the client's that are good now. All are tried, so that how long it takes
/// does not tell which.
fn has_secret(app: &App, client: &Client, secret: &str) -> bool {
    let good = client.secrets_at(app.clock.now());
    good.fold(false, |found, known| app.keyring.is_client_secret(secret, &known.hash) | found)
}

/// Reads `Basic base64(id:secret)`. Both are form-encoded (RFC 6749 section 2.3.1), but many libraries send them as
/// they are: then what decoding makes of a secret is another one.
pub(super) fn read_basic(header: &str) -> Option<(String, Vec<String>)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (client_id, secret) = credentials.split_once(':')?;
    let mut secrets = vec![decode(secret).into_owned()];
    if secrets[0] != secret {
        secrets.push(secret.to_owned());
    }
    Some((decode(client_id).into_owned(), secrets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_header_is_read() {
        let header = format!("basic {}", STANDARD.encode("my-app-id:my%3Aapp"));
        assert_eq!(read_basic(&header), Some(("my-app-id".into(), vec!["my:app".into(), "my%3Aapp".into()])));
        let header = format!("Basic {}", STANDARD.encode("my-app-id:50%+more"));
        assert_eq!(read_basic(&header), Some(("my-app-id".into(), vec!["50% more".into(), "50%+more".into()])));
        let header = format!("Basic {}", STANDARD.encode("my-app-id:secret"));
        assert_eq!(read_basic(&header), Some(("my-app-id".into(), vec!["secret".into()])));
        for header in ["Basic", "Basic !", "Bearer bXk6YQ==", "Basic bXk="] {
            assert_eq!(read_basic(header), None, "{header}");
        }
    }
}
