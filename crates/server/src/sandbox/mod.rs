//! What only a sandbox may do. Production reaches none of it: each function here is called behind
//! [`App::is_sandbox`], and the route of `/sandbox` is not mounted there.

mod demo;
mod entitlement;
mod summary;

use std::time::Duration;

use attache_core::{LineId, Scope};
use attache_network::Condition;
use attache_wire::Publisher;

pub(crate) use demo::{clients, lines, troubled_lines};
pub(crate) use entitlement::Entitlement;
pub(crate) use summary::summary;
pub use summary::{ClientSummary, FaceSummary, LineSummary, PublisherSummary, Summary};

use crate::{
    app::App,
    token::{Issue, Token},
};

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

/// What the subscriber of a line says when asked for consent: everyone agrees at once, but for one demo line
/// whose subscriber never answers.
pub(crate) fn ready_answer(app: &App, line: LineId) -> Option<bool> {
    let silent = demo::SILENT_LINE.parse().ok().and_then(|number| app.simulator.get(number));
    silent.is_none_or(|silent| silent.id != line).then_some(true)
}
