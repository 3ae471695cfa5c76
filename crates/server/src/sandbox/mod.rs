//! What only a sandbox may do. Production reaches none of it: each function here is called behind
//! [`App::is_sandbox`], and the route of `/sandbox` is not mounted there.

mod answers;
mod authority;
mod demo;
mod entitlement;
mod summary;

use std::time::Duration;

use attache_core::{LineId, PhoneNumber, Scope};
use attache_network::{Condition, Filter};
use attache_wire::Publisher;
use http::HeaderMap;

pub(crate) use answers::Answers;
pub(crate) use authority::certification_authority;
pub use authority::{SinkCertificate, issue_sink_certificate};
pub(crate) use demo::{clients, lines, troubled_lines};
pub(crate) use entitlement::Entitlement;
pub(crate) use summary::summary;
pub use summary::{
    ClientSummary, FaceSummary, LineSummary, PublisherSummary, SubscriptionSummary, Summary, TypeSummary,
};

use crate::{
    admin::api::SubscriberAnswer as Answer,
    app::App,
    token::{Issue, Token},
};

/// How many lines a visitor can pick from.
const LINES_TO_BE: usize = 200;

/// The token that Telefónica's documents print for trying things out, if it is this one: it stands
/// for a real token of the mock client about one demo line.
pub(crate) fn documented_token(app: &App, publisher: &Publisher, text: &str) -> Option<Token> {
    if text != demo::MOCK_ACCESS_TOKEN || publisher.name.as_str() != "telefonica" {
        return None;
    }
    let client = app.clients.find(&publisher.name, demo::MOCK_CLIENT_ID)?;
    Some(Token {
        id: [0; 16],
        authorization: None,
        publisher: client.publisher.clone(),
        client: client.id,
        client_id: client.client_id.clone(),
        line: Some(app.simulator.get(demo::MOCK_LINE.parse().ok()?)?.id),
        permitted_since: None,
        scopes: publisher.faces.iter().map(|face| face.scope.clone()).collect::<Vec<Scope>>(),
        openid: false,
        purpose: client.purposes.first()?.clone(),
        expires_at: app.clock.now().plus(app.tokens.lifetime()),
        bound_to: None,
    })
}

/// A token of a demo client that has expired, for whoever wants to see how one is refused; `None` for a
/// publisher without such a client.
fn expired_token(app: &App, publisher: &Publisher, issuer: &str) -> Option<String> {
    let known = demo::CLIENTS.iter().find(|demo| demo.publisher == publisher.name.as_str())?;
    let client = app.clients.find(&publisher.name, known.client_id)?;
    let purpose = client.purposes.first()?;
    let issue = Issue {
        issuer,
        client: &client,
        line: None,
        permitted_since: None,
        authorization: None,
        scopes: &client.scopes,
        openid: false,
        purpose,
        bound_to: None,
        lifetime: app.tokens.lifetime(),
    };
    let issued_at = app.clock.now().minus(app.tokens.lifetime() + Duration::from_secs(1));
    app.tokens.issue(&issue, issued_at).ok()
}

/// Lets the simulated network fail, or be well again.
pub(crate) fn set_condition(app: &App, condition: Condition) {
    app.simulator.set_condition(condition);
}

/// What the subscriber of a line says when asked for consent, if it has an answer ready: everyone agrees at
/// once, unless the sandbox is told to ask, or the line.
pub(crate) fn ready_answer(app: &App, line: LineId) -> Option<bool> {
    match app.answers.of(app, line) {
        Answer::Grant => Some(true),
        Answer::Deny => Some(false),
        Answer::Never | Answer::Ask => None,
    }
}

/// Lets the subscriber of a line do this from now on, when asked for consent.
pub(crate) fn set_answer(app: &App, line: LineId, answer: Answer) {
    app.answers.set(line, answer);
}

/// The line that a program says it is, by the header `X-Sandbox-Line: +33639980001`.
pub(crate) fn claimed_line(app: &App, headers: &HeaderMap) -> Option<LineId> {
    line_named(app, headers.get("x-sandbox-line")?.to_str().ok()?)
}

/// The line of a number, with or without `+`.
pub(crate) fn line_named(app: &App, number: &str) -> Option<LineId> {
    let number = PhoneNumber::from_digits(number.trim().trim_start_matches('+')).ok()?;
    app.simulator.get(number).map(|line| line.id)
}

/// The numbers of the lines that a visitor of a page can pick.
pub(crate) fn lines_to_be(app: &App) -> Vec<PhoneNumber> {
    app.simulator.list(None, LINES_TO_BE, &Filter::default()).iter().map(|line| line.phone_number).collect()
}
