//! Telling subscriptions what happened: the outbox is sent to the sinks, until nothing is left in it.
//!
//! The cast: the [`dispatcher`] is told which sinks have something due, reads it, and has it sent; the [`lane`] of
//! a sink is what is known of it meanwhile; the [`courier`] makes one exchange.
//!
//! What is guaranteed:
//! - Every delivery is sent at least once, and each time as the same event: what came of it is recorded
//!   after it was sent, and a server that dies between the two sends it again.
//! - Those of one subscription are sent in order: the next one when the one before was delivered or given up.
//! - A sink that is slow or dead holds up no other, though they have one host. Sinks that fail, and exchanges that
//!   have no answer for half a second, share room of their own; where that is used up, an exchange that takes
//!   long is broken off and tried again later, among the slow.
//! - Memory is bounded: what waits, waits in the store. There is one small record for each sink that has something
//!   to be told, and as many deliveries as are being sent or recorded.
//! - A first attempt waits for nothing but the commit of what it tells.
//!
//! Who retries: no answer, 408, 425, 429 and 5xx are tried again by [`backoff`], or when `Retry-After` says.
//! 410 ends the subscription. Any other status makes a dead letter at once, and so does the last try.

mod backoff;
mod courier;
mod dispatcher;
#[cfg(test)]
mod dispatcher_tests;
mod lane;
mod retry_after;
mod signer;
mod witness;

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use attache_core::{Attempt, Clock, Deliveries, Delivery, Due, Outcome, Subscriptions, Timestamp};
use attache_wire::event_id;
use tokio_util::sync::CancellationToken;

pub(crate) use courier::Courier;
pub(crate) use signer::{RotateError, Signer};
pub(crate) use witness::{Witness, told};

use crate::{
    delivery::{
        courier::{Letter, Reply},
        dispatcher::{Bounds, Dispatcher},
    },
    keyring::Keyring,
    outbound::OutboundError,
    subscription::face_of,
    telemetry::{AttemptOutcome, DeliveryMetrics},
};

/// How long before the credential of a sink expires its subscription is ended, so that it still can be told.
pub(crate) const CREDENTIAL_LEAD: Duration = Duration::from_mins(1);

/// How long until a delivery is tried again that could not be sent for a reason of ours.
const OUR_PAUSE: Duration = Duration::from_secs(1);

/// Sends what is to be told.
pub(crate) struct Delivering {
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) subscriptions: Arc<dyn Subscriptions>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) metrics: DeliveryMetrics,
    pub(crate) witness: Arc<dyn Witness>,
    /// The address of this server, without a slash at its end.
    pub(crate) base_url: String,
}

/// Sends what is due, until the server stops.
pub(crate) async fn run(delivering: Arc<Delivering>, stopping: CancellationToken) {
    Dispatcher::new(delivering, Bounds::USUAL).run(stopping).await;
}

/// Ends what is to end by itself, again and again until the server stops.
pub(crate) async fn end_due(delivering: &Delivering) {
    let now = delivering.clock.now();
    if let Err(error) = delivering.subscriptions.end_due(now, now.plus(CREDENTIAL_LEAD)).await {
        // The store tells its trouble itself.
        tracing::debug!(error = &error as &dyn std::error::Error, "subscriptions whose time is over were not ended");
    }
}

/// Deletes what has been kept as long as these say: deliveries that are settled, and dead letters.
pub(crate) async fn sweep(delivering: &Delivering, settled: Duration, dead: Duration) {
    let now = delivering.clock.now();
    match delivering.deliveries.sweep(now.minus(settled), now.minus(dead)).await {
        Ok(0) => {}
        Ok(swept) => tracing::info!(deliveries = swept, "deliveries were deleted for their age"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "deliveries that are old enough were not deleted");
        }
    }
}

/// What an attempt tells of its sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It answers, and means it.
    Answers,
    /// It does not, or asks to be left alone until a time.
    Fails { asks_until: Option<Timestamp> },
    /// Nothing: it was not asked.
    Unknown,
}

/// What came of an attempt.
#[derive(PartialEq, Eq, Debug)]
struct Judged {
    outcome: Outcome,
    description: String,
    verdict: Verdict,
}

impl Judged {
    /// Nothing was sent, which says nothing of the sink.
    fn not_sent(outcome: Outcome, why: &str) -> Self {
        Self { outcome, description: why.to_owned(), verdict: Verdict::Unknown }
    }
}

impl Delivering {
    /// Sends one delivery, once.
    async fn send(&self, due: &Due) -> (Attempt, Verdict) {
        let began = Instant::now();
        let mut is_refused = false;
        let judged = match self.prepare(due).await {
            Err(not_sent) => not_sent,
            Ok(letter) => {
                let reply = self.courier.post(letter).await;
                is_refused = matches!(reply, Err(OutboundError::Refused(_)));
                judge(&reply, due.delivery.attempts, self.clock.now())
            }
        };
        let labelled = match judged.outcome {
            Outcome::Delivered => AttemptOutcome::Delivered,
            Outcome::Again { .. } | Outcome::Postponed { .. } => AttemptOutcome::Failed,
            Outcome::Dead if is_refused => AttemptOutcome::Refused,
            Outcome::Dead => AttemptOutcome::Dead,
            Outcome::Dropped | Outcome::Gone => AttemptOutcome::Dropped,
        };
        self.count(due, labelled, began.elapsed());
        self.attempt(due, judged)
    }

    /// What is sent, once it stands in the audit log; or what comes of not sending it.
    async fn prepare(&self, due: &Due) -> Result<Letter, Judged> {
        let letter = self.letter(due)?;
        let postponed = |why| Judged::not_sent(Outcome::Postponed { at: self.clock.now().plus(OUR_PAUSE) }, why);
        if self.witness.record(due, "sent").await.is_err() {
            return Err(postponed("not sent: the audit log cannot be written"));
        }
        // At the last moment: the subscriber may have said no meanwhile.
        match self.deliveries.current(due) {
            Ok(Some(Cow::Borrowed(_))) => Ok(letter),
            Ok(Some(Cow::Owned(current))) => self.letter(&current),
            Ok(None) => Err(Judged::not_sent(Outcome::Dropped, "not sent: it was given up meanwhile")),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a delivery cannot be read; trying again");
                Err(postponed("not sent: the database cannot be read"))
            }
        }
    }

    /// An attempt that was not waited for to its end.
    fn broken_off(&self, due: &Due) -> (Attempt, Verdict) {
        let judged = judge(&Err(OutboundError::TimedOut), due.delivery.attempts, self.clock.now());
        self.count(due, AttemptOutcome::Failed, Duration::ZERO);
        self.attempt(due, judged)
    }

    fn attempt(&self, due: &Due, judged: Judged) -> (Attempt, Verdict) {
        let Delivery { subscription, sequence, is_replay, .. } = due.delivery;
        let Judged { outcome, description, verdict } = judged;
        (Attempt { subscription, sequence, is_replay, at: self.clock.now(), outcome, description }, verdict)
    }

    /// Counts an attempt that took so long.
    fn count(&self, due: &Due, outcome: AttemptOutcome, took: Duration) {
        let (delivery, at) = (&due.delivery, self.clock.now());
        // When the operator had it sent again says nothing of how fast events are told.
        let lag = (delivery.attempts == 0 && !delivery.is_replay)
            .then(|| at.unix_nanoseconds().saturating_sub(delivery.made_at.unix_nanoseconds()))
            .and_then(|lag| u64::try_from(lag).ok())
            .map(|lag| Duration::from_nanos(lag).saturating_sub(took));
        self.metrics.attempt(outcome, took, lag);
    }

    /// What is sent, or why nothing is: what another release or another key could send can be replayed by these.
    fn letter(&self, due: &Due) -> Result<Letter, Judged> {
        let dead = |why| Judged::not_sent(Outcome::Dead, why);
        let (delivery, subscription) = (&due.delivery, &due.subscription);
        let (publisher, face) =
            face_of(subscription).ok_or_else(|| dead("this release does not know the version of its API"))?;
        let source = format!("{}{}", self.base_url, publisher.root);
        let body = (face.write_event)(face, subscription, delivery, &source)
            .ok_or_else(|| Judged::not_sent(Outcome::Dropped, "its version does not tell this"))?;
        let token = match &subscription.credential {
            None => None,
            Some(credential) => {
                let token = self.keyring.open(&credential.sealed).ok().and_then(|token| String::from_utf8(token).ok());
                Some(token.ok_or_else(|| dead("its credential cannot be read with this secrets key"))?.into())
            }
        };
        let id = event_id(delivery);
        let signature = self.signer.sign(subscription.client, &id, &body, self.clock.now());
        Ok(Letter { sink: subscription.sink.clone(), token, id, signature, body })
    }

    /// Tells in the audit log that a delivery was given up, if it was. Nothing leaves by that: what cannot be told
    /// is in the log of the server.
    async fn tell_end(&self, due: &Due, attempt: &Attempt) {
        let outcome = match attempt.outcome {
            Outcome::Delivered | Outcome::Again { .. } | Outcome::Postponed { .. } => return,
            Outcome::Dead => "dead",
            Outcome::Dropped => "dropped",
            Outcome::Gone => "gone",
        };
        let _ = self.witness.record(due, outcome).await;
    }
}

/// What came of an attempt that was preceded by others, and ended now.
fn judge(reply: &Result<Reply, OutboundError>, before: u32, now: Timestamp) -> Judged {
    let meant = |outcome, description| Judged { outcome, description, verdict: Verdict::Answers };
    match reply {
        Ok(Reply { status, retry_after }) => {
            let description = format!("HTTP {status}");
            match status {
                200..=299 => meant(Outcome::Delivered, description),
                408 | 425 | 429 | 500..=599 => {
                    let asked = retry_after.as_deref().and_then(|value| retry_after::pause(value, now));
                    again(description, before, asked, now)
                }
                410 => meant(Outcome::Gone, description),
                _ => meant(Outcome::Dead, description),
            }
        }
        Err(error @ OutboundError::Refused(_)) => {
            Judged { outcome: Outcome::Dead, description: error.description(), verdict: Verdict::Unknown }
        }
        Err(error) => again(error.description(), before, None, now),
    }
}

/// An attempt that is made again, unless there were enough before it.
fn again(description: String, before: u32, retry_after: Option<Duration>, now: Timestamp) -> Judged {
    let verdict = Verdict::Fails { asks_until: retry_after.map(|pause| now.plus(pause)) };
    match backoff::pause(before, retry_after) {
        Some(pause) => Judged { outcome: Outcome::Again { at: now.plus(pause) }, description, verdict },
        None => Judged { outcome: Outcome::Dead, description: format!("{description}; given up"), verdict },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Refusal;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn answered(status: u16, before: u32, retry_after: Option<&str>) -> Judged {
        judge(&Ok(Reply { status, retry_after: retry_after.map(str::to_owned) }), before, NOW)
    }

    #[test]
    fn of_every_status_it_is_known_what_it_means() {
        for status in 100..=999 {
            let Judged { outcome, description, verdict } = answered(status, 0, None);
            assert_eq!(description, format!("HTTP {status}"));
            let is_again = matches!(outcome, Outcome::Again { at } if at > NOW);
            assert_eq!(is_again, matches!(verdict, Verdict::Fails { asks_until: None }), "{status}");
            match status {
                200..=299 => assert_eq!(outcome, Outcome::Delivered),
                410 => assert_eq!(outcome, Outcome::Gone),
                408 | 425 | 429 | 500..=599 => assert!(is_again, "{status}"),
                _ => assert_eq!((outcome, verdict), (Outcome::Dead, Verdict::Answers), "{status}"),
            }
        }
    }

    #[test]
    fn whoever_was_tried_often_enough_is_given_up_and_has_still_failed() {
        let last = (0..100).find(|before| backoff::pause(*before, None).is_none()).unwrap();
        assert!(last > 5, "it is tried for hours");
        for (judged, why) in [
            (answered(503, last, None), "HTTP 503; given up"),
            (judge(&Err(OutboundError::TimedOut), last, NOW), "it did not answer in time; given up"),
        ] {
            let verdict = Verdict::Fails { asks_until: None };
            assert_eq!(judged, Judged { outcome: Outcome::Dead, description: why.to_owned(), verdict });
        }
        assert!(matches!(answered(503, last - 1, None).outcome, Outcome::Again { .. }));
    }

    #[test]
    fn a_sink_that_says_when_it_wants_the_next_is_left_alone_until_then() {
        for status in [429, 503] {
            let judged = answered(status, 0, Some("600"));
            let until = NOW.plus(Duration::from_mins(10));
            assert_eq!(judged.verdict, Verdict::Fails { asks_until: Some(until) });
            assert!(matches!(judged.outcome, Outcome::Again { at } if at >= until));
        }
    }

    #[test]
    fn an_address_that_is_not_asked_tells_nothing_of_the_sink() {
        let refused = judge(&Err(OutboundError::Refused(Refusal::NotPublic)), 0, NOW);
        assert_eq!((refused.outcome, refused.verdict), (Outcome::Dead, Verdict::Unknown));
    }
}
