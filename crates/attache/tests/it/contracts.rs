//! What the running server answers, in every state and to every fault, held against the publishers'
//! own contracts: in `../shared` beside the repository. Elsewhere these tests find nothing to compare
//! and pass.

use std::{collections::HashSet, path::Path};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::{
    faces::{App, CAMARA, CIBA, Face, IMPATIENT, ORANGE, TELEFONICA, VONAGE},
    harness::{Answer, Attache},
};

/// A publisher's contract.
pub(crate) struct Contract {
    document: Value,
}

impl Contract {
    /// Reads one; `None` where it is not at hand.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
        let text = std::fs::read_to_string(&path).ok()?;
        let mut document = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        in_json_schema(&mut document);
        Some(Self { document })
    }

    /// The whole document.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Forgets that a schema requires a field, if it does: a listed difference.
    pub(crate) fn permit_absence(&mut self, schema: &str, field: &str) {
        fn permit(schema: &mut Value, field: &str) {
            if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|name| name != field);
            }
            let parts = schema.get_mut("allOf").and_then(Value::as_array_mut);
            parts.into_iter().flatten().for_each(|part| permit(part, field));
        }
        if let Some(schema) = self.document["components"]["schemas"].get_mut(schema) {
            permit(schema, field);
        }
    }

    /// The schema of a request's body.
    pub(crate) fn request(&self, path: &str) -> &Value {
        &self.document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    }

    /// A response of an operation, if the contract lists one with this status.
    pub(crate) fn response(&self, method: &str, path: &str, status: u16) -> Option<&Value> {
        let response = self.document["paths"][path][method]["responses"].get(status.to_string())?;
        Some(match response["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => response,
        })
    }

    /// A schema, in which nothing may stand that it doesn't name unless it is open.
    pub(crate) fn validator(&self, schema: &Value, is_open: bool) -> Validator {
        let mut root = json!({"allOf": [schema], "components": self.document["components"]});
        if !is_open {
            root["unevaluatedProperties"] = json!(false);
        }
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        options.build(&root).unwrap_or_else(|error| panic!("{schema}: {error}"))
    }

    /// Holds an answer against the response of its status, or an error with another status against the
    /// schema of errors.
    pub(crate) fn holds(&self, method: &str, path: &str, answer: &Answer, is_open: bool) {
        let said = format!("{method} {path}: {} {}", answer.status, answer.body);
        let schema = if let Some(response) = self.response(method, path, answer.status) {
            if response["headers"].get("x-correlator").is_some() {
                assert_ne!(answer.header("x-correlator"), "", "{said}");
            }
            &response["content"]["application/json"]["schema"]
        } else {
            assert!(answer.status >= 400, "{said}");
            let schemas = &self.document["components"]["schemas"];
            schemas.get("ErrorInfo").unwrap_or(&schemas["Error"])
        };
        let validator = self.validator(schema, is_open);
        assert_eq!(answer.header("content-type"), "application/json", "{said}");
        let errors: Vec<String> =
            validator.iter_errors(&answer.json()).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{said}\n{}", errors.join("\n"));
    }
}

/// `OpenAPI` 3.0 says `nullable` where JSON Schema has another type.
fn in_json_schema(value: &mut Value) {
    if let Value::Object(schema) = value
        && schema.get("nullable") == Some(&json!(true))
        && let Some(Value::String(kind)) = schema.remove("type")
    {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(in_json_schema),
        Value::Array(items) => items.iter_mut().for_each(in_json_schema),
        _ => {}
    }
}

/// Lines in every state, and numbers that no line has or can have.
const NUMBERS: [&str; 13] = [
    "+33639980001",
    "+33639980002",
    "+33639980003",
    "+33639980004",
    "+33639980005",
    "+33639980006",
    "+33639980007",
    "+33639980008",
    "+33699901032",
    "+34777777777",
    "+99999999999",
    "33639980001",
    "no number",
];

/// Bodies that name a device in other ways, well and badly.
const DEVICES: [&str; 8] = [
    r"{}",
    r#"{"device":{}}"#,
    r#"{"device":{"phoneNumber":33639980001}}"#,
    r#"{"device":{"networkAccessIdentifier":"123456789@domain.com"}}"#,
    r#"{"device":{"ipv4Address":{"publicAddress":"84.125.93.10","publicPort":59765}}}"#,
    r#"{"device":{"ipv4Address":{"publicAddress":"84.125.93.10"}}}"#,
    r#"{"device":{"ipv6Address":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#,
    r#"{"device":{"phoneNumber":"+33639980004","ipv6Address":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#,
];

/// Holds everything that a face can be brought to say against its contract.
fn holds_always(contract: &Contract, path: &str, face: &Face<'_>, foreign_token: &str) {
    let mut statuses = HashSet::new();
    let mut hold = |answer: &Answer| {
        contract.holds("post", path, answer, false);
        statuses.insert(answer.status);
    };
    for number in NUMBERS {
        hold(&face.ask_about(number).send());
    }
    for body in DEVICES {
        hold(&face.ask(body).send());
    }
    hold(&face.ask_with(foreign_token, face.body).says(401));
    hold(&face.ask(face.body).header("x-correlator", "no spaces").send());
    for (_, answer) in face.faults() {
        hold(&answer);
    }
    for status in [200, 400, 401, 405, 406, 408, 411, 413, 414, 415] {
        assert!(statuses.contains(&status), "{path}: {status} was not provoked");
    }
}

const BODY: &str = r#"{"device":{"phoneNumber":"+33639980001"}}"#;

/// A version of one of CAMARA's APIs: its contract, its path and the end of that, and its scope.
type Version = (&'static str, &'static str, &'static str, &'static str);

const ROAMING: &str = "device-roaming-status:read";
const REACHABILITY: &str = "device-reachability-status:read";
const NETWORK_TYPE: &str = "connected-network-type:read";

/// Holds versions of CAMARA's APIs against their contracts, at a server that serves them.
fn camara_answers(attache: &Attache, versions: &[Version]) {
    let orange = ORANGE.two_legged(attache, "");
    for (document, path, end, scope) in versions {
        let Some(mut contract) = Contract::read(&format!("camara/{document}/openapi.yaml")) else { return };
        // A listed difference: no time is made up for a line that was never seen.
        if *document == "connected-network-type/0.2" {
            contract.document["components"]["schemas"]["ConnectedNetworkTypeResponse"]["required"] =
                json!(["connectedNetworkType"]);
        }
        let scope = format!("dpv:FraudPreventionAndDetection {scope}");
        let face = Face { attache, path, token: CAMARA.two_legged(attache, &scope), body: BODY };
        holds_always(&contract, end, &face, &orange);
        let other_scope = if scope.ends_with(ROAMING) { REACHABILITY } else { ROAMING };
        let other_token = CAMARA.two_legged(attache, &format!("dpv:FraudPreventionAndDetection {other_scope}"));
        contract.holds("post", end, &face.ask_with(&other_token, BODY).says(403), false);
        // With a token for a line.
        for line in ["+33639980001", "+33639980004", "+33639980007"] {
            let face = Face { token: CAMARA.three_legged(attache, line, &scope), ..face };
            for body in ["{}", BODY, r#"{"device":{"phoneNumber":"+33639980005"}}"#] {
                contract.holds("post", end, &face.ask(body).send(), false);
            }
        }
    }
}

#[test]
fn camara_answers_by_its_contracts() {
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    camara_answers(
        &attache,
        &[
            ("device-roaming-status/1.1", "/device-roaming-status/v1/retrieve", "/retrieve", ROAMING),
            ("device-reachability-status/1.1", "/device-reachability-status/v1/retrieve", "/retrieve", REACHABILITY),
            ("device-status/0.5.1", "/device-status/v0/roaming", "/roaming", "device-status:roaming:read"),
            (
                "device-status/0.5.1",
                "/device-status/v0/connectivity",
                "/connectivity",
                "device-status:connectivity:read",
            ),
        ],
    );
}

#[test]
fn camara_s_older_and_newer_versions_answer_by_theirs() {
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    camara_answers(
        &attache,
        &[
            ("device-roaming-status/0.6", "/device-roaming-status/v0.6/retrieve", "/retrieve", ROAMING),
            ("device-reachability-status/0.6", "/device-reachability-status/v0.6/retrieve", "/retrieve", REACHABILITY),
            ("connected-network-type/0.2", "/connected-network-type/v0.2/retrieve", "/retrieve", NETWORK_TYPE),
            ("connected-network-type/0.1", "/connected-network-type/v0.1/retrieve", "/retrieve", NETWORK_TYPE),
        ],
    );
}

#[test]
fn the_newest_versions_answer_for_those_that_share_their_path() {
    let Some(mut contract) = Contract::read("camara/device-roaming-status/1.0/openapi.yaml") else { return };
    // What 1.1 adds, 1.0 does not forbid.
    contract.document["components"]["schemas"]["RoamingStatusResponse"]["properties"]["device"] = json!(true);
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    let token = CAMARA.two_legged(&attache, &format!("dpv:FraudPreventionAndDetection {ROAMING}"));
    let face = Face { attache: &attache, path: "/device-roaming-status/v1/retrieve", token, body: BODY };
    holds_always(&contract, "/retrieve", &face, &ORANGE.two_legged(&attache, ""));
}

#[test]
fn pinned_versions_answer_by_their_contracts() {
    let pins = ["--pin", "device-roaming-status=1.0", "--pin", "device-reachability-status=1.0"];
    let attache = Attache::with_environment(&pins, &[IMPATIENT]);
    camara_answers(
        &attache,
        &[
            ("device-roaming-status/1.0", "/device-roaming-status/v1/retrieve", "/retrieve", ROAMING),
            ("device-reachability-status/1.0", "/device-reachability-status/v1/retrieve", "/retrieve", REACHABILITY),
        ],
    );
}

#[test]
fn version_0_4_answers_by_its_contract_where_it_is_pinned_and_where_it_is_not() {
    let Some(contract) = Contract::read("camara/device-status/0.4.1/openapi.yaml") else { return };
    for pins in [&["--pin", "device-status=0.4"][..], &[]] {
        let attache = Attache::with_environment(pins, &[IMPATIENT]);
        let token = CAMARA.two_legged(&attache, "dpv:FraudPreventionAndDetection device-status-roaming-read");
        let body = r#"{"ueId":{"msisdn":"+33639980004"}}"#;
        let face = Face { attache: &attache, path: "/device-status/v0/roaming", token, body };
        let hold = |answer: &Answer| contract.holds("post", "/roaming", answer, false);
        for number in NUMBERS {
            hold(&face.ask(json!({"ueId": {"msisdn": number}}).to_string()).send());
        }
        for body in [
            r#"{"ueId":{}}"#,
            r#"{"ueId":null}"#,
            r#"{"ueId":{"externalId":"123456789@domain.com"}}"#,
            r#"{"ueId":{"ipv4Addr":"84.125.93.10"},"uePort":59765}"#,
            r#"{"ueId":{"ipv4Addr":"192.168.0.1/24"}}"#,
            r#"{"ueId":{"ipv6Addr":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#,
            r#"{"ueId":{"msisdn":"+33639980004"},"uePort":65536}"#,
        ] {
            hold(&face.ask(body).send());
        }
        let other_scope = CAMARA.two_legged(&attache, "dpv:FraudPreventionAndDetection device-status:roaming:read");
        hold(&face.ask_with(&other_scope, face.body).says(403));
        if !pins.is_empty() {
            for (_, answer) in face.faults() {
                hold(&answer);
            }
        }
    }
}

#[test]
fn vonage_answers_by_camara_s_contract() {
    let Some(contract) = Contract::read("camara/device-status/0.5.1/openapi.yaml") else { return };
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    let orange = ORANGE.two_legged(&attache, "");
    for (path, end, scope) in [
        ("/vonage/camara/device-status/v050/roaming", "/roaming", "dpv:NotApplicable#device-status:roaming:read"),
        (
            "/vonage/camara/device-status/v050/connectivity",
            "/connectivity",
            "dpv:NotApplicable#device-status:connectivity:read",
        ),
    ] {
        for line in ["+33639980001", "+33639980004", "+33639980005", "+33639980007"] {
            let face = Face { attache: &attache, path, token: VONAGE.three_legged(&attache, line, scope), body: BODY };
            contract.holds("post", end, &face.ask_about(line).send(), false);
            if line == "+33639980001" {
                holds_always(&contract, end, &face, &orange);
            }
        }
    }
}

#[test]
fn orange_answers_by_camara_s_contracts_but_for_what_its_pages_print() {
    let Some(mut roaming) = Contract::read("camara/device-roaming-status/0.6/openapi.yaml") else { return };
    let Some(reachability) = Contract::read("camara/device-reachability-status/0.6/openapi.yaml") else { return };
    roaming.document["components"]["schemas"]["CountryCode"]["type"] = json!("string");
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    let token = ORANGE.two_legged(&attache, "");
    let camara = CAMARA.two_legged(&attache, "dpv:FraudPreventionAndDetection device-roaming-status:read");
    let path = "/orange/camara/orange-lab/device-roaming-status/v0/retrieve";
    let face = Face { attache: &attache, path, token, body: BODY };
    holds_always(&roaming, "/retrieve", &face, &camara);
    // What the gateway says has a form of its own.
    let face = Face { path: "/orange/camara/orange-lab/device-reachability-status/v0/retrieve", ..face };
    for number in NUMBERS {
        let answer = face.ask_about(number).send();
        if [200, 422].contains(&answer.status) {
            reachability.holds("post", "/retrieve", &answer, false);
        } else {
            assert!(answer.json()["code"].is_u64(), "{}", answer.body);
        }
    }
}

const SCOPE: &str = "dpv:FraudPreventionAndDetection#device-status-roaming-read";

#[test]
fn telefonica_answers_by_its_contract_of_device_status() {
    let Some(contract) = Contract::read("vendors/telefonica-device-status-0.4.yaml") else { return };
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    let path = "/telefonica/device-status/v0/roaming";
    for line in ["+33639980001", "+33639980004", "+33639980005", "+33639980007", "+34777777777"] {
        let token = TELEFONICA.three_legged(&attache, line, SCOPE);
        let face = Face { attache: &attache, path, token, body: r#"{"ueId":{"msisdn":"+34777777777"}}"# };
        let hold = |answer: &Answer| contract.holds("post", "/roaming", answer, false);
        hold(&face.ask(json!({"ueId": {"msisdn": line}}).to_string()).send());
        for body in [
            "{}",
            r#"{"ueId":{}}"#,
            r#"{"ueId":{"msisdn":"1"}}"#,
            r#"{"ueId":{"msisdn":"+99999999999"}}"#,
            r#"{"ueId":{"externalId":"123456789@domain.com"}}"#,
            r#"{"ueId":{"ipv4Addr":"80.90.34.2"},"uePort":16790}"#,
            r#"{"ueId":{"ipv4Addr":"192.168.0.1/24"}}"#,
            r#"{"ueId":{"ipv6Addr":"2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#,
            r#"{"ueId":{"msisdn":"+34777777777"},"uePort":65536}"#,
            r#"{"ueId":{"msisdn":"+34777777777"},"phoneNumber":"+34666666666"}"#,
        ] {
            hold(&face.ask(body).send());
        }
        hold(&face.ask_with(&VONAGE.three_legged(&attache, line, "device-status:roaming:read"), face.body).says(401));
        if line == "+34777777777" {
            for (_, answer) in face.faults() {
                hold(&answer);
            }
        }
    }
}

#[test]
fn telefonica_authorizes_by_its_contract() {
    let Some(contract) = Contract::read("vendors/telefonica-authorization.yaml") else { return };
    let attache = Attache::sandbox();
    let app = TELEFONICA;
    let begun = app.bc_authorize(&attache, &[("login_hint", "tel:+34777777777"), ("scope", SCOPE)]).says(200);
    // It requires a field that it doesn't define.
    contract.holds("post", "/bc-authorize", &begun, true);
    let grant = [("grant_type", CIBA), ("auth_req_id", &begun.text("auth_req_id"))];
    contract.holds("post", "/token", &app.token(&attache, &grant).says(200), false);

    // Errors have what the samples read besides.
    let stranger = App { secret: "wrong", ..app };
    for parameters in [
        &[][..],
        &[("login_hint", "tel:+34777777777")],
        &[("login_hint", "tel:+99999999999"), ("scope", SCOPE)],
        &[("login_hint", "tel:+34777777777"), ("scope", "dpv:FraudPreventionAndDetection#sim-swap")],
    ] {
        contract.holds("post", "/bc-authorize", &app.bc_authorize(&attache, parameters).says(400), true);
        contract.holds("post", "/bc-authorize", &stranger.bc_authorize(&attache, parameters).says(401), true);
    }
    for parameters in
        [&[][..], &[("grant_type", "password")], &grant, &[("grant_type", "authorization_code"), ("code", "x")]]
    {
        contract.holds("post", "/token", &app.token(&attache, parameters).says(400), true);
        contract.holds("post", "/token", &stranger.token(&attache, parameters).says(401), true);
    }
    for query in ["", "?client_id=my-app-id", "?client_id=my-app-id&redirect_uri=https://elsewhere.example"] {
        let answer = attache.get(&format!("/telefonica/authorize{query}")).says(400);
        contract.holds("get", "/authorize", &answer, true);
    }
    contract.holds("post", "/token", &attache.get("/telefonica/token").says(405), true);
    assert_eq!(attache.get("/telefonica/token").says(405).json()["code"], 405);
}
