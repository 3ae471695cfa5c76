use attache_core::{CodeChallenge, Grant, GrantKind, GrantType, Problem, Redirect};
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use url::Url;

use super::{
    Endpoint, Refused, discovery::endpoints, login_hint, parameters::Parameters, request_object, token::admit_scopes,
    trail::Trail,
};
use crate::{
    app::App,
    consent::{self, Standing, Use},
    entropy,
    token::hash,
};

/// The authorization endpoint (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2).
///
/// Without a good client and redirect URI nobody is sent anywhere (CAMARA profile, appendix A); every
/// other fault goes back to the client by redirect.
pub(super) async fn answer(app: &App, publisher: &'static Publisher, query: &str) -> Result<Response, Refused> {
    let parameters = Parameters::parse(query.as_bytes())?;
    let client = parameters
        .get("client_id")
        .and_then(|client_id| app.clients.find(&publisher.name, client_id))
        .ok_or(OAuthErrorCode::InvalidRequest.because("client_id is missing or names no client of this publisher"))?;
    let redirect_uri = parameters
        .get("redirect_uri")
        .filter(|uri| client.redirect_uris.iter().any(|registered| registered == uri))
        .ok_or(OAuthErrorCode::InvalidRequest.because("redirect_uri is missing or not registered for this client"))?;
    let target = Url::parse(redirect_uri)
        .map_err(|_| OAuthErrorCode::InvalidRequest.because("redirect_uri is registered, but is no URL"))?;
    let mut trail = Trail::begin(app, publisher, None, &parameters);
    let endpoint_url = endpoints(app, publisher).authorization.unwrap_or_default();
    let mut signed = None;
    let outcome = match request_object::parameters(
        app,
        publisher,
        &client,
        Endpoint::Authorize,
        &endpoint_url,
        &parameters,
    )
    .await
    {
        Ok(object) => {
            signed = object;
            let asked = signed.as_ref().unwrap_or(&parameters);
            grant(app, publisher, &client, redirect_uri, asked, &mut trail).await
        }
        Err(refused) => Err(refused),
    };
    let outcome = trail.end_with_identification(app, "authorize", outcome).await;
    let answer = match &outcome {
        Ok(code) => vec![("code", code.as_str())],
        Err(Refused::OAuth(error)) => error_parameters(error),
        Err(Refused::Problem(problem)) => {
            tracing::warn!(problem = problem.name(), "an authorization failed");
            error_parameters(&OAuthErrorCode::TemporarilyUnavailable.because("try again later"))
        }
    };
    Ok(redirect(target, &answer, signed.as_ref().unwrap_or(&parameters).get("state"), &app.issuer(publisher)))
}

/// Identifies the subscriber and writes a code down.
async fn grant(
    app: &App,
    publisher: &Publisher,
    client: &attache_core::Client,
    redirect_uri: &str,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<String, Refused> {
    if !client.grants.contains(&GrantType::AuthorizationCode) {
        return Err(OAuthErrorCode::UnauthorizedClient
            .because("the client is not registered for authorization codes")
            .into());
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => {
            return Err(OAuthErrorCode::UnsupportedResponseType.because("response_type must be code").into());
        }
        None => return Err(OAuthErrorCode::InvalidRequest.because("response_type is missing").into()),
    }
    admit_response_mode(parameters)?;
    let code_challenge = read_code_challenge(parameters)?;
    if code_challenge.is_none() && client.is_public() {
        return Err(OAuthErrorCode::InvalidRequest.because("a public client must send a code_challenge").into());
    }
    let asked = admit_scopes(publisher, client, parameters)?;
    trail.asks_for(&asked.scopes, &asked.purpose);
    if !app.is_sandbox() {
        // A login_hint proves nothing, and the network cannot be asked who is calling yet.
        return Err(OAuthErrorCode::AccessDenied.because("this server cannot authenticate subscribers yet").into());
    }
    // In the sandbox the login_hint stands for the network's word about who is calling.
    let denied = || OAuthErrorCode::AccessDenied.because("the network does not know the caller; send a login_hint");
    let hint = parameters.get("login_hint").ok_or_else(denied)?;
    let line = login_hint::identify(app, publisher, hint).await.map_err(|problem| match problem {
        Problem::UnknownLine | Problem::IdentifierUnsupported | Problem::FieldInvalid { .. } => {
            Refused::OAuth(denied())
        }
        other => Refused::Problem(other),
    })?;
    trail.line = Some(line);
    let wanted = Use { client, line, purpose: &asked.purpose, scopes: &asked.scopes };
    match consent::settle(app, wanted).await? {
        Standing::Permitted => {}
        // Whoever sits before the browser is asked by nobody yet, and agrees.
        Standing::NeedsConsent => consent::grant(app, wanted).await?,
        Standing::Refused => {
            return Err(OAuthErrorCode::AccessDenied.because("the subscriber does not want this use").into());
        }
    }
    let code = entropy::secret().map_err(|_| Problem::Internal)?;
    let grant = Grant {
        publisher: publisher.name.clone(),
        client: client.id,
        line,
        scopes: asked.scopes,
        purpose: asked.purpose,
        openid: asked.openid,
        offline_access: asked.offline_access,
        authenticated_at: app.clock.now(),
        kind: GrantKind::AuthorizationCode(Redirect {
            redirect_uri: redirect_uri.to_owned(),
            code_challenge,
            nonce: parameters.get("nonce").map(str::to_owned),
        }),
        expires_at: app.clock.now().plus(app.settings.code_lifetime),
    };
    app.grants.put(hash(&code), grant).await.map_err(Problem::from)?;
    Ok(code)
}

/// Answers go by the query of the redirect, and in no other way.
fn admit_response_mode(parameters: &Parameters) -> Result<(), OAuthError> {
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(OAuthErrorCode::InvalidRequest.because("response_mode must be query"));
    }
    Ok(())
}

/// Proof Key for Code Exchange (RFC 7636), with `S256` only.
fn read_code_challenge(parameters: &Parameters) -> Result<Option<CodeChallenge>, OAuthError> {
    let invalid =
        OAuthErrorCode::InvalidRequest.because("code_challenge must be of the method S256: 43 base64url characters");
    match (parameters.get("code_challenge"), parameters.get("code_challenge_method")) {
        (None, None) => Ok(None),
        (Some(challenge), Some("S256")) => {
            let bytes = URL_SAFE_NO_PAD.decode(challenge).map_err(|_| invalid.clone())?;
            bytes.try_into().map(|bytes| Some(CodeChallenge(bytes))).map_err(|_| invalid)
        }
        _ => Err(invalid),
    }
}

fn error_parameters(error: &OAuthError) -> Vec<(&'static str, &'static str)> {
    vec![("error", error.code.name()), ("error_description", error.description)]
}

/// Sends the browser back. The issuer goes along, so that answers of two servers cannot be mixed up
/// (RFC 9207).
fn redirect(mut target: Url, answer: &[(&str, &str)], state: Option<&str>, issuer: &str) -> Response {
    target
        .query_pairs_mut()
        .extend_pairs(answer)
        .extend_pairs(state.map(|state| ("state", state)))
        .append_pair("iss", issuer);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    // A URL is serialized in ASCII without control characters.
    if let Ok(location) = HeaderValue::from_str(target.as_str()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_keeps_the_query_of_its_target_and_encodes_what_it_adds() {
        let target = Url::parse("https://app.example/callback?a=1").unwrap();
        let response = redirect(target, &[("code", "c")], Some("x\r\nSet-Cookie: a=b&c"), "http://localhost:9091");
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        assert_eq!(
            location,
            "https://app.example/callback?a=1&code=c&state=x%0D%0ASet-Cookie%3A+a%3Db%26c&iss=http%3A%2F%2Flocalhost%3A9091"
        );
    }

    #[test]
    fn only_s256_proves_a_code() {
        let read = |query: &str| read_code_challenge(&Parameters::parse(query.as_bytes()).unwrap());
        let challenge = URL_SAFE_NO_PAD.encode([7; 32]);
        assert_eq!(
            read(&format!("code_challenge={challenge}&code_challenge_method=S256")),
            Ok(Some(CodeChallenge([7; 32])))
        );
        assert_eq!(read(""), Ok(None));
        for refused in [
            format!("code_challenge={challenge}"),
            format!("code_challenge={challenge}&code_challenge_method=plain"),
            "code_challenge=short&code_challenge_method=S256".into(),
            "code_challenge_method=S256".into(),
        ] {
            assert!(read(&refused).is_err(), "{refused}");
        }
    }
}
