//! Plans: how fast and how much a client may ask, what every version answers to one that asks more, and
//! what the headers tell.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    callers::{Caller, FaceCall},
    harness::{Answer, Attache},
};

/// Clients with a plan, one at each publisher.
fn callers_with(attache: &Attache, plan: &Value) -> Vec<Caller> {
    let planned = |caller: Caller| {
        attache.register(&json!({
            "publisher": caller.publisher,
            "client_id": "planned",
            "client_secret": "planned-secret",
            "plan": plan,
        }));
        Caller { id: "planned".to_owned(), secret: "planned-secret".to_owned(), ..caller }
    };
    Caller::all(&attache.facts()).into_iter().map(planned).collect()
}

/// What a version says to whom asks too fast, and to whom has asked enough for today.
fn words(call: &FaceCall) -> [(u16, Value); 2] {
    match (call.publisher.as_str(), call.api.as_str()) {
        ("orange", "device-reachability-status") => [(429, json!(53)), (403, json!(53))],
        _ => [(429, json!("TOO_MANY_REQUESTS")), (429, json!("QUOTA_EXCEEDED"))],
    }
}

fn limits(answer: &Answer) -> (&str, &str) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

/// Seconds in a header, which may be any number up to a bound.
fn is_within(text: &str, bound: u64) -> bool {
    text.parse::<u64>().is_ok_and(|seconds| (1..=bound).contains(&seconds))
}

#[test]
fn who_asks_too_fast_is_told_so_in_the_words_of_every_version() {
    let attache = Attache::sandbox();
    for caller in callers_with(&attache, &json!({"rate": "1/h"})) {
        let calls = FaceCall::by(&attache, &[caller]);
        let first = calls[0].ask(&attache);
        assert_eq!(first.status, 200, "{}", first.body);
        for call in &calls {
            let answer = call.says(&attache, words(call)[0].clone());
            assert!(is_within(answer.header("retry-after"), 3600), "{}", answer.header("retry-after"));
            let (policy, left) = limits(&answer);
            assert_eq!(policy, r#""rate";q=1;w=3600"#);
            let until = left.strip_prefix(r#""rate";r=0;t="#).unwrap();
            assert!(is_within(until, 3600), "{left}");
        }
    }
}

#[test]
fn who_has_used_up_the_quota_is_told_so_in_the_words_of_every_version() {
    let attache = Attache::sandbox();
    for caller in callers_with(&attache, &json!({"quota": "1/day"})) {
        let calls = FaceCall::by(&attache, &[caller]);
        let first = calls[0].ask(&attache);
        assert_eq!(first.status, 200, "{}", first.body);
        for call in &calls {
            let answer = call.says(&attache, words(call)[1].clone());
            assert!(is_within(answer.header("retry-after"), 86_400), "{}", answer.header("retry-after"));
            let (policy, left) = limits(&answer);
            assert_eq!(policy, r#""quota";q=1;w=86400"#);
            assert!(left.starts_with(r#""quota";r=0;t="#), "{left}");
        }
    }
}

#[test]
fn every_answer_to_a_client_with_a_plan_tells_what_is_left_and_only_questions_about_a_line_cost() {
    let attache = Attache::sandbox();
    let callers = callers_with(&attache, &json!({"rate": "2/h", "burst": 3, "quota": "100/day"}));
    let call = FaceCall::by(&attache, &callers).swap_remove(0);
    let left = |answer: &Answer| {
        let (policy, left) = limits(answer);
        assert_eq!(policy, r#""rate";q=3;w=5400, "quota";q=100;w=86400"#);
        let [rate, quota] = ["\"rate\";r=", "\"quota\";r="].map(|name| {
            let (_, rest) = left.split_once(name).unwrap();
            rest.split(';').next().unwrap().parse::<u32>().unwrap()
        });
        (rate, quota)
    };
    let ask = |body: Value| attache.post(&call.path).bearer(&call.token).json(&body);
    assert_eq!(left(&ask(json!({"device": {"phoneNumber": "+99999999999"}})).says(404)), (3, 100));
    assert_eq!(left(&ask(json!([])).says(400)), (3, 100));
    assert_eq!(left(&attache.post(&call.path).bearer(&call.token).body("text/plain", "x").says(415)), (3, 100));
    assert_eq!(left(&ask(call.body.clone()).says(200)), (2, 99));
    // What the network doesn't know was asked of it nevertheless.
    assert_eq!(left(&ask(json!({"device": {"phoneNumber": "+33639980007"}})).says(503)), (1, 98));
    assert_eq!(left(&ask(call.body.clone()).says(200)), (0, 97));
    let refused = ask(call.body.clone()).says(429);
    assert_eq!(left(&refused), (0, 97));
    // Whoever is not known has no plan.
    let unknown = attache.post(&call.path).bearer("x.y.z").json(&call.body).says(401);
    assert_eq!(limits(&unknown), ("", ""));
}

#[test]
fn a_client_without_a_plan_hears_of_no_limit() {
    let attache = Attache::sandbox();
    for call in FaceCall::all(&attache) {
        for _ in 0..3 {
            let answer = call.ask(&attache);
            assert_eq!((answer.status, limits(&answer)), (200, ("", "")), "{}", call.path);
        }
    }
}

#[test]
fn a_plan_outlives_a_restart_and_what_was_asked_is_then_forgotten() {
    let mut attache = Attache::sandbox();
    let callers = callers_with(&attache, &json!({"rate": "1/h"}));
    let call = FaceCall::by(&attache, &callers).swap_remove(0);
    assert_eq!(call.ask(&attache).status, 200);
    assert_eq!(call.ask(&attache).status, 429);
    attache.stop();
    attache.start();
    assert_eq!(call.ask(&attache).status, 200);
    assert_eq!(call.ask(&attache).status, 429);
}

#[test]
fn an_operator_gives_a_client_a_plan_and_sees_it() {
    let attache = Attache::sandbox();
    let add = ["client", "add", "--publisher", "camara", "--id", "shop", "--rate", "10/s", "--quota", "1000/day"];
    let output = attache.command(&add);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && printed.contains("10/s, burst 10, 1000/day"), "{printed}");
    let clients = attache.admin(Method::GET, "/admin/v1/clients").says(200).json();
    let plan_of = |id: &str| {
        let mut clients = clients["clients"].as_array().unwrap().iter();
        clients.find(|client| client["client_id"] == id).unwrap().get("plan").cloned()
    };
    assert_eq!(plan_of("shop"), Some(json!({"rate": "10/s", "burst": 10, "quota": "1000/day"})));
    assert_eq!(plan_of("camara-demo"), None);
    for plan in [
        json!({"rate": "0/s"}),
        json!({"rate": 10}),
        json!({"rate": "10/s", "burst": 0}),
        json!({"rate": "10/s", "burst": 1_000_001}),
        json!({"burst": 10}),
        json!({"quota": "10/month"}),
        json!({"limit": "10/s"}),
    ] {
        let client = json!({"publisher": "camara", "client_id": "other", "plan": plan});
        let refusal = attache.admin(Method::POST, "/admin/v1/clients").json(&client).says(400);
        assert_eq!(refusal.text("code"), "INVALID_ARGUMENT", "{plan}");
    }
    for flags in [["--rate", "fast"], ["--burst", "7"], ["--quota", "1000"]] {
        let output = attache.command(&[&["client", "add", "--publisher", "camara"][..], &flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}
