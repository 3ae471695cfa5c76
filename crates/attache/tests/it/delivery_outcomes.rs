//! What comes of each answer that a sink can give, and what the metrics tell of that.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Attache, eventually},
    sink::Sink,
    subscriptions::{LINE, ROAMING, id_of, roam},
};

/// The first delivery of a subscription, as the operator sees it.
fn first_delivery(attache: &Attache, subscription: &str) -> Value {
    let path = format!("/admin/v1/subscriptions/{subscription}/deliveries");
    attache.admin(Method::GET, &path).says(200).json()["deliveries"].as_array().unwrap().last().unwrap().clone()
}

/// Subscribes to a sink for each of these statuses, which answers it to what comes first, and 204 from then on.
fn answering(attache: &Attache, statuses: &[u16]) -> Vec<(u16, Sink, String)> {
    let shop = ROAMING.two_legged(attache, &["roaming-status"]);
    let begin = |status: u16| {
        let sink = Sink::answering(move |_, before| (if before == 0 { status } else { 204 }, ""));
        let id = id_of(&shop.subscribe(&ROAMING.body("roaming-status", &sink.url(), Some(LINE))));
        (status, sink, id)
    };
    statuses.iter().copied().map(begin).collect()
}

#[test]
fn an_event_is_told_again_after_some_answers_and_never_again_after_others() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let passing = answering(&attache, &[408, 425, 429, 500, 502, 503, 504, 599]);
    let lasting = answering(&attache, &[300, 302, 400, 401, 403, 404, 405, 409, 422, 499]);
    for (status, sink, id) in passing {
        let told: Vec<_> = sink.received(2).iter().map(|event| (event.id().to_owned(), event.status)).collect();
        assert_eq!(told, [(format!("{id}-1"), status), (format!("{id}-1"), 204)]);
        eventually(&format!("it is delivered after {status}"), || {
            let delivery = first_delivery(&attache, &id);
            (delivery["state"] == "delivered" && delivery["attempts"] == 2).then_some(())
        });
    }
    // The others would have been told again by now.
    for (status, sink, id) in lasting {
        let dead = eventually(&format!("{status} makes a dead letter"), || {
            Some(first_delivery(&attache, &id)).filter(|delivery| delivery["state"] == "dead")
        });
        assert_eq!((&dead["last_outcome"], &dead["attempts"]), (&json!(format!("HTTP {status}")), &json!(1)));
        let told: Vec<_> = sink.events().iter().map(|event| (event.id().to_owned(), event.status)).collect();
        assert_eq!(told, [(format!("{id}-1"), status)]);
    }
    let dead = attache.admin(Method::GET, "/admin/v1/dead-letters").says(200).json();
    assert_eq!(dead["total"], 10);
}

const OUTCOMES: [&str; 5] = ["delivered", "failed", "dead", "refused", "dropped"];

/// The value of a metric, with its labels.
fn value<'a>(metrics: &'a str, name: &str) -> &'a str {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

fn count(metrics: &str, name: &str) -> u64 {
    value(metrics, name).parse().unwrap()
}

fn seconds(metrics: &str, name: &str) -> f64 {
    value(metrics, name).parse().unwrap()
}

/// How many attempts had each of the outcomes.
fn attempts(metrics: &str) -> [u64; 5] {
    OUTCOMES.map(|outcome| count(metrics, &format!("attache_delivery_attempts_total{{outcome=\"{outcome}\"}}")))
}

/// The metrics, once so many attempts had each of the outcomes.
fn counted(attache: &Attache, expected: [u64; 5]) -> String {
    eventually(&format!("{OUTCOMES:?} are {expected:?}"), || {
        let metrics = attache.get("/metrics").says(200).body;
        let last = attempts(&metrics);
        let is_too_much = last.iter().zip(expected).any(|(counted, expected)| *counted > expected);
        assert!(!is_too_much, "{OUTCOMES:?} are {last:?}, not {expected:?}");
        (last == expected).then_some(metrics)
    })
}

#[test]
fn each_attempt_is_counted_by_its_outcome_and_each_first_one_by_its_lag() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let metrics = attache.get("/metrics").says(200).body;
    assert_eq!(attempts(&metrics), [0; 5]);
    assert_eq!(value(&metrics, "attache_delivery_oldest_pending_seconds"), "0.0");
    let shop = ROAMING.two_legged(&attache, &["roaming-status"]);
    let subscribe = |sink: &str| shop.subscribe(&ROAMING.body("roaming-status", sink, Some(LINE)));
    let is_change = |event: &Value| event["type"].as_str().unwrap().ends_with("roaming-status");
    let polite = Sink::open();
    let busy = Sink::answering(|_, before| if before == 0 { (503, "") } else { (204, "") });
    let strict = Sink::answering(move |event, _| if is_change(event) { (400, "") } else { (204, "") });
    let closed =
        Sink::answering(move |event, _| if is_change(event) { (503, "retry-after: 3600\r\n") } else { (204, "") });
    for sink in [&polite, &busy, &strict, &closed] {
        subscribe(&sink.url());
    }
    // The beginnings of four, of which one is told twice.
    counted(&attache, [4, 1, 0, 0, 0]);
    roam(&attache, "DE");
    // Two have it, one does not want it, and one is to be told again in an hour.
    let metrics = counted(&attache, [6, 2, 1, 0, 0]);
    for (histogram, expected) in [("duration", 9), ("lag", 8)] {
        let name = format!("attache_delivery_{histogram}_seconds");
        assert_eq!(count(&metrics, &format!("{name}_count")), expected, "{histogram}");
        assert_eq!(count(&metrics, &format!("{name}_bucket{{le=\"+Inf\"}}")), expected, "{histogram}");
        let sum = seconds(&metrics, &format!("{name}_sum"));
        assert!(sum > 0.0 && sum < 30.0, "{histogram}: {sum}");
    }
    let metrics = eventually("what came of all is recorded", || {
        let metrics = attache.get("/metrics").says(200).body;
        (count(&metrics, "attache_deliveries_pending") <= 1).then_some(metrics)
    });
    assert_eq!(count(&metrics, "attache_deliveries_pending"), 1);
    assert_eq!(count(&metrics, "attache_deliveries_dead"), 1);
    let age = seconds(&metrics, "attache_delivery_oldest_pending_seconds");
    assert!(age > 0.0 && age < 60.0, "{age}");
    eventually("it grows older", || {
        let metrics = attache.get("/metrics").says(200).body;
        (seconds(&metrics, "attache_delivery_oldest_pending_seconds") > age).then_some(())
    });
}
