//! How subscriptions end: every reason in every version, and who else takes them along.

use std::{collections::HashMap, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::CAMARA,
    harness::{Attache, eventually},
    sink::{Event, Sink},
    subscriptions::{Api, LINE, OTHER_LINE, ROAMING, Subscriber, id_of, roam},
};

/// A line that is removed.
const DOOMED: &str = "+4915112345678";

const REACHABILITY: Api = Api {
    path: "",
    name: "device-reachability-status-subscriptions",
    prefix: "org.camaraproject.device-reachability-status-subscriptions.v0",
};
const NETWORK_TYPE: Api = Api {
    path: "",
    name: "connected-network-type-subscriptions",
    prefix: "org.camaraproject.connected-network-type-subscriptions.v0",
};

/// Every version that tells its ends in the newer words: its paths, an event, and the name of its last one.
const VERSIONS: [(Api, &str, &str); 8] = [
    (
        Api {
            path: "/device-roaming-status-subscriptions/v0.6/subscriptions",
            prefix: "org.camaraproject.roaming-status-subscriptions.v0",
            ..ROAMING
        },
        "roaming-on",
        "subscription-ends",
    ),
    (
        Api { path: "/device-roaming-status-subscriptions/v0.7/subscriptions", ..ROAMING },
        "roaming-on",
        "subscription-ends",
    ),
    (ROAMING, "roaming-on", "subscription-ended"),
    (
        Api { path: "/device-reachability-status-subscriptions/v0.6/subscriptions", ..REACHABILITY },
        "reachability-sms",
        "subscription-ends",
    ),
    (
        Api { path: "/device-reachability-status-subscriptions/v0.7/subscriptions", ..REACHABILITY },
        "reachability-sms",
        "subscription-ends",
    ),
    (
        Api { path: "/device-reachability-status-subscriptions/v0.8/subscriptions", ..REACHABILITY },
        "reachability-sms",
        "subscription-ended",
    ),
    (
        Api { path: "/connected-network-type-subscriptions/v0.1/subscriptions", ..NETWORK_TYPE },
        "network-type-changed",
        "subscription-ends",
    ),
    (
        Api { path: "/connected-network-type-subscriptions/v0.2/subscriptions", ..NETWORK_TYPE },
        "network-type-changed",
        "subscription-ended",
    ),
];

/// So many seconds from now, as the server's own clock has it.
pub(crate) fn in_seconds(seconds: u32) -> String {
    let date = Command::new("date").args(["-u", "-d", &format!("+{seconds} seconds"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(date.unwrap().stdout).unwrap().trim().to_owned()
}

fn sandbox() -> Attache {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let doomed = json!({"phone_number": DOOMED, "home_plmn": "26201"});
    attache.admin(Method::POST, "/admin/v1/lines").json(&doomed).says(201);
    attache
}

fn remove_doomed(attache: &Attache) {
    attache.admin(Method::DELETE, &format!("/admin/v1/lines/{DOOMED}")).says(200);
}

fn subscription_of(event: &Event) -> String {
    event.body["data"]["subscriptionId"].as_str().unwrap().to_owned()
}

/// The last events of so many subscriptions, by subscription.
fn ends(sink: &Sink, count: usize) -> HashMap<String, Event> {
    eventually(&format!("{count} subscriptions end"), || {
        let is_last = |event: &Event| event.name().starts_with("subscription-end");
        let ends: Vec<Event> = sink.events().into_iter().filter(is_last).collect();
        (ends.len() >= count).then(|| {
            let ends: HashMap<String, Event> =
                ends.iter().map(|event| (subscription_of(event), event.clone())).collect();
            assert_eq!(ends.len(), count, "each ends once");
            ends
        })
    })
}

#[test]
fn every_version_tells_every_reason() {
    let attache = sandbox();
    let sink = Sink::open();
    let mut expected: HashMap<String, (&str, &str)> = HashMap::new();
    let token_ends = in_seconds(64);
    for (api, event, last) in VERSIONS {
        let shop = api.two_legged(&attache, &[event]);
        let good = api.body(event, &sink.url(), Some(LINE));
        let mut make = |reason, body: &Value| {
            let id = id_of(&shop.subscribe(body));
            expected.insert(id.clone(), (reason, last));
            id
        };
        let with = |field: &str, value: Value| {
            let mut body = good.clone();
            body["config"][field] = value;
            body
        };
        make("MAX_EVENTS_REACHED", &with("subscriptionMaxEvents", json!(1)));
        make("SUBSCRIPTION_EXPIRED", &with("subscriptionExpireTime", json!(in_seconds(2))));
        let mut body = good.clone();
        body["sinkCredential"] = json!({
            "credentialType": "ACCESSTOKEN", "accessToken": "t", "accessTokenExpiresUtc": token_ends, "accessTokenType": "bearer",
        });
        make("ACCESS_TOKEN_EXPIRED", &body);
        make("NETWORK_TERMINATED", &api.body(event, &sink.url(), Some(DOOMED)));
        let id = make("SUBSCRIPTION_DELETED", &good);
        assert!(matches!(shop.delete(&id).status, 202 | 204), "{}", api.path);
    }
    roam(&attache, "DE");
    attache.change(LINE, "reach", &json!({"data": false, "sms": true}));
    let technology = json!({"technology": "2G"});
    attache.change(LINE, "technology", &technology);
    remove_doomed(&attache);
    let ends = ends(&sink, expected.len());
    for (id, (reason, last)) in &expected {
        let end = &ends[id];
        assert_eq!((&end.body["data"]["terminationReason"], end.name()), (&json!(reason), *last), "{}", end.body);
        // What names a line that is gone is gone with it.
        let device = (*reason != "NETWORK_TERMINATED").then(|| json!({"phoneNumber": LINE}));
        assert_eq!(end.body["data"].get("device"), device.as_ref(), "{}", end.body);
        if *reason == "ACCESS_TOKEN_EXPIRED" {
            assert!(end.body["time"].as_str().unwrap()[..19] < token_ends[..19], "it is told in time: {}", end.body);
            assert!(end.head.contains("authorization: bearer t"));
        }
        let after = sink.events().iter().rev().find(|event| subscription_of(event) == *id).unwrap().name().to_owned();
        assert_eq!(after, *last, "nothing comes after it");
    }
}

/// Device Status 0.5, which has a model of its own.
const DEVICE_STATUS: Api = Api { path: "/device-status/v0/subscriptions", name: "", prefix: "" };
const DEVICE_STATUS_SCOPE: &str = "dpv:FraudPreventionAndDetection device-status:subscriptions:create \
                                   device-status:subscriptions:read device-status:subscriptions:delete";

/// A request for a subscription of Device Status 0.5.
fn body_of_device_status(sink: &Sink, line: &str) -> Value {
    json!({
        "subscriptionDetail": {
            "device": {"phoneNumber": line.trim_start_matches('+')}, "type": "org.camaraproject.device-status.v0.roaming-on",
        },
        "webhook": {"notificationUrl": sink.url()},
    })
}

#[test]
fn device_status_tells_its_two_reasons_and_no_deletion() {
    let attache = sandbox();
    let sink = Sink::open();
    let token = CAMARA.two_legged(&attache, DEVICE_STATUS_SCOPE);
    let shop = Subscriber { attache: &attache, api: DEVICE_STATUS, token };
    let make = |line: &str, expires: Option<String>| {
        let mut body = body_of_device_status(&sink, line);
        if let Some(expires) = expires {
            body["subscriptionExpireTime"] = json!(expires);
        }
        shop.subscribe(&body)["subscriptionId"].as_str().unwrap().to_owned()
    };
    let deleted = make(LINE, None);
    assert_eq!(shop.delete(&deleted).status, 204);
    let (expired, terminated) = (make(LINE, Some(in_seconds(2))), make(DOOMED, None));
    remove_doomed(&attache);
    let ends = ends(&sink, 2);
    for (id, reason) in [(expired, "SUBSCRIPTION_EXPIRED"), (terminated, "NETWORK_TERMINATED")] {
        assert_eq!(ends[&id].body["data"]["terminationReason"], reason);
        assert_eq!(ends[&id].name(), "subscription-ends");
        assert_eq!(ends[&id].body["data"].get("device").is_some(), reason == "SUBSCRIPTION_EXPIRED", "a line is gone");
        // It has no status, so when it ended is all that tells one which has from one that lives.
        let now = in_seconds(1);
        let read = shop.get(&id).json();
        assert!(read["expiresAt"].as_str().is_some_and(|ended| ended[..19] <= now[..19]), "{reason}: {read}");
        assert!(shop.list().as_array().unwrap().contains(&read));
    }
    let alive = make(LINE, None);
    assert_eq!(shop.get(&alive).json().get("expiresAt"), None);
}

#[test]
fn every_version_tells_that_the_subscriber_does_not_consent_any_more_and_nothing_after_that() {
    let attache = sandbox();
    let sink = Sink::open();
    // By its subscription, how its sink is told, and whether with a description.
    let mut expected: HashMap<String, (&str, bool)> = HashMap::new();
    for (api, event, last) in VERSIONS {
        let is_oldest = api.path.contains("/v0.6/");
        let with_token = api.three_legged(&attache, LINE, &[event]);
        let named = is_oldest.then_some(LINE);
        expected.insert(id_of(&with_token.subscribe(&api.body(event, &sink.url(), named))), (last, !is_oldest));
        let itself = api.two_legged(&attache, &[event]);
        expected.insert(id_of(&itself.subscribe(&api.body(event, &sink.url(), Some(LINE)))), (last, !is_oldest));
    }
    for token in
        [CAMARA.three_legged(&attache, LINE, DEVICE_STATUS_SCOPE), CAMARA.two_legged(&attache, DEVICE_STATUS_SCOPE)]
    {
        let shop = Subscriber { attache: &attache, api: DEVICE_STATUS, token };
        let made = shop.subscribe(&body_of_device_status(&sink, LINE));
        expected.insert(made["subscriptionId"].as_str().unwrap().to_owned(), ("subscription-ends", false));
    }
    attache.admin(Method::POST, &format!("/admin/v1/lines/{LINE}/consents/withdraw")).json(&json!({})).says(200);
    roam(&attache, "DE");
    attache.change(LINE, "reach", &json!({"data": false, "sms": true}));
    let ends = ends(&sink, expected.len());
    for (id, (last, is_described)) in &expected {
        let (name, data) = (ends[id].name(), &ends[id].body["data"]);
        assert_eq!((name, &data["terminationReason"]), (*last, &json!("NETWORK_TERMINATED")), "{data}");
        let description = is_described.then(|| json!("the subscriber does not consent any more"));
        assert_eq!(data.get("terminationDescription"), description.as_ref(), "{data}");
    }
    // Whoever is asked later is told as well: so what would have been told before has been.
    let witness = Sink::open();
    let other = ROAMING.two_legged(&attache, &["roaming-on"]);
    other.subscribe(&ROAMING.body("roaming-on", &witness.url(), Some(OTHER_LINE)));
    attache.change(OTHER_LINE, "roam", &json!({"country": "DE"}));
    assert_eq!(witness.names(2), ["subscription-started", "roaming-on"]);
    let told = sink.events();
    assert!(told.iter().all(|event| event.name().starts_with("subscription-")), "{:?}", sink.names(told.len()));
}

#[test]
fn who_has_a_number_next_is_nobody_whom_a_subscription_knows() {
    let attache = sandbox();
    let sink = Sink::open();
    let itself = ROAMING.two_legged(&attache, &["roaming-on"]);
    let with_token = ROAMING.three_legged(&attache, DOOMED, &["roaming-on"]);
    itself.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(DOOMED)));
    with_token.subscribe(&ROAMING.body("roaming-on", &sink.url(), None));
    remove_doomed(&attache);
    let next = json!({"phone_number": DOOMED, "home_plmn": "26201"});
    attache.admin(Method::POST, "/admin/v1/lines").json(&next).says(201);
    let later = Sink::open();
    let id = id_of(&itself.subscribe(&ROAMING.body("roaming-on", &later.url(), Some(DOOMED))));
    attache.change(DOOMED, "roam", &json!({"country": "FR"}));
    assert_eq!(later.names(2), ["subscription-started", "roaming-on"]);
    assert_eq!(subscription_of(&later.events()[1]), id);
    for end in ends(&sink, 2).values() {
        assert_eq!(end.body["data"]["terminationDescription"], "the line has ended");
    }
    assert_eq!(sink.events().len(), 4, "two starts and two ends: {:?}", sink.names(4));
    assert_eq!(with_token.post(&ROAMING.body("roaming-on", &sink.url(), None)).status, 401);
}

#[test]
fn a_client_that_is_removed_takes_its_subscriptions_along_and_their_sinks_are_told() {
    let mut attache = sandbox();
    let sink = Sink::open();
    attache.register(&json!({"publisher": "camara", "client_id": "bank", "client_secret": "bank-secret"}));
    let form = [("grant_type", "client_credentials"), ("scope", &ROAMING.asked(&["roaming-on"]))];
    let token = attache.post("/oauth2/token").basic("bank", "bank-secret").form(&form).says(200).text("access_token");
    let bank = Subscriber { attache: &attache, api: ROAMING, token };
    bank.subscribe(&ROAMING.body("roaming-on", &sink.url(), Some(LINE)));
    sink.received(1);
    let removed = attache.command(&["client", "remove", "bank", "--publisher", "camara"]);
    let told = String::from_utf8(removed.stdout).unwrap() + &String::from_utf8_lossy(&removed.stderr);
    assert!(told.contains("1 subscription has ended"), "{told}");
    roam(&attache, "DE");
    let ends = ends(&sink, 1);
    let end = &ends.values().next().unwrap().body["data"];
    assert_eq!(end["terminationReason"], "NETWORK_TERMINATED");
    assert_eq!(end["terminationDescription"], "the client has been removed");
    attache.kill();
    attache.start();
    assert_eq!(sink.names(2), ["subscription-started", "subscription-ended"]);
}

#[test]
fn a_subscription_outlives_the_token_that_it_was_made_with() {
    let attache = sandbox();
    let sink = Sink::open();
    let shop = ROAMING.three_legged(&attache, LINE, &["roaming-on"]);
    shop.subscribe(&ROAMING.body("roaming-on", &sink.url(), None));
    attache.post("/oauth2/revoke").basic("camara-demo", "camara-demo-secret").form(&[("token", &shop.token)]).says(200);
    assert_eq!(shop.post(&ROAMING.body("roaming-on", &sink.url(), None)).status, 401);
    roam(&attache, "DE");
    assert_eq!(sink.names(2), ["subscription-started", "roaming-on"]);
}

#[test]
fn an_operator_says_how_long_subscriptions_last() {
    let attache = Attache::with_environment(&["--allow-http-sinks"], &[("ATTACHE_SUBSCRIPTION_LIFETIME", "2h")]);
    let shop = ROAMING.two_legged(&attache, &["roaming-on"]);
    let mut body = ROAMING.body("roaming-on", "https://sink.example/", Some(LINE));
    let (soon, late) = (in_seconds(7000), in_seconds(7300));
    let silent = shop.subscribe(&body);
    let ends = silent["expiresAt"].as_str().unwrap();
    assert!(ends[..19] > soon[..19] && ends[..19] < late[..19], "one that names no end has that one: {silent}");
    body["config"]["subscriptionExpireTime"] = json!(soon);
    shop.subscribe(&body);
    body["config"]["subscriptionExpireTime"] = json!(late);
    let refused = shop.post(&body);
    assert_eq!((refused.status, refused.text("code").as_str()), (400, "OUT_OF_RANGE"), "{}", refused.body);
}
