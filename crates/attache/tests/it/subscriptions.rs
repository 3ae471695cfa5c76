//! Subscriptions, as their clients see them: made, read, listed, deleted; and what their sinks are told.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::CAMARA,
    harness::{Answer, Attache, eventually},
    sink::Sink,
};

pub(crate) const LINE: &str = "+33639980001";
pub(crate) const OTHER_LINE: &str = "+33639980010";

/// A version of an API of subscriptions.
#[derive(Clone, Copy)]
pub(crate) struct Api {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) prefix: &'static str,
}

pub(crate) const ROAMING: Api = Api {
    path: "/device-roaming-status-subscriptions/v0.8/subscriptions",
    name: "device-roaming-status-subscriptions",
    prefix: "org.camaraproject.device-roaming-status-subscriptions.v0",
};
const ROAMING_0_7: Api = Api { path: "/device-roaming-status-subscriptions/v0.7/subscriptions", ..ROAMING };
const ROAMING_0_6: Api = Api {
    path: "/device-roaming-status-subscriptions/v0.6/subscriptions",
    prefix: "org.camaraproject.roaming-status-subscriptions.v0",
    ..ROAMING
};
const REACHABILITY: Api = Api {
    path: "/device-reachability-status-subscriptions/v0.8/subscriptions",
    name: "device-reachability-status-subscriptions",
    prefix: "org.camaraproject.device-reachability-status-subscriptions.v0",
};
const NETWORK_TYPE: Api = Api {
    path: "/connected-network-type-subscriptions/v0.2/subscriptions",
    name: "connected-network-type-subscriptions",
    prefix: "org.camaraproject.connected-network-type-subscriptions.v0",
};

impl Api {
    /// The scopes to make subscriptions to some types, and to read and delete them, with the purpose.
    pub(crate) fn asked(self, types: &[&str]) -> String {
        let create = types.iter().map(|name| format!(" {}:{}.{name}:create", self.name, self.prefix));
        let create: String = create.collect();
        format!("dpv:FraudPreventionAndDetection{create} {0}:read {0}:delete", self.name)
    }

    /// As an application itself.
    pub(crate) fn two_legged<'a>(self, attache: &'a Attache, types: &[&str]) -> Subscriber<'a> {
        Subscriber { attache, api: self, token: CAMARA.two_legged(attache, &self.asked(types)) }
    }

    /// With a token for one line.
    pub(crate) fn three_legged<'a>(self, attache: &'a Attache, line: &str, types: &[&str]) -> Subscriber<'a> {
        Subscriber { attache, api: self, token: CAMARA.three_legged(attache, line, &self.asked(types)) }
    }

    /// A request for a subscription.
    pub(crate) fn body(self, event: &str, sink: &str, line: Option<&str>) -> Value {
        let detail = line.map_or_else(|| json!({}), |line| json!({ "device": { "phoneNumber": line } }));
        json!({
            "protocol": "HTTP",
            "sink": sink,
            "types": [format!("{}.{event}", self.prefix)],
            "config": { "subscriptionDetail": detail },
        })
    }
}

pub(crate) struct Subscriber<'a> {
    pub(crate) attache: &'a Attache,
    pub(crate) api: Api,
    pub(crate) token: String,
}

impl Subscriber<'_> {
    pub(crate) fn post(&self, body: &Value) -> Answer {
        self.attache.post(self.api.path).bearer(&self.token).json(body).send()
    }

    /// Makes a subscription and returns it.
    pub(crate) fn subscribe(&self, body: &Value) -> Value {
        self.attache.post(self.api.path).bearer(&self.token).json(body).says(201).json()
    }

    pub(crate) fn get(&self, id: &str) -> Answer {
        self.attache.get(&format!("{}/{id}", self.api.path)).bearer(&self.token).send()
    }

    pub(crate) fn delete(&self, id: &str) -> Answer {
        self.attache.request(Method::DELETE, &format!("{}/{id}", self.api.path)).bearer(&self.token).send()
    }

    pub(crate) fn list(&self) -> Value {
        self.attache.get(self.api.path).bearer(&self.token).says(200).json()
    }

    /// Asserts that a request is refused.
    fn is_refused(&self, body: &Value, status: u16, code: &str) {
        let answer = self.post(body);
        assert_eq!((answer.status, answer.text("code").as_str()), (status, code), "{}", answer.body);
    }
}

fn sandbox() -> Attache {
    Attache::with(&["--allow-http-sinks"])
}

pub(crate) fn id_of(subscription: &Value) -> String {
    subscription["id"].as_str().unwrap().to_owned()
}

pub(crate) fn roam(attache: &Attache, country: &str) {
    attache.change(LINE, "roam", &json!({ "country": country }));
}

#[test]
fn who_subscribes_is_told_of_each_change_in_order_and_of_nothing_else() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.two_legged(&attache, &["roaming-status", "roaming-change-country"]);
    let subscription = shop.subscribe(&ROAMING.body("roaming-status", &sink.url(), Some(LINE)));
    assert_eq!(subscription["status"], "ACTIVE");
    assert_eq!(subscription["config"]["subscriptionDetail"]["device"], json!({ "phoneNumber": LINE }));
    for country in ["DE", "DE", "BE"] {
        roam(&attache, country);
    }
    attache.change(LINE, "home", &json!({}));
    attache.change(OTHER_LINE, "roam", &json!({ "country": "DE" }));
    let confirmed = attache.line(LINE)["serving_confirmed_at"].as_str().map(str::to_owned);
    let events = sink.received(3);
    let names: Vec<&str> = events.iter().map(crate::sink::Event::name).collect();
    assert_eq!(names, ["subscription-started", "roaming-status", "roaming-status"]);
    let [_, abroad, home] = &events[..] else { panic!("{events:?}") };
    assert!(abroad.head.contains("content-type: application/cloudevents+json"), "{}", abroad.head);
    assert!(!abroad.head.contains("authorization"));
    assert!(abroad.head.contains(&format!("x-correlator: {}", abroad.id())), "{}", abroad.head);
    let id = id_of(&subscription);
    assert_eq!(
        abroad.body["data"],
        json!({
            "device": { "phoneNumber": LINE }, "subscriptionId": id,
            "roaming": true, "countryCode": 262, "countryName": ["DE"],
        })
    );
    assert_eq!(home.body["data"], json!({ "device": { "phoneNumber": LINE }, "subscriptionId": id, "roaming": false }));
    assert_eq!(home.body["specversion"], "1.0");
    assert_eq!(home.body["source"], attache.url("").trim_end_matches('/'));
    if let Some(confirmed) = confirmed {
        // The time of the event is the network's, to the millisecond.
        assert_eq!(&home.body["time"].as_str().unwrap()[..23], &confirmed[..23]);
    }
}

#[test]
fn subscriptions_and_events_survive_a_kill() {
    let mut attache = sandbox();
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let fails = std::sync::Arc::clone(&failing);
    let sink = Sink::answering(
        move |_, _| {
            if fails.load(std::sync::atomic::Ordering::SeqCst) { (503, "") } else { (204, "") }
        },
    );
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let id = id_of(&shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(LINE))));
    roam(&attache, "DE");
    sink.received(1);
    attache.kill();
    failing.store(false, std::sync::atomic::Ordering::SeqCst);
    attache.start();
    let delivered = eventually("both events are delivered", || {
        let events: Vec<_> = sink.events().into_iter().filter(|event| event.status == 204).collect();
        (events.len() == 2).then_some(events)
    });
    assert_eq!(
        delivered.iter().map(|event| event.id().to_owned()).collect::<Vec<_>>(),
        [format!("{id}-1"), format!("{id}-2")]
    );
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    assert_eq!(shop.get(&id).json()["status"], "ACTIVE");
}

#[test]
fn a_subscription_belongs_to_its_client_and_is_gone_when_it_is_deleted() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let subscription = shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(LINE)));
    let id = id_of(&subscription);
    assert_eq!(shop.get(&id).json(), subscription);
    assert_eq!(shop.list(), json!([subscription]));
    // In another version it does not exist.
    let older = ROAMING_0_7.two_legged(&attache, &["roaming-on"]);
    assert_eq!((older.get(&id).status, older.list()), (404, json!([])));
    // Nor for a token of another line.
    let other = ROAMING.three_legged(&attache, OTHER_LINE, &["roaming-on"]);
    assert_eq!((other.get(&id).status, other.delete(&id).status, other.list()), (404, 404, json!([])));
    // Nor for another client.
    attache.register(&json!({ "publisher": "camara", "client_id": "bank", "client_secret": "bank-secret" }));
    let token = attache
        .post("/oauth2/token")
        .basic("bank", "bank-secret")
        .form(&[("grant_type", "client_credentials"), ("scope", &ROAMING.asked(&["roaming-on"]))])
        .says(200)
        .text("access_token");
    let bank = Subscriber { attache: &attache, api: ROAMING, token };
    assert_eq!((bank.get(&id).status, bank.delete(&id).status, bank.list()), (404, 404, json!([])));

    let deleted = shop.delete(&id);
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert_eq!((shop.get(&id).status, shop.delete(&id).status, shop.list()), (404, 404, json!([])));
    roam(&attache, "DE");
    let events = sink.received(2);
    assert_eq!(events[1].body["data"]["terminationReason"], "SUBSCRIPTION_DELETED");
    assert_eq!(shop.get("not-an-id").text("code"), "NOT_FOUND");
}

#[test]
fn with_a_token_for_a_line_nothing_names_it() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.three_legged(&attache, LINE, &["roaming-on"]);
    let subscription = shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), None));
    assert_eq!(subscription["config"]["subscriptionDetail"], json!({}));
    roam(&attache, "DE");
    assert_eq!(sink.names(2), ["subscription-started", "roaming-on"]);
    for event in sink.events() {
        assert!(event.body["data"].get("device").is_none() && !event.body.to_string().contains("33639980001"));
    }
    shop.is_refused(&ROAMING.body("roaming-on", &sink.url(), Some(LINE)), 422, "UNNECESSARY_IDENTIFIER");
    // The client itself sees it as it is: without the line that it was not told.
    let itself = ROAMING.two_legged(&attache, &["roaming-on"]);
    assert_eq!(itself.get(&id_of(&subscription)).json(), subscription);
}

#[test]
fn the_first_event_tells_how_things_stand_and_counts() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.two_legged(&attache, &["roaming-status"]);
    let mut body = ROAMING.body("roaming-status", &sink.url(), Some(LINE));
    body["config"]["initialEvent"] = json!(true);
    body["config"]["subscriptionMaxEvents"] = json!(2);
    let subscription = shop.subscribe(&body);
    roam(&attache, "DE");
    attache.change(LINE, "home", &json!({}));
    let events = sink.received(4);
    let names: Vec<&str> = events.iter().map(crate::sink::Event::name).collect();
    assert_eq!(names, ["subscription-started", "roaming-status", "roaming-status", "subscription-ended"]);
    assert_eq!((&events[1].body["data"]["roaming"], &events[2].body["data"]["roaming"]), (&json!(false), &json!(true)));
    assert_eq!(events[3].body["data"]["terminationReason"], "MAX_EVENTS_REACHED");
    assert_eq!(shop.get(&id_of(&subscription)).json()["status"], "EXPIRED");
}

#[test]
fn the_first_event_tells_no_more_than_the_network_would() {
    let attache = sandbox();
    let (sink, network_sink) = (Sink::open(), Sink::open());
    roam(&attache, "DE");
    attache.admin(Method::PUT, "/admin/v1/network").json(&json!({"state": "unknowing"})).says(200);
    let shop = ROAMING.two_legged(&attache, &["roaming-status"]);
    let curious = NETWORK_TYPE.two_legged(&attache, &["network-type-changed"]);
    for (shop, event, sink) in [(&shop, "roaming-status", &sink), (&curious, "network-type-changed", &network_sink)] {
        let mut body = shop.api.body(event, &sink.url(), Some(LINE));
        body["config"]["initialEvent"] = json!(true);
        shop.subscribe(&body);
    }
    // As to a question: that is not known, and not where the line is, nothing is told of.
    assert_eq!(network_sink.received(2)[1].body["data"]["connectedNetworkType"], "UNKNOWN");
    attache.admin(Method::PUT, "/admin/v1/network").json(&json!({"state": "up"})).says(200);
    attache.change(LINE, "home", &json!({}));
    let events = sink.received(2);
    assert_eq!((events[1].name(), &events[1].body["data"]["roaming"]), ("roaming-status", &json!(false)));
}

#[test]
fn a_sink_gets_its_credential_and_nobody_else_sees_it() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let mut body = ROAMING.body("roaming-on", &sink.url(), Some(LINE));
    body["sinkCredential"] = json!({
        "credentialType": "ACCESSTOKEN", "accessToken": "sesame-open",
        "accessTokenExpiresUtc": "2036-01-01T00:00:00Z", "accessTokenType": "bearer",
    });
    let subscription = shop.subscribe(&body);
    assert!(!subscription.to_string().contains("sesame") && subscription.get("sinkCredential").is_none());
    assert!(sink.received(1)[0].head.contains("authorization: bearer sesame-open"));
    roam(&attache, "DE");
    sink.received(2);
    let files = files_below(attache.data_dir());
    let is_in = |text: &str, bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for place in ["attache.db", "audit"] {
        let found = files.iter().filter(|(path, _)| path.starts_with(attache.data_dir().join(place)));
        let bytes = found.flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<_>>();
        assert!(!bytes.is_empty(), "{place} was read");
    }
    assert!(files.iter().any(|(_, bytes)| is_in(&sink.url(), bytes)), "the subscription is kept");
    for (path, bytes) in files {
        assert!(!is_in("sesame-open", &bytes), "{}", path.display());
    }
}

/// Every file below a directory.
fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            return files_below(&path);
        }
        // One that was there for a moment is gone.
        std::fs::read(&path).map(|bytes| vec![(path, bytes)]).unwrap_or_default()
    };
    entries.flat_map(below).collect()
}

#[test]
fn a_sandbox_that_sends_events_in_clear_says_so() {
    for (arguments, is_told) in [(&["--allow-http-sinks"][..], true), (&[], false)] {
        let attache = Attache::with(arguments);
        let warning = "events are sent over plain HTTP as well";
        if is_told {
            eventually("the log warns of it", || attache.logged().contains(warning).then_some(()));
        }
        assert_eq!(attache.logged().contains(warning), is_told);
        assert_eq!(attache.facts().get("allow_http_sinks"), is_told.then_some(&json!(true)));
    }
}

#[test]
fn what_a_request_lacks_is_told_by_the_codes_of_the_contract() {
    let attache = sandbox();
    let sink = "https://sink.example/";
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let good = ROAMING.body("roaming-on", sink, Some(LINE));
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let without = |field: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let and = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let config = |field: &str, value: Value| {
        let mut body = good.clone();
        body["config"][field] = value;
        body
    };
    let credential = |credential_type: &str, token_type: &str, expires: &str| {
        and(
            "sinkCredential",
            json!({
                "credentialType": credential_type, "accessToken": "t",
                "accessTokenExpiresUtc": expires, "accessTokenType": token_type,
            }),
        )
    };
    let on = format!("{}.roaming-on", ROAMING.prefix);
    for field in ["protocol", "sink", "types", "config"] {
        shop.is_refused(&without(field), 400, "INVALID_ARGUMENT");
    }
    shop.is_refused(&with("/protocol", json!("MQTT5")), 400, "INVALID_PROTOCOL");
    for sink in ["ftp://sink.example/", "sink.example", "https://user:secret@sink.example/", ""] {
        shop.is_refused(&with("/sink", json!(sink)), 400, "INVALID_SINK");
    }
    for sink in ["https://10.0.0.1/", "https://169.254.169.254/", "https://[fd00::1]/"] {
        shop.is_refused(&with("/sink", json!(sink)), 400, "INVALID_SINK");
    }
    shop.is_refused(&with("/types", json!([])), 400, "INVALID_ARGUMENT");
    shop.is_refused(&with("/types", json!(["nonsense"])), 400, "INVALID_ARGUMENT");
    shop.is_refused(&with("/types", json!([on, on])), 422, "MULTIEVENT_SUBSCRIPTION_NOT_SUPPORTED");
    let off = format!("{}.roaming-off", ROAMING.prefix);
    shop.is_refused(&with("/types", json!([off])), 403, "SUBSCRIPTION_MISMATCH");
    shop.is_refused(&credential("PLAIN", "bearer", "2036-01-01T00:00:00Z"), 400, "INVALID_CREDENTIAL");
    shop.is_refused(&credential("ACCESSTOKEN", "mac", "2036-01-01T00:00:00Z"), 400, "INVALID_TOKEN");
    shop.is_refused(&credential("ACCESSTOKEN", "bearer", "tomorrow"), 400, "INVALID_ARGUMENT");
    shop.is_refused(&credential("ACCESSTOKEN", "bearer", "2020-01-01T00:00:00Z"), 400, "OUT_OF_RANGE");
    shop.is_refused(&config("subscriptionMaxEvents", json!(0)), 400, "OUT_OF_RANGE");
    shop.is_refused(&config("subscriptionMaxEvents", json!("1")), 400, "INVALID_ARGUMENT");
    shop.is_refused(&config("subscriptionExpireTime", json!("2020-01-01T00:00:00Z")), 400, "OUT_OF_RANGE");
    shop.is_refused(&config("subscriptionExpireTime", json!("2999-01-01T00:00:00Z")), 400, "OUT_OF_RANGE");
    shop.is_refused(&config("subscriptionExpireTime", json!("soon")), 400, "INVALID_ARGUMENT");
    shop.is_refused(&ROAMING.body("roaming-on", sink, None), 422, "MISSING_IDENTIFIER");
    shop.is_refused(&ROAMING.body("roaming-on", sink, Some("+99999999999")), 404, "IDENTIFIER_NOT_FOUND");
    shop.is_refused(&ROAMING.body("roaming-on", sink, Some("+33639980012")), 422, "SERVICE_NOT_APPLICABLE");
    shop.is_refused(&ROAMING.body("roaming-on", sink, Some("0033")), 400, "INVALID_ARGUMENT");
    let reader = Subscriber {
        token: CAMARA.two_legged(&attache, "dpv:FraudPreventionAndDetection device-roaming-status:read"),
        ..shop
    };
    reader.is_refused(&good, 403, "PERMISSION_DENIED");
    assert_eq!(attache.get(ROAMING.path).send().status, 401);
    assert_eq!(attache.request(Method::PUT, ROAMING.path).bearer(&reader.token).send().status, 405);
    assert_eq!(reader.get("x").status, 403);
}

#[test]
fn a_request_that_is_sent_again_with_its_key_makes_one_subscription() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.two_legged(&attache, &["roaming-on", "roaming-off"]);
    let post = |body: &Value, key: &str| {
        attache.post(ROAMING.path).bearer(&shop.token).header("idempotency-key", key).json(body).send()
    };
    let body = ROAMING.body("roaming-on", &sink.url(), Some(LINE));
    let (first, again) = (post(&body, "k1"), post(&body, "k1"));
    assert_eq!((first.status, again.status, first.body), (201, 201, again.body));
    let other = post(&ROAMING.body("roaming-off", &sink.url(), Some(LINE)), "k1");
    assert_eq!((other.status, other.text("code").as_str()), (409, "ALREADY_EXISTS"));
    assert_eq!(shop.list().as_array().unwrap().len(), 1);
}

#[test]
fn reachability_and_network_type_are_told_by_their_own_tables() {
    let attache = sandbox();
    let (reach, network) = (Sink::open(), Sink::open());
    let types = ["reachability-data", "reachability-sms", "reachability-disconnected"];
    let shop = REACHABILITY.two_legged(&attache, &types);
    for name in types {
        shop.subscribe(&REACHABILITY.body(name, &reach.url(), Some(LINE)));
    }
    let curious = NETWORK_TYPE.two_legged(&attache, &["network-type-changed"]);
    curious.subscribe(&NETWORK_TYPE.body("network-type-changed", &network.url(), Some(LINE)));
    reach.received(3);
    network.received(1);
    for (data, sms) in [(true, false), (false, true), (true, true), (false, false), (false, false)] {
        attache.change(LINE, "reach", &json!({ "data": data, "sms": sms }));
    }
    assert_eq!(network.received(2)[1].body["data"]["connectedNetworkType"], "UNKNOWN");
    let mut told = reach.names(6).split_off(3);
    told.sort_unstable();
    assert_eq!(told, ["reachability-data", "reachability-disconnected", "reachability-sms"]);
}

#[test]
fn the_oldest_versions_have_their_own_forms() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING_0_6.two_legged(&attache, &["roaming-on"]);
    let id = id_of(&shop.subscribe(&ROAMING_0_6.body("roaming-on", &sink.url(), Some(LINE))));
    shop.is_refused(&ROAMING_0_6.body("roaming-on", &sink.url(), None), 400, "INVALID_ARGUMENT");
    shop.delete(&id);
    // It has no event for its start.
    let events = sink.received(1);
    assert_eq!(events[0].body["type"], "org.camaraproject.roaming-status-subscriptions.v0.subscription-ends");

    let own = Api {
        path: "/device-status/v0/subscriptions",
        name: "device-status:subscriptions",
        prefix: "org.camaraproject.device-status.v0",
    };
    let scope = "dpv:FraudPreventionAndDetection device-status:subscriptions:create device-status:subscriptions:read device-status:subscriptions:delete";
    let shop = Subscriber { attache: &attache, api: own, token: CAMARA.two_legged(&attache, scope) };
    let sink = Sink::open();
    let info = shop.subscribe(&json!({
        "subscriptionDetail": { "device": { "phoneNumber": "33639980001" }, "type": "org.camaraproject.device-status.v0.connectivity-sms" },
        "webhook": { "notificationUrl": sink.url(), "notificationAuthToken": "c8974e592c2fa383d4a3960714" },
    }));
    let id = info["subscriptionId"].as_str().unwrap();
    assert_eq!(info["webhook"], json!({ "notificationUrl": sink.url() }));
    assert_eq!(shop.get(id).json(), info);
    attache.change(LINE, "reach", &json!({ "data": false, "sms": true }));
    let event = &sink.received(1)[0];
    assert_eq!(event.body["type"], "org.camaraproject.device-status.v0.connectivity-sms");
    assert_eq!(event.body["data"], json!({ "device": { "phoneNumber": LINE }, "subscriptionId": id }));
    assert!(event.head.contains("authorization: bearer c8974e592c2fa383d4a3960714"));
    assert_eq!(shop.delete(id).status, 204);
}

#[test]
fn a_sink_that_is_busy_is_tried_again_in_order_and_one_that_refuses_is_not() {
    let attache = sandbox();
    let sink =
        Sink::answering(|event, before| match (event["type"].as_str().unwrap().ends_with("roaming-status"), before) {
            (true, 1) => (503, "retry-after: 2\r\n"),
            (false, _) | (true, 2) => (204, ""),
            (true, _) => (400, ""),
        });
    let shop = ROAMING.two_legged(&attache, &["roaming-status"]);
    let id = id_of(&shop.subscribe(&ROAMING.body("roaming-status", &sink.url(), Some(LINE))));
    sink.received(1);
    let began = std::time::Instant::now();
    roam(&attache, "DE");
    attache.change(LINE, "home", &json!({}));
    let events = sink.received(4);
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "Retry-After was not honoured");
    let told: Vec<(String, u16)> = events.iter().map(|event| (event.id().to_owned(), event.status)).collect();
    let sent = |sequence: u64, status: u16| (format!("{id}-{sequence}"), status);
    assert_eq!(told, [sent(1, 204), sent(2, 503), sent(2, 204), sent(3, 400)]);
    let metrics = eventually("the dead letter is counted", || {
        let text = attache.get("/metrics").says(200).body;
        text.contains("attache_deliveries_dead 1").then_some(text)
    });
    assert!(metrics.contains(r#"attache_delivery_attempts_total{outcome="delivered"}"#), "{metrics}");
}

#[test]
fn a_sink_that_is_gone_ends_its_subscription() {
    let attache = sandbox();
    let sink = Sink::answering(|_, _| (410, ""));
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let id = id_of(&shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(LINE))));
    eventually("it ends", || (shop.get(&id).json()["status"] == "EXPIRED").then_some(()));
    roam(&attache, "DE");
    assert_eq!(sink.events().len(), 1);
}

#[test]
fn a_subscription_expires_by_itself() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let mut body = ROAMING.body("roaming-on", &sink.url(), Some(LINE));
    let soon = jiff_now_plus_a_second();
    body["config"]["subscriptionExpireTime"] = json!(soon);
    let subscription = shop.subscribe(&body);
    assert_eq!(subscription["expiresAt"], subscription["config"]["subscriptionExpireTime"]);
    let events = sink.received(2);
    assert_eq!(events[1].body["data"]["terminationReason"], "SUBSCRIPTION_EXPIRED");
    assert_eq!(shop.get(&id_of(&subscription)).json()["status"], "EXPIRED");
}

#[test]
fn what_has_expired_while_the_server_was_down_hears_of_nothing_that_happens_later() {
    let mut attache = sandbox();
    let sink = Sink::open();
    let mut body = ROAMING.body("roaming-on", &sink.url(), Some(LINE));
    let soon = jiff_now_plus_a_second();
    body["config"]["subscriptionExpireTime"] = json!(soon);
    ROAMING.two_legged(&attache, &["roaming-on"]).subscribe(&body);
    sink.received(1);
    attache.kill();
    eventually("its time is over", || (date(&[]) > soon).then_some(()));
    attache.start();
    roam(&attache, "DE");
    let names = eventually("it ends", || {
        let names = sink.names(1);
        names.iter().any(|name| name == "subscription-ended").then_some(names)
    });
    // Its beginning may be told twice: it was killed soon after.
    assert!(!names.contains(&"roaming-on".to_owned()), "{names:?}");
}

/// A second from now, as the server's own clock has it.
fn jiff_now_plus_a_second() -> String {
    date(&["-d", "+2 seconds"])
}

fn date(arguments: &[&str]) -> String {
    let now = std::process::Command::new("date").arg("-u").args(arguments).arg("+%Y-%m-%dT%H:%M:%SZ").output();
    String::from_utf8(now.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn once_its_subscriber_does_not_consent_a_subscription_ends_and_tells_nothing_more() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.three_legged(&attache, LINE, &["roaming-on"]);
    shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), None));
    sink.received(1);
    attache.admin(Method::POST, &format!("/admin/v1/lines/{LINE}/consents/withdraw")).json(&json!({})).says(200);
    roam(&attache, "DE");
    let events = sink.received(2);
    assert_eq!(events[1].body["data"]["terminationReason"], "NETWORK_TERMINATED");
    assert_eq!(events[1].body["data"]["terminationDescription"], "the subscriber does not consent any more");
    let itself = ROAMING.two_legged(&attache, &["roaming-on"]);
    assert_eq!(itself.list()[0]["status"], "EXPIRED");
    assert_eq!(shop.attache.get(ROAMING.path).bearer(&shop.token).send().status, 401);
}

#[test]
fn the_operator_sees_pauses_and_resumes_subscriptions_and_sends_dead_letters_again() {
    let attache = sandbox();
    let refusing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let refuses = std::sync::Arc::clone(&refusing);
    let sink = Sink::answering(move |event, _| {
        let is_on = event["type"].as_str().unwrap().ends_with("roaming-on");
        if is_on && refuses.load(std::sync::atomic::Ordering::SeqCst) { (403, "") } else { (204, "") }
    });
    let run = |arguments: &[&str]| {
        let output = attache.command(&[&["subscription"], arguments].concat());
        let text = String::from_utf8(if output.status.success() { output.stdout } else { output.stderr }).unwrap();
        (output.status.success(), text)
    };
    assert!(run(&["list"]).1.starts_with("no subscriptions"));
    assert_eq!(run(&["dead-letters"]).1, "no dead letters\n");
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let id = id_of(&shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(LINE))));
    roam(&attache, "DE");
    sink.received(2);
    eventually("the dead letter is shown", || run(&["deliveries", &id]).1.contains("dead").then_some(()));
    assert!(run(&["show", &id]).1.contains("roaming-on"));
    let letters = run(&["dead-letters"]).1;
    assert!(
        letters.contains(&id) && letters.contains("HTTP 403") && letters.ends_with("1 of 1 dead letters\n"),
        "{letters}"
    );
    assert_eq!(run(&["dead-letters", "--since", "2999-01-01T00:00:00Z"]).1, "no dead letters since then\n");
    let (_, list) = run(&["list"]);
    assert!(
        list.contains(&id) && list.contains(LINE) && list.contains("camara-demo") && list.contains("ACTIVE"),
        "{list}"
    );
    refusing.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(run(&["replay", &id, "--sequence", "2"]).1, "1 event is sent again\n");
    let again = &sink.received(3)[2];
    assert_eq!((again.id(), again.status), (format!("{id}-2").as_str(), 204));
    assert!(run(&["replay", &id, "--sequence", "2"]).1.starts_with("no dead letter"));

    assert!(run(&["pause", &id]).1.contains("INACTIVE"));
    assert_eq!(shop.get(&id).json()["status"], "INACTIVE");
    attache.change(LINE, "home", &json!({}));
    roam(&attache, "DE");
    assert!(run(&["resume", &id]).1.contains("ACTIVE"));
    let names = sink.names(5).split_off(3);
    assert_eq!(names, ["subscription-updated", "subscription-updated"]);
    let reasons: Vec<Value> =
        sink.events()[3..].iter().map(|event| event.body["data"]["updateReason"].clone()).collect();
    assert_eq!(reasons, ["SUBSCRIPTION_INACTIVE", "SUBSCRIPTION_ACTIVE"]);
    assert_eq!(shop.delete(&id).status, 204);
    let (succeeded, told) = run(&["resume", &id]);
    assert!(!succeeded && told.contains("has ended"), "{told}");
    let unknown = attache.admin(Method::GET, "/admin/v1/subscriptions/nonsense").says(404);
    assert_eq!(unknown.text("code"), "UNKNOWN_SUBSCRIPTION");
    assert!(run(&["show", &id, "--json"]).1.contains("SUBSCRIPTION_DELETED"));
}

#[test]
fn the_dead_letters_of_all_subscriptions_are_sent_again_since_a_time() {
    let attache = sandbox();
    let refusing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let refuses = std::sync::Arc::clone(&refusing);
    let sink = Sink::answering(
        move |_, _| {
            if refuses.load(std::sync::atomic::Ordering::SeqCst) { (400, "") } else { (204, "") }
        },
    );
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let ids = [LINE, OTHER_LINE].map(|line| {
        let body = ROAMING.body("roaming-on", &sink.url(), Some(line));
        id_of(&shop.subscribe(&body))
    });
    let letters = || attache.admin(Method::GET, "/admin/v1/dead-letters").says(200).json();
    eventually("both starts are dead letters", || (letters()["total"] == 2).then_some(()));
    let listed = letters();
    let newest = &listed["dead_letters"][0];
    assert_eq!(newest["subscription_id"], ids[1].as_str());
    assert_eq!((&newest["client_id"], &newest["sink"]), (&json!("camara-demo"), &json!(sink.url())));
    assert_eq!((&newest["event_id"], &newest["last_outcome"]), (&json!(format!("{}-1", ids[1])), &json!("HTTP 400")));
    let since = newest["made_at"].as_str().unwrap();
    let one = attache.admin(Method::GET, &format!("/admin/v1/dead-letters?since={since}")).says(200).json();
    assert_eq!((one["dead_letters"].as_array().unwrap().len(), &one["total"]), (1, &json!(2)));

    refusing.store(false, std::sync::atomic::Ordering::SeqCst);
    let replay = |since: &str| {
        let output = attache.command(&["subscription", "replay", "--since", since]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(replay(since), "1 event is sent again\n");
    assert_eq!(replay("2026-01-01T00:00:00Z"), "1 event is sent again\n");
    assert!(replay("2026-01-01T00:00:00Z").starts_with("no dead letter fits that"));
    let events = sink.received(4).split_off(2);
    let told: Vec<_> = events.iter().map(|event| (event.id().to_owned(), event.status)).collect();
    assert_eq!(told, [(format!("{}-1", ids[1]), 204), (format!("{}-1", ids[0]), 204)]);
    eventually("nothing is dead any more", || (letters()["total"] == 0).then_some(()));
    let alone = attache.command(&["subscription", "replay", "--sequence", "1"]);
    assert_eq!(alone.status.code(), Some(2), "a sequence is one of a subscription: {alone:?}");
}

#[test]
fn the_operator_sees_when_an_event_is_tried_again_and_what_waits_for_it() {
    let attache = sandbox();
    let sink = Sink::answering(|_, _| (503, "retry-after: 3600\r\n"));
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let id = id_of(&shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(LINE))));
    roam(&attache, "DE");
    let deliveries = || {
        let path = format!("/admin/v1/subscriptions/{id}/deliveries");
        attache.admin(Method::GET, &path).says(200).json()["deliveries"].clone()
    };
    let told = eventually("the first attempt is recorded", || {
        Some(deliveries()).filter(|told| told[1]["attempts"] == 1 && told.as_array().unwrap().len() == 2)
    });
    assert_eq!((&told[0]["state"], &told[0]["due_at"]), (&json!("pending"), &Value::Null), "{told}");
    assert!(told[1]["due_at"].as_str() > told[1]["made_at"].as_str(), "{told}");
    let shown = String::from_utf8(attache.command(&["subscription", "deliveries", &id]).stdout).unwrap();
    let rows: Vec<_> = shown.lines().collect();
    assert!(rows[0].contains("NEXT") && rows[1].contains("waits") && rows[2].contains("HTTP 503"), "{shown}");
}
