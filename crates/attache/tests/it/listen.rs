//! `attache listen`: the way a developer first sees an event.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authority::Authority,
    faces::CAMARA,
    harness::{Attache, BOUND, Log, Request, eventually, program},
    sink::Sink,
};

const LINE: &str = "+33639980001";

/// `attache listen`, running.
struct Listener {
    process: Child,
    /// What it shows on standard output: the events.
    shown: Log,
    /// What it tells beside that.
    told: Log,
}

impl Listener {
    /// Listens on a free port.
    fn to(attache: &Attache, arguments: &[&str]) -> Self {
        let mut process = program(attache.data_dir())
            .args(["listen", "--port", "0", "--data-dir"])
            .arg(attache.data_dir())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (shown, told) = (Log::default(), Log::default());
        shown.follow(process.stdout.take().unwrap());
        told.follow(process.stderr.take().unwrap());
        let listener = Self { process, shown, told };
        listener.tells("Ctrl-C");
        listener
    }

    /// All that it has shown, once that has a text.
    fn shows(&self, text: &str) -> String {
        eventually(&format!("it shows {text}"), || Some(self.shown.text()).filter(|shown| shown.contains(text)))
    }

    /// All that it has told, once that has a text.
    fn tells(&self, text: &str) -> String {
        eventually(&format!("it tells {text}, after {}", self.told.text()), || {
            Some(self.told.text()).filter(|told| told.contains(text))
        })
    }

    /// Where it listens.
    fn url(&self) -> String {
        let told = self.told.text();
        told.split_whitespace().find(|word| word.starts_with("https://")).unwrap().trim_end_matches(',').to_owned()
    }

    /// The events that were shown as JSON.
    fn events(&self) -> Vec<Value> {
        self.shown.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Presses Ctrl-C, and waits for its end.
    fn interrupt(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = eventually("it ends", || self.process.try_wait().unwrap());
        eventually("all that it said is read", || (self.shown.is_complete() && self.told.is_complete()).then_some(()));
        status
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A request of an application that subscribes a sink to the line.
fn subscribe(attache: &Attache, sink: &str) -> Request {
    let event = "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-on";
    let scope = format!("dpv:FraudPreventionAndDetection device-roaming-status-subscriptions:{event}:create");
    attache
        .post("/device-roaming-status-subscriptions/v0.8/subscriptions")
        .bearer(&CAMARA.two_legged(attache, &scope))
        .json(&json!({
            "protocol": "HTTP", "sink": sink, "types": [event],
            "config": { "subscriptionDetail": { "device": { "phoneNumber": LINE } } },
        }))
}

fn roam(attache: &Attache, country: &str) {
    attache.change(LINE, "roam", &json!({ "country": country }));
}

/// The status of the one subscription there is.
fn status(attache: &Attache) -> String {
    let list = attache.admin(Method::GET, "/admin/v1/subscriptions").says(200).json();
    let [subscription] = list["subscriptions"].as_array().unwrap().as_slice() else { panic!("{list}") };
    subscription["status"].as_str().unwrap().to_owned()
}

#[test]
fn the_walk_through_of_the_readme_ends_with_its_event() {
    let attache = Attache::sandbox();
    // Whoever builds without the README has nothing to walk through.
    let Ok(readme) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")) else { return };
    let walk = readme.split_once("<!-- listen -->").unwrap().1.split_once("<!-- /listen -->").unwrap().0;
    let commands = walk.lines().filter_map(|line| line.split('#').next()?.trim().strip_prefix("attache "));
    let commands: Vec<Vec<&str>> = commands.map(|command| command.split_whitespace().collect()).collect();
    let [listen, change] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(listen[0], "listen");
    let began = std::time::Instant::now();
    let listener = Listener::to(&attache, &listen[1..]);
    let changed = attache.command(change);
    assert!(changed.status.success(), "{changed:?}");
    let shown = listener.shows("roaming-status");
    let row = shown.lines().last().unwrap();
    assert!(row.contains(" 204 ") && row.ends_with("countryCode=262 countryName=DE roaming=true"), "{row}");
    assert!(began.elapsed() < BOUND, "a newcomer is given a minute, and types slower than this test");
}

#[test]
fn what_a_busy_sink_is_sent_again_is_shown_again_with_its_answer_and_counted_apart() {
    let attache = Attache::sandbox();
    let mut listener = Listener::to(&attache, &[LINE, "--event", "roaming-on", "--respond", "503,204"]);
    let shown = listener.shows("(again)");
    let rows: Vec<Vec<&str>> = shown.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ARRIVED", "AFTER", "ANSWER", "EVENT", "ID", "DATA"]);
    // The first one took milliseconds, its repetition about a second: both units may be printed.
    assert_eq!((rows[1][3], rows[2][3]), ("503", "204"), "{shown}");
    assert_eq!((rows[1][4], rows[1][5]), ("subscription-started", rows[2][5]), "{shown}");
    roam(&attache, "DE");
    assert!(listener.shows("roaming-on").lines().last().unwrap().contains("-2"));
    assert_eq!(status(&attache), "ACTIVE");

    assert!(listener.interrupt().success());
    assert!(listener.shown.text().contains("terminationReason=SUBSCRIPTION_DELETED"), "{}", listener.shown.text());
    assert!(listener.told.text().ends_with("3 events arrived, 1 time again.\n"), "{}", listener.told.text());
    assert_eq!(status(&attache), "SUBSCRIPTION_DELETED");
}

#[test]
fn for_programs_it_shows_each_event_as_a_line_and_nothing_else() {
    let attache = Attache::sandbox();
    let listener = Listener::to(&attache, &[LINE, "--json", "--event", "roaming-status,network-type-changed"]);
    listener.shows("-1\"");
    roam(&attache, "DE");
    attache.change(LINE, "technology", &json!({ "technology": "3G" }));
    listener.shows("connectedNetworkType");
    listener.shows("countryCode");
    let events = listener.events();
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events.iter().all(|event| event["specversion"] == "1.0" && event["data"]["device"]["phoneNumber"] == LINE));
}

#[test]
fn it_ends_when_nobody_reads_what_it_shows() {
    let attache = Attache::sandbox();
    let mut listener = program(attache.data_dir())
        .args(["listen", "--port", "0", "--json", LINE, "--data-dir"])
        .arg(attache.data_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(listener.stdout.take());
    let status_code = eventually("it ends", || listener.try_wait().unwrap());
    assert!(status_code.success());
    assert_eq!(status(&attache), "SUBSCRIPTION_DELETED");
}

#[test]
fn a_sink_that_insists_on_a_token_gets_it_from_its_subscription_and_refuses_others() {
    let attache = Attache::sandbox();
    let listener = Listener::to(&attache, &[LINE, "--token", "sesame-open"]);
    listener.shows("subscription-started");
    subscribe(&attache, &listener.url()).says(201);
    let told = listener.tells("refused");
    assert!(told.contains("401") && told.contains("no bearer token"), "{told}");
    assert!(!(told + &listener.shown.text()).contains("sesame"));
}

#[test]
fn what_is_no_event_is_refused_and_told() {
    let attache = Attache::sandbox();
    let listener = Listener::to(&attache, &[]);
    let told = listener.tells("sed");
    assert!(told.contains("attache listen +33639980001") && told.contains(&listener.url()), "{told}");
    let curl = told.split_once("\n\n").unwrap().1.trim();
    let usual =
        curl.replace(&listener.url(), "https://localhost:9092/").replace(&attache.url(""), "http://localhost:9091");
    if let Ok(page) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/subscriptions.md")) {
        assert!(page.contains(&usual), "the documentation has another one than\n{usual}");
    }
    let authority = reqwest::Certificate::from_pem(&fs::read(attache.data_dir().join("sandbox-ca.pem")).unwrap());
    let client = reqwest::blocking::Client::builder().no_proxy().tls_certs_only([authority.unwrap()]).build().unwrap();
    let post = |media_type: &str, body: &'static str| {
        client.post(listener.url()).header("content-type", media_type).body(body).send().unwrap().status().as_u16()
    };
    let event = r#"{"id":"\u001b[2J","source":"/","specversion":"1.0","type":"a.b"}"#;
    assert_eq!(post("application/json", event), 415);
    assert_eq!(post("application/cloudevents+json", "{}"), 400);
    assert_eq!(post("application/cloudevents+json; charset=utf-8", event), 204);
    assert_eq!(client.get(listener.url()).send().unwrap().status(), 405);
    assert!(!listener.shows(r#""\u{1b}[2J""#).contains('\u{1b}'), "what a terminal would obey is not shown");
    let told = listener.tells("missing field");
    assert!(told.contains("rather than application/cloudevents+json"), "{told}");
}

#[test]
fn what_keeps_it_from_listening_is_told_with_what_to_do() {
    let nowhere = tempfile::tempdir().unwrap();
    let none = program(nowhere.path()).args(["listen", "--data-dir"]).arg(nowhere.path()).output().unwrap();
    assert!(said(&none).contains("start one with `attache serve`"), "{none:?}");

    let attache = Attache::sandbox();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let told = said(&attache.command(&["listen", "--port", &port]));
    assert!(told.contains(&format!("cannot listen on port {port}; choose another with --port")), "{told}");
    let told = said(&attache.command(&["listen", "--port", "0", "+33999999999"]));
    assert!(told.contains("could not subscribe to roaming-status of +33999999999") && told.contains("404"), "{told}");

    // Another data directory than the server's has no authority that it would trust.
    let elsewhere = program(nowhere.path())
        .args(["listen", "--port", "0", "--url", &attache.url(""), "--data-dir"])
        .arg(nowhere.path())
        .output()
        .unwrap();
    assert!(said(&elsewhere).contains("is no data directory of a sandbox"), "{elsewhere:?}");
}

#[test]
fn the_key_of_the_sandboxes_authority_is_made_once_for_its_owner_only() {
    let mut attache = Attache::sandbox();
    let key = attache.data_dir().join("sandbox-ca.key");
    let made = fs::read(&key).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    attache.stop();
    attache.start();
    assert_eq!(fs::read(&key).unwrap(), made);
}

#[test]
fn the_sandboxes_authority_vouches_for_this_machine_only() {
    let attache = Attache::sandbox();
    let authority = Authority::of_sandbox(attache.data_dir());
    let (good, bad) = (
        Sink::with_tls(authority.server("127.0.0.1")),
        Sink::with_tls(authority.server_of(&["127.0.0.1", "shop.example"])),
    );
    for sink in [&good, &bad] {
        subscribe(&attache, &sink.url()).says(201);
    }
    good.received(1);
    let list = attache.admin(Method::GET, "/admin/v1/subscriptions").says(200).json();
    let path = format!("/admin/v1/subscriptions/{}/deliveries", list["subscriptions"][1]["id"].as_str().unwrap());
    let outcome = eventually("an attempt fails", || {
        let deliveries = attache.admin(Method::GET, &path).says(200).json();
        deliveries["deliveries"][0]["last_outcome"].as_str().map(str::to_owned)
    });
    assert!(outcome.contains("NameConstraintViolation"), "{outcome}");
}

mod needs_curl {
    use super::*;

    #[test]
    #[ignore = "needs curl: cargo xtask test"]
    fn the_subscription_that_it_prints_brings_an_event_when_it_is_pasted() {
        let attache = Attache::sandbox();
        let listener = Listener::to(&attache, &["--event", "reachability-sms", "--token", "sesame"]);
        let told = listener.tells("sed");
        let curl = told.split_once("\n\ncurl").unwrap().1;
        let pasted = Command::new("bash").args(["-c", &format!("curl{curl}")]).env("NO_PROXY", "127.0.0.1").output();
        let answer: Value = serde_json::from_slice(&pasted.unwrap().stdout).unwrap();
        assert_eq!(answer["status"], "ACTIVE", "{answer}");
        attache.change(LINE, "reach", &json!({ "data": false, "sms": true }));
        listener.shows("reachability-sms");
    }
}
