//! CAMARA, as its contracts tell it: Device Roaming Status and Device Reachability Status 1.1, and
//! Device Status 0.5.1.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::{CAMARA, Face, IMPATIENT, instant, is_error_info, token_of_each_publisher},
    harness::{Answer, Attache},
};

/// A face of CAMARA, and the scope that its contract asks for.
#[derive(Clone, Copy)]
struct Contract {
    path: &'static str,
    scope: &'static str,
}

const ROAMING: Contract = Contract { path: "/device-roaming-status/v1/retrieve", scope: "device-roaming-status:read" };
const REACHABILITY: Contract =
    Contract { path: "/device-reachability-status/v1/retrieve", scope: "device-reachability-status:read" };
const OLD_ROAMING: Contract = Contract { path: "/device-status/v0/roaming", scope: "device-status:roaming:read" };
const OLD_CONNECTIVITY: Contract =
    Contract { path: "/device-status/v0/connectivity", scope: "device-status:connectivity:read" };

const NEW: [Contract; 2] = [ROAMING, REACHABILITY];
const OLD: [Contract; 2] = [OLD_ROAMING, OLD_CONNECTIVITY];
const ALL: [Contract; 4] = [ROAMING, REACHABILITY, OLD_ROAMING, OLD_CONNECTIVITY];

/// The demo lines, by what they are there for.
const AT_HOME: &str = "+33639980001";
const SMS_ONLY: &str = "+33639980002";
const NOT_CONNECTED: &str = "+33639980003";
const IN_A_COUNTRY_OF_SEVERAL_CODES: &str = "+33639980004";
const AT_SEA: &str = "+33639980005";
const SEEN_A_DAY_AGO: &str = "+33639980006";
const NEVER_SEEN: &str = "+33639980007";
const SMS_ONLY_ABROAD: &str = "+33639980008";

const BODY: &str = r#"{"device":{"phoneNumber":"+33639980001"}}"#;

impl Contract {
    /// The scopes to ask a token with.
    fn asked(self) -> String {
        format!("dpv:FraudPreventionAndDetection {}", self.scope)
    }

    /// As an application itself asks.
    fn two_legged(self, attache: &Attache) -> Face<'_> {
        Face { attache, path: self.path, token: CAMARA.two_legged(attache, &self.asked()), body: BODY }
    }

    /// As an application asks with a token for one line.
    fn three_legged<'a>(self, attache: &'a Attache, line: &str) -> Face<'a> {
        Face { attache, path: self.path, token: CAMARA.three_legged(attache, line, &self.asked()), body: BODY }
    }
}

/// The time of an answer, with milliseconds, as CAMARA recommends it.
fn last_status_time(answer: &Answer) -> String {
    let time = answer.text("lastStatusTime");
    let shape: String = time.chars().map(|letter| if letter.is_ascii_digit() { 'd' } else { letter }).collect();
    assert_eq!(shape, "dddd-dd-ddTdd:dd:dd.dddZ");
    time
}

#[test]
fn roaming_tells_the_country_of_every_demo_line() {
    let attache = Attache::sandbox();
    let (face, old) = (ROAMING.two_legged(&attache), OLD_ROAMING.two_legged(&attache));
    for (line, status) in [
        (AT_HOME, r#""roaming":false"#),
        (SMS_ONLY, r#""roaming":false"#),
        (NOT_CONNECTED, r#""roaming":false"#),
        (IN_A_COUNTRY_OF_SEVERAL_CODES, r#""roaming":true,"countryCode":340,"countryName":["BL","GF","GP","MF","MQ"]"#),
        (AT_SEA, r#""roaming":true,"countryCode":901,"countryName":[]"#),
        (SEEN_A_DAY_AGO, r#""roaming":true,"countryCode":262,"countryName":["DE"]"#),
        (SMS_ONLY_ABROAD, r#""roaming":true,"countryCode":262,"countryName":["DE"]"#),
        ("+33699901032", r#""roaming":false"#),
        ("+34666555343", r#""roaming":true,"countryCode":262,"countryName":["DE"]"#),
        ("+34666666666", r#""roaming":true,"countryCode":268,"countryName":["PT"]"#),
        ("+34777777777", r#""roaming":true,"countryCode":208,"countryName":["FR"]"#),
        ("+123456789", r#""roaming":true,"countryCode":262,"countryName":["DE"]"#),
    ] {
        let answer = face.ask_about(line).says(200);
        let time = last_status_time(&answer);
        assert_eq!(answer.body, format!(r#"{{"lastStatusTime":"{time}",{status}}}"#), "{line}");
        assert_eq!(old.ask_about(line).says(200).body, format!("{{{status}}}"), "{line}");
    }
}

#[test]
fn reachability_tells_the_connectivity_of_every_demo_line() {
    let attache = Attache::sandbox();
    let (face, old) = (REACHABILITY.two_legged(&attache), OLD_CONNECTIVITY.two_legged(&attache));
    for (line, status, old_status) in [
        (AT_HOME, r#""reachable":true,"connectivity":["DATA","SMS"]"#, "CONNECTED_DATA"),
        (SMS_ONLY, r#""reachable":true,"connectivity":["SMS"]"#, "CONNECTED_SMS"),
        (NOT_CONNECTED, r#""reachable":false"#, "NOT_CONNECTED"),
        (AT_SEA, r#""reachable":true,"connectivity":["DATA"]"#, "CONNECTED_DATA"),
        (SEEN_A_DAY_AGO, r#""reachable":true,"connectivity":["DATA","SMS"]"#, "CONNECTED_DATA"),
        (SMS_ONLY_ABROAD, r#""reachable":true,"connectivity":["SMS"]"#, "CONNECTED_SMS"),
    ] {
        let answer = face.ask_about(line).says(200);
        let time = last_status_time(&answer);
        assert_eq!(answer.body, format!(r#"{{"lastStatusTime":"{time}",{status}}}"#), "{line}");
        let expected = format!(r#"{{"connectivityStatus":"{old_status}"}}"#);
        assert_eq!(old.ask_about(line).says(200).body, expected, "{line}");
    }
}

#[test]
fn the_answers_follow_the_line() {
    let attache = Attache::sandbox();
    let roaming = ROAMING.three_legged(&attache, AT_HOME);
    let reachability = REACHABILITY.three_legged(&attache, AT_HOME);
    attache.change(AT_HOME, "roam", &json!({"country": "IT"}));
    let answer = roaming.ask("{}").says(200).json();
    assert_eq!((&answer["countryCode"], &answer["countryName"]), (&json!(222), &json!(["IT"])));
    attache.change(AT_HOME, "home", &json!({}));
    assert_eq!(roaming.ask("{}").says(200).json()["roaming"], false);
    attache.change(AT_HOME, "reach", &json!({"data": false, "sms": true}));
    assert_eq!(reachability.ask("{}").says(200).json()["connectivity"], json!(["SMS"]));
    attache.change(AT_HOME, "reach", &json!({"data": false, "sms": false}));
    assert_eq!(reachability.ask("{}").says(200).json()["reachable"], false);
}

#[test]
fn the_time_is_that_of_the_confirmation_and_not_of_the_answer() {
    let attache = Attache::sandbox();
    for (contract, confirmed_at) in [(ROAMING, "serving_confirmed_at"), (REACHABILITY, "reachability_confirmed_at")] {
        let face = contract.two_legged(&attache);
        let first = face.ask_about(AT_HOME).says(200).body;
        assert_eq!(face.ask_about(AT_HOME).says(200).body, first);
        attache.change(AT_HOME, "roam", &json!({"country": "DE"}));
        attache.change(AT_HOME, "reach", &json!({"data": true, "sms": false}));
        let [now, a_day_ago] = [AT_HOME, SEEN_A_DAY_AGO].map(|line| {
            let told = instant(&face.ask_about(line).says(200).json()["lastStatusTime"]);
            let seen = instant(&attache.line(line)[confirmed_at]);
            assert_eq!(told.as_millisecond(), seen.as_millisecond(), "{line}");
            told
        });
        assert!(now.duration_since(a_day_ago).as_hours() >= 24);
    }
}

#[test]
fn a_line_that_was_never_seen_has_no_status() {
    let attache = Attache::sandbox();
    for contract in ALL {
        is_error_info(&contract.two_legged(&attache).ask_about(NEVER_SEEN).says(503), "UNAVAILABLE");
    }
}

#[test]
fn a_token_for_the_application_needs_a_device_in_the_request() {
    let attache = Attache::sandbox();
    for contract in NEW {
        is_error_info(&contract.two_legged(&attache).ask("{}").says(422), "MISSING_IDENTIFIER");
    }
    for contract in OLD {
        is_error_info(&contract.two_legged(&attache).ask("{}").says(400), "INVALID_ARGUMENT");
    }
}

#[test]
fn a_token_for_a_line_needs_no_device_and_since_1_0_takes_none() {
    let attache = Attache::sandbox();
    for contract in NEW {
        let face = contract.three_legged(&attache, AT_HOME);
        face.ask("{}").says(200);
        for other in [AT_HOME, AT_SEA, "+99999999999"] {
            is_error_info(&face.ask_about(other).says(422), "UNNECESSARY_IDENTIFIER");
        }
    }
    for contract in OLD {
        let face = contract.three_legged(&attache, AT_HOME);
        face.ask_about(AT_HOME).says(200);
        face.ask_about(&AT_HOME[1..]).says(200);
        let [known, unknown] = [AT_SEA, "+99999999999"].map(|other| face.ask_about(other).says(403));
        is_error_info(&known, "INVALID_TOKEN_CONTEXT");
        assert_eq!(known.body, unknown.body, "whether the line exists is not told");
    }
}

#[test]
fn every_identifier_that_is_supported_names_the_line() {
    let attache = Attache::sandbox();
    let devices = [
        json!({"phoneNumber": AT_HOME}),
        json!({"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 59765}}),
        json!({"ipv4Address": {"publicAddress": "84.125.93.10", "privateAddress": "10.0.0.1"}}),
        json!({"ipv6Address": "2001:db8:85a3:8d3:1319:8a2e:370:7344"}),
    ];
    for contract in ALL {
        let face = contract.two_legged(&attache);
        let expected = face.ask_about(AT_HOME).says(200).body;
        for device in &devices {
            // One identifier is not repeated in the answer.
            assert_eq!(face.ask(json!({"device": device}).to_string()).says(200).body, expected, "{device}");
        }
        let elsewhere = json!({"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 1}});
        face.ask(json!({"device": elsewhere}).to_string()).says(404);
    }
}

#[test]
fn of_several_identifiers_the_one_that_was_used_is_told() {
    let attache = Attache::sandbox();
    let device = json!({
        "networkAccessIdentifier": "123456789@domain.com",
        "ipv6Address": "2001:db8:85a3:8d3:1319:8a2e:370:7344",
        "ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 59765},
        "phoneNumber": IN_A_COUNTRY_OF_SEVERAL_CODES,
    });
    let answer = ROAMING.two_legged(&attache).ask(json!({"device": device}).to_string()).says(200);
    assert!(
        answer.body.starts_with(r#"{"device":{"phoneNumber":"+33639980004"},"lastStatusTime":""#),
        "{}",
        answer.body
    );
    assert_eq!(answer.json()["countryCode"], 340, "identifiers are not compared");
    let device = json!({
        "networkAccessIdentifier": "123456789@domain.com",
        "ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 59765},
    });
    let answer = REACHABILITY.two_legged(&attache).ask(json!({"device": device}).to_string()).says(200);
    let told = r#"{"device":{"ipv4Address":{"publicAddress":"84.125.93.10","publicPort":59765}},"lastStatusTime":""#;
    assert!(answer.body.starts_with(told), "{}", answer.body);
}

#[test]
fn an_unsupported_identifier_and_an_unknown_line_have_their_codes() {
    let attache = Attache::sandbox();
    let unsupported = r#"{"device":{"networkAccessIdentifier":"123456789@domain.com"}}"#;
    for contract in NEW {
        let face = contract.two_legged(&attache);
        is_error_info(&face.ask(unsupported).says(422), "UNSUPPORTED_IDENTIFIER");
        is_error_info(&face.ask_about("+99999999999").says(404), "IDENTIFIER_NOT_FOUND");
    }
    for contract in OLD {
        let face = contract.two_legged(&attache);
        is_error_info(&face.ask(unsupported).says(400), "INVALID_ARGUMENT");
        is_error_info(&face.ask_about("+99999999999").says(404), "NOT_FOUND");
    }
}

#[test]
fn a_bad_device_is_an_invalid_argument_and_its_value_is_not_repeated() {
    let attache = Attache::sandbox();
    for contract in ALL {
        let face = contract.two_legged(&attache);
        for device in [
            "{}",
            "null",
            r#""+33639980001""#,
            r#"["+33639980001"]"#,
            r#"{"msisdn":"+33639980001"}"#,
            r#"{"phoneNumber":null}"#,
            r#"{"phoneNumber":33639980001}"#,
            r#"{"phoneNumber":"+33 639980001"}"#,
            r#"{"phoneNumber":"+1234"}"#,
            r#"{"phoneNumber":"+1234567890123456"}"#,
            r#"{"phoneNumber":"+33639980001","phoneNumber":"+33639980002"}"#,
            r#"{"ipv4Address":{"publicAddress":"84.125.93.10"}}"#,
            r#"{"ipv4Address":{"publicPort":59765}}"#,
            r#"{"ipv4Address":{"publicAddress":"84.125.93.10","publicPort":65536}}"#,
            r#"{"ipv4Address":{"publicAddress":"84.125.93.10/32","publicPort":59765}}"#,
            r#"{"ipv4Address":{"publicAddress":"84.125.93.10","privateAddress":"10.0.0"}}"#,
            r#"{"ipv6Address":"2001:db8::/64"}"#,
            r#"{"ipv6Address":"84.125.93.10"}"#,
            r#"{"phoneNumber":"+33639980001","ipv6Address":1}"#,
        ] {
            let answer = face.ask(format!(r#"{{"device":{device}}}"#)).says(400);
            is_error_info(&answer, "INVALID_ARGUMENT");
            assert!(!answer.body.contains("639980001") && !answer.body.contains("84.125"), "{}", answer.body);
        }
    }
}

#[test]
fn a_number_without_plus_is_for_0_5_only() {
    let attache = Attache::sandbox();
    for contract in OLD {
        contract.two_legged(&attache).ask_about("33639980001").says(200);
    }
    for contract in NEW {
        is_error_info(&contract.two_legged(&attache).ask_about("33639980001").says(400), "INVALID_ARGUMENT");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let attache = Attache::sandbox();
    for contract in ALL {
        let body = r#"{"more":1,"device":{"more":[],"phoneNumber":"+33639980001"},"more":2}"#;
        contract.two_legged(&attache).ask(body).says(200);
    }
}

#[test]
fn a_token_without_the_scope_is_denied() {
    let attache = Attache::sandbox();
    for contract in ALL {
        for other in ALL.into_iter().filter(|other| other.scope != contract.scope) {
            let token = CAMARA.two_legged(&attache, &other.asked());
            let answer = contract.two_legged(&attache).ask_with(&token, BODY).says(403);
            is_error_info(&answer, "PERMISSION_DENIED");
            assert_eq!(answer.header("www-authenticate"), r#"Bearer error="insufficient_scope""#);
        }
    }
}

#[test]
fn tokens_of_other_publishers_are_not_valid_here() {
    let attache = Attache::sandbox();
    for (publisher, token) in token_of_each_publisher(&attache) {
        for contract in ALL {
            let face = Face { attache: &attache, path: contract.path, token: token.clone(), body: BODY };
            let answer = face.ask(BODY).says(if publisher == "camara" { 200 } else { 401 });
            if publisher != "camara" {
                is_error_info(&answer, "UNAUTHENTICATED");
            }
        }
    }
}

#[test]
fn whatever_is_wrong_with_a_token_is_said_in_one_sentence() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_TOKEN_LIFETIME", "1s")]);
    for contract in ALL {
        let face = contract.two_legged(&attache);
        let expired = face.expires();
        is_error_info(&expired, "UNAUTHENTICATED");
        assert_eq!(face.ask_with("x.y.z", BODY).says(401).body, expired.body);
        let missing = attache.post(contract.path).body("application/json", BODY).says(401);
        assert_eq!((missing.body.as_str(), missing.header("www-authenticate")), (expired.body.as_str(), "Bearer"));
    }
}

#[test]
fn a_token_of_a_line_that_is_gone_is_not_valid_also_when_its_number_has_a_new_subscriber() {
    let attache = Attache::sandbox();
    let face = ROAMING.three_legged(&attache, AT_HOME);
    face.ask("{}").says(200);
    attache.admin(Method::DELETE, &format!("/admin/v1/lines/{AT_HOME}")).says(200);
    is_error_info(&face.ask("{}").says(401), "UNAUTHENTICATED");
    let line = json!({"phone_number": AT_HOME, "home_plmn": "20801"});
    attache.admin(Method::POST, "/admin/v1/lines").json(&line).says(201);
    is_error_info(&face.ask("{}").says(401), "UNAUTHENTICATED");
    ROAMING.three_legged(&attache, AT_HOME).ask("{}").says(200);
}

#[test]
fn every_bad_request_is_refused() {
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    for contract in ALL {
        contract.two_legged(&attache).refuses_in_camaras_words();
    }
}

#[test]
fn an_unknown_path_is_not_found() {
    let attache = Attache::sandbox();
    for path in [
        "/",
        "/device-roaming-status/v1",
        "/device-roaming-status/v1/retrieve/",
        "/device-roaming-status/v2/retrieve",
        "/device-status/v0.5/subscriptions",
        "/camara/device-status/v050/roaming",
        "/token",
        "/orangeade",
    ] {
        is_error_info(&attache.post(path).body("application/json", BODY).says(404), "NOT_FOUND");
    }
}

#[test]
fn a_correlator_is_echoed_or_made_and_a_bad_one_is_refused_where_the_contract_has_it() {
    let attache = Attache::sandbox();
    let longest = "a".repeat(256);
    for contract in ALL {
        let face = contract.two_legged(&attache);
        for correlator in ["b4333c46-49c0-4f62-80d7-f0ef930f1c46", "a-_:;./<>{}9Z", &longest] {
            assert_eq!(face.ask(BODY).header("x-correlator", correlator).says(200).header("x-correlator"), correlator);
            let refused = face.ask("{").header("x-correlator", correlator).says(400);
            assert_eq!(refused.header("x-correlator"), correlator);
        }
        let [first, second] = [(); 2].map(|()| face.ask(BODY).says(200).header("x-correlator").to_owned());
        assert_eq!(first.len(), 36);
        assert_ne!(first, second);
    }
    for bad in ["no spaces", "comma,", &"a".repeat(257)] {
        for contract in NEW {
            let answer = contract.two_legged(&attache).ask(BODY).header("x-correlator", bad).says(400);
            is_error_info(&answer, "INVALID_ARGUMENT");
            assert_eq!(answer.header("x-correlator").len(), 36);
        }
        for contract in OLD {
            contract.two_legged(&attache).ask(BODY).header("x-correlator", bad).says(200);
        }
    }
}

#[test]
fn the_sandbox_lists_every_face_and_line() {
    let attache = Attache::sandbox();
    let facts = attache.facts();
    assert_eq!(facts["mode"], "sandbox");
    let listed = facts["publishers"]["camara"]["faces"].as_array().unwrap();
    for contract in ALL {
        assert!(listed.iter().any(|face| face["url"] == attache.url(contract.path)), "{}", contract.path);
    }
    let lines = facts["lines"].as_array().unwrap();
    let line = |number: &str| lines.iter().find(|line| line["phone_number"] == number).unwrap();
    assert_eq!(
        *line(SMS_ONLY_ABROAD),
        json!({
            "phone_number": SMS_ONLY_ABROAD,
            "home_plmn": "20801",
            "serving_plmn": "26201",
            "reachable": ["SMS"],
            "technology": "4G",
        })
    );
    assert_eq!(line(NEVER_SEEN)["serving_plmn"], Value::Null);
    assert_eq!(line(AT_HOME)["reachable"], json!(["DATA", "SMS"]));
}
