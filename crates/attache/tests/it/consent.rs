//! Consent: whatever rests on what a subject said ends when the subject says otherwise, or when the line
//! passes to somebody else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::{App, CAMARA, CIBA, TELEFONICA},
    harness::{Answer, Attache, Request},
};

const LINE: &str = "+33639980001";
const HINT: &str = "tel:+33639980001";
/// The line whose subscriber never answers.
const SILENT: &str = "+33639980009";

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
fn a_code_is_worth_nothing_once_the_consent_is_withdrawn() {
    let attache = Attache::sandbox();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", CAMARA.id), ("scope", SCOPE), ("login_hint", HINT)])
        .append_pair("redirect_uri", "http://localhost:3000/callback")
        .finish();
    let answer = attache.get(&format!("/oauth2/authorize?{query}")).says(302);
    let location: url::Url = answer.header("location").parse().unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    withdraw(&attache, LINE, &json!({}));
    let form =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "http://localhost:3000/callback")];
    assert_eq!(CAMARA.token(&attache, &form).says(400).text("error"), "invalid_grant");
}
