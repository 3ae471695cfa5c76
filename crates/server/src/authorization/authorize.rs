use std::sync::Arc;

use attache_core::{Client, CodeChallenge, Grant, GrantKind, GrantType, LineId, Problem, Redirect};
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Request, StatusCode, header};
use url::Url;

use super::{
    Endpoint, Refused,
    client_authentication::guarded,
    discovery::endpoints,
    interaction::{self, Interaction},
    login_hint,
    parameters::Parameters,
    request_object,
    token::{Admitted, admit_scopes},
    trail::Trail,
};
use crate::{
    app::App,
    consent::{self, Standing, Use},
    entropy,
    pages::{self, Language, Words},
    token::hash,
    visitor::{Browser, Visitor},
};

/// Whether and what a client wants its subscriber to be asked (OpenID Connect Core section 3.1.2.1). Nobody
/// needs to be asked to log in: the network says anew who calls, each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Prompt {
    /// Nothing may be asked.
    none: bool,
    /// Consent is to be asked for, even if it was given before.
    consent: bool,
}

/// What `prompt` may have.
pub(super) const PROMPTS: [&str; 4] = ["none", "login", "consent", "select_account"];

/// What a request has come to.
pub(super) enum Outcome {
    /// The code for its client.
    Code(String),
    /// A page has to be answered before.
    Page,
}

/// The authorization endpoint (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2).
///
/// Without a good client and redirect URI nobody is sent anywhere (CAMARA profile, appendix A); every
/// other fault goes back to the client by redirect.
pub(super) async fn answer(
    app: &App,
    publisher: &'static Publisher,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let visitor = Visitor::of(app, &request);
    let query = request.uri().query().unwrap_or_default();
    let (parameters, client, target) = match admit_redirect(app, publisher, query) {
        Ok(admitted) => admitted,
        Err(error) if visitor.reads_pages() => return Ok(explain(&visitor, &error)),
        Err(error) => return Err(error.into()),
    };
    let mut trail = Trail::begin(app, publisher, None, &parameters);
    let endpoint_url = endpoints(app, publisher).authorization.unwrap_or_default();
    let object = (Endpoint::Authorize, endpoint_url.as_str());
    let mut signed = None;
    let work = async {
        signed = request_object::parameters(app, publisher, &client, object, &parameters).await?;
        let asked = signed.as_ref().unwrap_or(&parameters);
        authorize(app, publisher, &client, &visitor, asked, &mut trail).await
    };
    let outcome = guarded(app, publisher, Some(&client.client_id), visitor.address(), work).await;
    let state = signed.as_ref().unwrap_or(&parameters).get("state");
    let outcome = trail.end_with_identification(app, "authorize", outcome).await;
    let issuer = app.issuer(publisher);
    match outcome {
        Ok(Decided::Code(code)) => Ok(send_back(target, Ok(&code), state, &issuer)),
        Err(refused) => Ok(send_back(target, Err(&refused), state, &issuer)),
        Ok(Decided::Page(interaction)) => {
            let known = visitor.browser(app);
            let browser = known.map_or_else(Browser::new, Ok).map_err(|_| Problem::Internal)?;
            let id = app.interactions.put(*interaction, &browser, app.clock.now())?;
            let mut response = redirect(&interaction::address(&id));
            browser.remember(app, &mut response);
            Ok(response)
        }
    }
}

/// What must be right before a browser may be sent to a client.
fn admit_redirect(app: &App, publisher: &Publisher, query: &str) -> Result<(Parameters, Arc<Client>, Url), OAuthError> {
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
    Ok((parameters, client, target))
}

/// Tells a person what a client has done wrong.
fn explain(visitor: &Visitor, error: &OAuthError) -> Response {
    let language = visitor.language(None);
    let words = Words::of(language);
    let text = format!("{} {}: {}", words.wrong, error.code.name(), error.description);
    pages::notice(StatusCode::BAD_REQUEST, language, words.wrong_title, &text)
}

/// What a request has come to, with what a page has to know.
enum Decided {
    Code(String),
    Page(Box<Interaction>),
}

/// Identifies the subscriber, and finds out whether a page has to ask something.
async fn authorize(
    app: &App,
    publisher: &'static Publisher,
    client: &Client,
    visitor: &Visitor,
    parameters: &Parameters,
    trail: &mut Trail<'_>,
) -> Result<Decided, Refused> {
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
    let prompt = read_prompt(parameters)?;
    let asked = admit_scopes(publisher, client, parameters)?;
    trail.asks_for(&asked.scopes, &asked.purpose);
    let redirect = Redirect {
        redirect_uri: parameters.get("redirect_uri").unwrap_or_default().to_owned(),
        code_challenge,
        nonce: parameters.get("nonce").map(str::to_owned),
    };
    let line = identify(app, publisher, visitor, parameters).await?;
    if let Some(line) = line {
        trail.is_about(app, Use { client, line, purpose: &asked.purpose, scopes: &asked.scopes }).await;
    }
    let outcome = match line {
        Some(line) => continue_with(app, client, line, &asked, &redirect, prompt).await?,
        None if prompt.none => {
            return Err(OAuthErrorCode::LoginRequired.because("the network does not know the caller").into());
        }
        None if app.is_sandbox() => Outcome::Page,
        None => {
            return Err(OAuthErrorCode::AccessDenied
                .because("the network does not know the caller; it must call by its mobile connection")
                .into());
        }
    };
    Ok(match outcome {
        Outcome::Code(code) => Decided::Code(code),
        Outcome::Page => Decided::Page(Box::new(Interaction {
            publisher,
            client: client.id,
            line,
            asked,
            redirect,
            state: parameters.get("state").map(str::to_owned),
            prompt,
            language: parameters.get("ui_locales").and_then(Language::first_of),
        })),
    })
}

/// The line that calls: the network says which (CAMARA profile, "OIDC Authorization Code Flow"). A
/// `login_hint` proves nothing, so one that names another line is a mistake or a fraud. In a sandbox it stands
/// for the network's word.
async fn identify(
    app: &App,
    publisher: &Publisher,
    visitor: &Visitor,
    parameters: &Parameters,
) -> Result<Option<LineId>, Refused> {
    let hint = parameters.get("login_hint");
    if let (true, Some(hint)) = (app.is_sandbox(), hint) {
        return match login_hint::identify(app, publisher, hint).await {
            Ok(line) => Ok(Some(line)),
            Err(Problem::UnknownLine | Problem::IdentifierUnsupported | Problem::FieldInvalid { .. }) => {
                let unknown = OAuthErrorCode::AccessDenied.because("no line is known by this login_hint");
                Err(login_hint::refusal(hint, unknown))
            }
            Err(other) => Err(other.into()),
        };
    }
    let line = visitor.line(app).await?;
    let hinted = hint.and_then(|hint| (publisher.authorization.read_login_hint)(hint).ok());
    if let (Some(line), Some(hinted)) = (line, hinted) {
        match app.network.identify(&hinted).await {
            Err(Problem::IdentifierUnsupported) => {}
            Ok(named) if named == line => {}
            // Nobody learns whether there is such a line.
            Ok(_) | Err(Problem::UnknownLine) => {
                return Err(OAuthErrorCode::AccessDenied
                    .because("login_hint names another line than the caller's")
                    .into());
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(line)
}

/// Goes on with a request once its line is known.
pub(super) async fn continue_with(
    app: &App,
    client: &Client,
    line: LineId,
    asked: &Admitted,
    redirect: &Redirect,
    prompt: Prompt,
) -> Result<Outcome, Refused> {
    let wanted = Use { client, line, purpose: &asked.purpose, scopes: &asked.scopes };
    if prompt.consent && consent::can_be_asked(app, wanted).await? {
        return Ok(Outcome::Page);
    }
    match consent::settle(app, wanted).await {
        Ok(Standing::Permitted) => hand_out_code(app, client, line, asked, redirect).await.map(Outcome::Code),
        Ok(Standing::NeedsConsent) if prompt.none => {
            Err(OAuthErrorCode::ConsentRequired.because("the subscriber has not consented").into())
        }
        Ok(Standing::NeedsConsent) => Ok(Outcome::Page),
        Ok(Standing::Denied | Standing::Refused) => {
            Err(OAuthErrorCode::AccessDenied.because("the subscriber does not want this use").into())
        }
        Err(Problem::UnknownLine) => Err(OAuthErrorCode::AccessDenied.because("the line has ended").into()),
        Err(other) => Err(other.into()),
    }
}

/// Writes a code down.
pub(super) async fn hand_out_code(
    app: &App,
    client: &Client,
    line: LineId,
    asked: &Admitted,
    redirect: &Redirect,
) -> Result<String, Refused> {
    let code = entropy::secret().map_err(|_| Problem::Internal)?;
    let now = app.clock.now();
    let Admitted { scopes, purpose, openid, offline_access } = asked.clone();
    let grant = Grant {
        publisher: client.publisher.clone(),
        client: client.id,
        line,
        scopes,
        purpose,
        openid,
        offline_access,
        authenticated_at: now,
        kind: GrantKind::AuthorizationCode(redirect.clone()),
        expires_at: now.plus(app.settings.code_lifetime),
    };
    app.grants.put(hash(&code), grant).await.map_err(Problem::from)?;
    Ok(code)
}

/// Reads what may be asked, and what must be.
fn read_prompt(parameters: &Parameters) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    let words: Vec<&str> =
        parameters.get("prompt").unwrap_or_default().split(' ').filter(|it| !it.is_empty()).collect();
    for word in &words {
        match *word {
            "none" if words.len() == 1 => prompt.none = true,
            "consent" => prompt.consent = true,
            "login" | "select_account" => {}
            _ => {
                return Err(OAuthErrorCode::InvalidRequest
                    .because("prompt must be none alone, or some of login, consent and select_account"));
            }
        }
    }
    Ok(prompt)
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

/// Sends the browser back to the client. The issuer goes along, so that answers of two servers cannot be
/// mixed up (RFC 9207).
pub(super) fn send_back(
    mut target: Url,
    outcome: Result<&str, &Refused>,
    state: Option<&str>,
    issuer: &str,
) -> Response {
    let unavailable = OAuthErrorCode::TemporarilyUnavailable.because("try again later");
    let error = match outcome {
        Ok(_) => None,
        Err(Refused::OAuth(error) | Refused::Credential(error)) => Some(error),
        Err(Refused::Problem(problem)) => {
            tracing::warn!(problem = problem.name(), "an authorization failed");
            Some(&unavailable)
        }
    };
    target
        .query_pairs_mut()
        .extend_pairs(outcome.ok().map(|code| ("code", code)))
        .extend_pairs(error.map(|error| ("error", error.code.name())))
        .extend_pairs(error.map(|error| ("error_description", error.description)))
        .extend_pairs(state.map(|state| ("state", state)))
        .append_pair("iss", issuer);
    // A URL is serialized in ASCII without control characters.
    redirect(target.as_str())
}

fn redirect(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(location) = HeaderValue::from_str(location) {
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
        let response = send_back(target, Ok("c"), Some("x\r\nSet-Cookie: a=b&c"), "http://localhost:9091");
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

    #[test]
    fn nothing_may_be_asked_or_something_must_be() {
        let read = |query: &str| read_prompt(&Parameters::parse(query.as_bytes()).unwrap());
        for (prompt, none, consent) in
            [("", false, false), ("none", true, false), ("login", false, false), ("login+consent", false, true)]
        {
            assert_eq!(read(&format!("prompt={prompt}")), Ok(Prompt { none, consent }), "{prompt}");
        }
        for refused in ["none+login", "none+none", "create", "NONE"] {
            assert!(read(&format!("prompt={refused}")).is_err(), "{refused}");
        }
    }
}
