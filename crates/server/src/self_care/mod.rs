//! The page on which a subscriber sees who may use what, answers what waits, and withdraws.
//!
//! Who the subscriber is, the network says, each time anew. In a sandbox a visitor picks a line, which then
//! stands in the address.

pub(crate) mod consents;

use std::fmt::Write as _;

use attache_core::{Consent, ConsentState, LineId, Problem};
use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode};

use crate::{
    app::App,
    authorization::{PendingRequest, interaction},
    consent::{self, Use},
    pages::{self, Language, Words, escape},
    query, sandbox,
    visitor::{Browser, Visitor},
};

/// Where the page stands.
pub(crate) const PATH: &str = "/self-care";

/// How many requests that wait are shown.
const SHOWN: usize = 20;

/// Who looks at the page.
struct Subscriber {
    line: LineId,
    /// In a sandbox, the number that the visitor has picked.
    picked: Option<String>,
}

/// Shows the page, or does what its forms say.
pub(crate) async fn answer(app: &App, request: Request<Body>) -> Result<Response, Problem> {
    let visitor = Visitor::of(app, &request);
    let query_text = request.uri().query().unwrap_or_default().to_owned();
    let is_post = request.method() == Method::POST;
    let form = if is_post { query::read_body(app, request).await? } else { query_text.into_bytes().into() };
    let fields = Fields(form_urlencoded::parse(&form).into_owned().collect());
    let language = visitor.language(fields.get("lang").and_then(Language::of_tag));
    let known = visitor.browser(app);
    let browser = known.map_or_else(Browser::new, Ok).map_err(|_| Problem::Internal)?;
    let mut response = match subscriber(app, &visitor, fields.get("line")).await? {
        None if app.is_sandbox() => pick(app, language),
        None => {
            let words = Words::of(language);
            pages::notice(StatusCode::FORBIDDEN, language, words.unknown_title, words.unknown)
        }
        Some(subscriber) if is_post => {
            let is_ours =
                !visitor.is_sent_by_another_site() && browser.knows(PATH, fields.get("token").unwrap_or_default());
            if !is_ours {
                let words = Words::of(language);
                return Ok(pages::notice(StatusCode::BAD_REQUEST, language, words.gone_title, words.gone));
            }
            let done = act(app, subscriber.line, &fields).await?;
            pages::see_other(&subscriber.address(language, done))
        }
        Some(subscriber) => {
            let is_done = fields.get("done").is_some();
            show(app, language, &browser, &subscriber, is_done).await?
        }
    };
    browser.remember(app, &mut response);
    Ok(response)
}

/// What an address or a form brings along.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

async fn subscriber(app: &App, visitor: &Visitor, picked: Option<&str>) -> Result<Option<Subscriber>, Problem> {
    if app.is_sandbox()
        && let Some(number) = picked
        && let Some(line) = sandbox::line_named(app, number)
    {
        return Ok(Some(Subscriber { line, picked: Some(number.trim_start_matches('+').to_owned()) }));
    }
    Ok(visitor.line(app).await?.map(|line| Subscriber { line, picked: None }))
}

impl Subscriber {
    /// The address of the page, up to what follows.
    fn address(&self, language: Language, is_done: bool) -> String {
        let picked = self.picked.as_ref().map_or_else(String::new, |number| format!("&line={number}"));
        let done = if is_done { "&done=1" } else { "" };
        format!("{PATH}?lang={}{picked}{done}", language.tag())
    }
}

/// Does what a form says: withdraws, or answers what waits. Whether anything was withdrawn.
async fn act(app: &App, line: LineId, fields: &Fields) -> Result<bool, Problem> {
    let now = app.clock.now();
    if let (Some(request), Some(answer)) = (fields.get("consent_request"), fields.get("answer")) {
        let found = request.parse().ok().and_then(|id| app.grants.find_pending(id, &app.consents, now));
        let Some(request) = found.filter(|request| request.line == line) else { return Ok(false) };
        let Some(client) = app.clients.get(request.client) else { return Ok(false) };
        let wanted = Use { client: &client, line, purpose: &request.purpose, scopes: &request.scopes };
        match answer {
            "grant" => consent::grant(app, wanted).await?,
            "deny" => consent::deny(app, wanted).await?,
            _ => {}
        }
        return Ok(false);
    }
    let (Some(client), Some(purpose)) = (fields.get("client"), fields.get("purpose")) else { return Ok(false) };
    let (client, purpose) = (client.to_owned(), purpose.to_owned());
    let is_meant = move |consent: &Consent| consent.client.to_string() == client && consent.purpose.as_str() == purpose;
    Ok(!consent::withdraw(app, line, is_meant).await?.is_empty())
}

/// The page on which a sandbox's visitor says which line it is.
fn pick(app: &App, language: Language) -> Response {
    let words = Words::of(language);
    let body = format!(
        "<h1>{}</h1>\n<p>{}</p>\n<form method=\"get\" action=\"{PATH}\">\n\
         <input type=\"hidden\" name=\"lang\" value=\"{}\">\n<label for=\"line\">{}</label>\n\
         <select id=\"line\" name=\"line\" autofocus>\n{}</select>\n<button class=\"first\">{}</button>\n</form>\n",
        escape(words.pick_title),
        escape(words.pick),
        language.tag(),
        escape(words.pick_label),
        interaction::line_options(app),
        escape(words.pick_button),
    );
    let html = pages::page(language, words.pick_title, &body, Some(&format!("{PATH}?lang=")));
    pages::response(StatusCode::OK, html, "")
}

/// What one client uses for one purpose, of what stands together.
struct Together<'a> {
    consents: Vec<&'a Consent>,
}

async fn show(
    app: &App,
    language: Language,
    browser: &Browser,
    subscriber: &Subscriber,
    is_done: bool,
) -> Result<Response, Problem> {
    let words = Words::of(language);
    let number = app.network.profile(subscriber.line).await?.phone_number.masked();
    let now = app.clock.now();
    let requests = app.grants.pending(None, Some(subscriber.line), SHOWN, &app.consents, now);
    let consents = app.consents.of_line(subscriber.line);
    let mut together: Vec<Together<'_>> = Vec::new();
    for consent in &consents {
        let is_same = |other: &&mut Together<'_>| {
            other.consents.first().is_some_and(|other| {
                other.client == consent.client
                    && other.purpose == consent.purpose
                    && other.is_in_force() == consent.is_in_force()
                    && other.basis == consent.basis
            })
        };
        match together.iter_mut().find(is_same) {
            Some(known) => known.consents.push(consent),
            None => together.push(Together { consents: vec![consent] }),
        }
    }
    let form = |fields: &str, buttons: &str| {
        let line = subscriber.picked.as_ref().map_or_else(String::new, |number| {
            format!("<input type=\"hidden\" name=\"line\" value=\"{}\">\n", escape(number))
        });
        format!(
            "<form method=\"post\" action=\"{PATH}\" class=\"answers\">\n{line}\
             <input type=\"hidden\" name=\"token\" value=\"{}\">\n\
             <input type=\"hidden\" name=\"lang\" value=\"{}\">\n{fields}{buttons}</form>\n",
            escape(&browser.form_token(PATH)),
            language.tag(),
        )
    };
    let title = words.care_title;
    let mut body = format!("<h1>{}</h1>\n", escape(title));
    if is_done {
        let _ = writeln!(body, "<p class=\"said\" role=\"status\">{}</p>", escape(words.care_done));
    }
    let _ = writeln!(body, "<p>{}</p>", escape(&words.care.replace("{line}", &number)));
    if subscriber.picked.is_some() {
        let other = escape(words.care_other_line);
        let _ = writeln!(body, "<p><a href=\"{PATH}?lang={}\">{other}</a></p>", language.tag());
    }
    if !requests.is_empty() {
        let _ = writeln!(body, "<h2>{}</h2>", escape(words.care_waiting));
        for request in &requests {
            push_request(app, &mut body, language, request, &form);
        }
    }
    for (heading, in_force) in [(words.care_in_force, true), (words.care_ended, false)] {
        let mut cards = String::new();
        for known in together.iter().filter(|known| known.consents.iter().all(|it| it.is_in_force() == in_force)) {
            push_card(app, &mut cards, language, known, &form);
        }
        if in_force && cards.is_empty() {
            cards = format!("<p>{}</p>\n", escape(words.care_none));
        }
        if !cards.is_empty() {
            let _ = write!(body, "<h2>{}</h2>\n{cards}", escape(heading));
        }
    }
    let others = subscriber.picked.as_ref().map_or_else(String::new, |number| format!("line={number}&"));
    let html = pages::page(language, title, &body, Some(&format!("{PATH}?{others}lang=")));
    Ok(pages::response(StatusCode::OK, html, ""))
}

fn push_request(
    app: &App,
    body: &mut String,
    language: Language,
    request: &PendingRequest,
    form: &impl Fn(&str, &str) -> String,
) {
    let Some(client) = app.clients.get(request.client) else { return };
    let words = Words::of(language);
    let fields =
        format!("<input type=\"hidden\" name=\"consent_request\" value=\"{}\">\n", escape(&request.id.to_string()));
    let buttons = format!(
        "<button class=\"first\" name=\"answer\" value=\"grant\">{}</button>\n\
         <button name=\"answer\" value=\"deny\">{}</button>\n",
        escape(words.allow),
        escape(words.deny)
    );
    let _ = write!(
        body,
        "<section class=\"card\">\n<h3>{}</h3>\n{}<p>{}</p>\n{}</section>\n",
        escape(&who(&client)),
        uses(language, &request.scopes),
        escape(&pages::purpose(language, request.purpose.as_str())),
        form(&fields, &buttons),
    );
}

fn push_card(
    app: &App,
    body: &mut String,
    language: Language,
    known: &Together<'_>,
    form: &impl Fn(&str, &str) -> String,
) {
    let Some(first) = known.consents.first() else { return };
    let Some(client) = app.clients.get(first.client) else { return };
    let words = Words::of(language);
    let (label, at) = match first.state {
        ConsentState::Granted { at } => (words.care_since, at),
        ConsentState::Denied { at } | ConsentState::Withdrawn { at, .. } => (words.care_until, at),
    };
    let scopes: Vec<_> = known.consents.iter().map(|consent| consent.scope.clone()).collect();
    let end = if !first.is_in_force() {
        String::new()
    } else if first.basis.can_be_ended() {
        let fields = format!(
            "<input type=\"hidden\" name=\"client\" value=\"{}\">\n<input type=\"hidden\" name=\"purpose\" value=\"{}\">\n",
            escape(&first.client.to_string()),
            escape(first.purpose.as_str())
        );
        form(&fields, &format!("<button>{}</button>\n", escape(words.care_withdraw)))
    } else {
        format!("<p class=\"quiet\">{}</p>\n", escape(words.care_not_yours))
    };
    // The day is the same in every language: 2026-11-21.
    let day: String = at.to_string().chars().take(10).collect();
    let _ = write!(
        body,
        "<section class=\"card\">\n<h3>{}</h3>\n{}<p>{}</p>\n<p class=\"quiet\">{} <time datetime=\"{day}\">{day}</time></p>\n{end}\
         </section>\n",
        escape(&who(&client)),
        uses(language, &scopes),
        escape(&pages::purpose(language, first.purpose.as_str())),
        escape(label),
    );
}

/// Who uses something, as subscribers are told.
fn who(client: &attache_core::Client) -> String {
    let name = client.name.as_deref().unwrap_or(&client.client_id);
    client.organisation.as_ref().map_or_else(|| name.to_owned(), |organisation| format!("{name} ({organisation})"))
}

fn uses(language: Language, scopes: &[attache_core::Scope]) -> String {
    let mut list = String::from("<ul>\n");
    for said in pages::uses(language, scopes) {
        let _ = writeln!(list, "<li>{}</li>", escape(&said));
    }
    list + "</ul>\n"
}
