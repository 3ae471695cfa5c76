//! What a browser has to answer before its visitor gets a code: which line it is, where only a sandbox can
//! tell, and whether its subject consents.
//!
//! The request waits here meanwhile, in memory: a restart, ten minutes or an answer end it, and whoever comes
//! later is told to begin anew. It can be answered once, and only by the browser that it was made for.

use std::{
    collections::{HashMap, VecDeque},
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use attache_core::{Client, ClientId, LineId, Problem, Redirect, Timestamp};
use attache_wire::{Publisher, oauth::OAuthErrorCode};
use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode};
use url::Url;

use super::{
    Refused,
    authorize::{Outcome, Prompt, continue_with, send_back},
    parameters::Parameters,
    token::Admitted,
    trail::Trail,
};
use crate::{
    app::App,
    consent::{self, Use},
    entropy,
    pages::{self, Language, Words, escape},
    sandbox, self_care,
    token::hash,
    visitor::{Browser, Visitor},
};

/// Where the pages stand.
pub(crate) const PATH: &str = "/consent";

/// How long a page waits for its answer.
const PATIENCE: Duration = Duration::from_mins(10);

/// How many pages wait at most: a new one ends the oldest.
const MOST: usize = 50_000;

/// A request that a browser has to answer.
#[derive(Clone)]
pub(super) struct Interaction {
    pub(super) publisher: &'static Publisher,
    pub(super) client: ClientId,
    /// `None` while a sandbox's visitor has not said which line it is.
    pub(super) line: Option<LineId>,
    pub(super) asked: Admitted,
    pub(super) redirect: Redirect,
    pub(super) state: Option<String>,
    pub(super) prompt: Prompt,
    /// The first language that is written here of those that the client names.
    pub(super) language: Option<Language>,
}

struct Waiting {
    interaction: Interaction,
    browser: [u8; 32],
    expires_at: Timestamp,
}

/// The requests that browsers have to answer.
#[derive(Default)]
pub(crate) struct Interactions(Mutex<Book>);

#[derive(Default)]
struct Book {
    by_key: HashMap<[u8; 32], Waiting>,
    /// In the order in which they expire.
    order: VecDeque<([u8; 32], Timestamp)>,
}

impl Interactions {
    /// Lets a request wait for a browser, and returns by what it is found.
    pub(super) fn put(&self, interaction: Interaction, browser: &Browser, now: Timestamp) -> Result<String, Problem> {
        let id = entropy::secret().map_err(|_| Problem::Internal)?;
        let (key, expires_at) = (hash(&id), now.plus(PATIENCE));
        let mut book = self.lock();
        while book.order.front().is_some_and(|(_, until)| *until <= now || book.order.len() >= MOST) {
            if let Some((key, _)) = book.order.pop_front() {
                book.by_key.remove(&key);
            }
        }
        book.order.push_back((key, expires_at));
        book.by_key.insert(key, Waiting { interaction, browser: browser.hash(), expires_at });
        Ok(id)
    }

    fn find(&self, id: &str, browser: &Browser, now: Timestamp) -> Option<Interaction> {
        let book = self.lock();
        let waiting = book.by_key.get(&hash(id))?;
        (waiting.browser == browser.hash() && waiting.expires_at > now).then(|| waiting.interaction.clone())
    }

    /// Takes a request out, once.
    fn take(&self, id: &str, browser: &Browser, now: Timestamp) -> Option<Interaction> {
        let mut book = self.lock();
        let key = hash(id);
        let waiting = book.by_key.get(&key)?;
        if waiting.browser != browser.hash() || waiting.expires_at <= now {
            return None;
        }
        // What stays in the order is skipped when its time comes.
        book.by_key.remove(&key).map(|waiting| waiting.interaction)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of the page of a request.
pub(super) fn address(id: &str) -> String {
    format!("{PATH}?request={id}")
}

/// Shows the page of a request, or takes its answer.
pub(crate) async fn answer(app: &App, request: Request<Body>) -> Result<Response, Problem> {
    let visitor = Visitor::of(app, &request);
    let now = app.clock.now();
    if request.method() == Method::POST {
        return take_answer(app, &visitor, request, now).await;
    }
    let parameters = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes()).ok();
    let id = parameters.as_ref().and_then(|parameters| parameters.get("request")).unwrap_or_default();
    let told = parameters.as_ref().and_then(|parameters| Language::of_tag(parameters.get("lang")?));
    let browser = visitor.browser(app);
    let found = browser.and_then(|browser| Some((app.interactions.find(id, &browser, now)?, browser)));
    let Some((interaction, browser)) = found else { return Ok(gone(visitor.language(told))) };
    let language = visitor.language(told.or(interaction.language));
    let Some(client) = app.clients.get(interaction.client) else { return Ok(gone(language)) };
    let page = Page { id, language, token: browser.form_token(id) };
    match interaction.line {
        None => Ok(page.pick_line(app)),
        Some(line) => page.ask(app, &client, line, &interaction).await,
    }
}

async fn take_answer(
    app: &App,
    visitor: &Visitor,
    request: Request<Body>,
    now: Timestamp,
) -> Result<Response, Problem> {
    let Ok((_, form)) = Parameters::read(app, request).await else { return Ok(gone(visitor.language(None))) };
    let language = visitor.language(form.get("lang").and_then(Language::of_tag));
    let id = form.get("request").unwrap_or_default();
    let browser = visitor.browser(app).filter(|browser| {
        !visitor.is_sent_by_another_site() && browser.knows(id, form.get("token").unwrap_or_default())
    });
    let Some(browser) = browser else { return Ok(gone(language)) };
    let Some(mut interaction) = app.interactions.take(id, &browser, now) else { return Ok(gone(language)) };
    let Some(client) = app.clients.get(interaction.client) else { return Ok(gone(language)) };
    let answered = match (interaction.line, form.get("answer"), form.get("line")) {
        (None, None, Some(number)) if app.is_sandbox() => {
            let number = number.parse().ok();
            interaction.line = number.and_then(|number| app.simulator.get(number)).map(|line| line.id);
            match interaction.line {
                None => Ok(Outcome::Page),
                Some(line) => identified(app, &client, line, &interaction).await,
            }
        }
        (Some(line), Some(answer @ ("grant" | "deny")), None) => {
            decided(app, &client, line, &interaction, answer == "grant").await
        }
        _ => Ok(Outcome::Page),
    };
    match answered {
        Ok(Outcome::Page) => {
            let id = app.interactions.put(interaction, &browser, now)?;
            let location = format!("{}&lang={}", address(&id), language.tag());
            Ok(pages::see_other(&location))
        }
        Ok(Outcome::Code(code)) => Ok(return_to(app, &interaction, Ok(&code))),
        Err(refused) => Ok(return_to(app, &interaction, Err(&refused))),
    }
}

/// Goes on with a request once a sandbox's visitor has said which line it is.
async fn identified(
    app: &App,
    client: &std::sync::Arc<Client>,
    line: LineId,
    interaction: &Interaction,
) -> Result<Outcome, Refused> {
    let mut trail = Trail::begin(app, interaction.publisher, None, &Parameters::none());
    trail.client = Some(std::sync::Arc::clone(client));
    let Admitted { scopes, purpose, .. } = &interaction.asked;
    trail.asks_for(scopes, purpose);
    trail.is_about(app, Use { client, line, purpose, scopes }).await;
    let outcome = continue_with(app, client, line, &interaction.asked, &interaction.redirect, interaction.prompt).await;
    trail.end_with_identification(app, "authorize", outcome).await
}

/// Writes down what the subject has said, and goes on.
async fn decided(
    app: &App,
    client: &Client,
    line: LineId,
    interaction: &Interaction,
    yes: bool,
) -> Result<Outcome, Refused> {
    let Interaction { asked, redirect, .. } = interaction;
    let wanted = Use { client, line, purpose: &asked.purpose, scopes: &asked.scopes };
    if !yes {
        consent::deny(app, wanted).await?;
        return Err(OAuthErrorCode::AccessDenied.because("the subscriber has said no").into());
    }
    consent::grant(app, wanted).await?;
    super::authorize::hand_out_code(app, client, line, asked, redirect).await.map(Outcome::Code)
}

/// Sends the browser back to its client, after a form (RFC 9700 section 4.12).
fn return_to(app: &App, interaction: &Interaction, outcome: Result<&str, &Refused>) -> Response {
    let Ok(target) = Url::parse(&interaction.redirect.redirect_uri) else { return gone(Language::English) };
    let mut response = send_back(target, outcome, interaction.state.as_deref(), &app.issuer(interaction.publisher));
    *response.status_mut() = StatusCode::SEE_OTHER;
    response
}

fn gone(language: Language) -> Response {
    let words = Words::of(language);
    pages::notice(StatusCode::BAD_REQUEST, language, words.gone_title, words.gone)
}

/// Where a form may lead by way of this server: browsers hold every redirect that follows a form against the
/// policy of its page.
fn form_target(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) if url.scheme() == "https" => "https:".to_owned(),
        Ok(url) if url.scheme() == "http" => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}

/// A page of a request.
struct Page<'a> {
    id: &'a str,
    language: Language,
    token: String,
}

impl Page<'_> {
    fn others(&self) -> String {
        format!("{}&lang=", address(self.id))
    }

    fn hidden_fields(&self) -> String {
        format!(
            "<input type=\"hidden\" name=\"request\" value=\"{}\">\n<input type=\"hidden\" name=\"token\" value=\"{}\">\n\
             <input type=\"hidden\" name=\"lang\" value=\"{}\">\n",
            escape(self.id),
            escape(&self.token),
            self.language.tag(),
        )
    }

    /// The page on which a sandbox's visitor says which line it is.
    fn pick_line(&self, app: &App) -> Response {
        let words = Words::of(self.language);
        let body = format!(
            "<h1>{}</h1>\n<p>{}</p>\n<form method=\"post\" action=\"{PATH}\">\n{}<label for=\"line\">{}</label>\n\
             <select id=\"line\" name=\"line\" autofocus>\n{}</select>\n<button class=\"first\">{}</button>\n</form>\n",
            escape(words.pick_title),
            escape(words.pick),
            self.hidden_fields(),
            escape(words.pick_label),
            line_options(app),
            escape(words.pick_button),
        );
        let html = pages::page(self.language, words.pick_title, &body, Some(&self.others()));
        pages::response(StatusCode::OK, html, "")
    }

    /// The page that asks for consent.
    async fn ask(
        &self,
        app: &App,
        client: &Client,
        line: LineId,
        interaction: &Interaction,
    ) -> Result<Response, Problem> {
        let profile = match app.network.profile(line).await {
            Err(Problem::UnknownLine) => return Ok(gone(self.language)),
            profile => profile?,
        };
        let words = Words::of(self.language);
        let Admitted { scopes, purpose, openid, offline_access } = &interaction.asked;
        let fill = |text: &str| fill(text, client, &profile.phone_number.masked());
        let asks = if client.organisation.is_some() { words.asks_for_organisation } else { words.asks };
        let mut what = String::new();
        for said in pages::uses(self.language, scopes) {
            let _ = writeln!(what, "<li>{}</li>", escape(&said));
        }
        for (_, said) in [(openid, words.openid), (offline_access, words.offline)].iter().filter(|(is, _)| **is) {
            let _ = writeln!(what, "<li>{}</li>", escape(said));
        }
        let title = fill(words.asks_title);
        let body = format!(
            "<h1>{}</h1>\n<p>{}</p>\n<h2>{}</h2>\n<ul>\n{what}</ul>\n<h2>{}</h2>\n<p>{}</p>\n\
             <p class=\"quiet\">{} <a href=\"{}?lang={}\">{}</a></p>\n\
             <form method=\"post\" action=\"{PATH}\" class=\"answers\">\n{}\
             <button class=\"first\" name=\"answer\" value=\"grant\">{}</button>\n\
             <button name=\"answer\" value=\"deny\">{}</button>\n</form>\n",
            escape(&title),
            escape(&fill(asks)),
            escape(words.what),
            escape(words.why),
            escape(&pages::purpose(self.language, purpose.as_str())),
            escape(words.until),
            self_care::PATH,
            self.language.tag(),
            escape(words.self_care_link),
            self.hidden_fields(),
            escape(words.allow),
            escape(words.deny),
        );
        let html = pages::page(self.language, &title, &body, Some(&self.others()));
        Ok(pages::response(StatusCode::OK, html, &form_target(&interaction.redirect.redirect_uri)))
    }
}

/// A sentence with the names filled in.
pub(crate) fn fill(text: &str, client: &Client, line: &str) -> String {
    text.replace("{client}", client.name.as_deref().unwrap_or(&client.client_id))
        .replace("{organisation}", client.organisation.as_deref().unwrap_or_default())
        .replace("{line}", line)
}

/// The lines that a sandbox's visitor can be.
pub(crate) fn line_options(app: &App) -> String {
    let mut options = String::new();
    for number in sandbox::lines_to_be(app) {
        let _ = writeln!(options, "<option>{}</option>", escape(&number.to_string()));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_where_its_client_is() {
        for (redirect_uri, target) in [
            ("https://shop.example/callback", "https:"),
            ("http://localhost:3000/callback", "http://localhost:3000"),
            ("com.shop:/callback", "com.shop:"),
        ] {
            assert_eq!(form_target(redirect_uri), target);
        }
    }
}
