//! The rights of a subscriber: to be told all that is stored about the line, and to have it forgotten.

use std::{fs, path::Path, process::Output};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::CAMARA,
    harness::{Answer, Attache, eventually},
    sink::Sink,
};

const LINE: &str = "+33639980001";
const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";
const SUBSCRIPTIONS: &str = "/device-roaming-status-subscriptions/v0.8/subscriptions";
const EVENT: &str = "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-status";

fn begin(attache: &Attache, scope: &str) -> String {
    let hint = format!("tel:{LINE}");
    CAMARA.bc_authorize(attache, &[("login_hint", &hint), ("scope", scope)]).says(200).text("auth_req_id")
}

fn subscribe(attache: &Attache, token: &str, sink: &Sink, detail: &Value) -> String {
    let body = json!({
        "protocol": "HTTP", "sink": sink.url(), "types": [EVENT], "config": { "subscriptionDetail": detail },
    });
    let request =
        attache.post(SUBSCRIPTIONS).bearer(token).header("idempotency-key", &format!("{}{detail}", sink.url()));
    request.json(&body).says(201).text("id")
}

/// A line about which there is something in every table, and who is told of it.
fn well_known(attache: &Attache) -> Sink {
    let sink = Sink::open();
    let id = begin(attache, &format!("{SCOPE} offline_access"));
    let form = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", id.as_str())];
    assert!(!CAMARA.token(attache, &form).says(200).text("refresh_token").is_empty());
    let create = format!("dpv:FraudPreventionAndDetection device-roaming-status-subscriptions:{EVENT}:create");
    subscribe(attache, &CAMARA.three_legged(attache, LINE, &create), &sink, &json!({}));
    let device = json!({ "device": { "phoneNumber": LINE } });
    subscribe(attache, &CAMARA.two_legged(attache, &create), &sink, &device);
    attache.change(LINE, "roam", &json!({ "country": "DE" }));
    sink.received(4);
    // A code that was not fetched with, and a request that was not answered.
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", CAMARA.id), ("scope", SCOPE)])
        .extend_pairs([
            ("login_hint", format!("tel:{LINE}").as_str()),
            ("redirect_uri", "http://localhost:3000/callback"),
        ])
        .finish();
    attache.get(&format!("/oauth2/authorize?{query}")).says(302);
    assert!(attache.command(&["consent", "answer", LINE, "never"]).status.success());
    begin(attache, "dpv:ServiceProvision device-roaming-status:read");
    sink
}

fn asked(attache: &Attache) -> Answer {
    attache.admin(Method::GET, &format!("/admin/v1/subjects/{LINE}")).says(200)
}

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_subscriber_is_told_all_that_is_stored_about_the_line() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let _sink = well_known(&attache);
    let data = asked(&attache).json();
    let list = |name: &str| data[name].as_array().unwrap_or_else(|| panic!("{name}: {data}")).clone();
    assert_eq!(data["line"]["phone_number"], LINE);
    assert_eq!(list("consents").len(), 2, "of the API and of its subscriptions");
    let mut kinds: Vec<_> =
        list("grants").iter().map(|grant| grant["grant_type"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["authorization_code", "urn:openid:params:grant-type:ciba"]);
    let [refresh] = &list("refresh_tokens")[..] else { panic!("one refresh token: {data}") };
    assert_eq!(
        (&refresh["client_id"], &refresh["scopes"]),
        (&json!(CAMARA.id), &json!(["device-roaming-status:read"]))
    );
    let subscriptions = list("subscriptions");
    let devices: Vec<_> = subscriptions.iter().map(|subscription| subscription["device"].clone()).collect();
    assert_eq!(devices, [Value::Null, json!(LINE)], "what the request has named");
    for subscription in &subscriptions {
        let deliveries = subscription["deliveries"].as_array().unwrap();
        let events: Vec<_> = deliveries.iter().map(|delivery| delivery["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["roaming-status", "subscription-started"]);
    }
    assert!(list("audit").iter().any(|record| record["event"] == "subscription"), "{data}");
}

#[test]
fn one_withdrawal_ends_tokens_refresh_tokens_codes_and_subscriptions_at_once() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let (sink, other) = (Sink::open(), Sink::open());
    let create = format!("dpv:FraudPreventionAndDetection device-roaming-status-subscriptions:{EVENT}:create");
    let scope = format!("{create} device-roaming-status:read device-roaming-status-subscriptions:read offline_access");
    let fetch = || {
        let id = begin(&attache, &scope);
        CAMARA.token(&attache, &[("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", &id)]).says(200)
    };
    let (fetched, unfetched) = (fetch(), begin(&attache, &scope));
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| fetched.text(name));
    let subscription = subscribe(&attache, &access, &sink, &json!({}));
    let on_another_basis = create.replace("dpv:FraudPreventionAndDetection", "dpv:ServiceProvision");
    subscribe(&attache, &CAMARA.three_legged(&attache, LINE, &on_another_basis), &other, &json!({}));
    sink.received(1);

    let withdraw = attache.request(Method::DELETE, "/self-care/consents").header("x-sandbox-line", LINE);
    let meant = json!({"client_id": CAMARA.id, "purpose": "dpv:FraudPreventionAndDetection"});
    let withdrawn = withdraw.json(&meant).says(200).json();
    assert_eq!(withdrawn["withdrawn"].as_array().unwrap().len(), 3);
    // All of it has ended when the answer is there.
    attache.post("/device-roaming-status/v1/retrieve").bearer(&access).json(&json!({})).says(401);
    CAMARA.token(&attache, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).says(400);
    let form = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", unfetched.as_str())];
    assert_eq!(CAMARA.token(&attache, &form).says(400).text("error"), "access_denied");
    let seen = attache.admin(Method::GET, &format!("/admin/v1/subscriptions/{subscription}")).says(200);
    assert_eq!(seen.text("status"), "NETWORK_TERMINATED");
    // The subscription that rests on another consent is told what the line does next, the other that it has ended.
    attache.change(LINE, "roam", &json!({ "country": "DE" }));
    assert_eq!(other.names(2), ["subscription-started", "roaming-status"]);
    let events = sink.received(2);
    let ended = &events[1].body["data"];
    assert_eq!((events[1].name(), &ended["terminationReason"]), ("subscription-ended", &json!("NETWORK_TERMINATED")));
    assert_eq!(ended["terminationDescription"], "the subscriber does not consent any more");
    attache.change(LINE, "home", &json!({}));
    other.received(3);
    assert_eq!(sink.events().len(), 2, "nothing about the line came after that");
    // Another yes begins nothing anew of what has ended.
    fetch();
    attache.post("/device-roaming-status/v1/retrieve").bearer(&access).json(&json!({})).says(401);
    CAMARA.token(&attache, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).says(400);
}

#[test]
fn an_event_that_leaves_is_told_in_the_audit_log_with_its_subscription_and_its_right() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let sink = Sink::answering(|event, before| {
        let is_change = event["type"] == EVENT;
        (
            if is_change && before < 2 {
                503
            } else if is_change {
                400
            } else {
                204
            },
            "retry-after: 0\r\n",
        )
    });
    let create = format!("dpv:FraudPreventionAndDetection device-roaming-status-subscriptions:{EVENT}:create");
    let id = subscribe(&attache, &CAMARA.three_legged(&attache, LINE, &create), &sink, &json!({}));
    sink.received(1);
    attache.change(LINE, "roam", &json!({ "country": "DE" }));
    let events = sink.received(3);
    let exported = || -> Vec<Value> {
        let text = told(&attache.command(&["audit", "export", "--subject", LINE, "--event", "delivery"]));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let records = eventually("the dead letter is told", || Some(exported()).filter(|records| records.len() == 4));
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or("-").to_owned();
    let said: Vec<_> = records.iter().map(|it| [text(it, "action"), text(it, "outcome")]).collect();
    let expected = [("subscription-started", "sent"), ("roaming-status", "sent"), ("roaming-status", "sent")];
    assert_eq!(said[..3], expected.map(|(action, outcome)| [action.to_owned(), outcome.to_owned()]));
    assert_eq!(said[3], ["roaming-status", "dead"]);
    for (record, event) in records.iter().zip([&events[0], &events[1], &events[2], &events[2]]) {
        assert_eq!((&record["subscription"], &record["legal_basis"]), (&json!(id), &json!("consent")), "{record}");
        assert_eq!((text(record, "correlator").as_str(), &record["client_id"]), (event.id(), &json!(CAMARA.id)));
        assert_eq!(record["scopes"], json!([create.split(' ').nth(1)]));
    }
}

#[test]
fn what_is_handed_out_is_for_one_pair_of_eyes_and_never_in_the_place_of_something_else() {
    let attache = Attache::sandbox();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.json");
    let path = file.to_str().unwrap();
    let export = |flags: &[&str]| attache.command(&[&["subject", "export", LINE, "--output"], flags].concat());
    // What an export before left behind, open to all, is not gone on with.
    fs::write(folder.path().join("export.json.partial"), "x".repeat(100_000)).unwrap();
    told(&export(&[path]));
    let data: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(data["line"]["phone_number"], LINE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::write(&file, "another subscriber's").unwrap();
    let refused = export(&[path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("exists already"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "another subscriber's");
}

/// Whether these bytes stand in any file of a directory, or of those in it.
fn stands_in(directory: &Path, bytes: &[u8]) -> Option<String> {
    fs::read_dir(directory).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return stands_in(&path, bytes);
        }
        let text = fs::read(&path).unwrap_or_default();
        text.windows(bytes.len()).any(|window| window == bytes).then(|| path.display().to_string())
    })
}

#[test]
fn nothing_of_a_forgotten_subscriber_is_left_in_the_files() {
    let mut attache = Attache::with(&["--allow-http-sinks"]);
    let sink = well_known(&attache);
    let digits = LINE.trim_start_matches('+').as_bytes();
    assert!(stands_in(attache.data_dir(), digits).is_some(), "a subscription names the line as its request did");
    told(&attache.command(&["subject", "erase", LINE]));
    assert_eq!(stands_in(attache.data_dir(), digits), None, "while the server runs");
    // The subscriptions have ended, and say no more.
    let ended = &sink.received(6)[4..];
    for event in ended {
        let data = &event.body["data"];
        assert_eq!((event.name(), &data["terminationReason"]), ("subscription-ended", &json!("NETWORK_TERMINATED")));
        assert!(data["terminationDescription"].is_string() && data.get("device").is_none(), "{data}");
    }
    attache.change(LINE, "roam", &json!({ "country": "ES" }));
    let after = asked(&attache).json();
    for name in ["consents", "grants", "refresh_tokens", "subscriptions"] {
        assert_eq!(after[name], json!([]), "{name}");
    }
    // The number is the network's, and goes with the line: as the database writes it.
    let number: u64 = LINE.trim_start_matches('+').parse().unwrap();
    let written = &number.to_be_bytes()[2..];
    assert!(stands_in(attache.data_dir(), written).is_some());
    told(&attache.command(&["line", "remove", LINE]));
    assert_eq!(stands_in(attache.data_dir(), written), None);
    attache.stop();
    for trace in [digits, written] {
        assert_eq!(stands_in(attache.data_dir(), trace), None, "after the server has ended");
    }
    assert_eq!(sink.events().len(), 6, "nothing about the line came after its end");
    assert!(told(&attache.command(&["audit", "verify"])).contains("is as it was written"));
}
