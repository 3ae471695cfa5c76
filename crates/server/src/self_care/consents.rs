//! `/self-care/consents`: what the page shows and withdraws, for programs on the subscriber's own device.
//!
//! As on the page, it is the network that says who asks. A browser that another site's page uses would pass
//! for the subscriber, so what such a page can send is refused: it is told by the browser, and cannot be a
//! `DELETE` of JSON without the browser asking first, which is never allowed here.

use attache_core::{Consent, ConsentState, LegalBasis, Problem, PublisherName, Purpose, Scope, Timestamp};
use axum::{body::Body, response::Response};
use http::{HeaderMap, Method, Request, header};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::{
    admin::{self, api::Withdrawal},
    app::App,
    query,
    visitor::Visitor,
};

/// Where it stands.
pub(crate) const PATH: &str = "/self-care/consents";

/// The last word about one use of the subscriber's line. The number is not told: whoever shares the
/// connection sees what the subscriber sees.
#[derive(Serialize)]
struct Shown {
    publisher: PublisherName,
    client_id: String,
    /// As subscribers are told who it is.
    client: String,
    purpose: Purpose,
    scope: Scope,
    basis: LegalBasis,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    can_be_withdrawn: bool,
}

impl Shown {
    /// `None` if the client has just gone.
    fn of(app: &App, consent: &Consent) -> Option<Self> {
        let client = app.clients.get(consent.client)?;
        let (granted_at, ended_at) = match consent.state {
            ConsentState::Granted { at } => (Some(at), None),
            ConsentState::Denied { at } => (None, Some(at)),
            ConsentState::Withdrawn { granted_at, at } => (Some(granted_at), Some(at)),
        };
        Some(Self {
            publisher: client.publisher.clone(),
            client_id: client.client_id.clone(),
            client: super::who(&client),
            purpose: consent.purpose.clone(),
            scope: consent.scope.clone(),
            basis: consent.basis,
            state: consent.state.as_str(),
            granted_at,
            ended_at,
            can_be_withdrawn: consent.is_in_force() && consent.basis.can_be_ended(),
        })
    }
}

/// Lists what was said about the caller's line, or withdraws.
pub(crate) async fn answer(app: &App, request: Request<Body>) -> Result<Response, Problem> {
    let visitor = Visitor::of(app, &request);
    if visitor.is_sent_by_another_site() || is_of_another_origin(app, request.headers()) {
        return Ok(refuse("this is for pages of this server and for programs; another site's page has asked"));
    }
    let Some(line) = visitor.line(app).await? else {
        return Ok(refuse("the network does not know the caller; call by the line's mobile connection"));
    };
    if request.method() != Method::DELETE {
        return Ok(tell(app, "consents", &app.consents.of_line(line)));
    }
    if !query::media_type_is(request.headers(), "application/json") {
        return Err(Problem::UnsupportedMediaType);
    }
    let body = query::read_body(app, request).await?;
    let malformed = |error: serde_json::Error| Problem::BodyMalformed { reason: error.to_string() };
    // Read at once, an array would be taken for the fields in their order, and an empty one for all.
    let body: serde_json::Map<String, Value> = serde_json::from_slice(&body).map_err(malformed)?;
    let meant: Withdrawal = serde_json::from_value(Value::Object(body)).map_err(malformed)?;
    let withdrawn = admin::withdraw_consents(app, line, meant).await?;
    Ok(tell(app, "withdrawn", &withdrawn))
}

/// Whether a page of another origin has sent it. Browsers leave out Fetch Metadata where there is no TLS.
fn is_of_another_origin(app: &App, headers: &HeaderMap) -> bool {
    let is_told_otherwise = headers.contains_key("sec-fetch-site");
    let own = Url::parse(&app.base_url).map(|url| url.origin().ascii_serialization());
    !is_told_otherwise
        && headers.get(header::ORIGIN).is_some_and(|origin| own.is_ok_and(|own| origin.as_bytes() != own.as_bytes()))
}

fn tell(app: &App, name: &str, consents: &[Consent]) -> Response {
    let shown: Vec<_> = consents.iter().filter_map(|consent| Shown::of(app, consent)).collect();
    let body = serde_json::to_vec(&std::collections::BTreeMap::from([(name, shown)]));
    query::json_response(200, body.unwrap_or_default())
}

fn refuse(message: &str) -> Response {
    let body = serde_json::json!({"status": 403, "code": "PERMISSION_DENIED", "message": message});
    query::json_response(403, body.to_string().into_bytes())
}
