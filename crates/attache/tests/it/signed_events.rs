//! The signature of events, as whoever checks it sees it.

use std::{collections::BTreeMap, io::Write as _, process::Stdio};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Attache, eventually},
    hostile_sinks::{LINE, subscribe},
    interoperability::python,
    sink::{Event, Sink},
};

const CLIENT: &str = "/admin/v1/clients/camara/camara-demo";

fn rotate(attache: &Attache, body: &Value) -> String {
    let path = format!("{CLIENT}/webhook-secrets");
    attache.admin(Method::POST, &path).json(body).says(200).text("webhook_secret")
}

/// How many signatures an event has, and whether one is by this secret (Standard Webhooks, "signature scheme").
fn check(event: &Event, secret: &str) -> (usize, bool) {
    let header = |name| event.header(name).unwrap_or_else(|| panic!("{name} is missing: {}", event.raw.0));
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(id, event.id());
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    assert!((24..=64).contains(&key.len()));
    let text = format!("{id}.{timestamp}.{}", event.raw.1);
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(expected));
    let signatures: Vec<&str> = header("webhook-signature").split(' ').collect();
    (signatures.len(), signatures.contains(&expected.as_str()))
}

fn roam(attache: &Attache, country: &str) {
    attache.change(LINE, "roam", &json!({ "country": country }));
    attache.change(LINE, "home", &json!({}));
}

#[test]
fn an_event_is_signed_by_each_secret_of_its_client_and_by_none_if_there_is_none() {
    let mut attache = Attache::with(&["--allow-http-sinks"]);
    let sink = Sink::open();
    subscribe(&attache, &sink.url());
    let unsigned = &sink.received(1)[0];
    assert!(unsigned.header("webhook-signature").is_none() && unsigned.header("webhook-id").is_none());

    let first = rotate(&attache, &json!({}));
    roam(&attache, "DE");
    assert!(sink.received(3)[1..].iter().all(|event| check(event, &first) == (1, true)));

    let second = rotate(&attache, &json!({}));
    let third = attache.admin(Method::POST, &format!("{CLIENT}/webhook-secrets")).json(&json!({})).says(409);
    assert_eq!(third.text("code"), "TWO_SECRETS");
    // What came of an attempt is recorded a little later: a server that is killed before sends it again.
    eventually("every attempt is recorded", || {
        attache
            .admin(Method::GET, "/metrics")
            .says(200)
            .body
            .lines()
            .any(|line| line == "attache_deliveries_pending 0")
            .then_some(())
    });
    attache.kill();
    attache.start();
    roam(&attache, "BE");
    for event in &sink.received(5)[3..] {
        assert_eq!((check(event, &first), check(event, &second)), ((2, true), (2, true)));
    }
    let shown = attache.admin(Method::GET, CLIENT).says(200);
    assert_eq!(shown.json()["webhook_secrets"].as_array().unwrap().len(), 2);
    assert!(!shown.body.contains("whsec_") && !attache.log().contains("whsec_"));
    let key = STANDARD.decode(&second["whsec_".len()..]).unwrap();
    for entry in std::fs::read_dir(attache.data_dir()).unwrap().map_while(Result::ok) {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(key.len()).any(|window| window == key), "{:?}", entry.path());
    }

    attache.admin(Method::DELETE, &format!("{CLIENT}/webhook-secrets/previous")).says(200);
    roam(&attache, "DE");
    for event in &sink.received(7)[5..] {
        assert_eq!((check(event, &first), check(event, &second)), ((1, false), (1, true)));
    }
    let past = attache.admin(Method::POST, &format!("{CLIENT}/webhook-secrets"));
    past.json(&json!({"previous_ends_at": "2020-01-01T00:00:00Z"})).says(400);
    attache.admin(Method::DELETE, &format!("{CLIENT}/webhook-secrets")).says(200);
    roam(&attache, "BE");
    assert!(sink.received(9)[7..].iter().all(|event| event.header("webhook-signature").is_none()));
}

#[test]
fn an_event_that_is_sent_again_has_its_id_and_a_signature_of_its_own() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let sink = Sink::answering(|_, before| if before == 0 { (503, "retry-after: 2\r\n") } else { (204, "") });
    let secret = rotate(&attache, &json!({}));
    subscribe(&attache, &sink.url());
    let events = sink.received(2);
    assert!(events.iter().all(|event| check(event, &secret) == (1, true)));
    let [first, again] = &events[..2] else { panic!("{events:?}") };
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
    assert_ne!(first.header("webhook-timestamp"), again.header("webhook-timestamp"));
}

#[test]
fn the_command_line_makes_and_ends_webhook_secrets() {
    let attache = Attache::sandbox();
    let run = |arguments: &[&str]| {
        let client = ["client", "rotate-webhook-secret", "--publisher", "camara", "camara-demo"];
        let output = attache.command(&[&client, arguments].concat());
        let text = String::from_utf8(if output.status.success() { output.stdout } else { output.stderr }).unwrap();
        (output.status.success(), text)
    };
    let count = || {
        let shown = attache.admin(Method::GET, CLIENT).says(200).json();
        shown["webhook_secrets"].as_array().unwrap().len()
    };
    assert!(run(&[]).1.contains("secret, shown only now: whsec_"));
    assert!(run(&["--previous-ends-at", "2099-01-01T00:00:00Z"]).0);
    assert_eq!(count(), 2);
    let (succeeded, told) = run(&[]);
    assert!(!succeeded && told.contains("two secrets"), "{told}");
    let (succeeded, told) = run(&["--end-previous"]);
    assert!(succeeded && !told.contains("whsec_"), "{told}");
    assert_eq!(count(), 1);
    assert!(run(&["--end-all"]).0);
    assert_eq!(count(), 0);
    assert!(!run(&["--end-all", "--end-previous"]).0);
}

mod needs_python {
    use super::*;

    #[test]
    #[ignore = "needs Python: cargo xtask test"]
    fn the_library_of_standard_webhooks_accepts_a_signed_event_and_no_other() {
        let attache = Attache::with(&["--allow-http-sinks"]);
        let sink = Sink::open();
        let first = rotate(&attache, &json!({}));
        let second = rotate(&attache, &json!({}));
        subscribe(&attache, &sink.url());
        let event = &sink.received(1)[0];
        let headers: BTreeMap<&str, &str> = event.raw.0.lines().filter_map(|line| line.split_once(": ")).collect();
        let told = json!({ "secrets": [first, second], "headers": headers, "body": event.raw.1 });
        let mut script = python("standard_webhooks.py").stdin(Stdio::piped()).spawn().unwrap();
        script.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
        assert!(script.wait().unwrap().success());
    }
}
