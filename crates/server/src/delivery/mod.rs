//! Telling subscriptions what happened: the outbox is sent to the sinks, until nothing is left in it.
//!
//! The cast: an *origin* is the scheme, host and port that sinks share; the *dispatcher* looks which origins
//! have something due; a *worker* sends what is due to one origin, until nothing is; the *breaker* of an
//! origin keeps a worker away for a while when it has failed several times.
//!
//! What is guaranteed:
//! - Every delivery is sent at least once, and each time as the same event: what came of it is recorded
//!   after it was sent, and a server that dies between the two sends it again.
//! - Those of one subscription are sent in order: the next one when the one before was delivered or given up.
//! - An origin that is slow or dead holds up no other. What waits for it waits in the store; in memory there
//!   is one small record for an origin, and as many deliveries as are being sent.
//!
//! Who retries: no answer, 408, 425, 429 and 5xx are tried again by [`backoff`], or when `Retry-After` says.
//! 410 ends the subscription. Any other status makes a dead letter at once, and so does the last try.

mod backoff;
mod breaker;
mod courier;
mod retry_after;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use attache_core::{Attempt, Clock, Deliveries, Due, EndReason, Outcome, StoreError, Subscriptions};
use attache_wire::event_id;
use futures_util::future::join_all;
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) use courier::Courier;

use crate::{
    delivery::{
        breaker::Breaker,
        courier::{Letter, Reply},
    },
    keyring::Keyring,
    outbound::OutboundError,
    subscription::face_of,
    telemetry::{AttemptOutcome, DeliveryMetrics},
};

/// How long before the credential of a sink expires its subscription is ended, so that it still can be told.
pub(crate) const CREDENTIAL_LEAD: Duration = Duration::from_mins(1);

/// How many deliveries are sent to one origin at a time.
const AT_ONCE: u32 = 64;
/// How many origins are sent to at a time.
const WORKERS: usize = 1024;
/// How long the dispatcher sleeps at most: whatever happened, it looks again then.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Sends what is to be told.
pub(crate) struct Delivering {
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) subscriptions: Arc<dyn Subscriptions>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) metrics: DeliveryMetrics,
    /// The address of this server, without a slash at its end.
    pub(crate) base_url: String,
}

/// Sends what is due, until the server stops.
pub(crate) async fn run(delivering: Arc<Delivering>, stopping: CancellationToken) {
    let mut dispatcher = Dispatcher {
        delivering,
        breakers: HashMap::new(),
        working: HashMap::new(),
        busy: HashSet::new(),
        workers: JoinSet::new(),
        permits: Arc::new(Semaphore::new(WORKERS)),
    };
    loop {
        let began = Instant::now();
        let sleep = dispatcher.look().await;
        // With very many origins a look takes its time; half of the time is left to others.
        tokio::time::sleep(began.elapsed().min(Duration::from_millis(50))).await;
        tokio::select! {
            () = stopping.cancelled() => break,
            () = dispatcher.delivering.deliveries.made() => {}
            () = tokio::time::sleep(sleep) => {}
            Some(ended) = dispatcher.workers.join_next_with_id() => dispatcher.settle(ended),
        }
    }
    // What is under way is finished, within the deadline of an exchange: it was sent, and is to be recorded.
    while dispatcher.workers.join_next().await.is_some() {}
}

/// Ends what is to end by itself, again and again until the server stops.
pub(crate) async fn end_due(delivering: &Delivering) {
    let now = delivering.clock.now();
    if let Err(error) = delivering.subscriptions.end_due(now, now.plus(CREDENTIAL_LEAD)).await {
        tracing::error!(error = &error as &dyn std::error::Error, "subscriptions whose time is over were not ended");
    }
}

struct Dispatcher {
    delivering: Arc<Delivering>,
    /// Of origins that failed last.
    breakers: HashMap<String, Breaker>,
    /// The origins that are being sent to.
    working: HashMap<tokio::task::Id, String>,
    /// The same, by origin.
    busy: HashSet<String>,
    workers: JoinSet<Breaker>,
    permits: Arc<Semaphore>,
}

impl Dispatcher {
    /// Sets workers to all origins that have something due. Returns until when nothing more will be due.
    async fn look(&mut self) -> Duration {
        while let Some(ended) = self.workers.try_join_next_with_id() {
            self.settle(ended);
        }
        let deliveries = Arc::clone(&self.delivering.deliveries);
        let sinks = match blocking(move || deliveries.due_sinks()).await {
            Ok(sinks) => sinks,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "deliveries cannot be read; trying again");
                return LONGEST_SLEEP;
            }
        };
        let now = self.delivering.clock.now();
        let mut next = now.plus(LONGEST_SLEEP);
        self.breakers.retain(|_, breaker| !breaker.is_forgotten(now));
        for sink in sinks {
            if self.busy.contains(&sink.origin) {
                continue;
            }
            let breaker = self.breakers.get(&sink.origin).copied().unwrap_or_default();
            let due_at = sink.due_at.max(breaker.closed_until());
            if due_at > now {
                next = next.min(due_at);
            } else {
                self.begin(sink.origin, breaker);
            }
        }
        let nanoseconds = next.unix_nanoseconds().saturating_sub(now.unix_nanoseconds());
        Duration::from_nanos(nanoseconds.try_into().unwrap_or(0)).max(Duration::from_millis(1))
    }

    fn begin(&mut self, origin: String, breaker: Breaker) {
        let (delivering, permits) = (Arc::clone(&self.delivering), Arc::clone(&self.permits));
        let of = origin.clone();
        let worker = self.workers.spawn(async move {
            // It is never closed.
            let _permit = permits.acquire_owned().await;
            delivering.work(&of, breaker).await
        });
        self.busy.insert(origin.clone());
        self.working.insert(worker.id(), origin);
    }

    /// Takes in what a worker has learned of its origin.
    fn settle(&mut self, ended: Result<(tokio::task::Id, Breaker), tokio::task::JoinError>) {
        let (id, breaker) = match ended {
            Ok((id, breaker)) => (id, Some(breaker)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a delivery worker broke off");
                (error.id(), None)
            }
        };
        let Some(origin) = self.working.remove(&id) else { return };
        self.busy.remove(&origin);
        match breaker {
            Some(breaker) if breaker.has_failed() => drop(self.breakers.insert(origin, breaker)),
            Some(_) | None => drop(self.breakers.remove(&origin)),
        }
    }
}

impl Delivering {
    /// Sends what is due to an origin, until nothing is, or it fails too often.
    async fn work(&self, origin: &str, mut breaker: Breaker) -> Breaker {
        loop {
            // Who failed last is tried with one.
            let limit = if breaker.has_failed() { 1 } else { AT_ONCE };
            let (deliveries, now) = (Arc::clone(&self.deliveries), self.clock.now());
            let of = origin.to_owned();
            let due = match blocking(move || deliveries.due(&of, now, limit)).await {
                Ok(due) if due.is_empty() => return breaker,
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "deliveries cannot be read");
                    breaker.fail(self.clock.now());
                    return breaker;
                }
            };
            let sent = join_all(due.iter().map(|due| self.send(due))).await;
            let gone: Vec<_> = sent.iter().filter(|sent| sent.is_gone).map(|sent| sent.attempt.subscription).collect();
            for sent in &sent {
                match sent.attempt.outcome {
                    Outcome::Again { .. } => breaker.fail(self.clock.now()),
                    Outcome::Delivered | Outcome::Dead => breaker.succeed(),
                    Outcome::Dropped => {}
                }
            }
            let recorded = self.deliveries.record(sent.into_iter().map(|sent| sent.attempt).collect()).await;
            if let Err(error) = recorded {
                // They are sent again: at least once is what was promised.
                tracing::error!(error = &error as &dyn std::error::Error, "attempts could not be recorded");
                breaker.fail(self.clock.now());
                return breaker;
            }
            for subscription in gone {
                let ended = self.subscriptions.end(subscription, EndReason::SinkGone, None, self.clock.now()).await;
                if let Err(error) = ended {
                    tracing::error!(error = &error as &dyn std::error::Error, "a subscription was not ended");
                }
            }
            if breaker.closed_until() > self.clock.now() {
                return breaker;
            }
        }
    }

    /// Sends one delivery, once.
    async fn send(&self, due: &Due) -> Sent {
        let (delivery, subscription) = (&due.delivery, &due.subscription);
        let began = Instant::now();
        let mut is_refused = false;
        let (outcome, description, is_gone) = match self.letter(due) {
            Err(why) => (Outcome::Dropped, why.to_owned(), false),
            Ok(letter) => {
                let reply = self.courier.post(letter).await;
                is_refused = matches!(reply, Err(OutboundError::Refused(_)));
                self.judge(&reply, delivery.attempts)
            }
        };
        let at = self.clock.now();
        let labelled = match outcome {
            Outcome::Delivered => AttemptOutcome::Delivered,
            Outcome::Again { .. } => AttemptOutcome::Failed,
            Outcome::Dead if is_refused => AttemptOutcome::Refused,
            Outcome::Dead => AttemptOutcome::Dead,
            Outcome::Dropped => AttemptOutcome::Dropped,
        };
        let lag = (delivery.attempts == 0)
            .then(|| at.unix_nanoseconds().saturating_sub(delivery.made_at.unix_nanoseconds()))
            .and_then(|lag| u64::try_from(lag).ok())
            .map(|lag| Duration::from_nanos(lag).saturating_sub(began.elapsed()));
        self.metrics.attempt(labelled, began.elapsed(), lag);
        let (subscription, sequence) = (subscription.id, delivery.sequence);
        Sent { attempt: Attempt { subscription, sequence, at, outcome, description }, is_gone }
    }

    /// What is sent, or why nothing is.
    fn letter(&self, due: &Due) -> Result<Letter, &'static str> {
        let (delivery, subscription) = (&due.delivery, &due.subscription);
        let (publisher, face) = face_of(subscription).ok_or("this release does not know the version of its API")?;
        let source = format!("{}{}", self.base_url, publisher.root);
        let body = (face.write_event)(face, subscription, delivery, &source).ok_or("its version does not tell this")?;
        let token = match &subscription.credential {
            None => None,
            Some(credential) => {
                let token = self.keyring.open(&credential.sealed).ok().and_then(|token| String::from_utf8(token).ok());
                Some(token.ok_or("its credential cannot be read with this secrets key")?.into())
            }
        };
        Ok(Letter { sink: subscription.sink.clone(), token, correlator: event_id(delivery), body })
    }

    /// What came of an attempt that was preceded by others.
    fn judge(&self, reply: &Result<Reply, OutboundError>, before: u32) -> (Outcome, String, bool) {
        let now = self.clock.now();
        let again = |description: String, retry_after: Option<Duration>| match backoff::pause(before, retry_after) {
            Some(pause) => (Outcome::Again { at: now.plus(pause) }, description, false),
            None => (Outcome::Dead, format!("{description}; given up"), false),
        };
        match reply {
            Ok(Reply { status, retry_after }) => {
                let description = format!("HTTP {status}");
                match status {
                    200..=299 => (Outcome::Delivered, description, false),
                    408 | 425 | 429 | 500..=599 => {
                        again(description, retry_after.as_deref().and_then(|value| retry_after::pause(value, now)))
                    }
                    410 => (Outcome::Dropped, description, true),
                    _ => (Outcome::Dead, description, false),
                }
            }
            Err(error @ OutboundError::Refused(_)) => (Outcome::Dead, error.description(), false),
            Err(error) => again(error.description(), None),
        }
    }
}

/// An attempt, and whether the sink said that it is gone.
struct Sent {
    attempt: Attempt,
    is_gone: bool,
}

/// Reads from the store beside what must not wait for it.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|cause| Err(StoreError::Failed { action: "read", cause: Box::new(cause) }))
}
