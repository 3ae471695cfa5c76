//! What developers can let go wrong in a sandbox, and what every version says to it in its own words: a
//! network that fails, is silent or knows nothing; a line that the service is not offered for; a kind of
//! identifier that is not supported.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    callers::{Caller, FaceCall},
    faces::{CAMARA, Face, is_error_info},
    harness::Attache,
};

const LINE: &str = "+33639980001";
const ROAMING_1: &str = "/device-roaming-status/v1/retrieve";
const ROAMING_0_6: &str = "/device-roaming-status/v0.6/retrieve";
const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";

/// What a version says to each trouble.
struct Words {
    failing: (u16, Value),
    silent: (u16, Value),
    /// The network never saw the line; where that is an answer, it has no code.
    unknowing: (u16, Value),
    ineligible: (u16, Value),
}

fn words(call: &FaceCall) -> Words {
    let like = |trouble: &str, eligibility: (u16, &str)| Words {
        failing: (503, json!(trouble)),
        silent: (503, json!(trouble)),
        unknowing: (503, json!(trouble)),
        ineligible: (eligibility.0, json!(eligibility.1)),
    };
    let as_0_6 = |question: &str| Words {
        silent: (504, json!("TIMEOUT")),
        unknowing: (422, json!(format!("UNABLE_TO_PROVIDE_{question}_STATUS"))),
        ..like("UNAVAILABLE", (422, "DEVICE_NOT_APPLICABLE"))
    };
    match (call.publisher.as_str(), call.api.as_str(), call.contract.as_str()) {
        ("orange", "device-reachability-status", _) => {
            Words { failing: (503, json!(5)), silent: (504, json!(6)), ..as_0_6("REACHABILITY") }
        }
        ("orange", "device-roaming-status", _) | (_, "device-roaming-status", "0.6") => as_0_6("ROAMING"),
        (_, "device-reachability-status", "0.6") => as_0_6("REACHABILITY"),
        ("telefonica", ..) | ("camara", "device-status", "0.4") => like("SERVICE_UNAVAILABLE", (403, "FORBIDDEN")),
        (_, "device-status", _) => like("UNAVAILABLE", (403, "PERMISSION_DENIED")),
        (_, "connected-network-type", _) => {
            Words { unknowing: (200, Value::Null), ..like("UNAVAILABLE", (422, "SERVICE_NOT_APPLICABLE")) }
        }
        _ => like("UNAVAILABLE", (422, "SERVICE_NOT_APPLICABLE")),
    }
}

fn calls(attache: &Attache) -> Vec<FaceCall> {
    FaceCall::by(attache, &Caller::all(&attache.facts()))
}

/// Lets the network fare like this.
fn network(attache: &Attache, state: &str) {
    let answer = attache.admin(Method::PUT, "/admin/v1/network").json(&json!({"state": state})).says(200);
    assert_eq!(answer.json(), json!({"state": state}));
}

#[test]
fn a_network_in_trouble_is_told_in_the_words_of_every_version() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_NETWORK_TIMEOUT", "20ms")]);
    let calls = calls(&attache);
    for call in &calls {
        let Words { failing, silent, unknowing, .. } = words(call);
        for (state, expected) in [("failing", failing), ("silent", silent), ("unknowing", unknowing)] {
            network(&attache, state);
            call.says(&attache, expected);
        }
        network(&attache, "up");
        call.says(&attache, (200, Value::Null));
    }
}

#[test]
fn a_network_in_trouble_knows_who_is_meant_and_lets_tokens_be_fetched() {
    let attache = Attache::sandbox();
    network(&attache, "failing");
    let face = Face { attache: &attache, path: ROAMING_1, token: CAMARA.two_legged(&attache, SCOPE), body: "" };
    is_error_info(&face.ask_about("+99999999999").says(404), "IDENTIFIER_NOT_FOUND");
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    is_error_info(&face.ask_with(&token, "{}").says(503), "UNAVAILABLE");
}

#[test]
fn an_operator_lets_the_network_fail_and_restores_it_and_so_does_a_restart() {
    let mut attache = Attache::sandbox();
    let run = |attache: &Attache, command: &str| {
        let output = attache.command(&["network", command, "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(run(&attache, "show"), "up");
    for (command, state) in [("fail", "failing"), ("silence", "silent"), ("forget", "unknowing")] {
        assert_eq!(run(&attache, command), state);
        assert_eq!(run(&attache, "show"), state);
    }
    let printed = String::from_utf8(attache.command(&["network", "show"]).stdout).unwrap();
    assert!(printed.starts_with("unknowing: "), "{printed}");
    assert_eq!(run(&attache, "restore"), "up");
    run(&attache, "fail");
    attache.stop();
    attache.start();
    assert_eq!(run(&attache, "show"), "up");
    for bad in [json!({}), json!({"state": "down"}), json!({"state": "up", "x": 1})] {
        attache.admin(Method::PUT, "/admin/v1/network").json(&bad).says(400);
    }
}

#[test]
fn a_line_that_is_not_eligible_is_told_in_the_words_of_every_version() {
    let attache = Attache::sandbox();
    let calls = calls(&attache);
    let all_lines = |eligible: bool| {
        for caller in Caller::all(&attache.facts()) {
            attache.change(caller.line(), "eligibility", &json!({"eligible": eligible}));
        }
    };
    all_lines(false);
    for call in &calls {
        call.says(&attache, words(call).ineligible);
    }
    all_lines(true);
    for call in &calls {
        call.says(&attache, (200, Value::Null));
    }
}

#[test]
fn a_line_stays_ineligible_through_restarts_and_files() {
    let mut attache = Attache::sandbox();
    let before = attache.line(LINE);
    assert_eq!(before["eligible"], true);
    let run = |attache: &Attache, arguments: &[&str]| {
        let output = attache.command(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&attache, &["line", "ineligible", LINE]);
    let mut expected = before.clone();
    expected["eligible"] = json!(false);
    assert_eq!(attache.line(LINE), expected);
    attache.stop();
    attache.start();
    assert_eq!(attache.line(LINE), expected);
    let file = attache.data_dir().join("lines.csv");
    let file = file.to_str().unwrap();
    run(&attache, &["line", "export", file]);
    run(&attache, &["line", "eligible", LINE]);
    assert_eq!(attache.line(LINE), before);
    run(&attache, &["line", "import", file]);
    assert_eq!(attache.line(LINE), expected);
    run(&attache, &["line", "add", "+33699900001", "--home", "20801", "--ineligible"]);
    assert_eq!(attache.line("+33699900001")["eligible"], false);
    for bad in [json!({}), json!({"eligible": "no"}), json!({"eligible": true, "x": 1})] {
        let path = format!("/admin/v1/lines/{LINE}/eligibility");
        attache.admin(Method::POST, &path).json(&bad).says(400);
    }
}

#[test]
fn a_kind_of_identifier_that_is_not_supported_names_no_line() {
    let supported = [("ATTACHE_SUPPORTED_IDENTIFIERS", "ipv6")];
    let attache = Attache::with_environment(&[], &supported);
    let number = r#"{"device":{"phoneNumber":"+33639980001"}}"#;
    let ipv6 = r#"{"device":{"ipv6Address":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#;
    let several = r#"{"device":{"phoneNumber":"+33639980004","ipv6Address":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#;
    let ipv4 = r#"{"device":{"ipv4Address":{"publicAddress":"84.125.93.10","publicPort":59765}}}"#;
    for (path, code) in [(ROAMING_1, "UNSUPPORTED_IDENTIFIER"), (ROAMING_0_6, "UNSUPPORTED_DEVICE_IDENTIFIERS")] {
        let face = Face { attache: &attache, path, token: CAMARA.two_legged(&attache, SCOPE), body: "" };
        for body in [number, ipv4] {
            is_error_info(&face.ask(body).says(422), code);
        }
        let answer = face.ask(several).says(200);
        assert_eq!(answer.json()["roaming"], face.ask(ipv6).says(200).json()["roaming"]);
    }
    // A token can be about a line all the same.
    let token = CAMARA.three_legged(&attache, LINE, SCOPE);
    attache.post(ROAMING_1).bearer(&token).json(&json!({})).says(200);
}

#[test]
fn a_network_access_identifier_names_its_line_in_every_version_where_it_is_turned_on() {
    let kinds = ["phone_number", "ipv4", "ipv6", "network_access_identifier"];
    let flags: Vec<&str> = kinds.iter().flat_map(|kind| ["--supported-identifier", kind]).collect();
    let mut attache = Attache::with(&flags);
    let number = "+33699900003";
    let add = ["line", "add", number, "--home", "20801", "--country", "DE", "--sms"];
    let add = [&add[..], &["--network-access-identifier", "jane@Operator.example"]].concat();
    assert!(attache.command(&add).status.success());
    attache.stop();
    attache.start();
    assert_eq!(attache.line(number)["network_access_identifier"], "jane@operator.example");

    let calls = calls(&attache);
    let camara: Vec<&FaceCall> = calls.iter().filter(|call| call.publisher == "camara").collect();
    assert!(camara.len() > 8, "{}", camara.len());
    for call in camara {
        let is_oldest = call.contract == "0.4";
        let naming = |identifier: &str, number: Option<&str>| match (is_oldest, number) {
            (true, None) => json!({"ueId": {"externalId": identifier}}),
            (true, Some(number)) => json!({"ueId": {"externalId": identifier, "msisdn": number}}),
            (false, None) => json!({"device": {"networkAccessIdentifier": identifier}}),
            (false, Some(number)) => json!({"device": {"networkAccessIdentifier": identifier, "phoneNumber": number}}),
        };
        let ask = |body: &Value| attache.post(&call.path).bearer(&call.token).json(body);
        let by_number =
            if is_oldest { json!({"ueId": {"msisdn": number}}) } else { json!({"device": {"phoneNumber": number}}) };
        let answer = ask(&by_number).says(200).json();
        assert_eq!(ask(&naming("jane@operator.example", None)).says(200).json(), answer, "{}", call.path);
        ask(&naming("john@operator.example", None)).says(404);
        ask(&naming("no identifier", None)).says(404);

        // Beside a number it is one of several.
        let both = ask(&naming("jane@operator.example", Some(number))).says(200).json();
        let tells = matches!(call.contract.as_str(), "1.1" | "0.2");
        assert_eq!(both.get("device"), tells.then(|| json!({"phoneNumber": number})).as_ref(), "{}", call.path);
        let other = ask(&naming("jane@operator.example", Some(LINE)));
        match (call.contract.as_str(), call.api.as_str()) {
            ("0.6", _) => is_error_info(&other.says(422), "DEVICE_IDENTIFIERS_MISMATCH"),
            ("0.1", "connected-network-type") => is_error_info(&other.says(422), "IDENTIFIER_MISMATCH"),
            _ => drop(other.says(200)),
        }
    }

    // With a token for a line it is like any other identifier.
    let token = CAMARA.three_legged(&attache, number, SCOPE);
    let ask = |path: &str, identifier: &str| {
        attache.post(path).bearer(&token).json(&json!({"device": {"networkAccessIdentifier": identifier}}))
    };
    is_error_info(&ask(ROAMING_1, "jane@operator.example").says(422), "UNNECESSARY_IDENTIFIER");
    ask(ROAMING_0_6, "jane@operator.example").says(200);
    is_error_info(&ask(ROAMING_0_6, "123456789@domain.com").says(403), "INVALID_TOKEN_CONTEXT");

    let file = attache.data_dir().join("lines.csv");
    let file = file.to_str().unwrap();
    for command in [&["line", "export", file][..], &["line", "remove", number], &["line", "import", file]] {
        assert!(attache.command(command).status.success());
    }
    assert_eq!(attache.line(number)["network_access_identifier"], "jane@operator.example");
}
