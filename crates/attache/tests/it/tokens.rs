//! Tokens from their issue to their end: what they say, what ends them, and what can be asked about them.

use reqwest::Method;

use crate::{
    faces::{App, CAMARA, CIBA, TELEFONICA, VONAGE},
    harness::{Answer, Attache},
};

const LINE: &str = "+33639980001";
const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";
const ROAMING: &str = "/device-roaming-status/v1/retrieve";

/// The error of an authorization server in the words of OAuth.
fn is_oauth_error(answer: &Answer, code: &str) {
    let error = answer.json();
    assert_eq!(error["error"], code, "{error}");
    assert!(error["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert_eq!(answer.header("cache-control"), "no-store", "{error}");
}

/// A token that tells which line a device has.
fn operator_token(attache: &Attache, line: &str) -> String {
    attache.admin(Method::POST, &format!("/admin/v1/lines/{line}/operator-token")).says(201).text("operator_token")
}

#[test]
fn an_operator_token_is_a_login_hint_once_at_every_publisher_that_has_hints() {
    let attache = Attache::sandbox();
    for (app, scope) in [
        (&CAMARA, SCOPE),
        (&TELEFONICA, "dpv:FraudPreventionAndDetection#device-status-roaming-read"),
        (&VONAGE, "dpv:NotApplicable#device-status:roaming:read"),
    ] {
        let hint = format!("operatortoken:{}", operator_token(&attache, LINE));
        let begin = |app: &App| app.bc_authorize(&attache, &[("login_hint", &hint), ("scope", scope)]);
        let id = begin(app).says(200).text("auth_req_id");
        app.token(&attache, &[("grant_type", CIBA), ("auth_req_id", &id)]).says(200);
        is_oauth_error(&begin(app).says(400), "unknown_user_id");
    }
}

#[test]
fn an_operator_token_tells_the_line_that_it_was_issued_for() {
    let attache = Attache::sandbox();
    let issued = attache.command(&["line", "operator-token", LINE]);
    assert!(issued.status.success(), "{issued:?}");
    let hint = String::from_utf8(issued.stdout).unwrap();
    let parameters = [("login_hint", hint.trim()), ("scope", SCOPE)];
    let id = CAMARA.bc_authorize(&attache, &parameters).says(200).text("auth_req_id");
    let token = CAMARA.token(&attache, &[("grant_type", CIBA), ("auth_req_id", &id)]).says(200).text("access_token");
    attache.post(ROAMING).bearer(&token).body("application/json", "{}").says(200);
    assert!(!attache.log().contains(hint.trim().strip_prefix("operatortoken:").unwrap()), "the log has it");

    let unknown = attache.command(&["line", "operator-token", "+99999999999"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no line has the number"), "{unknown:?}");
}
