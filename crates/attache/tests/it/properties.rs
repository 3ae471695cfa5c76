//! Requests that nobody thought of, made by the official schemas, to the running server: what is valid by
//! a version's schema gets a response that is valid by it, and what is not, or is at fault in another way,
//! gets the error that the version's contract names for that fault.
//!
//! Which error that is stands in a table for each version, [`Rules`] of the conformance runner, which is
//! itself held against the contracts. These are in `../shared` beside the repository; elsewhere there are
//! no schemas to make requests by, and these tests say so and pass.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use attache_conformance::contract::{CONTRACTS, Code, Contract, Disagreement, Naming, Rules, Said};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonschema::Validator;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
    string::string_regex,
    test_runner::TestRunner,
};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    contracts::Contract as Official,
    faces::CAMARA,
    harness::{Answer, Attache, Request},
};

/// How many requests are made by one property of one version.
const CASES: u32 = 48;

/// The line that the tokens for a line are for, and its addresses.
const OWN: &str = "+33639980001";
const OWN_IPV6: &str = "2001:db8:85a3:8d3:1319:8a2e:370:7344";

/// Lines of the sandbox, in every state.
const KNOWN: [&str; 7] =
    [OWN, "+33639980002", "+33639980003", "+33639980004", "+33639980005", "+33639980006", "+33639980007"];

const PURPOSE: &str = "dpv:FraudPreventionAndDetection";

/// Versions that stand at their paths only if they are pinned; or, as 0.4, for some bodies only.
const PINS: [&str; 6] =
    ["--pin", "device-roaming-status=1.0", "--pin", "device-reachability-status=1.0", "--pin", "device-status=0.4"];

fn is_pinned(contract: &Contract) -> bool {
    matches!((contract.api, contract.version), (_, "1.0") | ("device-status", "0.4"))
}

/// A version that is served, with its official contract.
struct Version<'a> {
    attache: &'a Attache,
    contract: &'static Contract,
    official: Official,
    /// The end of its path, by which the official contract knows it.
    end: String,
    request: Rc<Validator>,
    responses: RefCell<HashMap<u16, Validator>>,
    two_legged: String,
    three_legged: String,
    without_scope: String,
}

/// Runs a test for each version that is served.
fn for_each_version(test: impl Fn(&Version<'_>)) {
    if Official::read("camara/device-roaming-status/1.1/openapi.yaml").is_none() {
        println!("skipped: the official contracts are not at ../shared/camara, so 0 of {} are tried", CONTRACTS.len());
        return;
    }
    let servers = [Attache::sandbox(), Attache::with(&PINS)];
    for contract in CONTRACTS {
        let attache = &servers[usize::from(is_pinned(contract))];
        test(&Version::new(attache, contract));
    }
}

impl<'a> Version<'a> {
    fn new(attache: &'a Attache, contract: &'static Contract) -> Self {
        let version = match (contract.api, contract.version) {
            ("device-status", "0.4") => "0.4.1",
            ("device-status", _) => "0.5.1",
            (_, version) => version,
        };
        let official = Official::read(&format!("camara/{}/{version}/openapi.yaml", contract.api)).unwrap();
        let end = format!("/{}", contract.path.rsplit('/').next().unwrap());
        let scope = format!("{PURPOSE} {}", contract.scope);
        let other = if contract.scope == "connected-network-type:read" {
            "device-roaming-status:read"
        } else {
            "connected-network-type:read"
        };
        Self {
            attache,
            contract,
            request: Rc::new(official.validator(official.request(&end), true)),
            responses: RefCell::default(),
            two_legged: CAMARA.two_legged(attache, &scope),
            three_legged: CAMARA.three_legged(attache, OWN, &scope),
            without_scope: CAMARA.two_legged(attache, &format!("{PURPOSE} {other}")),
            official,
            end,
        }
    }

    fn rules(&self) -> &'static Rules {
        self.contract.rules
    }

    fn name(&self) -> String {
        self.contract.name()
    }

    fn ask(&self, token: &str, body: impl Into<Vec<u8>>) -> Request {
        self.attache.post(self.contract.path).bearer(token).body("application/json", body)
    }

    /// A body that names a line by one field, `phoneNumber` or `msisdn`, and so on.
    fn naming(&self, fields: &[(&str, &Value)]) -> Value {
        let (object, names) = match self.contract.naming {
            Naming::Device => ("device", ["phoneNumber", "networkAccessIdentifier", "ipv6Address"]),
            Naming::UeId => ("ueId", ["msisdn", "externalId", "ipv6Addr"]),
        };
        let kinds = ["number", "identifier", "ipv6"];
        let name = |kind: &str| names[kinds.iter().position(|known| *known == kind).unwrap()].to_owned();
        let fields: Map<String, Value> = fields.iter().map(|(kind, value)| (name(kind), Value::clone(value))).collect();
        json!({ object: fields })
    }

    /// Holds an answer against the official schema for its status.
    fn holds(&self, answer: &Answer) {
        let mut responses = self.responses.borrow_mut();
        let validator = responses.entry(answer.status).or_insert_with(|| {
            let schemas = &self.official.document()["components"]["schemas"];
            let listed = self.official.response("post", &self.end, answer.status);
            assert!(listed.is_some() || answer.status >= 400, "{}: {}", self.name(), answer.status);
            // A status that is not listed has the version's fields of an error.
            let schema =
                listed.map_or(&schemas["ErrorInfo"], |listed| &listed["content"]["application/json"]["schema"]);
            self.official.validator(schema, false)
        });
        let mut body = answer.json();
        // A listed difference: there is no time when a line was seen that never was.
        if self.contract.version == "0.2" && body["connectedNetworkType"] == "UNKNOWN" {
            body.as_object_mut().unwrap().entry("lastStatusTime").or_insert_with(|| json!("2024-02-20T10:41:38Z"));
        }
        let errors: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {} {}\n{}", self.name(), answer.status, answer.body, errors.join("\n"));
        assert_eq!(answer.header("content-type"), "application/json");
        if self.contract.correlator.is_some() {
            assert_ne!(answer.header("x-correlator"), "");
        }
    }

    /// Holds an answer against the errors that it must be one of.
    fn is(&self, answer: &Answer, codes: &[Code]) {
        self.holds(answer);
        let code = answer.text("code");
        let is_one = codes.iter().any(|(status, name)| answer.status == *status && (name.is_empty() || code == *name));
        assert!(is_one, "{}: {} {} instead of {codes:?}", self.name(), answer.status, answer.body);
    }

    /// Tries a property with many values.
    fn tries<S: Strategy>(&self, strategy: &S, property: impl Fn(S::Value)) {
        holds_for(CASES, &self.name(), strategy, property);
    }

    /// Bodies that the official schema allows.
    fn valid(&self) -> BoxedStrategy<Value> {
        let validator = Rc::clone(&self.request);
        values(self.official.document(), self.official.request(&self.end))
            .prop_filter("the official schema excludes it", move |body| validator.is_valid(body))
            .boxed()
    }

    /// Bodies with a fault by the official schema, somewhere.
    fn spoiled(&self) -> BoxedStrategy<Value> {
        let validator = Rc::clone(&self.request);
        (self.valid(), any::<Index>(), option::weighted(0.8, junk()))
            .prop_map(|(mut body, place, junk)| {
                let places = places(&body);
                spoil(&mut body, &places[place.index(places.len())], junk);
                body
            })
            .prop_filter("the official schema allows it", move |body| !validator.is_valid(body))
            .boxed()
    }

    /// Whether a valid body is refused as an invalid one, because it names a line only by what is not
    /// supported, for which these versions have no other code: a listed difference.
    fn is_by_unsupported_only(&self, body: &Value) -> bool {
        let supported = ["phoneNumber", "ipv4Address", "ipv6Address", "msisdn", "ipv4Addr", "ipv6Addr"];
        let names = |object: &str, name: &str| body[object].get(name).is_some();
        let is_unsupported = names("device", "networkAccessIdentifier") || names("ueId", "externalId");
        let is_supported = supported.iter().any(|name| names("device", name) || names("ueId", name));
        self.rules().unsupported.is_empty() && is_unsupported && !is_supported
    }
}

/// Values that a schema allows, or nearly: what holds for several fields together is left to a validator.
fn values(document: &Value, schema: &Value) -> BoxedStrategy<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return values(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    match (schema["type"].as_str(), schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("object"), ..) => object(document, schema),
        (Some("integer"), ..) => {
            let bound = |name: &str, or: i64| schema[name].as_i64().unwrap_or(or);
            (bound("minimum", i64::MIN)..=bound("maximum", i64::MAX)).prop_map(Value::from).boxed()
        }
        (Some("string"), Some("ipv4"), _) => any::<std::net::Ipv4Addr>().prop_map(|it| json!(it)).boxed(),
        (Some("string"), Some("ipv6"), _) => {
            prop_oneof![Just(json!(OWN_IPV6)), any::<std::net::Ipv6Addr>().prop_map(|it| json!(it))].boxed()
        }
        (Some("string"), _, Some(pattern)) => {
            let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
            let number = prop_oneof![select(&KNOWN[..]).prop_map(str::to_owned), string_regex(pattern).unwrap()];
            number.prop_map(Value::from).boxed()
        }
        (Some("string"), ..) => {
            prop_oneof!["[a-z0-9.]{1,12}@[a-z]{1,8}\\.com", any::<String>()].prop_map(Value::from).boxed()
        }
        other => panic!("no value can be made of {other:?}: {schema}"),
    }
}

fn object(document: &Value, schema: &Value) -> BoxedStrategy<Value> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let least = schema["minProperties"].as_u64().unwrap_or(0);
    let mut fields: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
    for (name, property) in schema["properties"].as_object().unwrap() {
        let (name, values) = (name.clone(), values(document, property));
        let value = if required.contains(&name.as_str()) {
            values.prop_map(Some).boxed()
        } else {
            option::weighted(0.6, values).boxed()
        };
        let with = move |(mut fields, value): (Map<String, Value>, Option<Value>)| {
            fields.extend(value.map(|value| (name.clone(), value)));
            fields
        };
        fields = (fields, value).prop_map(with).boxed();
    }
    // Fields that no version knows, beside one that it does.
    let unknown = option::weighted(0.1, ("[xyz]{4,8}", junk()));
    (fields, unknown)
        .prop_filter("minProperties", move |(fields, _)| u64::try_from(fields.len()).unwrap() >= least)
        .prop_map(|(mut fields, unknown)| {
            fields.extend(unknown);
            Value::Object(fields)
        })
        .boxed()
}

/// Any JSON value, mostly not what is wanted.
fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "\\+?[0-9]{0,17}".prop_map(Value::from),
        "[0-9a-f:./]{0,24}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z]{1,4}", inner), 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every place in a value, as a JSON pointer.
fn places(value: &Value) -> Vec<String> {
    let inner = value.as_object().into_iter().flatten().flat_map(|(name, value)| {
        places(value).into_iter().map(move |place| format!("/{}{place}", name.replace('~', "~0").replace('/', "~1")))
    });
    std::iter::once(String::new()).chain(inner).collect()
}

/// Puts junk in a place, or removes what is there.
fn spoil(body: &mut Value, place: &str, junk: Option<Value>) {
    match (junk, place.rsplit_once('/')) {
        (Some(junk), _) => *body.pointer_mut(place).unwrap() = junk,
        (None, Some((parent, name))) => {
            body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        }
        (None, None) => *body = Value::Null,
    }
}

#[test]
fn any_request_that_a_schema_allows_gets_a_response_that_the_contract_allows() {
    for_each_version(|version| {
        let found = RefCell::new(0);
        version.tries(&version.valid(), |body| {
            for token in [&version.two_legged, &version.three_legged] {
                let answer = version.ask(token, body.to_string()).send();
                version.holds(&answer);
                *found.borrow_mut() += u32::from(answer.status == 200);
                if answer.status == 400 {
                    version.is(&answer, version.rules().invalid);
                    let is_right = version.is_by_unsupported_only(&body);
                    assert!(is_right, "{}: {body}: {}", version.name(), answer.body);
                }
            }
        });
        assert!(found.into_inner() > 0, "{}: nothing was found", version.name());
    });
}

#[test]
fn any_body_that_a_schema_excludes_is_the_fault_that_the_contract_names_for_it() {
    for_each_version(|version| {
        version.tries(&version.spoiled(), |body| {
            for token in [&version.two_legged, &version.three_legged] {
                version.is(&version.ask(token, body.to_string()).send(), version.rules().invalid);
            }
        });
        let no_object = prop_oneof![
            vec(any::<u8>(), 0..64),
            junk().prop_map(|value| value.to_string().into_bytes()),
            (version.valid(), any::<Index>()).prop_map(|(body, end)| {
                let body = body.to_string().into_bytes();
                body[..end.index(body.len())].to_vec()
            }),
        ]
        .prop_filter("an object", |bytes| !serde_json::from_slice::<Value>(bytes).is_ok_and(|value| value.is_object()));
        version.tries(&no_object, |bytes| {
            version.is(&version.ask(&version.two_legged, bytes).send(), version.rules().invalid);
        });
    });
}

#[test]
fn any_line_that_is_named_wrongly_is_the_fault_that_the_contract_names_for_it() {
    for_each_version(|version| {
        let rules = version.rules();
        let ask = |token: &str, body: &Value| version.ask(token, body.to_string()).send();
        let number = "\\+[1-9][0-9]{5,14}".prop_filter("a line", |number| !number.starts_with("+336"));
        version.tries(&number, |number| {
            let body = version.naming(&[("number", &json!(number))]);
            version.is(&ask(&version.two_legged, &body), rules.unknown_line);
            version.is(&ask(&version.three_legged, &body), rules.another_named_beside_token);
        });
        version.tries(&vec(("[xyz]{4,8}", junk()), 0..3), |fields| {
            let body = Value::Object(fields.into_iter().collect());
            version.is(&ask(&version.two_legged, &body), rules.nothing_named);
            match rules.token_alone {
                Said::Answered => version.holds_status(&ask(&version.three_legged, &body), 200),
                Said::Refused(codes) => version.is(&ask(&version.three_legged, &body), codes),
            }
        });
        version.tries(&any::<String>(), |identifier| {
            let codes = if rules.unsupported.is_empty() { rules.invalid } else { rules.unsupported };
            let body = version.naming(&[("identifier", &json!(identifier))]);
            version.is(&ask(&version.two_legged, &body), codes);
        });
        version.tries(&select(&KNOWN[..6]), |number| {
            let (number, address) = (json!(number), json!(OWN_IPV6));
            let body = version.naming(&[("number", &number), ("ipv6", &address)]);
            let answer = ask(&version.two_legged, &body);
            match rules.disagreement {
                Disagreement::Refused(codes) if number != OWN => version.is(&answer, codes),
                _ => version.holds_status(&answer, 200),
            }
            let body = version.naming(&[("number", &number)]);
            let answer = ask(&version.three_legged, &body);
            match rules.named_beside_token {
                Said::Answered if number == OWN => version.holds_status(&answer, 200),
                Said::Answered => version.is(&answer, rules.another_named_beside_token),
                Said::Refused(codes) => version.is(&answer, codes),
            }
        });
    });
}

#[test]
fn any_token_header_and_method_at_fault_is_the_fault_that_the_contract_names_for_it() {
    for_each_version(|version| {
        let rules = version.rules();
        version.tries(&(version.valid(), "[!-~]{1,200}"), |(body, token)| {
            version.is(&version.ask(&token, body.to_string()).send(), rules.unauthenticated);
            version.is(&version.ask(&version.without_scope, body.to_string()).send(), rules.scope_missing);
        });
        let typed = "[a-z]{1,12}/[a-z+.-]{1,12}".prop_filter("JSON", |kind| kind != "application/json");
        version.tries(&(version.valid(), typed), |(body, kind)| {
            let request = version.attache.post(version.contract.path).bearer(&version.two_legged);
            version.is(&request.body(&kind, body.to_string()).send(), rules.media_type);
        });
        version.tries(&select(vec![Method::GET, Method::PUT, Method::DELETE, Method::PATCH]), |method| {
            let request = version.attache.request(method, version.contract.path).bearer(&version.two_legged);
            version.is(&request.send(), rules.method);
        });
        let Some(pattern) = version.contract.correlator.filter(|pattern| !pattern.text.is_empty()) else { return };
        let correlators = "[!-~]([ -~]{0,300}[!-~])?";
        version.tries(&(version.valid(), correlators), |(body, correlator)| {
            let request = version.ask(&version.two_legged, body.to_string()).header("x-correlator", &correlator);
            let answer = request.send();
            if (pattern.matches)(&correlator) {
                assert_eq!(answer.header("x-correlator"), correlator);
                version.holds(&answer);
            } else {
                version.is(&answer, rules.invalid);
            }
        });
    });
}

impl Version<'_> {
    /// Holds an answer against a status, and against the official schema for it.
    fn holds_status(&self, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{}: {}", self.name(), answer.body);
        self.holds(answer);
    }
}

/// Texts for the fields of forms: any, and such as come near to what is meant.
fn field() -> impl Strategy<Value = String> {
    let segment = junk().prop_map(|value| URL_SAFE_NO_PAD.encode(value.to_string()));
    let claims = vec((select(vec!["iss", "sub", "aud", "exp", "jti", "nbf", "iat", "scope"]), junk()), 0..6);
    let header = vec((select(vec!["alg", "typ", "kid", "crit", "jwk"]), junk()), 0..4);
    let object = |members: Vec<(&str, Value)>| {
        let members: Map<String, Value> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        URL_SAFE_NO_PAD.encode(Value::Object(members).to_string())
    };
    let token = (header, claims, segment)
        .prop_map(move |(header, claims, signature)| format!("{}.{}.{signature}", object(header), object(claims)));
    prop_oneof![
        any::<String>(),
        token,
        "(tel|ipport|phone_number):[+0-9a-f:.\\[\\]]{0,24}",
        "(http|https|ftp|javascript)://[!-~]{0,40}",
        "(openid|dpv:[A-Za-z]{0,12}|device-[a-z:-]{0,24})( [a-z:#-]{0,24})?",
        select(vec!["client_credentials", "authorization_code", "urn:openid:params:grant-type:ciba", "code", "none"])
            .prop_map(str::to_owned),
    ]
}

#[test]
fn nothing_that_an_authorization_server_is_sent_makes_it_fail() {
    let attache = Attache::sandbox();
    let endpoints: Vec<String> = attache.facts()["publishers"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|publisher| {
            ["token_endpoint", "backchannel_authentication_endpoint", "authorization_endpoint"]
                .map(|name| publisher[name].as_str().map(|url| url.trim_start_matches(&attache.url("")).to_owned()))
        })
        .flatten()
        .collect();
    assert!(endpoints.len() > 6, "{endpoints:?}");
    let names = select(vec![
        "grant_type",
        "scope",
        "purpose",
        "login_hint",
        "code",
        "code_verifier",
        "redirect_uri",
        "auth_req_id",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "assertion",
        "response_type",
        "state",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "request",
        "nonce",
        "login_hint_token",
        "acr_values",
    ]);
    let form = vec((names, field()), 0..8);
    let credentials = option::of(prop_oneof![
        ("[!-~]{0,24}", "[!-~]{0,24}")
            .prop_map(|(id, secret)| format!("Basic {}", STANDARD.encode(id + ":" + &secret))),
        vec(any::<u8>(), 0..24).prop_map(|bytes| format!("Basic {}", STANDARD.encode(bytes))),
        "(Basic|Bearer|basic|DPoP) [!-~]{0,60}",
        Just(format!("Basic {}", STANDARD.encode("camara-demo:camara-demo-secret"))),
    ]);
    let requests = (select(endpoints), form, credentials, option::of(vec(any::<u8>(), 0..64)));
    holds_for_all(&requests, |(endpoint, form, credentials, bytes)| {
        let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = match &bytes {
            // A browser asks by the query, and everybody else by the body.
            None if endpoint.ends_with("authorize") => attache.get(&format!("{endpoint}?{encoded}")),
            None => attache.post(&endpoint).body("application/x-www-form-urlencoded", encoded),
            Some(bytes) => attache.post(&endpoint).body("application/x-www-form-urlencoded", bytes.clone()),
        };
        let request = match &credentials {
            Some(credentials) => request.header("authorization", credentials),
            None => request,
        };
        let answer = request.send();
        assert!(answer.status < 500, "{endpoint}: {} {}", answer.status, answer.body);
    });
}

#[test]
fn no_header_makes_a_face_fail() {
    let attache = Attache::sandbox();
    let token = CAMARA.two_legged(&attache, &format!("{PURPOSE} device-roaming-status:read"));
    let names = vec!["host", "authorization", "x-correlator", "accept", "content-type", "content-encoding", "origin"];
    let header = (select(names), "[!-~]([ -~]{0,60}[!-~])?");
    holds_for_all(&(header, any::<bool>()), |((name, value), bears)| {
        let body = json!({"device": {"phoneNumber": OWN}}).to_string();
        let request = attache.post("/device-roaming-status/v1/retrieve").body("application/json", body);
        let request = if bears && name != "authorization" { request.bearer(&token) } else { request };
        let answer = request.header(name, &value).send();
        assert!(answer.status < 500 && answer.header("content-type") == "application/json", "{name}: {}", answer.body);
    });
}

fn holds_for_all<S: Strategy>(strategy: &S, property: impl Fn(S::Value)) {
    holds_for(8 * CASES, "everywhere", strategy, property);
}

/// Tries a property with many values, and shrinks those for which it does not hold.
fn holds_for<S: Strategy>(cases: u32, place: &str, strategy: &S, property: impl Fn(S::Value)) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let tried = TestRunner::new(config).run(strategy, |value| {
        property(value);
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{place}: {error}");
    }
}
