//! What can be seen from outside: metrics (Prometheus) and the request log.
//!
//! The request log is one JSON object a line on standard error, like everything else that is logged;
//! it is gathered in memory and written several times a second, so that a request never waits for
//! it. It names paths by their template and never by what a request sent, and no phone number.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use attache_core::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Which request it was.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    /// `camara`, `orange`, …
    pub(crate) publisher: &'static str,
    /// The API, or `authorization`, or `none` for a path that no face has.
    pub(crate) api: &'static str,
    /// The version of the API, or the endpoint.
    pub(crate) version: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct DurationLabels {
    publisher: &'static str,
    api: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct TokenLabels {
    publisher: &'static str,
    grant: &'static str,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct AttemptLabels {
    outcome: AttemptOutcome,
}

/// What came of an attempt to deliver an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum AttemptOutcome {
    Delivered,
    /// It is tried again.
    Failed,
    Dead,
    /// Nothing was sent: the sink's address is not allowed.
    Refused,
    Dropped,
}

impl AttemptOutcome {
    const ALL: [Self; 5] = [Self::Delivered, Self::Failed, Self::Dead, Self::Refused, Self::Dropped];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

impl EncodeLabelValue for AttemptOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.as_str().encode(encoder)
    }
}

/// The metrics of deliveries.
#[derive(Clone)]
pub(crate) struct DeliveryMetrics {
    attempts: Family<AttemptLabels, Counter>,
    durations: Histogram,
    lags: Histogram,
}

impl DeliveryMetrics {
    /// Metrics that begin at nothing.
    fn new(registry: &mut Registry) -> Self {
        let attempts = Family::<AttemptLabels, Counter>::default();
        // What has not happened yet is told as 0: a rate of what was absent cannot be told.
        for outcome in AttemptOutcome::ALL {
            drop(attempts.get_or_create(&AttemptLabels { outcome }));
        }
        registry.register("delivery_attempts", "Attempts to deliver an event", attempts.clone());
        let buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 60.0];
        let durations = Histogram::new(buckets);
        let told = "Time that an attempt to deliver an event took";
        registry.register_with_unit("delivery_duration", told, Unit::Seconds, durations.clone());
        let lags = Histogram::new(buckets);
        let told = "Time from a change to the first attempt to tell it";
        registry.register_with_unit("delivery_lag", told, Unit::Seconds, lags.clone());
        Self { attempts, durations, lags }
    }

    /// Counts an attempt. A first one has a lag.
    pub(crate) fn attempt(&self, outcome: AttemptOutcome, duration: Duration, lag: Option<Duration>) {
        self.attempts.get_or_create(&AttemptLabels { outcome }).inc();
        self.durations.observe(duration.as_secs_f64());
        if let Some(lag) = lag {
            self.lags.observe(lag.as_secs_f64());
        }
    }
}

/// What is not delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    pub(crate) pending: usize,
    pub(crate) dead: usize,
    /// When the oldest that is pending was put on its way.
    pub(crate) oldest_pending: Option<Timestamp>,
}

/// All metrics.
pub(crate) struct Metrics {
    /// Those of deliveries.
    pub(crate) delivery: DeliveryMetrics,
    pending: Gauge,
    dead: Gauge,
    oldest_pending: Gauge<f64, AtomicU64>,
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    tokens: Family<TokenLabels, Counter>,
    lines: Gauge,
}

impl Metrics {
    /// Metrics that begin at nothing.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("attache");
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("requests", "Requests answered", requests.clone());
        let durations = Family::<DurationLabels, Histogram>::new_with_constructor(|| {
            Histogram::new([0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0])
        });
        registry.register_with_unit(
            "request_duration",
            "Time from a request's head to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let tokens = Family::<TokenLabels, Counter>::default();
        registry.register("token_requests", "Token requests answered", tokens.clone());
        let lines = Gauge::default();
        registry.register("lines", "Lines of the simulated network", lines.clone());
        let delivery = DeliveryMetrics::new(&mut registry);
        let (pending, dead) = (Gauge::default(), Gauge::default());
        registry.register("deliveries_pending", "Events that are not delivered yet", pending.clone());
        registry.register("deliveries_dead", "Events that were given up and can be replayed", dead.clone());
        let oldest_pending = Gauge::<f64, AtomicU64>::default();
        let told = "How long ago the oldest of the events that are not delivered yet was put on its way";
        registry.register_with_unit("delivery_oldest_pending", told, Unit::Seconds, oldest_pending.clone());
        Self { delivery, pending, dead, oldest_pending, registry, requests, durations, tokens, lines }
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, labels: &RequestLabels, duration: Duration) {
        self.requests.get_or_create(labels).inc();
        self.durations
            .get_or_create(&DurationLabels { publisher: labels.publisher, api: labels.api })
            .observe(duration.as_secs_f64());
    }

    /// Counts an answered token request.
    pub(crate) fn token(&self, publisher: &'static str, grant: &'static str, outcome: &'static str) {
        self.tokens.get_or_create(&TokenLabels { publisher, grant, outcome }).inc();
    }

    /// The text that Prometheus scrapes.
    pub(crate) fn text(&self, lines: usize, backlog: Backlog, now: Timestamp) -> String {
        for (gauge, count) in [(&self.lines, lines), (&self.pending, backlog.pending), (&self.dead, backlog.dead)] {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        // 0 where nothing is pending, or where the clock was set back.
        let made_at = backlog.oldest_pending.unwrap_or(now);
        let age = now.unix_nanoseconds().saturating_sub(made_at.unix_nanoseconds());
        self.oldest_pending.set(Duration::from_nanos(age.try_into().unwrap_or(0)).as_secs_f64());
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// One line of the request log.
pub(crate) struct RequestLine<'a> {
    pub(crate) at: Timestamp,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) labels: &'a RequestLabels,
    /// The name of the problem, if there was one.
    pub(crate) problem: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) correlator: Option<&'a str>,
    pub(crate) duration: Duration,
}

/// The request log, if it is on.
#[derive(Clone)]
pub(crate) struct RequestLog(Option<Arc<Mutex<String>>>);

impl RequestLog {
    /// A log that is on or off.
    pub(crate) fn new(on: bool) -> Self {
        Self(on.then(Arc::default))
    }

    /// Adds a line.
    pub(crate) fn add(&self, line: &RequestLine<'_>) {
        let Some(buffer) = &self.0 else { return };
        let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail. Every text but the two at the end is this program's own.
        let _ = write!(
            buffer,
            r#"{{"timestamp":"{:.6}","level":"INFO","target":"attache::request","method":"{}","path":"{}","publisher":"{}","api":"{}","version":"{}","status":{},"duration_us":{}"#,
            line.at,
            line.method,
            line.path,
            line.labels.publisher,
            line.labels.api,
            line.labels.version,
            line.labels.status,
            line.duration.as_micros(),
        );
        if let Some(problem) = line.problem {
            let _ = write!(buffer, r#","problem":"{problem}""#);
        }
        for (name, value) in [("client_id", line.client_id), ("correlator", line.correlator)] {
            let Some(value) = value else { continue };
            let _ = write!(buffer, r#","{name}":""#);
            escape(&mut buffer, value);
            buffer.push('"');
        }
        buffer.push_str("}\n");
    }

    /// Writes what has been gathered.
    pub(crate) fn flush(&self) {
        let Some(buffer) = &self.0 else { return };
        let text = std::mem::take(&mut *buffer.lock().unwrap_or_else(PoisonError::into_inner));
        if !text.is_empty() {
            // There is nowhere to tell that the log cannot be written.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// Escapes a text for JSON.
fn escape(buffer: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => buffer.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(buffer, "\\u{:04x}", u32::from(control));
            }
            other => buffer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_request_log_is_one_json_object() {
        let log = RequestLog::new(true);
        log.add(&RequestLine {
            at: Timestamp::from_unix_seconds(0),
            method: "POST",
            path: "/device-roaming-status/v1/retrieve",
            labels: &RequestLabels { publisher: "camara", api: "device-roaming-status", version: "v1", status: 404 },
            problem: Some("unknown_line"),
            client_id: Some("a\"b\\c\n\u{85}"),
            correlator: Some("x"),
            duration: Duration::from_micros(12),
        });
        let text = log.0.unwrap().lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["client_id"], "a\"b\\c\n\u{85}");
        assert_eq!(line["status"], 404);
        assert_eq!(line["problem"], "unknown_line");
        assert_eq!(text.lines().count(), 1);
    }
}
