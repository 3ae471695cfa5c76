//! Consent: whatever rests on what a subject said ends when the subject says otherwise, or when the line
//! passes to somebody else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::{App, CAMARA, CIBA, TELEFONICA},
    harness::{Answer, Attache, Request},
};

const REDIRECT_URI: &str = "http://localhost:3000/callback";
const LINE: &str = "+33639980001";
const HINT: &str = "tel:+33639980001";
/// The line whose subscriber never answers.
const SILENT: &str = "+33639980009";
/// The line whose subscriber says no.
const DENYING: &str = "+33639980021";

const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";
const ROAMING: &str = "/device-roaming-status/v1/retrieve";

fn ask(attache: &Attache, token: &str) -> Answer {
    attache.post(ROAMING).bearer(token).json(&json!({})).send()
}

fn consents(attache: &Attache, line: &str) -> Vec<Value> {
    let list = attache.admin(Method::GET, &format!("/admin/v1/lines/{line}/consents")).says(200).json();
    list["consents"].as_array().unwrap().clone()
}

fn withdraw(attache: &Attache, line: &str, meant: &Value) -> Vec<Value> {
    let path = format!("/admin/v1/lines/{line}/consents/withdraw");
    let answer = attache.admin(Method::POST, &path).json(meant).says(200).json();
    answer["withdrawn"].as_array().unwrap().clone()
}

fn pending(attache: &Attache) -> Vec<Value> {
    let page = attache.admin(Method::GET, "/admin/v1/consent-requests").says(200).json();
    page["requests"].as_array().unwrap().clone()
}

fn begin(attache: &Attache, line: &str) -> String {
    let hint = format!("tel:{line}");
    CAMARA.bc_authorize(attache, &[("login_hint", &hint), ("scope", SCOPE)]).says(200).text("auth_req_id")
}

fn poll(attache: &Attache, app: &App, id: &str) -> Request {
    app.token(attache, &[("grant_type", CIBA), ("auth_req_id", id)])
}

#[test]
fn a_withdrawn_consent_ends_its_tokens_at_once_and_no_others() {
    let mut attache = Attache::sandbox();
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    let of_another_line = CAMARA.three_legged(&attache, "+33639980004", SCOPE);
    let of_another_purpose = CAMARA.three_legged(&attache, LINE, "dpv:ServiceProvision device-roaming-status:read");
    let [consent, _] = &consents(&attache, LINE)[..] else { panic!("two consents are there") };
    for (field, value) in [
        ("publisher", "camara"),
        ("client_id", "camara-demo"),
        ("phone_number", LINE),
        ("purpose", "dpv:FraudPreventionAndDetection"),
        ("scope", "device-roaming-status:read"),
        ("basis", "consent"),
        ("state", "granted"),
    ] {
        assert_eq!(consent[field], value);
    }
    assert!(consent["granted_at"].is_string() && consent["ended_at"].is_null(), "{consent}");
    assert_eq!(ask(&attache, &token).status, 200);

    assert_eq!(withdraw(&attache, LINE, &json!({"client_id": "nobody"})), Vec::<Value>::new());
    let path = format!("/admin/v1/lines/{LINE}/consents/withdraw");
    attache.admin(Method::POST, &path).json(&json!([])).says(400);
    assert_eq!(ask(&attache, &token).status, 200);
    let withdrawn = withdraw(&attache, LINE, &json!({"purpose": "dpv:FraudPreventionAndDetection"}));
    assert_eq!((withdrawn.len(), &withdrawn[0]["state"]), (1, &json!("withdrawn")));
    assert!(withdrawn[0]["ended_at"].is_string());
    let refused = ask(&attache, &token);
    assert_eq!((refused.status, refused.text("code").as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(ask(&attache, &of_another_line).status, 200);
    assert_eq!(ask(&attache, &of_another_purpose).status, 200);
    assert_eq!(withdraw(&attache, LINE, &json!({"purpose": "dpv:FraudPreventionAndDetection"})).len(), 0);

    attache.kill();
    attache.start();
    assert_eq!(ask(&attache, &token).status, 401, "what was withdrawn stays so");
    assert_eq!(ask(&attache, &of_another_purpose).status, 200, "and what was granted");
}

#[test]
fn who_asks_nobody_does_not_pass_over_a_no() {
    const SUBSCRIPTIONS: &str = "/device-roaming-status-subscriptions/v0.8/subscriptions";
    const ON: &str = "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-on";
    let attache = Attache::sandbox();
    let create = format!("device-roaming-status-subscriptions:{ON}:create");
    let both = |purpose: &str| format!("{purpose} device-roaming-status:read {create}");
    let fraud = both("dpv:FraudPreventionAndDetection");
    let itself = CAMARA.two_legged(&attache, &fraud);
    let for_another_purpose = CAMARA.two_legged(&attache, &both("dpv:ServiceProvision"));
    let query = |token: &str, line: &str| {
        attache.post(ROAMING).bearer(token).json(&json!({"device": {"phoneNumber": line}})).send()
    };
    let subscribe = |token: &str, line: &str| {
        let body = json!({
            "protocol": "HTTP", "sink": "https://sink.example/", "types": [ON],
            "config": {"subscriptionDetail": {"device": {"phoneNumber": line}}},
        });
        attache.post(SUBSCRIPTIONS).bearer(token).json(&body).send()
    };
    let are = |token: &str, line: &str| (query(token, line).status, subscribe(token, line).status);
    // Nobody has said anything; then yes.
    assert_eq!(are(&itself, LINE), (200, 201));
    CAMARA.three_legged(&attache, LINE, &fraud);
    assert_eq!(are(&itself, LINE), (200, 201));
    // Then no, to just this client, purpose, scope and line.
    withdraw(&attache, LINE, &json!({"purpose": "dpv:FraudPreventionAndDetection"}));
    for answer in [query(&itself, LINE), subscribe(&itself, LINE)] {
        assert_eq!((answer.status, answer.text("code").as_str()), (403, "PERMISSION_DENIED"), "{}", answer.body);
    }
    assert_eq!(are(&for_another_purpose, LINE), (200, 201));
    assert_eq!(are(&itself, "+33639980004"), (200, 201));
    // Of one scope it is no word about the other.
    CAMARA.three_legged(&attache, LINE, SCOPE);
    assert_eq!(are(&itself, LINE), (200, 403));
    CAMARA.three_legged(&attache, LINE, &fraud);
    assert_eq!(are(&itself, LINE), (200, 201));
    // A no to the question is one as well.
    assert_eq!(are(&itself, DENYING), (200, 201));
    begin(&attache, DENYING);
    assert_eq!(are(&itself, DENYING), (403, 201));
}

#[test]
fn what_rested_on_a_withdrawn_consent_stays_ended_when_it_is_given_again() {
    let mut attache = Attache::sandbox();
    let before = CAMARA.three_legged(&attache, LINE, SCOPE);
    // Nobody loses a token because another is asked for.
    let meanwhile = CAMARA.three_legged(&attache, LINE, SCOPE);
    assert_eq!((ask(&attache, &before).status, ask(&attache, &meanwhile).status), (200, 200));
    let code = code(&attache);
    withdraw(&attache, LINE, &json!({}));
    let after = CAMARA.three_legged(&attache, LINE, SCOPE);
    for turn in ["at once", "after a kill"] {
        assert_eq!((ask(&attache, &before).status, ask(&attache, &meanwhile).status), (401, 401), "{turn}");
        assert_eq!(ask(&attache, &after).status, 200, "{turn}");
        attache.kill();
        attache.start();
    }
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI)];
    assert_eq!(CAMARA.token(&attache, &form).says(400).text("error"), "invalid_grant");
}

#[test]
fn a_token_of_two_scopes_ends_with_either() {
    let attache = Attache::sandbox();
    let both = format!("{SCOPE} device-reachability-status:read");
    let token = CAMARA.three_legged(&attache, LINE, &both);
    assert_eq!(ask(&attache, &token).status, 200);
    withdraw(&attache, LINE, &json!({"scope": "device-reachability-status:read"}));
    assert_eq!(ask(&attache, &token).status, 401);
    let one = CAMARA.three_legged(&attache, LINE, SCOPE);
    assert_eq!(ask(&attache, &one).status, 200);
}

#[test]
fn a_number_that_passes_on_takes_nothing_along() {
    let mut attache = Attache::sandbox();
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    let ready = begin(&attache, LINE);
    let waiting = begin(&attache, SILENT);
    let request = pending(&attache)[0]["id"].as_str().unwrap().to_owned();
    for line in [LINE, SILENT] {
        attache.admin(Method::DELETE, &format!("/admin/v1/lines/{line}")).says(200);
        let new = json!({"phone_number": line, "home_plmn": "20801"});
        attache.admin(Method::POST, "/admin/v1/lines").json(&new).says(201);
    }
    for _ in ["at once", "and after a restart"] {
        assert_eq!(ask(&attache, &token).status, 401);
        for id in [&ready, &waiting] {
            assert_eq!(poll(&attache, &CAMARA, id).says(400).text("error"), "invalid_grant");
        }
        assert_eq!((consents(&attache, LINE), pending(&attache)), (vec![], vec![]));
        attache.kill();
        attache.start();
    }
    let answer = attache.admin(Method::POST, &format!("/admin/v1/consent-requests/{request}/grant")).says(404);
    assert_eq!(answer.text("code"), "UNKNOWN_REQUEST");
}

#[test]
fn a_client_that_is_removed_takes_its_consents_along() {
    let attache = Attache::sandbox();
    CAMARA.three_legged(&attache, LINE, SCOPE);
    assert_eq!(consents(&attache, LINE).len(), 1);
    attache.admin(Method::DELETE, "/admin/v1/clients/camara/camara-demo").says(200);
    assert_eq!(consents(&attache, LINE).len(), 0);
}

#[test]
fn a_request_waits_until_its_subject_answers() {
    let mut attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1ms")]);
    let [granted, denied] = [(), ()].map(|()| begin(&attache, SILENT));
    attache.kill();
    attache.start();
    let requests = pending(&attache);
    assert_eq!(requests.len(), 2);
    for (field, value) in [
        ("publisher", json!("camara")),
        ("client_id", json!("camara-demo")),
        ("phone_number", json!(SILENT)),
        ("purpose", json!("dpv:FraudPreventionAndDetection")),
        ("scopes", json!(["device-roaming-status:read"])),
    ] {
        assert_eq!(requests[0][field], value);
    }
    assert!(!attache.printed().contains(&granted));
    assert_eq!(poll(&attache, &CAMARA, &granted).says(400).text("error"), "authorization_pending");
    let answer = |id: &Value, word: &str| {
        attache.admin(Method::POST, &format!("/admin/v1/consent-requests/{}/{word}", id.as_str().unwrap()))
    };
    assert_eq!(answer(&requests[0]["id"], "deny").says(200).text("answer"), "denied");
    for id in [&granted, &denied] {
        let refused = poll(&attache, &CAMARA, id).says(400);
        assert_eq!(refused.text("error"), "access_denied", "one answer is for all that ask the same");
    }
    assert_eq!(answer(&requests[0]["id"], "grant").says(404).text("code"), "UNKNOWN_REQUEST");

    let asked_anew = begin(&attache, SILENT);
    assert_eq!(poll(&attache, &CAMARA, &asked_anew).says(400).text("error"), "authorization_pending");
    let [request] = &pending(&attache)[..] else { panic!("one waits") };
    assert_eq!(answer(&request["id"], "grant").says(200).text("answer"), "granted");
    let token = poll(&attache, &CAMARA, &asked_anew).says(200).text("access_token");
    assert_eq!(ask(&attache, &token).status, 200);
    assert_eq!(pending(&attache), Vec::<Value>::new());
    withdraw(&attache, SILENT, &json!({}));
    assert_eq!(ask(&attache, &token).status, 401);
}

#[test]
fn where_another_legal_basis_holds_nobody_is_asked_and_some_may_object() {
    let attache = Attache::with(&[
        "--legal-basis=ES/*=legitimate_interest",
        "--legal-basis=*/connected-network-type=contract",
        "--legal-basis=FR/*/dpv:ServiceProvision=contract",
    ]);
    // A French line whose subscriber never answers: for this purpose nobody needs to.
    let contract = CAMARA.three_legged(&attache, SILENT, "dpv:ServiceProvision device-roaming-status:read");
    assert_eq!(withdraw(&attache, SILENT, &json!({})).len(), 0, "a contract is not ended here");
    assert_eq!(ask(&attache, &contract).status, 200);
    assert_eq!(consents(&attache, SILENT)[0]["basis"], "contract");
    begin(&attache, SILENT);
    assert_eq!(pending(&attache).len(), 1, "for another it is");

    let spanish = "+34666666666";
    let scope = "dpv:FraudPreventionAndDetection#device-status-roaming-read";
    let interest = TELEFONICA.three_legged(&attache, spanish, scope);
    let body = json!({"ueId": {"msisdn": spanish}});
    let ask =
        |token: &str| attache.post("/telefonica/device-status/v0/roaming").bearer(token).json(&body).send().status;
    assert_eq!((ask(&interest), &consents(&attache, spanish)[0]["basis"]), (200, &json!("legitimate_interest")));
    assert_eq!(withdraw(&attache, spanish, &json!({})).len(), 1);
    assert_eq!(ask(&interest), 401);
    let hint = format!("tel:{spanish}");
    let refused = TELEFONICA.bc_authorize(&attache, &[("login_hint", &hint), ("scope", scope)]).says(403);
    assert_eq!(refused.text("error"), "access_denied", "who has objected is not asked again");
}

#[test]
fn a_rule_about_an_api_of_subscriptions_holds_for_each_of_its_scopes() {
    let attache = Attache::with(&["--legal-basis=*/device-roaming-status-subscriptions=contract"]);
    let api = "device-roaming-status-subscriptions";
    let scope = format!(
        "dpv:FraudPreventionAndDetection {api}:read {api}:delete \
         {api}:org.camaraproject.device-roaming-status-subscriptions.v0.roaming-on:create"
    );
    CAMARA.three_legged(&attache, SILENT, &scope);
    let known = consents(&attache, SILENT);
    let bases: Vec<_> = known.iter().map(|consent| consent["basis"].as_str().unwrap()).collect();
    assert_eq!(bases, ["contract"; 3], "nobody was asked");
}

/// A code about the line.
fn code(attache: &Attache) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", CAMARA.id), ("scope", SCOPE), ("login_hint", HINT)])
        .append_pair("redirect_uri", REDIRECT_URI)
        .finish();
    let answer = attache.get(&format!("/oauth2/authorize?{query}")).says(302);
    let location: url::Url = answer.header("location").parse().unwrap();
    location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

#[test]
fn a_code_is_worth_nothing_once_the_consent_is_withdrawn() {
    let attache = Attache::sandbox();
    let code = code(&attache);
    withdraw(&attache, LINE, &json!({}));
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI)];
    assert_eq!(CAMARA.token(&attache, &form).says(400).text("error"), "invalid_grant");
}

/// A browser that keeps what it is given to be recognised by.
struct Browser<'a> {
    attache: &'a Attache,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn new(attache: &'a Attache) -> Self {
        Self { attache, cookie: String::new() }
    }

    /// Follows a link.
    fn get(&mut self, path: &str) -> Answer {
        let answer = self.attache.get(path).header("cookie", &self.cookie).header("accept", "text/html").send();
        self.keep(answer)
    }

    /// Sends the form of a page, with one of its buttons.
    fn press(&mut self, page: &Answer, button: &[(&str, &str)]) -> Answer {
        let fields = hidden(page);
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(button.iter().copied()).collect();
        let answer = self.attache.post(&action(page)).header("cookie", &self.cookie).form(&fields).send();
        self.keep(answer)
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        if let Some(cookie) = answer.headers.get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
        }
        answer
    }

    /// Begins the authorization code flow, and looks at the page that asks.
    fn authorize(&mut self, changes: &[(&str, &str)]) -> Answer {
        let sent = self.get(&authorize_path(changes));
        assert_eq!(sent.status, 302, "{}", sent.body);
        let location = sent.header("location").to_owned();
        assert!(location.starts_with("/consent?request="), "{location}");
        let page = self.get(&location);
        assert_eq!(page.status, 200, "{}", page.body);
        is_guarded(&page);
        page
    }
}

fn authorize_path(changes: &[(&str, &str)]) -> String {
    let usual = [
        ("response_type", "code"),
        ("client_id", CAMARA.id),
        ("scope", SCOPE),
        ("login_hint", HINT),
        ("redirect_uri", REDIRECT_URI),
        ("state", "a state"),
    ];
    let unchanged = usual.into_iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let pairs = unchanged.chain(changes.iter().copied());
    format!("/oauth2/authorize?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// The attribute of a tag, as it is meant.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}

fn hidden(page: &Answer) -> Vec<(String, String)> {
    let form = page.body.split("<form").nth(1).unwrap().split("</form>").next().unwrap();
    let tags = form.split("<input type=\"hidden\"").skip(1);
    tags.map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap())).collect()
}

fn action(page: &Answer) -> String {
    attribute(page.body.split("<form").nth(1).unwrap(), "action").unwrap()
}

/// What keeps a page from being framed, scripted, or leading elsewhere.
fn is_guarded(page: &Answer) {
    let policy = page.header("content-security-policy");
    for directive in ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    assert_eq!((page.header("x-frame-options"), page.header("cache-control")), ("DENY", "no-store"));
    assert!(!page.body.contains("<script") && !page.body.contains(" style="), "{}", page.body);
}

/// What a client is told by a redirect.
fn told(answer: &Answer) -> Value {
    let location: url::Url = answer.header("location").parse().unwrap_or_else(|_| panic!("{}", answer.body));
    assert!(location.as_str().starts_with(&format!("{REDIRECT_URI}?")), "{location}");
    let pairs = location.query_pairs();
    let told: Value = pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect();
    assert_eq!(told["state"], "a state");
    told
}

fn asking() -> Attache {
    Attache::with(&["--ask-consent"])
}

#[test]
fn a_page_says_who_asks_for_what_and_why_and_takes_the_answer() {
    let attache = asking();
    attache.register(&json!({
        "publisher": "camara",
        "client_id": "<bank>",
        "client_secret": "bank-secret",
        "redirect_uris": [REDIRECT_URI],
    }));
    let bank = App { id: "<bank>", secret: "bank-secret", ..CAMARA };
    let mut browser = Browser::new(&attache);
    let page = browser.authorize(&[("client_id", bank.id)]);
    for text in [
        "<html lang=\"en\">",
        "&lt;bank&gt; wants to know something about your phone line +33639…001.",
        "Whether your phone is abroad, and in which country",
        "To prevent and detect fraud",
        "<button class=\"first\" name=\"answer\" value=\"grant\">Allow</button>",
        "<button name=\"answer\" value=\"deny\">Do not allow</button>",
    ] {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    let answer = browser.press(&page, &[("answer", "grant")]);
    assert_eq!(answer.status, 303);
    let told = told(&answer);
    assert_eq!(told["iss"], attache.url(""));
    let code = told["code"].as_str().unwrap();
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
    let token = bank.token(&attache, &form).says(200).text("access_token");
    assert_eq!(ask(&attache, &token).status, 200);
    // What was said once is not asked again, unless the client wants it.
    let again = browser.get(&authorize_path(&[("client_id", bank.id)]));
    assert!(self::told(&again)["code"].is_string());
    browser.authorize(&[("client_id", bank.id), ("prompt", "consent")]);
}

#[test]
fn a_no_is_told_to_the_client_and_kept() {
    let attache = asking();
    let mut browser = Browser::new(&attache);
    let page = browser.authorize(&[]);
    let answer = browser.press(&page, &[("answer", "deny")]);
    assert_eq!((answer.status, &told(&answer)["error"]), (303, &json!("access_denied")));
    assert_eq!(consents(&attache, LINE)[0]["state"], "denied");
    let silent = browser.get(&authorize_path(&[("prompt", "none")]));
    assert_eq!(told(&silent)["error"], "consent_required");
    browser.authorize(&[]);
}

#[test]
fn a_page_is_answered_once_and_by_the_browser_that_it_was_made_for() {
    let attache = asking();
    let mut browser = Browser::new(&attache);
    let page = browser.authorize(&[]);
    let address = format!("/consent?request={}", hidden(&page)[0].1);
    let mut another = Browser::new(&attache);
    another.cookie = "attache=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let nobody = Browser::new(&attache).get(&address);
    for refused in [another.get(&address), another.press(&page, &[("answer", "grant")]), nobody] {
        assert_eq!((refused.status, refused.header("location")), (400, ""));
        is_guarded(&refused);
    }
    // Another site's page sends a form: it cannot know the token, and the browser tells where it comes from.
    let [request, token, lang] = &hidden(&page)[..] else { panic!("{}", page.body) };
    let forged = |token: &str, site: &str| {
        let fields = [("request", request.1.as_str()), ("token", token), ("lang", &lang.1), ("answer", "grant")];
        attache.post("/consent").header("cookie", &browser.cookie).header("sec-fetch-site", site).form(&fields).send()
    };
    assert_eq!(forged("", "same-origin").status, 400);
    assert_eq!(forged(&request.1, "same-origin").status, 400);
    assert_eq!(forged(&token.1, "cross-site").status, 400);
    assert_eq!(consents(&attache, LINE).len(), 0);
    assert_eq!(browser.press(&page, &[("answer", "grant")]).status, 303);
    let again = browser.press(&page, &[("answer", "grant")]);
    assert_eq!((again.status, again.header("location")), (400, ""));
    assert!(again.body.contains("This page has expired"), "{}", again.body);
}

#[test]
fn the_page_speaks_the_language_of_its_reader() {
    let attache = asking();
    let mut browser = Browser::new(&attache);
    for (locales, lang, text) in [
        ("fr-CA en", "fr", "Ne pas autoriser"),
        ("it es", "es", "No permitir"),
        ("de", "de", "Nicht erlauben"),
        ("it", "en", "Do not allow"),
    ] {
        let page = browser.authorize(&[("ui_locales", locales)]);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\">")) && page.body.contains(text), "{locales}");
        let link = page.body.split("hreflang=\"").find(|part| part.starts_with(if lang == "de" { "en" } else { "de" }));
        let other = browser.get(&attribute(link.unwrap(), "href").unwrap());
        assert!(other.body.contains(if lang == "de" { "Do not allow" } else { "Nicht erlauben" }), "{}", other.body);
        let preferred = attache.get("/self-care").header("accept-language", "it, fr;q=0.5").says(200);
        assert!(preferred.body.contains("Quelle ligne êtes-vous"), "{}", preferred.body);
    }
}

#[test]
fn without_a_hint_a_sandbox_asks_its_visitor_which_line_it_is() {
    let attache = Attache::sandbox();
    let mut browser = Browser::new(&attache);
    let page = browser.authorize(&[("login_hint", "")]);
    assert!(page.body.contains(&format!("<option>{LINE}</option>")), "{}", page.body);
    let answer = browser.press(&page, &[("line", LINE)]);
    assert!(told(&answer)["code"].is_string(), "in a sandbox that does not ask, it agrees");
    let page = browser.authorize(&[("login_hint", ""), ("prompt", "consent")]);
    let answer = browser.press(&page, &[("line", "+33639980004")]);
    let page = browser.get(answer.header("location"));
    assert!(page.body.contains("+33639…004") && page.body.contains("value=\"grant\""), "{}", page.body);
    assert!(told(&browser.press(&page, &[("answer", "grant")]))["code"].is_string());
    let nobody = browser.get(&authorize_path(&[("login_hint", ""), ("prompt", "none")]));
    assert_eq!(told(&nobody)["error"], "login_required");
    // A program says it by a header.
    let claimed = attache.get(&authorize_path(&[("login_hint", "")])).header("x-sandbox-line", LINE).says(302);
    assert!(told(&claimed)["code"].is_string());
}

#[test]
fn a_person_is_told_what_a_client_has_done_wrong() {
    let attache = Attache::sandbox();
    let mut browser = Browser::new(&attache);
    for change in [("redirect_uri", "https://elsewhere.example/"), ("client_id", "<script>"), ("client_id", "")] {
        let page = browser.get(&authorize_path(&[change]));
        assert_eq!((page.status, page.header("location")), (400, ""), "{change:?}");
        assert!(page.header("content-type").starts_with("text/html"), "{}", page.body);
        is_guarded(&page);
    }
}

#[test]
fn the_subscriber_of_a_line_does_what_the_sandbox_is_told() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1ms")]);
    let outcome = |line: &str| {
        let id = begin(&attache, line);
        let answer = poll(&attache, &CAMARA, &id).send();
        if answer.status == 200 { "token".to_owned() } else { answer.text("error") }
    };
    assert_eq!(outcome("+33639980021"), "access_denied");
    assert_eq!(outcome("+33639980022"), "authorization_pending");
    assert_eq!(outcome(SILENT), "authorization_pending");
    for (word, expected) in [
        ("deny", "access_denied"),
        ("never", "authorization_pending"),
        ("ask", "authorization_pending"),
        ("grant", "token"),
    ] {
        let output = attache.command(&["consent", "answer", LINE, word]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(outcome(LINE), expected, "{word}");
    }
    let denied = attache.get(&authorize_path(&[("login_hint", "tel:+33639980021")])).says(302);
    assert_eq!(told(&denied)["error"], "access_denied");
}

#[test]
fn the_command_line_answers_lists_and_withdraws() {
    let attache = Attache::sandbox();
    let run = |arguments: &[&str]| {
        let output = attache.command(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(&["consent", "pending"]), "no request waits for an answer\n");
    assert!(run(&["consent", "list", SILENT]).contains("nobody was ever allowed"));
    let ids = [begin(&attache, SILENT), begin(&attache, "+33639980022")];
    let table = run(&["consent", "pending"]);
    assert!(table.contains(SILENT) && table.contains("camara-demo") && !table.contains(&ids[0]), "{table}");
    let requests = pending(&attache);
    let [silent, asked] = [0, 1].map(|place: usize| requests[place]["id"].as_str().unwrap());
    assert!(run(&["consent", "grant", silent]).contains("is granted"));
    assert!(run(&["consent", "deny", asked]).contains("is denied"));
    poll(&attache, &CAMARA, &ids[0]).says(200);
    assert_eq!(poll(&attache, &CAMARA, &ids[1]).says(400).text("error"), "access_denied");
    assert!(run(&["consent", "list", SILENT]).contains("granted"));
    assert!(run(&["consent", "withdraw", SILENT, "--client", "nobody"]).contains("nothing fits"));
    assert!(run(&["consent", "withdraw", SILENT, "--client", CAMARA.id]).contains("withdrawn"));
    let again = attache.command(&["consent", "grant", silent]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("attache consent pending"));
}

#[test]
fn a_subscriber_sees_answers_and_withdraws_on_a_page() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1ms")]);
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    let mut browser = Browser::new(&attache);
    let page = browser.get("/self-care?line=33639980001");
    assert_eq!(page.status, 200);
    is_guarded(&page);
    for text in ["camara-demo", "Whether your phone is abroad", "To prevent and detect fraud", "Withdraw", "+33639…001"]
    {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    let forged = attache.post("/self-care").form(&[("line", LINE), ("token", "x"), ("client", "x"), ("purpose", "y")]);
    assert_eq!(forged.send().status, 400);
    assert_eq!(ask(&attache, &token).status, 200);
    let answer = browser.press(&page, &[]);
    assert_eq!(answer.status, 303);
    assert_eq!(ask(&attache, &token).status, 401, "it ends at once");
    let page = browser.get(answer.header("location"));
    assert!(page.body.contains("role=\"status\"") && page.body.contains("Nobody may know anything"), "{}", page.body);

    let id = begin(&attache, SILENT);
    let page = browser.get("/self-care?line=33639980009&lang=de");
    assert!(page.body.contains("Wartet auf Ihre Antwort"), "{}", page.body);
    browser.press(&page, &[("answer", "grant")]);
    poll(&attache, &CAMARA, &id).says(200);
}

#[test]
fn a_subscribers_own_programs_list_and_withdraw() {
    let attache = Attache::with(&["--legal-basis=*/connected-network-type=contract"]);
    let from =
        |method: Method, line: &str| attache.request(method, "/self-care/consents").header("x-sandbox-line", line);
    let list = |line: &str| from(Method::GET, line).says(200).json()["consents"].as_array().unwrap().clone();
    assert_eq!(list(LINE), Vec::<Value>::new());
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    CAMARA.three_legged(&attache, LINE, "dpv:ServiceProvision connected-network-type:read");
    let of_another_line = CAMARA.three_legged(&attache, "+33639980004", SCOPE);

    let [consent, contract] = &list(LINE)[..] else { panic!("two uses are there") };
    for (field, value) in [
        ("publisher", "camara"),
        ("client_id", CAMARA.id),
        ("purpose", "dpv:FraudPreventionAndDetection"),
        ("scope", "device-roaming-status:read"),
        ("basis", "consent"),
        ("state", "granted"),
    ] {
        assert_eq!(consent[field], value);
    }
    assert!(consent["client"].is_string() && consent["granted_at"].is_string(), "{consent}");
    assert!(consent.get("ended_at").is_none() && consent.get("phone_number").is_none(), "{consent}");
    assert_eq!((&consent["can_be_withdrawn"], &contract["can_be_withdrawn"]), (&json!(true), &json!(false)));

    let withdraw = |meant: &Value| from(Method::DELETE, LINE).json(meant);
    assert_eq!(withdraw(&json!({"client_id": "nobody"})).says(200).json(), json!({"withdrawn": []}));
    assert_eq!(ask(&attache, &token).status, 200);
    let withdrawn = withdraw(&json!({"client_id": CAMARA.id, "scope": "device-roaming-status:read"})).says(200).json();
    assert_eq!(withdrawn["withdrawn"][0]["state"], "withdrawn");
    assert_eq!(ask(&attache, &token).status, 401, "it ends at once");
    assert_eq!(ask(&attache, &of_another_line).status, 200);
    assert_eq!(withdraw(&json!({})).says(200).json(), json!({"withdrawn": []}), "a contract is not ended here");
    let ended = list(LINE);
    let ended = ended.iter().find(|consent| consent["state"] == "withdrawn").unwrap();
    assert!(ended["ended_at"].is_string() && ended["can_be_withdrawn"] == false, "{ended}");
}

#[test]
fn another_sites_page_withdraws_nothing_in_a_subscribers_name() {
    let attache = Attache::sandbox();
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    let path = "/self-care/consents";
    let from = |method: Method| attache.request(method, path).header("x-sandbox-line", LINE);
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://b.example"),
        ("origin", "null"),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let refused = from(method).header(header, value).json(&json!({})).says(403);
            assert_eq!(refused.text("code"), "PERMISSION_DENIED");
        }
    }
    // Its browser asks first whether it may send this, and may not.
    let asked =
        from(Method::OPTIONS).header("origin", "https://b.example").header("access-control-request-method", "DELETE");
    assert_eq!(asked.says(405).header("access-control-allow-origin"), "");
    // What its browser sends without asking is not taken.
    from(Method::POST).json(&json!({})).says(405);
    from(Method::DELETE).body("text/plain", "{}").says(415);
    for body in ["", "[]", "{", r#"{"clientId": "camara-demo"}"#] {
        from(Method::DELETE).body("application/json", body).says(400);
    }
    attache.request(Method::DELETE, path).json(&json!({})).says(403);
    attache.request(Method::GET, path).header("x-sandbox-line", "+33600000001").says(403);
    assert_eq!(ask(&attache, &token).status, 200);
    for (header, value) in [("sec-fetch-site", "same-origin"), ("origin", attache.url("").as_str())] {
        from(Method::GET).header(header, value).says(200);
    }
    from(Method::DELETE).header("sec-fetch-site", "same-origin").json(&json!({})).says(200);
    assert_eq!(ask(&attache, &token).status, 401);
}

/// A server with a page of every kind, and where these are: those of the authorization code flow and of self-care.
fn pages(attache: &Attache) -> Vec<String> {
    let client = json!({
        "publisher": "camara",
        "client_id": "shop-7f3a",
        "client_secret": "shop-secret",
        "name": "Müller & Söhne",
        "organisation": "ACME <Retail>",
        "redirect_uris": [REDIRECT_URI],
        "purposes": ["dpv:FraudPreventionAndDetection", "dpv:ServiceProvision"],
    });
    attache.register(&client);
    let shop = App { id: "shop-7f3a", secret: "shop-secret", ..CAMARA };
    let mut browser = Browser::new(attache);
    let granted = browser.authorize(&[("client_id", shop.id), ("scope", &format!("{SCOPE} openid offline_access"))]);
    browser.press(&granted, &[("answer", "grant")]);
    let denied =
        browser.authorize(&[("client_id", shop.id), ("scope", "dpv:ServiceProvision device-roaming-status:read")]);
    browser.press(&denied, &[("answer", "deny")]);
    let waiting = [("login_hint", HINT), ("scope", "dpv:ServiceProvision device-reachability-status:read")];
    shop.bc_authorize(attache, &waiting).says(200);
    let asks = |locale| authorize_path(&[("client_id", shop.id), ("prompt", "consent"), ("ui_locales", locale)]);
    let languages = ["en", "fr", "es", "de"];
    let mut pages: Vec<String> = languages.map(asks).to_vec();
    pages.extend(languages.map(|tag| format!("/self-care?line=33639980001&lang={tag}")));
    pages.extend(languages.map(|tag| format!("/self-care?lang={tag}")));
    pages.extend(languages.map(|tag| format!("/consent?request=gone&lang={tag}")));
    pages.push(authorize_path(&[("login_hint", "")]));
    pages.push(authorize_path(&[("redirect_uri", "https://elsewhere.example/")]));
    pages
}

#[test]
fn a_page_calls_a_client_by_its_name_and_its_organisation() {
    let attache = asking();
    let mut browser = Browser::new(&attache);
    let pages = pages(&attache);
    for (page, told) in pages.iter().zip([
        "Müller &amp; Söhne of ACME &lt;Retail&gt; wants to know something",
        "Müller &amp; Söhne, de ACME &lt;Retail&gt;, souhaite",
        "Müller &amp; Söhne, de ACME &lt;Retail&gt;, quiere",
        "Müller &amp; Söhne von ACME &lt;Retail&gt; möchte",
        "<h3>Müller &amp; Söhne (ACME &lt;Retail&gt;)</h3>",
    ]) {
        let sent = browser.get(page);
        let shown = if sent.status == 302 { browser.get(sent.header("location")) } else { sent };
        assert!(shown.body.contains(told) && !shown.body.contains("shop-7f3a"), "{told}: {}", shown.body);
        is_guarded(&shown);
    }
    let told = attache.get("/self-care/consents").header("x-sandbox-line", LINE).says(200).json();
    assert_eq!(told["consents"][0]["client"], "Müller & Söhne (ACME <Retail>)");
}

/// The pages in a browser, as people have it.
mod needs_chromium_and_node {
    use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

    use super::*;

    /// What a script of Node.js prints.
    fn printed(script: &str, arguments: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        symlink(workspace.join("target/tools/node/node_modules"), folder.path().join("node_modules")).unwrap();
        fs::write(folder.path().join("script.mjs"), script).unwrap();
        let mut node = Command::new("node");
        node.arg("script.mjs").args(arguments).current_dir(folder.path()).env("NO_PROXY", "127.0.0.1");
        let output = node.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    #[test]
    #[ignore = "needs Chromium and Node.js: cargo xtask test"]
    fn a_person_answers_in_a_narrow_window_and_without_script() {
        let attache = asking();
        for (locale, button, told) in [
            ("en", "Do not allow", "error=access_denied"),
            ("fr", "Ne pas autoriser", "error=access_denied"),
            ("es", "No permitir", "error=access_denied"),
            ("de", "Erlauben", "code="),
        ] {
            let address = attache.url(&authorize_path(&[("ui_locales", locale)]));
            let printed = printed(include_str!("consent/answer.mjs"), &[&address, button, REDIRECT_URI, "320"]);
            assert!(printed.starts_with(&format!("sent to {REDIRECT_URI}?")) && printed.contains(told), "{printed}");
        }
    }

    #[test]
    #[ignore = "needs Chromium and Node.js: cargo xtask test"]
    fn every_page_in_every_language_is_for_people_who_do_not_see_it_as_well() {
        let attache = asking();
        let addresses: Vec<String> = pages(&attache).iter().map(|page| attache.url(page)).collect();
        let arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let printed = printed(include_str!("consent/inspect.mjs"), &arguments);
        let faultless = printed.lines().filter(|line| line.starts_with("0 faults by ")).count();
        assert_eq!(faultless, 2 * addresses.len(), "{printed}");
    }
}
