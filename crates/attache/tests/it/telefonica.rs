//! Telefónica Open Gateway, as its documents tell it: the sample code for Device Status, "OIDC
//! Authorization" 1, and "Device Status" 0.4. The samples themselves are run in `telefonica_samples`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::{Face, token_of_each_publisher},
    harness::{Answer, Attache},
};

/// The number of the samples, which roams.
const LINE: &str = "+34777777777";
const SCOPE: &str = "dpv:FraudPreventionAndDetection#device-status-roaming-read";
const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// The app of the samples, calling below a root.
struct App<'a> {
    attache: &'a Attache,
    root: &'static str,
    id: &'static str,
    secret: &'static str,
}

impl<'a> App<'a> {
    fn of_the_samples(attache: &'a Attache) -> Self {
        Self { attache, root: "/telefonica", id: "my-app-id", secret: "my-app-secret" }
    }

    /// The backend flow's first step, which must come to a status.
    fn bc_authorize(&self, parameters: &[(&str, &str)], status: u16) -> Answer {
        let path = format!("{}/bc-authorize", self.root);
        self.attache.post(&path).basic(self.id, self.secret).form(parameters).says(status)
    }

    /// The second step of both flows.
    fn token(&self, parameters: &[(&str, &str)], status: u16) -> Answer {
        let path = format!("{}/token", self.root);
        self.attache.post(&path).basic(self.id, self.secret).form(parameters).says(status)
    }

    /// Both steps of the backend flow.
    fn backend_flow(&self, parameters: &[(&str, &str)]) -> String {
        let request = self.bc_authorize(parameters, 200).text("auth_req_id");
        self.token(&[("grant_type", CIBA), ("auth_req_id", &request)], 200).text("access_token")
    }

    /// The frontend flow's first step: the code and the state that come back to the callback URL.
    fn authorize(&self, redirect_uri: &str) -> (String, String) {
        let state = r#"{"phone_number":"+34777777777"}"#;
        let hint = format!("phone_number:{LINE}");
        let answer = self.attache.get(&self.authorize_path(redirect_uri, &hint, state)).says(302);
        let location: url::Url = answer.header("location").parse().unwrap();
        assert!(location.as_str().starts_with(redirect_uri), "{location}");
        let parameter = |name| location.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!(parameter("state"), state, "the state comes back as it went");
        (parameter("code"), state.to_owned())
    }

    fn authorize_path(&self, redirect_uri: &str, hint: &str, state: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("client_id", self.id), ("response_type", "code"), ("scope", SCOPE)])
            .extend_pairs([("redirect_uri", redirect_uri), ("login_hint", hint), ("state", state)])
            .finish();
        format!("{}/authorize?{query}", self.root)
    }

    /// The address that the app is registered with.
    fn redirect_uri(&self) -> String {
        let facts = self.attache.facts();
        let clients = facts["publishers"]["telefonica"]["clients"].as_array().unwrap();
        let client = clients.iter().find(|client| client["client_id"] == self.id).unwrap();
        client["redirect_uris"][0].as_str().unwrap().to_owned()
    }

    fn roaming(&self, token: &str, body: &Value, status: u16) -> Answer {
        self.attache.post(&format!("{}/device-status/v0/roaming", self.root)).bearer(token).json(body).says(status)
    }

    /// Asks about [`LINE`], which roams in a country that the samples can print.
    fn finds_its_line_roaming(&self, token: &str, body: &Value) {
        let answer = self.roaming(token, body, 200).json();
        assert_eq!(answer["roaming"], true);
        assert!(answer["countryCode"].is_u64(), "{answer}");
        assert!(answer["countryName"][0].is_string(), "{answer}");
    }
}

#[test]
fn the_backend_flow_takes_every_login_hint_and_both_places_of_the_scope() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    let by_number = [LINE, "phone_number:+34777777777", "tel:+34777777777"];
    let by_address =
        ["ipport:80.90.34.2:16790", "ipport:80.90.34.2", "ipport:[2001:db8::1]:8080", "ipport:[2001:db8::1]"];
    for hint in by_number.into_iter().chain(by_address) {
        for place in ["scope", "purpose"] {
            let token = app.backend_flow(&[("login_hint", hint), (place, SCOPE)]);
            app.finds_its_line_roaming(&token, &json!({"ueId": {"msisdn": LINE}}));
        }
    }
}

#[test]
fn the_line_may_be_named_as_an_msisdn_or_as_a_phone_number() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    let token = app.backend_flow(&[("login_hint", LINE), ("scope", SCOPE)]);
    app.finds_its_line_roaming(&token, &json!({"ueId": {"msisdn": LINE}}));
    app.finds_its_line_roaming(&token, &json!({"ueId": {"msisdn": "34777777777"}}));
    app.finds_its_line_roaming(&token, &json!({"phoneNumber": LINE}));
}

#[test]
fn everything_stands_below_the_api_gateway_as_well() {
    let attache = Attache::sandbox();
    let app = App { root: "/telefonica/apigateway", ..App::of_the_samples(&attache) };
    let token = app.backend_flow(&[("login_hint", LINE), ("scope", SCOPE)]);
    app.finds_its_line_roaming(&token, &json!({"ueId": {"msisdn": LINE}}));
    let (code, _) = app.authorize(&app.redirect_uri());
    let token = app.token(&[("grant_type", "authorization_code"), ("code", &code)], 200).text("access_token");
    app.finds_its_line_roaming(&token, &json!({"phoneNumber": LINE}));
}

#[test]
fn the_frontend_flow_brings_a_code_to_the_callback_and_the_code_a_token() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    let redirect_uri = app.redirect_uri();
    let (code, state) = app.authorize(&redirect_uri);
    // The samples don't repeat the redirect_uri.
    let token = app.token(&[("grant_type", "authorization_code"), ("code", &code)], 200).text("access_token");
    let data: Value = serde_json::from_str(&state).unwrap();
    app.finds_its_line_roaming(&token, &json!({"ueId": {"msisdn": data["phone_number"]}}));

    let (code, _) = app.authorize(&redirect_uri);
    let repeated = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &redirect_uri)];
    app.token(&repeated, 200);
    let again = app.token(&repeated, 400);
    assert_eq!(again.text("error"), "invalid_grant", "a code is good for one token");

    let (code, _) = app.authorize(&redirect_uri);
    let another =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "https://elsewhere.example/")];
    assert_eq!(
        app.token(&another, 400).text("error"),
        "invalid_grant",
        "a redirect_uri that is repeated must be the same"
    );
}

#[test]
fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    for elsewhere in ["https://elsewhere.example/", &format!("{}/more", app.redirect_uri())] {
        let answer = attache.get(&app.authorize_path(elsewhere, LINE, "s")).says(400);
        assert_eq!(answer.header("location"), "");
    }
}

#[test]
fn the_token_response_has_what_the_document_requires() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    let request = app.bc_authorize(&[("login_hint", LINE), ("scope", SCOPE)], 200).json();
    assert!(request["expires_in"].is_u64() && request["interval"].is_u64(), "{request}");
    let grant = [("grant_type", CIBA), ("auth_req_id", request["auth_req_id"].as_str().unwrap())];
    let token = app.token(&grant, 200).json();
    assert_eq!(token["token_type"], "Bearer");
    assert!(token["expires_in"].is_u64(), "{token}");
    assert_eq!(app.token(&grant, 400).text("error"), "invalid_grant", "an auth_req_id is good for one token");
}

#[test]
fn an_error_of_the_authorization_server_has_what_the_document_and_the_samples_read() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    let stranger = App { secret: "not-my-app-secret", ..App::of_the_samples(&attache) };
    let answers = [
        (stranger.bc_authorize(&[("login_hint", LINE), ("scope", SCOPE)], 401), 401),
        (stranger.token(&[("grant_type", CIBA), ("auth_req_id", "x")], 401), 401),
        (app.bc_authorize(&[("scope", SCOPE)], 400), 400),
        (app.bc_authorize(&[("login_hint", LINE)], 400), 400),
        (app.token(&[("grant_type", CIBA), ("auth_req_id", "x")], 400), 400),
        (app.token(&[("grant_type", "password")], 400), 400),
    ];
    for (answer, status) in answers {
        let error = answer.json();
        assert!(error["error"].is_string() && error["error_description"].is_string(), "{error}");
        assert_eq!(error["code"], status, "{error}");
        assert!(error["message"].is_string(), "{error}");
    }
}

#[test]
fn a_json_body_is_not_what_the_token_endpoint_reads() {
    let attache = Attache::sandbox();
    let body = json!({"grant_type": "authorization_code", "code": "x"});
    let request = attache.post("/telefonica/token").basic("my-app-id", "my-app-secret").json(&body);
    let error = request.says(400).json();
    assert_eq!(error["error"], "invalid_request");
}

#[test]
fn a_page_of_a_registered_origin_may_begin_the_frontend_flow() {
    let attache = Attache::sandbox();
    let (origin, redirect_uri) = ("https://app.example", "https://app.example/device-status-callback");
    let client = json!({
        "publisher": "telefonica",
        "client_id": "page",
        "client_secret": "page-secret",
        "redirect_uris": [redirect_uri],
        "origins": [origin],
    });
    attache.admin(Method::POST, "/admin/v1/clients").json(&client).says(201);
    let app = App { id: "page", secret: "page-secret", ..App::of_the_samples(&attache) };
    let path = app.authorize_path(redirect_uri, LINE, "s");
    // Without this header, a browser doesn't follow the redirect of a sample's fetch.
    let answer = attache.get(&path).header("origin", origin).says(302);
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    let answer = attache.get(&path).header("origin", "https://elsewhere.example").says(302);
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[test]
fn a_token_answers_about_its_own_line_only() {
    let attache = Attache::sandbox();
    let app = App::of_the_samples(&attache);
    let token = app.backend_flow(&[("login_hint", LINE), ("scope", SCOPE)]);
    let error = app.roaming(&token, &json!({"ueId": {"msisdn": "+34666555343"}}), 403).json();
    assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
}

#[test]
fn a_request_without_a_good_token_is_unauthorized() {
    let attache = Attache::sandbox();
    let body = json!({"ueId": {"msisdn": LINE}});
    let without = attache.post("/telefonica/device-status/v0/roaming").json(&body).says(401).json();
    let with_a_wrong_one =
        attache.post("/telefonica/device-status/v0/roaming").bearer("x.y.z").json(&body).says(401).json();
    for error in [without, with_a_wrong_one] {
        assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
        assert!(error.get("status").is_none(), "0.4 has code and message: {error}");
    }
}

#[test]
fn an_expired_token_and_one_of_another_publisher_are_unauthorized() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_TOKEN_LIFETIME", "1s")]);
    let token = App::of_the_samples(&attache).backend_flow(&[("login_hint", LINE), ("scope", SCOPE)]);
    let body = r#"{"ueId":{"msisdn":"+34777777777"}}"#;
    let face = Face { attache: &attache, path: "/telefonica/device-status/v0/roaming", token, body };
    let unauthorized =
        |message: &str| format!(r#"{{"code":"UNAUTHORIZED","message":"Authorization failed: {message}"}}"#);
    assert_eq!(face.expires().body, unauthorized("the access token has expired; ask for a new one"));

    let attache = Attache::sandbox();
    let face = Face { attache: &attache, ..face };
    for (publisher, token) in token_of_each_publisher(&attache) {
        if publisher == "telefonica" {
            face.ask_with(&token, body).says(200);
        } else {
            let message = "the access token is not valid here; ask this publisher's token endpoint for a new one";
            assert_eq!(face.ask_with(&token, body).says(401).body, unauthorized(message), "{publisher}");
        }
    }
}

#[test]
fn the_mock_credentials_and_the_mock_token_of_the_documents_work() {
    let attache = Attache::sandbox();
    let app = App { id: "mock_sandbox_app_id", secret: "mock_sandbox_app_secret", ..App::of_the_samples(&attache) };
    let token = app.backend_flow(&[("login_hint", &format!("tel:{LINE}")), ("scope", SCOPE)]);
    app.finds_its_line_roaming(&token, &json!({"ueId": {"msisdn": LINE}}));
    // The mock token is for one line, whichever it is.
    let numbers = attache.facts()["lines"].as_array().unwrap().clone();
    let answered = numbers
        .iter()
        .filter(|line| {
            let path = "/telefonica/device-status/v0/roaming";
            let request = attache.post(path).bearer("mock_sandbox_access_token");
            request.json(&json!({"ueId": {"msisdn": line["phone_number"]}})).send().status == 200
        })
        .count();
    assert_eq!(answered, 1);
}
