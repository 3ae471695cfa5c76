//! The outbox.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use attache_core::{
    Attempt, Country, Deliveries, Delivery, DeliveryState, Due, DueSink, EndReason, EventType, Fact, Found, Made, Mcc,
    Notice, Outcome, Replayed, Sink, StoreError, Subscription, SubscriptionId, SubscriptionStatus, Technology,
    Timestamp, Wanted,
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::{
    SqliteStore, Writer, damaged, failed,
    subscription::{self, columns, counted, unknown},
};

const STARTED: &str = "subscription-started";
const UPDATED: &str = "subscription-updated";
const ENDED: &str = "subscription-ended";

/// How many columns a delivery has, as [`delivery`] reads them.
const WIDTH: usize = 12;
macro_rules! delivery_columns {
    () => {
        "d.subscription, d.sequence, d.notice, d.detail, d.description, d.at, d.made_at, d.attempts, d.state,
         d.last_outcome, d.due_at, d.is_replay"
    };
}

/// How many deliveries one step of a sweep or of a replay has, at most: whoever else writes waits no longer for it.
const STEP: usize = 500;

#[async_trait]
impl Deliveries for SqliteStore {
    async fn made(&self) -> Made {
        self.wakes.take().await
    }

    fn due_sinks(&self) -> Result<Vec<DueSink>, StoreError> {
        self.read_now(due_sinks).map_err(failed("read the sinks that are due"))
    }

    fn due(&self, wanted: &Wanted, now: Timestamp) -> Result<Found, StoreError> {
        // First, so that what is given up while it is read counts.
        let as_of = self.wakes.given_up.load(Ordering::Acquire);
        self.read_now(|connection| due(connection, wanted, now, as_of))
            .map_err(failed("read the deliveries that are due"))
    }

    fn current<'a>(&self, due: &'a Due) -> Result<Option<Cow<'a, Due>>, StoreError> {
        let as_of = self.wakes.given_up.load(Ordering::Acquire);
        if as_of == due.as_of {
            return Ok(Some(Cow::Borrowed(due)));
        }
        let Delivery { subscription, sequence, .. } = due.delivery;
        self.read_now(|connection| {
            let position: Option<i64> = connection
                .prepare_cached(
                    "SELECT position FROM delivery WHERE subscription = ?1 AND sequence = ?2 AND state = 'pending'",
                )?
                .query_one(params![subscription.as_bytes(), sequence.cast_signed()], |row| row.get(0))
                .optional()?;
            let read = |position| {
                let (delivery, subscription) = read(connection, position)?;
                Ok(Cow::Owned(Due { delivery, subscription, as_of }))
            };
            position.map(read).transpose()
        })
        .map_err(failed("read a delivery again"))
    }

    async fn record(&self, attempts: Arc<[Attempt]>) -> Result<(), StoreError> {
        self.write(move |writer| {
            attempts
                .iter()
                .try_for_each(|attempt| record(writer, attempt))
                .map_err(failed("record attempts of deliveries"))
        })
        .await
    }

    fn deliveries(&self, subscription: SubscriptionId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.read_now(|connection| {
            connection
                .prepare_cached(concat!(
                    "SELECT ",
                    delivery_columns!(),
                    " FROM delivery d WHERE d.subscription = ?1 ORDER BY d.sequence DESC LIMIT ?2"
                ))?
                .query_map(params![subscription.as_bytes(), limit], delivery)?
                .collect()
        })
        .map_err(failed("read deliveries"))
    }

    fn dead(&self, since: Timestamp, limit: u32) -> Result<Vec<(Delivery, Subscription)>, StoreError> {
        self.read_now(|connection| {
            connection
                .prepare_cached(concat!(
            "SELECT ", delivery_columns!(), ", ", columns!(), " FROM delivery d, ", counted!(), "
                     WHERE s.id = d.subscription AND d.state = 'dead' AND d.made_at >= ?1 ORDER BY d.made_at DESC LIMIT ?2"
                ))?
                .query_map(params![since.unix_nanoseconds(), limit], |row| {
                    Ok((delivery(row)?, subscription::subscription(row, WIDTH)?))
                })?
                .collect()
        })
        .map_err(failed("read dead letters"))
    }

    async fn replay(&self, which: Replayed, now: Timestamp) -> Result<usize, StoreError> {
        let mut replayed = 0;
        loop {
            let step =
                self.write(move |writer| replay(writer, which, now).map_err(failed("replay deliveries"))).await?;
            replayed += step;
            if step < STEP {
                return Ok(replayed);
            }
        }
    }

    async fn sweep(&self, settled_before: Timestamp, dead_before: Timestamp) -> Result<usize, StoreError> {
        let (mut swept, mut after) = (0, 0);
        loop {
            let step = self
                .read("look for old deliveries", move |connection| old(connection, after, settled_before, dead_before))
                .await?;
            if !step.old.is_empty() {
                swept +=
                    self.write(move |writer| forget(writer, &step.old).map_err(failed("sweep deliveries"))).await?;
            }
            match step.last {
                Some(last) => after = last,
                None => return Ok(swept),
            }
        }
    }

    fn backlog(&self) -> Result<(usize, usize), StoreError> {
        self.read_now(|connection| {
            connection
                .prepare_cached(
                    "SELECT (SELECT count(*) FROM delivery WHERE due_at IS NOT NULL)
                          + (SELECT count(*) FROM delivery WHERE state = 'pending' AND due_at IS NULL),
                            (SELECT count(*) FROM delivery WHERE state = 'dead')",
                )?
                .query_one([], |row| {
                    let count = |column| row.get::<_, isize>(column).map(isize::unsigned_abs);
                    Ok((count(0)?, count(1)?))
                })
        })
        .map_err(failed("count deliveries"))
    }

    fn oldest_pending(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read_now(|connection| {
            let mut oldest = connection.prepare_cached(
                "SELECT min(made_at) FROM (
                     SELECT min(made_at) AS made_at FROM delivery INDEXED BY delivery_by_due WHERE due_at IS NOT NULL
                     UNION ALL
                     SELECT min(made_at) FROM delivery INDEXED BY delivery_waiting
                     WHERE state = 'pending' AND due_at IS NULL)",
            )?;
            oldest.query_one([], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp::from_unix_nanoseconds)))
        })
        .map_err(failed("look for the oldest delivery"))
    }
}

/// A subscription, and what it has been told so far.
pub(super) struct Told {
    pub(super) subscription: Subscription,
    /// The sequence of the newest of its deliveries, or of all that there ever were.
    pub(super) last_sequence: i64,
    /// What became of the newest.
    newest: Newest,
}

/// What became of the newest delivery of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Newest {
    /// It is pending: the next one has to wait.
    Waits,
    /// The sink has it, or never will. So it is with those before it, since they follow one another.
    Settled,
    /// It was given up or is replayed, which tells nothing of those before it.
    Unclear,
}

impl Told {
    /// Whether the next delivery has to wait for another.
    pub(super) fn has_to_wait(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match self.newest {
            Newest::Waits => Ok(true),
            Newest::Settled => Ok(false),
            Newest::Unclear => connection
                .prepare_cached(
                    "SELECT 1 FROM delivery WHERE subscription = ?1 AND state = 'pending' AND is_replay = 0",
                )?
                .exists([self.subscription.id.as_bytes()]),
        }
    }

    /// A delivery has been settled. Returns whether it is the newest.
    pub(super) fn settle(&mut self, sequence: u64) -> bool {
        let is_newest = self.last_sequence == sequence.cast_signed();
        if is_newest {
            self.newest = Newest::Settled;
        }
        is_newest
    }
}

/// The beginning of a query for what [`told`] reads: a subscription's columns, and three behind them.
macro_rules! select_told {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            ", max(s.last_sequence, ifnull(newest.sequence, 0)), newest.state, newest.is_replay FROM ",
            counted!()
        )
    };
}
pub(super) use select_told;

/// Reads a row of [`select_told`].
pub(super) fn told(row: &Row<'_>) -> rusqlite::Result<Told> {
    let first = subscription::WIDTH;
    let state = row.get_ref(first + 1)?.as_str_or_null()?.map(DeliveryState::named);
    let newest = match state.flatten() {
        Some(DeliveryState::Pending) if !row.get::<_, bool>(first + 2)? => Newest::Waits,
        None | Some(DeliveryState::Delivered | DeliveryState::Dead) => Newest::Settled,
        Some(DeliveryState::Pending | DeliveryState::Dropped) => Newest::Unclear,
    };
    Ok(Told { subscription: subscription::subscription(row, 0)?, last_sequence: row.get(first)?, newest })
}

/// Makes a delivery, and ends its subscription when it was the last event that it wanted. It can be sent at
/// once, unless it has to wait for another.
pub(super) fn make(
    writer: &Writer,
    id: SubscriptionId,
    notice: &Notice,
    at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    writer.watched.borrow_mut().forget(id);
    let mut told =
        writer.prepare_cached(concat!(select_told!(), " WHERE s.id = ?1"))?.query_one([id.as_bytes()], told)?;
    tell(writer, &mut told, notice, at, now)
}

/// The same for a subscription that has been read.
pub(super) fn tell(
    writer: &Writer,
    told: &mut Told,
    notice: &Notice,
    at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let has_to_wait = told.has_to_wait(writer)?;
    let Told { subscription, last_sequence, newest } = told;
    *last_sequence += 1;
    *newest = Newest::Waits;
    subscription.events_made += u32::from(matches!(notice, Notice::Event(_)));
    let (name, detail, description) = written(notice);
    writer
        .prepare_cached(
            "INSERT INTO delivery (subscription, sequence, events_made, sink, notice, detail, description, at, made_at,
                                   due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            subscription.id.as_bytes(),
            *last_sequence,
            subscription.events_made,
            subscription.sink.as_str(),
            name,
            detail,
            description,
            at.unix_nanoseconds(),
            now.unix_nanoseconds(),
            (!has_to_wait).then_some(now.unix_nanoseconds()),
        ])?;
    if !has_to_wait {
        let delivery = Delivery {
            subscription: subscription.id,
            sequence: last_sequence.cast_unsigned(),
            notice: notice.clone(),
            at,
            made_at: now,
            attempts: 0,
            state: DeliveryState::Pending,
            due_at: Some(now),
            is_replay: false,
            last_outcome: None,
        };
        writer.wake(delivery, subscription.clone());
    }
    let is_last = matches!(notice, Notice::Event(_))
        && subscription.max_events.is_some_and(|wanted| subscription.events_made >= wanted);
    if is_last {
        subscription::end(writer, subscription.id, EndReason::MaxEventsReached, None, now, now)?;
        subscription.status = SubscriptionStatus::Ended(EndReason::MaxEventsReached);
    }
    Ok(())
}

/// What of a subscription's deliveries is given up.
#[derive(Clone, Copy)]
pub(super) enum GivenUp {
    /// All that waits.
    Waiting,
    /// What is about its line, and waits or is dead: it cannot be replayed either.
    AboutTheLine,
}

/// Gives up what was to be told to a subscription.
pub(super) fn give_up(writer: &Writer, id: SubscriptionId, what: GivenUp) -> rusqlite::Result<()> {
    writer.watched.borrow_mut().forget(id);
    let which = match what {
        GivenUp::Waiting => "state = 'pending'",
        GivenUp::AboutTheLine => "state IN ('pending', 'dead') AND notice NOT LIKE 'subscription-%'",
    };
    writer
        .prepare_cached(&format!(
            "UPDATE delivery SET state = 'dropped', due_at = NULL WHERE subscription = ?1 AND {which}"
        ))?
        .execute([id.as_bytes()])?;
    writer.gives_up.set(true);
    go_on(writer, id, 0, None)
}

/// Lets the next delivery of a subscription be sent, if it waits and none before it is on its way. It is the first
/// that is pending after one that is settled as all before it; after 0, of all.
pub(super) fn go_on(writer: &Writer, id: SubscriptionId, after: u64, now: Option<Timestamp>) -> rusqlite::Result<()> {
    let next: Option<(i64, bool)> = writer
        .prepare_cached(
            "SELECT position, due_at IS NULL FROM delivery
             WHERE subscription = ?1 AND sequence > ?2 AND state = 'pending' AND is_replay = 0
             ORDER BY sequence LIMIT 1",
        )?
        .query_row(params![id.as_bytes(), after.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // It mostly has no next.
    if let Some((position, true)) = next {
        writer
            .prepare_cached("UPDATE delivery SET due_at = ifnull(?2, made_at) WHERE position = ?1")?
            .execute(params![position, now.map(Timestamp::unix_nanoseconds)])?;
        let (delivery, subscription) = read(writer, position)?;
        writer.wake(delivery, subscription);
    }
    Ok(())
}

/// The delivery at a position, and its subscription.
fn read(connection: &Connection, position: i64) -> rusqlite::Result<(Delivery, Subscription)> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            delivery_columns!(),
            ", ",
            columns!(),
            " FROM delivery d, ",
            counted!(),
            "
             WHERE d.position = ?1 AND s.id = d.subscription"
        ))?
        .query_one([position], |row| Ok((delivery(row)?, subscription::subscription(row, WIDTH)?)))
}

fn record(writer: &Writer, attempt: &Attempt) -> rusqlite::Result<()> {
    let (state, due_at) = match attempt.outcome {
        Outcome::Delivered => (DeliveryState::Delivered, None),
        Outcome::Again { at } | Outcome::Postponed { at } => (DeliveryState::Pending, Some(at)),
        Outcome::Dead => (DeliveryState::Dead, None),
        Outcome::Dropped | Outcome::Gone => (DeliveryState::Dropped, None),
    };
    let was_tried = !matches!(attempt.outcome, Outcome::Postponed { .. });
    // What was given up meanwhile stays so.
    let recorded = writer
        .prepare_cached(
            "UPDATE delivery
             SET state = ?3, due_at = ?4, attempts = attempts + ?5, last_outcome = ?6, attempted_at = ?7
             WHERE subscription = ?1 AND sequence = ?2 AND state = 'pending'",
        )?
        .execute(params![
            attempt.subscription.as_bytes(),
            attempt.sequence.cast_signed(),
            state.as_str(),
            due_at.map(Timestamp::unix_nanoseconds),
            was_tried,
            attempt.description,
            attempt.at.unix_nanoseconds(),
        ])?;
    if attempt.outcome == Outcome::Gone {
        // One that had ended before still has things to tell, which nobody wants any more.
        subscription::end(writer, attempt.subscription, EndReason::SinkGone, None, attempt.at, attempt.at)?;
        give_up(writer, attempt.subscription, GivenUp::Waiting)?;
    } else if due_at.is_none()
        && recorded > 0
        && !writer.watched.borrow_mut().settle(attempt.subscription, attempt.sequence)
        && !attempt.is_replay
    {
        go_on(writer, attempt.subscription, attempt.sequence, Some(attempt.at))?;
    }
    Ok(())
}

/// One look into the index for each sink, however many deliveries it has.
fn due_sinks(connection: &Connection) -> rusqlite::Result<Vec<DueSink>> {
    connection
        .prepare_cached(
            "WITH RECURSIVE sinks (sink) AS (
                 SELECT (SELECT sink FROM delivery WHERE due_at IS NOT NULL ORDER BY sink LIMIT 1)
                 UNION ALL
                 SELECT (SELECT d.sink FROM delivery d WHERE d.due_at IS NOT NULL AND d.sink > sinks.sink
                         ORDER BY d.sink LIMIT 1)
                 FROM sinks WHERE sinks.sink IS NOT NULL)
             SELECT sink, (SELECT min(d.due_at) FROM delivery d WHERE d.sink = sinks.sink AND d.due_at IS NOT NULL)
             FROM sinks WHERE sink IS NOT NULL",
        )?
        .query_map([], |row| {
            Ok(DueSink { sink: sink(row, 0)?, due_at: Timestamp::from_unix_nanoseconds(row.get(1)?) })
        })?
        .collect()
}

fn due(connection: &Connection, wanted: &Wanted, now: Timestamp, as_of: u64) -> rusqlite::Result<Found> {
    let (sink, now) = (wanted.sink.as_str(), now.unix_nanoseconds());
    let mut rows = connection.prepare_cached(concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM delivery d
         WHERE d.sink = ?1 AND d.due_at IS NOT NULL AND d.due_at <= ?2 ORDER BY d.due_at LIMIT ?3"
    ))?;
    // Each that is under way holds up one at most.
    let looked_at = i64::try_from(wanted.limit + wanted.under_way.len()).unwrap_or(i64::MAX);
    let mut rows = rows.query(params![sink, now, looked_at])?;
    let mut found = Found::default();
    while let Some(row) = rows.next()?
        && found.due.len() < wanted.limit
    {
        let delivery = delivery(row)?;
        if wanted.under_way.holds_up(&delivery) {
            found.has_held_up = true;
        } else if let Some(subscription) = subscription::find(connection, delivery.subscription)? {
            found.due.push(Due { delivery, subscription, as_of });
        }
    }
    if found.due.len() < wanted.limit {
        found.next_at = connection
            .prepare_cached("SELECT min(due_at) FROM delivery WHERE sink = ?1 AND due_at IS NOT NULL AND due_at > ?2")?
            .query_one(params![sink, now], |row| row.get::<_, Option<i64>>(0))?
            .map(Timestamp::from_unix_nanoseconds);
    }
    Ok(found)
}

/// A delivery to be swept.
struct Old {
    position: i64,
    subscription: SubscriptionId,
}

/// What a step of a sweep has found.
struct Step {
    old: Vec<Old>,
    /// The position of the last that was looked at; `None` when there is none behind it that could be old.
    last: Option<i64>,
}

/// Looks at the deliveries behind a position, which are newer the farther it goes. No index is kept for this: it would
/// cost every event something.
fn old(connection: &Connection, after: i64, settled: Timestamp, dead: Timestamp) -> rusqlite::Result<Step> {
    let mut statement = connection.prepare_cached(
        "SELECT position, subscription, made_at,
                state IN ('delivered', 'dropped') AND made_at < ?2
                OR state = 'dead' AND ifnull(attempted_at, made_at) < ?3
         FROM delivery WHERE position > ?1 ORDER BY position LIMIT ?4",
    )?;
    let (settled, dead) = (settled.unix_nanoseconds(), dead.unix_nanoseconds());
    let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, settled, dead, limit])?;
    let mut step = Step { old: Vec::new(), last: None };
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(2)? >= settled.max(dead) {
            return Ok(Step { last: None, ..step });
        }
        let position = row.get(0)?;
        if row.get(3)? {
            step.old.push(Old { position, subscription: SubscriptionId::from_bytes(row.get(1)?) });
        }
        step.last = Some(position);
    }
    Ok(step)
}

/// Deletes deliveries, but for those that are replayed meanwhile. Their subscriptions get back what the newest
/// counted, or are deleted as well if they have ended and have no others.
fn forget(connection: &Connection, old: &[Old]) -> rusqlite::Result<usize> {
    let mut swept = 0;
    for Old { position, subscription } in old {
        connection
            .prepare_cached(
                "UPDATE subscription SET last_sequence = d.sequence, events_made = d.events_made
                 FROM delivery d
                 WHERE subscription.id = ?2 AND d.position = ?1 AND d.sequence > subscription.last_sequence
                   AND NOT EXISTS (SELECT 1 FROM delivery WHERE subscription = ?2 AND sequence > d.sequence)",
            )?
            .execute(params![position, subscription.as_bytes()])?;
        swept += connection
            .prepare_cached("DELETE FROM delivery WHERE position = ?1 AND state <> 'pending'")?
            .execute([position])?;
        connection
            .prepare_cached(
                "DELETE FROM subscription WHERE id = ?1 AND status NOT IN ('active', 'inactive')
                   AND NOT EXISTS (SELECT 1 FROM delivery WHERE subscription = ?1)",
            )?
            .execute([subscription.as_bytes()])?;
    }
    Ok(swept)
}

/// Lets some dead letters be sent again. Returns how many; they may be all if they are fewer than a step.
fn replay(writer: &Writer, which: Replayed, now: Timestamp) -> rusqlite::Result<usize> {
    let (subscription, sequence, since) = match which {
        Replayed::One(subscription, sequence) => (Some(subscription), Some(sequence.cast_signed()), None),
        Replayed::Since(subscription, since) => (subscription, None, Some(since.unix_nanoseconds())),
    };
    let sinks: Vec<Sink> = writer
        .prepare_cached(
            "UPDATE delivery SET state = 'pending', is_replay = 1, attempts = 0, due_at = ?4
             WHERE position IN (
                 SELECT position FROM delivery
                 WHERE state = 'dead' AND (?1 IS NULL OR subscription = ?1) AND (?2 IS NULL OR sequence = ?2)
                   AND (?3 IS NULL OR made_at >= ?3)
                 ORDER BY made_at LIMIT ?5)
             RETURNING sink",
        )?
        .query_map(
            params![
                subscription.map(|id| *id.as_bytes()),
                sequence,
                since,
                now.unix_nanoseconds(),
                i64::try_from(STEP).unwrap_or(i64::MAX)
            ],
            |row| sink(row, 0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    let replayed = sinks.len();
    for sink in sinks {
        writer.wake_sink(sink);
    }
    Ok(replayed)
}

/// The name of a notice, what it tells beside that, and its description.
fn written(notice: &Notice) -> (&'static str, Option<String>, Option<&str>) {
    match notice {
        Notice::Event(fact) => {
            let detail = match fact {
                Fact::RoamingStatus { visited } => visited.map(|country| country.mcc().to_string()),
                Fact::RoamingChangeCountry { visited } => Some(visited.mcc().to_string()),
                Fact::NetworkTypeChanged { technology } => technology.map(|technology| technology.to_string()),
                Fact::RoamingOn
                | Fact::RoamingOff
                | Fact::ReachabilityData
                | Fact::ReachabilitySms
                | Fact::ReachabilityDisconnected => None,
            };
            (fact.event_type().as_str(), detail, None)
        }
        Notice::Started => (STARTED, None, None),
        Notice::Updated { is_active } => (UPDATED, is_active.then(|| "active".to_owned()), None),
        Notice::Ended { reason, description } => (ENDED, Some(reason.as_str().to_owned()), description.as_deref()),
    }
}

fn notice(name: &str, detail: Option<&str>, description: Option<String>) -> Option<Notice> {
    let country = |detail: &str| detail.parse().ok().and_then(Mcc::from_number).map(Country::of);
    Some(match (name, detail) {
        (STARTED, _) => Notice::Started,
        (UPDATED, detail) => Notice::Updated { is_active: detail.is_some() },
        (ENDED, detail) => Notice::Ended { reason: EndReason::named(detail?)?, description },
        (name, detail) => Notice::Event(match EventType::named(name)? {
            EventType::RoamingStatus => {
                Fact::RoamingStatus { visited: detail.map(|detail| country(detail).ok_or(())).transpose().ok()? }
            }
            EventType::RoamingOn => Fact::RoamingOn,
            EventType::RoamingOff => Fact::RoamingOff,
            EventType::RoamingChangeCountry => Fact::RoamingChangeCountry { visited: country(detail?)? },
            EventType::ReachabilityData => Fact::ReachabilityData,
            EventType::ReachabilitySms => Fact::ReachabilitySms,
            EventType::ReachabilityDisconnected => Fact::ReachabilityDisconnected,
            EventType::NetworkTypeChanged => {
                Fact::NetworkTypeChanged { technology: detail.map(str::parse::<Technology>).transpose().ok()? }
            }
        }),
    })
}

fn sink(row: &Row<'_>, column: usize) -> rusqlite::Result<Sink> {
    Sink::new(row.get_ref(column)?.as_str()?).map_err(damaged(column, Type::Text))
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let name = row.get_ref(2)?.as_str()?;
    let detail = row.get_ref(3)?.as_str_or_null()?;
    Ok(Delivery {
        subscription: SubscriptionId::from_bytes(row.get(0)?),
        sequence: row.get::<_, i64>(1)?.cast_unsigned(),
        notice: notice(name, detail, row.get(4)?).ok_or_else(|| unknown(2, "notice"))?,
        at: Timestamp::from_unix_nanoseconds(row.get(5)?),
        made_at: Timestamp::from_unix_nanoseconds(row.get(6)?),
        attempts: row.get(7)?,
        state: DeliveryState::named(row.get_ref(8)?.as_str()?).ok_or_else(|| unknown(8, "delivery state"))?,
        last_outcome: row.get(9)?,
        due_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_unix_nanoseconds),
        is_replay: row.get(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_as_it_was_written() {
        let germany = Country::of(Mcc::from_number(262).unwrap());
        let notices = [
            Notice::Started,
            Notice::Updated { is_active: true },
            Notice::Updated { is_active: false },
            Notice::Ended { reason: EndReason::NetworkTerminated, description: Some("consent withdrawn".into()) },
            Notice::Ended { reason: EndReason::Expired, description: None },
            Notice::Event(Fact::RoamingStatus { visited: Some(germany) }),
            Notice::Event(Fact::RoamingStatus { visited: None }),
            Notice::Event(Fact::RoamingOn),
            Notice::Event(Fact::RoamingOff),
            Notice::Event(Fact::RoamingChangeCountry { visited: germany }),
            Notice::Event(Fact::ReachabilityData),
            Notice::Event(Fact::ReachabilitySms),
            Notice::Event(Fact::ReachabilityDisconnected),
            Notice::Event(Fact::NetworkTypeChanged { technology: Some(Technology::Fifth) }),
            Notice::Event(Fact::NetworkTypeChanged { technology: None }),
        ];
        for told in notices {
            let (name, detail, description) = written(&told);
            assert_eq!(notice(name, detail.as_deref(), description.map(str::to_owned)), Some(told));
        }
        assert_eq!(notice("roaming-change-country", None, None), None);
        assert_eq!(notice("network-type-changed", Some("6G"), None), None);
        assert_eq!(notice("unheard-of", None, None), None);
    }
}
