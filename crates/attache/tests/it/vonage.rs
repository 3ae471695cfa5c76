//! Vonage, as the API reference "Vonage Device Status API" tells it, version `v050`. It prints no
//! errors: they are CAMARA's.

use reqwest::Method;
use serde_json::json;

use crate::{
    faces::{CIBA, Face, IMPATIENT, VONAGE, is_error_info, token_of_each_publisher},
    harness::Attache,
};

const CONNECTIVITY: &str = "/vonage/camara/device-status/v050/connectivity";
const ROAMING: &str = "/vonage/camara/device-status/v050/roaming";

const CONNECTIVITY_SCOPE: &str = "dpv:NotApplicable#device-status:connectivity:read";
const ROAMING_SCOPE: &str = "dpv:NotApplicable#device-status:roaming:read";

/// The line of the document, and the request as it is printed.
const LINE: &str = "+123456789";
const REQUEST: &str = "{\n   \"device\": {\n      \"phoneNumber\": \"123456789\"\n   }\n}";

fn connectivity(attache: &Attache) -> Face<'_> {
    let token = VONAGE.three_legged(attache, LINE, CONNECTIVITY_SCOPE);
    Face { attache, path: CONNECTIVITY, token, body: REQUEST }
}

fn roaming(attache: &Attache) -> Face<'_> {
    Face { attache, path: ROAMING, token: VONAGE.three_legged(attache, LINE, ROAMING_SCOPE), body: REQUEST }
}

#[test]
fn the_printed_requests_have_the_printed_answers() {
    let attache = Attache::sandbox();
    assert_eq!(connectivity(&attache).ask(REQUEST).says(200).body, r#"{"connectivityStatus":"CONNECTED_DATA"}"#);
    let printed = r#"{"roaming":true,"countryCode":262,"countryName":["DE"]}"#;
    let answer = roaming(&attache).ask(REQUEST).says(200);
    assert_eq!((answer.body.as_str(), answer.header("content-type")), (printed, "application/json"));
}

#[test]
fn a_number_stands_with_and_without_plus() {
    let attache = Attache::sandbox();
    for face in [connectivity(&attache), roaming(&attache)] {
        assert_eq!(face.ask_about("+123456789").says(200).body, face.ask_about("123456789").says(200).body);
    }
    for hint in ["tel:+123456789", "+123456789", "123456789"] {
        VONAGE.bc_authorize(&attache, &[("login_hint", hint), ("scope", ROAMING_SCOPE)]).says(200);
    }
}

#[test]
fn the_answers_follow_the_line() {
    let attache = Attache::sandbox();
    let (connectivity, roaming) = (connectivity(&attache), roaming(&attache));
    for (data, sms, status) in [
        (true, true, "CONNECTED_DATA"),
        (true, false, "CONNECTED_DATA"),
        (false, true, "CONNECTED_SMS"),
        (false, false, "NOT_CONNECTED"),
    ] {
        attache.change(LINE, "reach", &json!({"data": data, "sms": sms}));
        let expected = format!(r#"{{"connectivityStatus":"{status}"}}"#);
        assert_eq!(connectivity.ask(REQUEST).says(200).body, expected);
    }
    for (plmn, expected) in [
        ("34001", r#"{"roaming":true,"countryCode":340,"countryName":["BL","GF","GP","MF","MQ"]}"#),
        ("90112", r#"{"roaming":true,"countryCode":901,"countryName":[]}"#),
        ("310410", r#"{"roaming":false}"#),
    ] {
        attache.change(LINE, "roam", &json!({"plmn": plmn}));
        assert_eq!(roaming.ask(REQUEST).says(200).body, expected);
    }
    attache.change(LINE, "roam", &json!({"country": "de"}));
    attache.change(LINE, "home", &json!({}));
    assert_eq!(roaming.ask(REQUEST).says(200).body, r#"{"roaming":false}"#);
}

#[test]
fn the_two_steps_of_the_authorization_answer_as_ciba_has_it() {
    let attache = Attache::sandbox();
    let request = [("login_hint", "tel:+123456789"), ("scope", ROAMING_SCOPE)];
    let request = VONAGE.bc_authorize(&attache, &request).says(200).json();
    assert!(request["expires_in"].is_u64() && request["interval"].is_u64(), "{request}");
    let grant = [("grant_type", CIBA), ("auth_req_id", request["auth_req_id"].as_str().unwrap())];
    let token = VONAGE.token(&attache, &grant).says(200).json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(token["scope"], "device-status:roaming:read");
    assert_eq!(VONAGE.token(&attache, &grant).says(400).text("error"), "invalid_grant", "it is good for one token");
}

#[test]
fn one_authorization_may_be_for_both_scopes() {
    let attache = Attache::sandbox();
    let token = VONAGE.three_legged(&attache, LINE, &format!("{CONNECTIVITY_SCOPE} {ROAMING_SCOPE}"));
    for path in [CONNECTIVITY, ROAMING] {
        Face { attache: &attache, path, token: token.clone(), body: REQUEST }.ask(REQUEST).says(200);
    }
}

#[test]
fn tokens_are_for_the_scope_that_was_asked_for() {
    let attache = Attache::sandbox();
    let (connectivity, roaming) = (connectivity(&attache), roaming(&attache));
    for (face, token) in [(&connectivity, &roaming.token), (&roaming, &connectivity.token)] {
        let answer = face.ask_with(token, REQUEST).says(403);
        is_error_info(&answer, "PERMISSION_DENIED");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer error="insufficient_scope""#);
    }
}

#[test]
fn a_token_never_answers_about_another_line() {
    let attache = Attache::sandbox();
    for face in [connectivity(&attache), roaming(&attache)] {
        // One line exists, the other does not, and the answers don't tell.
        let [known, unknown] = ["+34666666666", "+99999999999"].map(|other| face.ask_about(other).says(403));
        is_error_info(&known, "INVALID_TOKEN_CONTEXT");
        assert_eq!(known.body, unknown.body);
    }
}

#[test]
fn a_token_of_a_line_that_is_gone_is_not_valid_also_when_its_number_has_a_new_subscriber() {
    let attache = Attache::sandbox();
    let face = roaming(&attache);
    attache.admin(Method::DELETE, &format!("/admin/v1/lines/{LINE}")).says(200);
    is_error_info(&face.ask(REQUEST).says(401), "UNAUTHENTICATED");
    let line = json!({"phone_number": LINE, "home_plmn": "310410"});
    attache.admin(Method::POST, "/admin/v1/lines").json(&line).says(201);
    is_error_info(&face.ask(REQUEST).says(401), "UNAUTHENTICATED");
    roaming(&attache).ask(REQUEST).says(200);
}

#[test]
fn tokens_of_other_publishers_are_not_valid_here() {
    let attache = Attache::sandbox();
    for (publisher, token) in token_of_each_publisher(&attache) {
        for face in [connectivity(&attache), roaming(&attache)] {
            let answer = face.ask_with(&token, REQUEST).says(if publisher == "vonage" { 200 } else { 401 });
            if publisher != "vonage" {
                is_error_info(&answer, "UNAUTHENTICATED");
            }
        }
    }
}

#[test]
fn an_expired_token_is_unauthenticated() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_TOKEN_LIFETIME", "1s")]);
    for face in [connectivity(&attache), roaming(&attache)] {
        is_error_info(&face.expires(), "UNAUTHENTICATED");
    }
}

#[test]
fn every_bad_request_is_refused_in_camaras_words() {
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    connectivity(&attache).refuses_in_camaras_words();
    roaming(&attache).refuses_in_camaras_words();
}

#[test]
fn a_bad_device_is_an_invalid_argument() {
    let attache = Attache::sandbox();
    for face in [connectivity(&attache), roaming(&attache)] {
        for body in [
            "{}",
            r#"{"device":{}}"#,
            r#"{"device":null}"#,
            r#"{"device":"123456789"}"#,
            r#"{"device":{"phoneNumber":123456789}}"#,
            r#"{"device":{"phoneNumber":"1234"}}"#,
            r#"{"device":{"phoneNumber":"++123456789"}}"#,
            r#"{"device":{"phoneNumber":"123456789","phoneNumber":"123456789"}}"#,
            r#"{"device":{"networkAccessIdentifier":"123456789@domain.com"}}"#,
        ] {
            is_error_info(&face.ask(body).says(400), "INVALID_ARGUMENT");
        }
    }
}

#[test]
fn a_line_that_was_never_seen_has_no_status() {
    let attache = Attache::sandbox();
    for (path, scope) in [(CONNECTIVITY, CONNECTIVITY_SCOPE), (ROAMING, ROAMING_SCOPE)] {
        let token = VONAGE.three_legged(&attache, "+33639980007", scope);
        let face = Face { attache: &attache, path, token, body: REQUEST };
        is_error_info(&face.ask_about("33639980007").says(503), "UNAVAILABLE");
    }
}

#[test]
fn only_the_backend_flow_leads_to_a_token() {
    let attache = Attache::sandbox();
    for grant in ["client_credentials", "authorization_code", "password"] {
        let error = VONAGE.token(&attache, &[("grant_type", grant), ("scope", ROAMING_SCOPE)]).says(400);
        assert_eq!(error.text("error"), "unsupported_grant_type");
    }
}

#[test]
fn an_authorization_is_refused_as_ciba_has_it() {
    let attache = Attache::sandbox();
    for (hint, scope, code) in [
        ("tel:+99999999999", ROAMING_SCOPE, "unknown_user_id"),
        ("tel:nobody", ROAMING_SCOPE, "invalid_request"),
        ("", ROAMING_SCOPE, "invalid_request"),
        ("tel:+123456789", "", "invalid_scope"),
        ("tel:+123456789", "dpv:NotApplicable#device-status:subscriptions:create", "invalid_scope"),
        ("tel:+123456789", "dpv:Advertising#device-status:roaming:read", "invalid_scope"),
    ] {
        let error = VONAGE.bc_authorize(&attache, &[("login_hint", hint), ("scope", scope)]).says(400);
        assert_eq!(error.text("error"), code, "{hint} {scope}");
    }
    let stranger = attache.post("/vonage/oauth2/bc-authorize").basic("my-app-id", "my-app-secret");
    let error = stranger.form(&[("login_hint", "tel:+123456789"), ("scope", ROAMING_SCOPE)]).says(401);
    assert_eq!(error.text("error"), "invalid_client", "it is another publisher's client");
}

#[test]
fn an_unknown_path_is_not_found_in_camaras_words() {
    let attache = Attache::sandbox();
    for path in [
        "/vonage",
        "/vonage/camara/device-status/v0/roaming",
        "/vonage/camara/device-status/v050",
        "/vonage/camara/device-status/v050/roaming/",
        "/vonage/oauth2/authorize",
    ] {
        is_error_info(&attache.post(path).body("application/json", REQUEST).says(404), "NOT_FOUND");
    }
}

#[test]
fn a_correlator_is_echoed_and_one_is_made_where_none_is_good() {
    let attache = Attache::sandbox();
    for face in [connectivity(&attache), roaming(&attache)] {
        assert_eq!(face.ask(REQUEST).header("x-correlator", "b4333c46").says(200).header("x-correlator"), "b4333c46");
        // 0.5 doesn't know the header, so a bad one is no reason to refuse.
        for request in [face.ask(REQUEST), face.ask(REQUEST).header("x-correlator", "no spaces")] {
            assert_eq!(request.says(200).header("x-correlator").len(), 36);
        }
    }
}
