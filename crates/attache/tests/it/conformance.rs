//! `attache conformance` against a sandbox, version by version; and against a sandbox behind a proxy
//! that plants one fault at a time, each of which must be found by a scenario that names it.

use std::{collections::BTreeSet, sync::Arc};

use attache_conformance::{Admin, Local, Only, Outcome, Report, Runner};
use attache_server::issue_sink_certificate;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::harness::{Attache, eventually, program};

/// The APIs that are asked once. Those of subscriptions, whose scenarios wait for events, have tests of their
/// own.
const QUESTIONS: &[&str] =
    &["device-status", "device-roaming-status", "device-reachability-status", "connected-network-type"];

/// Runs the scenarios of some APIs against a server; of all, if none is named.
fn run(runtime: &Runtime, url: &str, file: Option<&str>, only: &[&str]) -> Report {
    let only: Vec<Only> = only.iter().map(|only| only.parse().unwrap()).collect();
    runtime.block_on(async {
        let mut runner = Runner::new(url.parse().unwrap(), file, Local::default()).await.unwrap();
        runner.run(&only).await
    })
}

fn names_of_failures(report: &Report) -> BTreeSet<&str> {
    report.failures().map(|(scenario, _)| scenario.name.as_str()).collect()
}

/// Why scenarios may be skipped. This list may only shrink.
const SKIPS: &[&str] = &[
    "a newer version has its path and is tried there; to try this one, name device-reachability-status/1.0 by \
     `versions` or --only",
    "a newer version has its path and is tried there; to try this one, name device-roaming-status/1.0 by `versions` \
     or --only",
    "this API has but one type",
    "this version has no code for it",
];

#[test]
fn a_sandbox_answers_every_version_by_its_contract() {
    let attache = Attache::sandbox();
    let issued = issue_sink_certificate(attache.data_dir()).unwrap();
    let local = Local {
        admin: Some(Admin { url: attache.url("/").parse().unwrap(), token: attache.admin_token().into() }),
        certificate: Some((issued.certificate.into(), issued.key.into())),
    };
    let report = Runtime::new().unwrap().block_on(async {
        let mut runner = Runner::new(attache.url("/").parse().unwrap(), None, local).await.unwrap();
        runner.run(&[]).await
    });
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    assert_eq!(report.skips().into_keys().collect::<Vec<_>>(), SKIPS);
    assert!(report.counts().passed > 1_000, "{:?}", report.counts());
    // The clients of small plans are over them from now on, and nothing else has changed.
    let again = run(&Runtime::new().unwrap(), &attache.url("/"), None, QUESTIONS);
    assert_eq!(again.failures().count(), 0, "{}", again.details());
    for contract in again.contracts.iter().filter(|contract| !contract.name.ends_with("/subscriptions")) {
        let before = report.contracts.iter().find(|before| before.name == contract.name).unwrap();
        assert_eq!(contract.counts(), before.counts(), "{}", contract.name);
    }
}

#[test]
fn a_server_that_takes_no_sink_of_the_runner_is_asked_all_but_what_needs_one() {
    let attache = Attache::sandbox();
    let report = run(&Runtime::new().unwrap(), &attache.url("/"), None, &["connected-network-type-subscriptions"]);
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    let skips = report.skips();
    let about_sinks = skips.iter().find(|(reason, _)| reason.contains("--allow-http-sinks"));
    let (_, skipped) = about_sinks.unwrap_or_else(|| panic!("{skips:?}"));
    assert!(skipped.iter().any(|name| name.contains("SUBSCRIPTION_EXPIRED")), "{skipped:?}");
    assert!(report.counts().passed > 100, "{:?}", report.counts());
}

#[test]
fn a_sandbox_with_network_access_identifiers_answers_every_version_by_its_contract() {
    let kinds = [("ATTACHE_SUPPORTED_IDENTIFIERS", "phone_number,ipv4,ipv6,network_access_identifier")];
    let attache = Attache::with_environment(&[], &kinds);
    let report = run(&Runtime::new().unwrap(), &attache.url("/"), None, QUESTIONS);
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    let names = |rule: &str| report.scenarios().filter(|scenario| scenario.name.ends_with(rule)).count();
    let is_question = |name: &str| !name.ends_with("/subscriptions");
    let tried = report.contracts.iter().filter(|it| it.skipped.is_none() && is_question(&it.name)).count();
    assert_eq!(names("a network access identifier names its line"), tried);
    assert_eq!(names("a network access identifier beside a phone number is passed over"), 0);
}

#[test]
fn versions_that_are_pinned_answer_by_their_contracts() {
    let pins = ["device-roaming-status=1.0", "device-reachability-status=1.0", "device-status=0.4"];
    let arguments: Vec<&str> = pins.iter().flat_map(|pin| ["--pin", pin]).collect();
    let attache = Attache::with(&arguments);
    let report = run(&Runtime::new().unwrap(), &attache.url("/"), None, QUESTIONS);
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    for pinned in ["device-roaming-status/1.0", "device-reachability-status/1.0", "device-status/0.4 /roaming"] {
        let contract = report.contracts.iter().find(|contract| contract.name == pinned).unwrap();
        assert_eq!(contract.skipped, None, "{pinned}");
        assert!(contract.counts().passed > 20, "{pinned}: {:?}", contract.counts());
    }
}

#[test]
fn an_expired_token_is_refused_by_every_version() {
    let mut attache = Attache::with_environment(&[], &[("ATTACHE_TOKEN_LIFETIME", "1s")]);
    let token = all_scopes_token(&attache);
    let body = json!({"device": {"phoneNumber": "+33639980001"}});
    eventually("the token expires", || {
        let request = attache.post("/device-roaming-status/v1/retrieve").bearer(&token).json(&body);
        (request.send().status == 401).then_some(())
    });
    attache.stop();
    attache.forget_environment();
    attache.start();
    let file = format!("[tokens]\nexpired = \"{token}\"\n");
    let report = run(&Runtime::new().unwrap(), &attache.url("/"), Some(&file), &[]);
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    let about_it = report.scenarios().filter(|scenario| scenario.name.contains("an expired token is 401"));
    assert!(about_it.count() > 0);
    assert!(!report.skips().keys().any(|reason| reason.contains("expired")), "{:?}", report.skips());
}

#[test]
fn a_server_that_says_nothing_of_itself_is_told_by_a_file() {
    let attache = Attache::sandbox();
    let runtime = Runtime::new().unwrap();
    let proxy = Proxy {
        upstream: attache.url(""),
        fault: Fault::None,
        token: String::new(),
        http: client(),
        is_an_operator: true,
    };
    let url = runtime.block_on(start(proxy));
    let without_file =
        runtime.block_on(async { Runner::new(url.parse().unwrap(), None, Local::default()).await.err().unwrap() });
    assert!(without_file.to_string().contains("--config"), "{without_file}");

    let file = format!(
        r#"
        [tokens]
        two_legged = "{}"

        [[lines]]
        phone_number = "+33639980002"
        roaming = false
        reachable = ["SMS"]

        [[lines]]
        phone_number = "+33639980006"
        roaming = true
        country_code = 262
        country_name = ["DE"]
        seen = "long-ago"
        "#,
        all_scopes_token(&attache)
    );
    let report = run(&runtime, &url, Some(&file), &[]);
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    let passed = |name: &str| {
        let scenario = report.scenarios().find(|scenario| scenario.name == name);
        matches!(scenario.unwrap_or_else(|| panic!("{name}")).outcome, Outcome::Passed)
    };
    assert!(passed("device-roaming-status/1.1 a line at home is not roaming"));
    assert!(passed("device-roaming-status/1.1 a line abroad is roaming, in a country with one ISO code"));
    assert!(passed("device-reachability-status/1.1 a line is reachable by SMS only"));
    assert!(!passed("device-reachability-status/1.1 a line is reachable by data only"));
    assert!(!passed("device-roaming-status/1.1 a 3-legged token answers about its own line"));

    // Limits and failing networks are tried where the file says what provokes them.
    let provoking = file.replace(
        "[tokens]",
        "[provoke]\nnot_applicable = \"+33600000001\"\nunavailable = \"+33600000002\"\n
        [tokens]\nover_rate = \"over-rate\"\nover_quota = \"over-quota\"",
    );
    let provoking = format!("versions = [\"device-roaming-status/1.1\"]\n{provoking}");
    let report = run(&runtime, &url, Some(&provoking), &[]);
    assert_eq!(report.failures().count(), 0, "{}", report.details());
    for rule in [
        "a line for which the service is not available is 422 SERVICE_NOT_APPLICABLE",
        "a client over its rate limit is 429 TOO_MANY_REQUESTS",
        "a client with a used-up quota is 429 QUOTA_EXCEEDED",
        "a network that fails is 503 UNAVAILABLE",
    ] {
        let name = format!("device-roaming-status/1.1 {rule}");
        let scenario = report.scenarios().find(|scenario| scenario.name == name);
        assert!(matches!(scenario.unwrap().outcome, Outcome::Passed), "{name}");
    }

    // What the file has wrong of a line is found in the answers.
    let wrong = file.replace("roaming = false", "roaming = true");
    let report = run(&runtime, &url, Some(&wrong), QUESTIONS);
    let faults: Vec<_> = report.failures().flat_map(|(_, failures)| failures).map(|it| it.fault.as_str()).collect();
    assert!(faults.contains(&"`roaming` is false instead of true"), "{faults:?}");
}

#[test]
fn the_command_prints_a_table_writes_reports_and_fails_if_a_scenario_does() {
    let attache = Attache::sandbox();
    let directory = tempfile::tempdir().unwrap();
    let (html, junit) = (directory.path().join("report.html"), directory.path().join("report.xml"));
    let conformance = |more: &[&str]| {
        let url = attache.url("");
        let mut arguments = vec!["conformance", "--base-url", &url];
        arguments.extend_from_slice(more);
        program(attache.data_dir()).args(&arguments).output().unwrap()
    };
    let output = conformance(&[
        "--only",
        "device-roaming-status/1.1",
        "--html",
        html.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
    ]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.starts_with("API                    VERSION  TRIED  PASSED  FAILED  SKIPPED\n"), "{printed}");
    let junit = std::fs::read_to_string(junit).unwrap();
    let rule = "device-roaming-status/1.1 a 3-legged token with a device is 422 UNNECESSARY_IDENTIFIER";
    assert!(junit.contains(&format!("name=\"{rule}\"/>")), "{junit}");
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("No scenario failed."), "{html}");

    // 1.0 says IDENTIFIER_MISMATCH where 1.1, which answers at its path, says nothing.
    let output = conformance(&["--only", "device-roaming-status/1.0"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("Failed: device-roaming-status/1.0 identifiers of different lines are"), "{printed}");
    assert!(printed.contains("authorization: Bearer ***"), "{printed}");
    assert!(!printed.contains("Bearer ey"), "{printed}");

    let output = conformance(&["--only", "device-roaming-status/1.1", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["contracts"][0]["scenarios"][0]["outcome"], "passed");

    // Of a server on this machine nothing is skipped: events come over https, and lines are changed.
    let data_dir = attache.data_dir().to_str().unwrap();
    let output =
        conformance(&["--only", "device-reachability-status-subscriptions/0.8", "--json", "--data-dir", data_dir]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scenarios = report["contracts"][0]["scenarios"].as_array().unwrap();
    assert!(scenarios.len() > 90, "{}", scenarios.len());
    assert!(scenarios.iter().all(|scenario| scenario["outcome"] == "passed"), "{report:#}");

    let output = conformance(&["--only", "device-roaming-status/2.0"]);
    assert_eq!(output.status.code(), Some(2));
}

/// What the proxy does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// Nothing.
    None,
    /// A field of an answer has another type.
    WrongType,
    /// A required field of an answer is missing.
    FieldMissing,
    /// A field of another version is there.
    FieldOfAnotherVersion,
    /// The code of an unknown line is another.
    WrongCode,
    /// A semantic error is said to be one of syntax.
    WrongStatus,
    /// `x-correlator` is missing.
    CorrelatorMissing,
    /// `lastStatusTime` is always now.
    AlwaysNow,
    /// A token about one line answers about another.
    TokenOfAnotherLine,
    /// A token without the scope is accepted.
    ScopeUnchecked,
    /// A token of another issuer is accepted.
    IssuerUnchecked,
    /// The bearer of a 3-legged token is told the device.
    DeviceTold,
    /// A country is named where there is none.
    CountryGuessed,
    /// A line that was never seen is said to be at home, or out of reach.
    StatusInvented,
}

/// Each fault, what must be said of it, and the scenarios that must find it.
const FAULTS: &[(Fault, &str, &[&str])] = &[
    (
        Fault::WrongType,
        "`roaming` is \"false\", not a boolean",
        &[
            "device-status/0.5 /roaming every answer has the fields and types of its schema",
            "device-roaming-status/1.1 every answer has the fields and types of its schema",
            "device-reachability-status/1.1 every answer has the fields and types of its schema",
        ],
    ),
    (
        Fault::FieldMissing,
        "`lastStatusTime` is required and missing",
        &[
            "device-roaming-status/1.1 every answer has the fields and types of its schema",
            "device-reachability-status/1.1 every answer has the fields and types of its schema",
        ],
    ),
    (
        Fault::FieldOfAnotherVersion,
        "`reachabilityStatus` is a field of another version",
        &[
            "device-status/0.5 /roaming every answer has the fields and types of its schema",
            "device-reachability-status/1.1 every answer has the fields and types of its schema",
        ],
    ),
    (
        Fault::WrongCode,
        "404 NOT_FOUND instead of 404 IDENTIFIER_NOT_FOUND",
        &[
            "device-status/0.5 /roaming a number of no line is 404 NOT_FOUND",
            "device-roaming-status/1.1 a number of no line is 404 IDENTIFIER_NOT_FOUND",
            "device-reachability-status/1.1 a number of no line is 404 IDENTIFIER_NOT_FOUND",
        ],
    ),
    (
        Fault::WrongStatus,
        "400 MISSING_IDENTIFIER instead of 422 MISSING_IDENTIFIER",
        &[
            "device-roaming-status/1.1 a 2-legged token without a device is 422 MISSING_IDENTIFIER",
            "device-roaming-status/1.1 a 3-legged token with a device is 422 UNNECESSARY_IDENTIFIER",
            "device-roaming-status/1.1 every error has the fields and types of its schema",
        ],
    ),
    (
        Fault::CorrelatorMissing,
        "x-correlator is missing, not conformance-",
        &[
            "device-roaming-status/1.1 every response has the correlator of its request",
            "device-reachability-status/1.1 every response has the correlator of its request",
        ],
    ),
    (
        Fault::AlwaysNow,
        "lastStatusTime moves along with the queries",
        &[
            "device-roaming-status/1.1 lastStatusTime is when the status was confirmed, not when it is told",
            "device-roaming-status/0.6 lastStatusTime is when the status was confirmed, not when it is told",
            "connected-network-type/0.2 lastStatusTime is when the status was confirmed, not when it is told",
            "device-roaming-status/1.1 a line last seen long ago has its old status, with its old lastStatusTime",
            "device-reachability-status/1.1 lastStatusTime is when the status was confirmed, not when it is told",
        ],
    ),
    (
        Fault::TokenOfAnotherLine,
        "200 instead of 422 UNNECESSARY_IDENTIFIER",
        &[
            "device-status/0.5 /roaming a 3-legged token with a device of another line is 403 PERMISSION_DENIED or \
             403 INVALID_TOKEN_CONTEXT",
            "device-roaming-status/0.6 a 3-legged token with a device of another line is 403 INVALID_TOKEN_CONTEXT",
            "device-roaming-status/1.1 a 3-legged token with a device of another line is 422 UNNECESSARY_IDENTIFIER",
        ],
    ),
    (
        Fault::ScopeUnchecked,
        "200 instead of 403 PERMISSION_DENIED",
        &[
            "device-status/0.5 /connectivity a token without the scope is 403 PERMISSION_DENIED",
            "device-roaming-status/1.1 a token without the scope is 403 PERMISSION_DENIED",
        ],
    ),
    (
        Fault::IssuerUnchecked,
        "200 instead of 401 UNAUTHENTICATED",
        &["device-roaming-status/1.1 a token of another issuer is 401 UNAUTHENTICATED"],
    ),
    (
        Fault::DeviceTold,
        "`device` is told, although it must not be",
        &[
            "device-roaming-status/1.1 device is not told to the bearer of a 3-legged token",
            "device-reachability-status/1.1 device is not told to the bearer of a 3-legged token",
        ],
    ),
    (
        Fault::CountryGuessed,
        "`countryCode` 901 stands for no country",
        &[
            "device-status/0.5 /roaming a line in no country is roaming, and its country is not guessed",
            "device-roaming-status/1.1 a line in no country is roaming, and its country is not guessed",
            "device-roaming-status/1.1 countries go with roaming, and names with their code: an unknown country is \
             not guessed",
        ],
    ),
    (
        Fault::StatusInvented,
        "200 instead of 503 UNAVAILABLE",
        &[
            "device-status/0.5 /roaming a line that the network never saw is 503 UNAVAILABLE",
            "device-roaming-status/1.1 a line that the network never saw is 503 UNAVAILABLE",
        ],
    ),
];

/// The versions whose scenarios must find them.
const SPOILT: &[&str] = &[
    "device-status/0.5",
    "device-roaming-status/0.6",
    "device-roaming-status/1.1",
    "device-reachability-status/1.1",
    "connected-network-type/0.2",
];

#[test]
fn every_planted_fault_is_found_by_a_scenario_that_names_it() {
    let attache = Attache::sandbox();
    let runtime = Runtime::new().unwrap();
    let token = all_scopes_token(&attache);
    let run_with = |fault| {
        let upstream = attache.url("");
        let (token, http) = (token.clone(), client());
        let url = runtime.block_on(start(Proxy { upstream, fault, token, http, is_an_operator: false }));
        run(&runtime, &url, None, SPOILT)
    };
    let control = run_with(Fault::None);
    assert_eq!(control.failures().count(), 0, "{}", control.details());
    for (fault, said, scenarios) in FAULTS {
        let report = run_with(*fault);
        let found = names_of_failures(&report);
        let mut faults = report.failures().flat_map(|(_, failures)| failures).map(|failure| &failure.fault);
        assert!(faults.any(|fault| fault.contains(said)), "{fault:?} is not told by {said:?}:\n{}", report.details());
        for scenario in *scenarios {
            assert!(found.contains(scenario), "{fault:?} is not found by {scenario:?}, but by {found:#?}");
        }
    }
}

/// A token with all scopes about no line.
pub(crate) fn all_scopes_token(attache: &Attache) -> String {
    let client = attache.facts()["publishers"]["camara"]["clients"][0].clone();
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    let scopes = client["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap());
    let scope: Vec<&str> = std::iter::once("dpv:RequestedServiceProvision").chain(scopes).collect();
    let request = attache.post("/oauth2/token").basic(&text("client_id"), &text("client_secret"));
    let fields = [("grant_type", "client_credentials"), ("scope", &scope.join(" "))];
    request.form(&fields).says(200).text("access_token")
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A server that hands requests on, and does one thing wrong.
struct Proxy {
    upstream: String,
    fault: Fault,
    /// By which it answers what it should refuse.
    token: String,
    http: reqwest::Client,
    /// Whether it plays an operator's server: it has no `/sandbox`, but limits, and lines that provoke
    /// problems.
    is_an_operator: bool,
}

/// Starts it, and returns its address.
async fn start(proxy: Proxy) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(hand_on).with_state(Arc::new(proxy));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// What came back from behind the proxy.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

async fn hand_on(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    if proxy.is_an_operator && head.uri.path() == "/sandbox" {
        head.uri = "/nothing-here".parse().unwrap();
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    if let Some((status, code)) = proxy.limit(&head.headers, &body) {
        let error = json!({"status": status, "code": code, "message": "as the operator has it"});
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(correlator) = head.headers.get("x-correlator") {
            response.headers_mut().insert("x-correlator", correlator.clone());
        }
        return response;
    }
    let url = format!("{}{}", proxy.upstream, head.uri);
    let send = async |authorization: Option<&str>| {
        let mut headers = head.headers.clone();
        headers.remove(header::HOST);
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        // A GET has no body, and no length of it.
        let request = proxy.http.request(head.method.clone(), &url).headers(headers);
        let has_body = head.method == Method::POST || !body.is_empty();
        let request = if has_body { request.body(body.clone()) } else { request };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap() }
    };
    let mut answer = send(None).await;
    let is_query = head.method == Method::POST && !head.uri.path().starts_with("/oauth2");
    if is_query {
        let mut said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if proxy.lets_pass(&answer, &said) {
            answer = send(Some(&format!("Bearer {}", proxy.token))).await;
        } else if proxy.spoils(&mut answer, &mut said, &body) {
            answer.body = serde_json::to_vec(&said).unwrap().into();
        }
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    for name in [header::CONTENT_TYPE, header::ALLOW, header::HeaderName::from_static("x-correlator")] {
        if let Some(value) = answer.headers.get(&name) {
            response.headers_mut().insert(name, HeaderValue::clone(value));
        }
    }
    response
}

impl Proxy {
    /// What an operator's server answers to clients over their limits, and about lines that provoke it.
    fn limit(&self, headers: &HeaderMap, body: &[u8]) -> Option<(u16, &'static str)> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().unwrap();
        let body = String::from_utf8_lossy(body);
        let limits = [
            (token == "Bearer over-rate", (429, "TOO_MANY_REQUESTS")),
            (token == "Bearer over-quota", (429, "QUOTA_EXCEEDED")),
            (body.contains("+33600000001"), (422, "SERVICE_NOT_APPLICABLE")),
            (body.contains("+33600000002"), (503, "UNAVAILABLE")),
        ];
        limits.into_iter().find_map(|(is_met, limit)| (self.is_an_operator && is_met).then_some(limit))
    }

    /// Whether it answers this although it was refused.
    fn lets_pass(&self, answer: &Answer, said: &Value) -> bool {
        let code = said["code"].as_str().unwrap_or_default();
        match self.fault {
            Fault::TokenOfAnotherLine => matches!(code, "UNNECESSARY_IDENTIFIER" | "INVALID_TOKEN_CONTEXT"),
            Fault::ScopeUnchecked => code == "PERMISSION_DENIED",
            Fault::IssuerUnchecked => answer.status == 401,
            _ => false,
        }
    }

    /// Whether it makes something else of an answer.
    fn spoils(&self, answer: &mut Answer, said: &mut Value, asked: &[u8]) -> bool {
        let is_answer = answer.status == 200;
        match self.fault {
            Fault::WrongType if is_answer => {
                for name in ["roaming", "reachable"] {
                    if let Some(flag) = said[name].as_bool() {
                        said[name] = json!(flag.to_string());
                    }
                }
                let object = said.as_object_mut().unwrap();
                object.retain(|_, value| !value.is_null());
            }
            Fault::FieldMissing if is_answer => {
                said.as_object_mut().unwrap().remove("lastStatusTime");
            }
            Fault::FieldOfAnotherVersion if is_answer => said["reachabilityStatus"] = json!("CONNECTED_DATA"),
            Fault::WrongCode if answer.status == 404 => {
                said["code"] = json!(if said["code"] == "NOT_FOUND" { "IDENTIFIER_NOT_FOUND" } else { "NOT_FOUND" });
            }
            Fault::WrongStatus if answer.status == 422 => answer.status = StatusCode::BAD_REQUEST,
            Fault::CorrelatorMissing => {
                answer.headers.remove("x-correlator");
            }
            Fault::AlwaysNow if said["lastStatusTime"].is_string() => {
                said["lastStatusTime"] = json!(now());
            }
            Fault::DeviceTold if is_answer && said["lastStatusTime"].is_string() => {
                let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
                if asked["device"].is_null() {
                    said["device"] = json!({"phoneNumber": "+33699901032"});
                }
            }
            Fault::CountryGuessed if said["countryName"] == json!([]) => said["countryName"] = json!(["FR"]),
            Fault::StatusInvented if answer.status == 503 => {
                answer.status = StatusCode::OK;
                *said = json!({"lastStatusTime": "2024-02-20T10:41:38.657Z", "roaming": false});
            }
            _ => return false,
        }
        true
    }
}

#[expect(clippy::disallowed_methods, reason = "it is this very fault that is planted")]
pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}
