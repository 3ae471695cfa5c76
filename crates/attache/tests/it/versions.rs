//! CAMARA's versions side by side: which one answers at a path that several share, what a pin changes,
//! and what each says in its own words about the same line.

use std::io::{Read, Write};

use serde_json::json;

use crate::{
    faces::{CAMARA, Face, is_error_info},
    harness::{Answer, Attache},
};

const ROAMING_1: &str = "/device-roaming-status/v1/retrieve";
const ROAMING_0_6: &str = "/device-roaming-status/v0.6/retrieve";
const REACHABILITY_1: &str = "/device-reachability-status/v1/retrieve";
const REACHABILITY_0_6: &str = "/device-reachability-status/v0.6/retrieve";
const NETWORK_TYPE_0_2: &str = "/connected-network-type/v0.2/retrieve";
const NETWORK_TYPE_0_1: &str = "/connected-network-type/v0.1/retrieve";
const OLD_ROAMING: &str = "/device-status/v0/roaming";
const OLD_CONNECTIVITY: &str = "/device-status/v0/connectivity";

const AT_HOME: &str = "+33639980001";
const ROAMING: &str = "+33639980006";
const NEVER_SEEN: &str = "+33639980007";
const UNTOLD: &str = "+33639980011";

const BODY: &str = r#"{"device":{"phoneNumber":"+33639980001"}}"#;
/// The address is that of the line whose number stands there.
const AGREEING: &str =
    r#"{"device":{"phoneNumber":"+33639980001","ipv6Address":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#;
const DISAGREEING: &str =
    r#"{"device":{"phoneNumber":"+33639980004","ipv6Address":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#;

const SCOPES: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read device-reachability-status:read \
                      connected-network-type:read device-status:roaming:read device-status:connectivity:read \
                      device-status-roaming-read";

fn two_legged<'a>(attache: &'a Attache, path: &'static str) -> Face<'a> {
    Face { attache, path, token: CAMARA.two_legged(attache, SCOPES), body: BODY }
}

fn three_legged<'a>(attache: &'a Attache, path: &'static str, line: &str) -> Face<'a> {
    Face { attache, path, token: CAMARA.three_legged(attache, line, SCOPES), body: BODY }
}

/// Which of the versions that share its path answers a body: 0.4 has no `status` in its errors.
fn contract_of(face: &Face<'_>, body: &str) -> &'static str {
    let error = face.ask(body).says(400).json();
    if error.get("status").is_none() { "0.4" } else { "0.5" }
}

#[test]
fn version_0_6_says_what_1_1_says_in_its_own_words() {
    let attache = Attache::sandbox();
    let answer = |path, line| two_legged(&attache, path).ask_about(line).send();
    assert_eq!(answer(ROAMING_0_6, ROAMING).body, answer(ROAMING_1, ROAMING).body);
    let mut reachability = answer(REACHABILITY_1, ROAMING).json();
    reachability.as_object_mut().unwrap().retain(|name, _| name == "lastStatusTime");
    reachability["reachabilityStatus"] = json!("CONNECTED_DATA");
    assert_eq!(answer(REACHABILITY_0_6, ROAMING).json(), reachability);

    is_error_info(&answer(ROAMING_0_6, NEVER_SEEN), "UNABLE_TO_PROVIDE_ROAMING_STATUS");
    is_error_info(&answer(REACHABILITY_0_6, NEVER_SEEN), "UNABLE_TO_PROVIDE_REACHABILITY_STATUS");
    for (path, unknown, missing, unsupported) in [
        (ROAMING_0_6, "DEVICE_NOT_FOUND", "UNIDENTIFIABLE_DEVICE", "UNSUPPORTED_DEVICE_IDENTIFIERS"),
        (REACHABILITY_0_6, "DEVICE_NOT_FOUND", "UNIDENTIFIABLE_DEVICE", "UNSUPPORTED_DEVICE_IDENTIFIERS"),
        (NETWORK_TYPE_0_1, "IDENTIFIER_NOT_FOUND", "MISSING_IDENTIFIER", "UNSUPPORTED_IDENTIFIER"),
        (NETWORK_TYPE_0_2, "IDENTIFIER_NOT_FOUND", "MISSING_IDENTIFIER", "UNSUPPORTED_IDENTIFIER"),
    ] {
        let face = two_legged(&attache, path);
        is_error_info(&face.ask_about("+99999999999").says(404), unknown);
        is_error_info(&face.ask("{}").says(422), missing);
        let identifier = r#"{"device":{"networkAccessIdentifier":"123456789@domain.com"}}"#;
        is_error_info(&face.ask(identifier).says(422), unsupported);
    }
}

#[test]
fn a_token_for_a_line_may_be_repeated_by_the_device_in_0_6_only() {
    let attache = Attache::sandbox();
    for path in [ROAMING_0_6, REACHABILITY_0_6] {
        let face = three_legged(&attache, path, AT_HOME);
        let answer = face.ask("{}").says(200).body;
        assert_eq!(face.ask(BODY).says(200).body, answer);
        assert_eq!(face.ask(AGREEING).says(200).body, answer);
        for other in ["+33639980004", "+99999999999"] {
            is_error_info(&face.ask_about(other).says(403), "INVALID_TOKEN_CONTEXT");
        }
        is_error_info(&face.ask(DISAGREEING).says(403), "INVALID_TOKEN_CONTEXT");
    }
    for path in [NETWORK_TYPE_0_1, NETWORK_TYPE_0_2] {
        let face = three_legged(&attache, path, AT_HOME);
        face.ask("{}").says(200);
        is_error_info(&face.ask(BODY).says(422), "UNNECESSARY_IDENTIFIER");
    }
}

#[test]
fn identifiers_of_different_lines_are_told_by_the_versions_that_have_a_code_for_it() {
    let attache = Attache::sandbox();
    for (path, code) in [
        (ROAMING_0_6, "DEVICE_IDENTIFIERS_MISMATCH"),
        (REACHABILITY_0_6, "DEVICE_IDENTIFIERS_MISMATCH"),
        (NETWORK_TYPE_0_1, "IDENTIFIER_MISMATCH"),
    ] {
        let face = two_legged(&attache, path);
        is_error_info(&face.ask(DISAGREEING).says(422), code);
        assert_eq!(face.ask(AGREEING).says(200).json().get("device"), None, "{path}");
    }
    for path in [ROAMING_1, REACHABILITY_1, NETWORK_TYPE_0_2] {
        let answer = two_legged(&attache, path).ask(DISAGREEING).says(200).json();
        assert_eq!(answer["device"], json!({"phoneNumber": "+33639980004"}), "{path}");
    }
}

#[test]
fn the_network_type_follows_the_line() {
    let attache = Attache::sandbox();
    let type_of = |line: &str| {
        let [old, new] = [NETWORK_TYPE_0_1, NETWORK_TYPE_0_2].map(|path| two_legged(&attache, path));
        let answer = new.ask_about(line).says(200);
        assert_eq!(old.ask_about(line).says(200).body, answer.body);
        answer.text("connectedNetworkType")
    };
    assert_eq!(type_of(AT_HOME), "5G");
    for technology in ["2G", "3G", "4G", "5G"] {
        attache.change(AT_HOME, "technology", &json!({"technology": technology}));
        assert_eq!(type_of(AT_HOME), technology);
    }
    attache.change(AT_HOME, "roam", &json!({"country": "DE"}));
    assert_eq!(type_of(AT_HOME), "UNKNOWN");
    attache.change(AT_HOME, "home", &json!({}));
    assert_eq!(type_of(AT_HOME), "5G");
    attache.change(AT_HOME, "reach", &json!({"data": false, "sms": false}));
    assert_eq!(type_of(AT_HOME), "UNKNOWN");
    attache.change(AT_HOME, "reach", &json!({"data": false, "sms": true}));
    assert_eq!(type_of(AT_HOME), "5G");
    attache.change(AT_HOME, "technology", &json!({"technology": null}));
    assert_eq!(type_of(AT_HOME), "UNKNOWN");
    assert_eq!((type_of(UNTOLD), type_of(ROAMING)), ("UNKNOWN".to_owned(), "UNKNOWN".to_owned()));
    let answer = two_legged(&attache, NETWORK_TYPE_0_2).ask_about(NEVER_SEEN).says(200);
    assert_eq!(answer.body, r#"{"connectedNetworkType":"UNKNOWN"}"#);
}

#[test]
fn an_operator_says_the_technology_of_a_line_in_known_words_only() {
    let attache = Attache::sandbox();
    for bad in [json!({}), json!({"technology": "LTE"}), json!({"technology": 4}), json!({"technology": "4G", "x": 1})]
    {
        let path = format!("/admin/v1/lines/{AT_HOME}/technology");
        attache.admin(reqwest::Method::POST, &path).json(&bad).says(400);
    }
    for (word, told) in [("3G", json!("3G")), ("none", json!(null))] {
        let output = attache.command(&["line", "technology", AT_HOME, word]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(attache.line(AT_HOME)["technology"], told);
    }
    assert!(!attache.command(&["line", "technology", AT_HOME, "LTE"]).status.success());
}

#[test]
fn a_body_with_ue_id_and_without_device_is_0_4_and_everything_else_0_5() {
    let attache = Attache::sandbox();
    let face = two_legged(&attache, OLD_ROAMING);
    for (body, contract) in [
        (r#"{"ueId":{}}"#, "0.4"),
        (r#"{"ueId":null}"#, "0.4"),
        (r#"{"ueId":{"msisdn":"+336"}}"#, "0.4"),
        (r#"{"ueId":{"msisdn":"+33639980001"},"ueId":{"msisdn":"+33639980001"}}"#, "0.4"),
        (r#"{"ueId":{},"device":{}}"#, "0.5"),
        (r#"{"ueId":{"msisdn":"+33639980001"},"device":null}"#, "0.5"),
        (r#"{"device":{}}"#, "0.5"),
        (r"{}", "0.5"),
        (r#"{"ueId""#, "0.5"),
        ("[]", "0.5"),
        ("", "0.5"),
    ] {
        assert_eq!(contract_of(&face, body), contract, "{body}");
    }
    for line in [ROAMING, AT_HOME] {
        let old = face.ask(json!({"ueId": {"msisdn": line}}).to_string()).says(200).body;
        assert_eq!(face.ask_about(line).says(200).body, old);
    }
    // It is not beside the other operation.
    assert_eq!(contract_of(&two_legged(&attache, OLD_CONNECTIVITY), r#"{"ueId":{}}"#), "0.5");
}

#[test]
fn the_scope_of_either_version_admits_until_the_body_decides() {
    let attache = Attache::sandbox();
    let with = |scope: &str| Face {
        token: CAMARA.two_legged(&attache, &format!("dpv:FraudPreventionAndDetection {scope}")),
        ..two_legged(&attache, OLD_ROAMING)
    };
    let ue_id = r#"{"ueId":{"msisdn":"+33639980001"}}"#;
    let (old, new) = (with("device-status-roaming-read"), with("device-status:roaming:read"));
    old.ask(ue_id).says(200);
    new.ask(BODY).says(200);
    let denied = new.ask(ue_id).says(403).json();
    assert_eq!((&denied["code"], denied.get("status")), (&json!("FORBIDDEN"), None));
    is_error_info(&old.ask(BODY).says(403), "PERMISSION_DENIED");
}

#[test]
fn who_is_refused_before_the_body_is_read_is_so_in_the_words_of_the_version_that_is_meant() {
    let attache = Attache::sandbox();
    let ue_id = r#"{"ueId":{"msisdn":"+33639980001"}}"#;
    let face = two_legged(&attache, OLD_ROAMING);
    let without_scope = CAMARA.two_legged(&attache, "dpv:FraudPreventionAndDetection connected-network-type:read");
    let is_0_4 = |answer: &Answer, code: &str, scope: &str| {
        let error = answer.json();
        assert_eq!((&error["code"], error.get("status")), (&json!(code), None));
        assert!(error["message"].as_str().unwrap().contains(scope), "{error}");
    };
    is_0_4(&attache.post(OLD_ROAMING).body("application/json", ue_id).says(401), "UNAUTHORIZED", "");
    is_0_4(&face.ask_with("nonsense", ue_id).says(401), "UNAUTHORIZED", "");
    is_0_4(&face.ask_with(&without_scope, ue_id).says(403), "FORBIDDEN", "scope device-status-roaming-read");
    let wrong_type = attache.post(OLD_ROAMING).bearer(&face.token).body("text/plain", ue_id).says(415);
    is_0_4(&wrong_type, "UNSUPPORTED_MEDIA_TYPE", "");

    is_error_info(&face.ask_with("nonsense", BODY).says(401), "UNAUTHENTICATED");
    let denied = face.ask_with(&without_scope, BODY).says(403);
    is_error_info(&denied, "PERMISSION_DENIED");
    assert!(denied.body.contains("scope device-status:roaming:read"), "{}", denied.body);
    // Elsewhere nothing is meant by it.
    is_error_info(&two_legged(&attache, OLD_CONNECTIVITY).ask_with("nonsense", ue_id).says(401), "UNAUTHENTICATED");
}

#[test]
fn for_who_is_refused_in_any_case_no_large_and_no_slow_body_is_waited_for() {
    let attache = Attache::sandbox();
    let large = format!(r#"{{"ueId":{{}},"padding":"{}"}}"#, "x".repeat(5_000));
    is_error_info(&two_legged(&attache, OLD_ROAMING).ask_with("nonsense", large).says(401), "UNAUTHENTICATED");
    let host = attache.url("");
    let host = host.trim_start_matches("http://");
    for framing in ["Content-Length: 30", "Transfer-Encoding: chunked"] {
        // The body never comes, and the answer does.
        let request = format!("POST {OLD_ROAMING} HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n");
        let mut connection = attache.connect();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{framing}");
    }
}

#[test]
fn a_pinned_version_has_its_path_to_itself() {
    let pins = "device-roaming-status=1.0, device-status=0.4";
    let attache = Attache::with_environment(&[], &[("ATTACHE_PINS", pins), ("ATTACHE_TOKEN_LIFETIME", "3s")]);
    let face = two_legged(&attache, ROAMING_1);
    is_error_info(&face.ask(DISAGREEING).says(422), "IDENTIFIER_MISMATCH");
    assert_eq!(face.ask(AGREEING).says(200).json().get("device"), None);
    is_error_info(&face.ask(BODY).header("x-correlator", "a:b").says(400), "INVALID_ARGUMENT");
    assert_eq!(face.ask(BODY).header("x-correlator", "a-b").says(200).header("x-correlator"), "a-b");
    is_error_info(&face.expires(), "AUTHENTICATION_REQUIRED");

    let face = two_legged(&attache, OLD_ROAMING);
    for body in [r#"{"ueId":{}}"#, BODY, "{}", "["] {
        assert_eq!(contract_of(&face, body), "0.4", "{body}");
    }
    is_error_info(&two_legged(&attache, OLD_CONNECTIVITY).ask(BODY).says(404), "NOT_FOUND");
    let facts = attache.facts();
    let listed = facts["publishers"]["camara"]["faces"].as_array().unwrap();
    let contracts = |path: &str| {
        let at = listed.iter().filter(|face| face["url"] == attache.url(path));
        at.map(|face| face["contract"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((contracts(ROAMING_1), contracts(OLD_ROAMING)), (vec!["1.0"], vec!["0.4"]));
    assert_eq!((contracts(REACHABILITY_1), contracts(ROAMING_0_6)), (vec!["1.1"], vec!["0.6"]));
}

#[test]
fn vwip_is_the_newest_version_where_it_is_switched_on() {
    let aliases = [
        ("/device-roaming-status/vwip/retrieve", ROAMING_1),
        ("/device-reachability-status/vwip/retrieve", REACHABILITY_1),
        ("/connected-network-type/vwip/retrieve", NETWORK_TYPE_0_2),
        ("/device-status/vwip/roaming", OLD_ROAMING),
        ("/device-status/vwip/connectivity", OLD_CONNECTIVITY),
    ];
    let attache = Attache::with(&["--vwip"]);
    for (alias, path) in aliases {
        let answer = two_legged(&attache, alias).ask_about(ROAMING).says(200);
        assert_eq!(answer.body, two_legged(&attache, path).ask_about(ROAMING).says(200).body, "{alias}");
    }
    assert_eq!(contract_of(&two_legged(&attache, "/device-status/vwip/roaming"), r#"{"ueId":{}}"#), "0.5");
    let attache = Attache::sandbox();
    for (alias, _) in aliases {
        is_error_info(&two_legged(&attache, alias).ask_about(ROAMING).says(404), "NOT_FOUND");
    }
}

/// What a request for a list of subscriptions without a token is answered: whether there is such a version, and since
/// when it is deprecated.
fn subscriptions_at(attache: &Attache, path: &str) -> (u16, String) {
    let answer = attache.get(&format!("{path}/subscriptions")).send();
    let of_one = attache.get(&format!("{path}/subscriptions/x")).send();
    assert_eq!((of_one.status, of_one.header("deprecation")), (answer.status, answer.header("deprecation")), "{path}");
    (answer.status, answer.header("deprecation").to_owned())
}

#[test]
fn versions_of_subscriptions_are_pinned_deprecated_and_have_an_alias_as_those_of_questions() {
    let attache = Attache::with_environment(
        &["--vwip"],
        &[
            ("ATTACHE_PINS", "device-status=0.4, device-roaming-status-subscriptions=0.7"),
            (
                "ATTACHE_DEPRECATIONS",
                "device-roaming-status-subscriptions/0.6=2026-01-01, device-status/0.5=2026-01-02",
            ),
        ],
    );
    for (path, status, deprecation) in [
        // 0.4 has no subscriptions, and its base path to itself.
        ("/device-status/v0", 404, ""),
        ("/device-status/vwip", 401, "@1767312000"),
        // The others share none.
        ("/device-roaming-status-subscriptions/v0.8", 401, ""),
        ("/device-roaming-status-subscriptions/v0.7", 401, ""),
        ("/device-roaming-status-subscriptions/v0.6", 401, "@1767225600"),
        ("/device-roaming-status-subscriptions/vwip", 401, ""),
        ("/device-reachability-status-subscriptions/vwip", 401, ""),
        ("/connected-network-type-subscriptions/vwip", 401, ""),
    ] {
        assert_eq!(subscriptions_at(&attache, path), (status, deprecation.to_owned()), "{path}");
        // The start tells of those that are there.
        let url = attache.url(&format!("{path}/subscriptions"));
        let facts = attache.facts();
        let listed = facts["publishers"]["camara"]["subscriptions"].as_array().unwrap();
        assert_eq!(listed.iter().any(|face| face["url"] == *url), status == 401, "{path}");
    }
    let attache = Attache::sandbox();
    for (path, status) in [("/device-status/v0", 401), ("/device-roaming-status-subscriptions/vwip", 404)] {
        assert_eq!(subscriptions_at(&attache, path), (status, String::new()), "{path}");
    }
}

#[test]
fn a_correlator_without_a_pattern_is_echoed_and_kept_out_of_the_log() {
    let attache = Attache::sandbox();
    for sent in ["no pattern", "+33 6 39 98 00 01", "a\"b\\c"] {
        let answer = two_legged(&attache, ROAMING_0_6).ask(BODY).header("x-correlator", sent).says(200);
        assert_eq!(answer.header("x-correlator"), sent);
        let made = two_legged(&attache, OLD_ROAMING).ask(BODY).header("x-correlator", sent).says(200);
        assert_eq!(made.header("x-correlator").len(), 36);
        for path in [NETWORK_TYPE_0_1, NETWORK_TYPE_0_2] {
            let answer = two_legged(&attache, path).ask(BODY).header("x-correlator", sent).says(400);
            is_error_info(&answer, "INVALID_ARGUMENT");
        }
    }
    let mut attache = attache;
    attache.stop();
    assert!(!attache.logged().contains("no pattern") && !attache.logged().contains("+33 6"), "{}", attache.logged());
}
