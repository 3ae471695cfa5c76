//! The outbox.

use std::sync::Arc;

use async_trait::async_trait;
use attache_core::{
    Attempt, Country, Deliveries, Delivery, DeliveryId, DeliveryState, Due, DueSink, EndReason, EventType, Fact, Found,
    Mcc, Notice, Outcome, Replayed, Sink, StoreError, Subscription, SubscriptionId, Technology, Timestamp, Wanted,
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::{
    SqliteStore, Writer, damaged, failed,
    subscription::{self, COLUMNS, unknown},
};

const STARTED: &str = "subscription-started";
const UPDATED: &str = "subscription-updated";
const ENDED: &str = "subscription-ended";

/// How many columns a delivery has, as [`delivery`] reads them.
const WIDTH: usize = 12;
const DELIVERY_COLUMNS: &str = "d.subscription, d.sequence, d.notice, d.detail, d.description, d.at, d.made_at, d.attempts, d.state, d.last_outcome, d.due_at, d.is_replay";

#[async_trait]
impl Deliveries for SqliteStore {
    async fn made(&self) -> Vec<Sink> {
        self.wakes.take().await
    }

    fn due_sinks(&self) -> Result<Vec<DueSink>, StoreError> {
        self.read_now(due_sinks).map_err(failed("read the sinks that are due"))
    }

    fn due(&self, wanted: &Wanted, now: Timestamp) -> Result<Found, StoreError> {
        self.read_now(|connection| due(connection, wanted, now)).map_err(failed("read the deliveries that are due"))
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
                .prepare_cached(&format!(
                    "SELECT {DELIVERY_COLUMNS} FROM delivery d WHERE d.subscription = ?1 ORDER BY d.sequence DESC LIMIT ?2"
                ))?
                .query_map(params![subscription.as_bytes(), limit], delivery)?
                .collect()
        })
        .map_err(failed("read deliveries"))
    }

    fn dead(&self, since: Timestamp, limit: u32) -> Result<Vec<(Delivery, Subscription)>, StoreError> {
        self.read_now(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {DELIVERY_COLUMNS}, {COLUMNS} FROM delivery d JOIN subscription s ON s.id = d.subscription
                     WHERE d.state = 'dead' AND d.made_at >= ?1 ORDER BY d.made_at DESC LIMIT ?2"
                ))?
                .query_map(params![since.unix_nanoseconds(), limit], |row| {
                    Ok((delivery(row)?, subscription::subscription(row, WIDTH)?))
                })?
                .collect()
        })
        .map_err(failed("read dead letters"))
    }

    async fn replay(&self, which: Replayed, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |writer| replay(writer, which, now).map_err(failed("replay deliveries"))).await
    }

    async fn sweep(&self, settled_before: Timestamp, dead_before: Timestamp) -> Result<usize, StoreError> {
        let (mut swept, mut after) = (0, (SubscriptionId::from_bytes([0; 16]), 0));
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
        let count = |connection: &Connection, state: &str| -> rusqlite::Result<usize> {
            let sql = format!("SELECT count(*) FROM delivery WHERE state = '{state}'");
            connection.prepare_cached(&sql)?.query_one([], |row| row.get::<_, isize>(0)).map(isize::unsigned_abs)
        };
        self.read_now(|connection| Ok((count(connection, "pending")?, count(connection, "dead")?)))
            .map_err(failed("count deliveries"))
    }

    fn oldest_pending(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read_now(|connection| {
            let mut oldest = connection.prepare_cached("SELECT min(made_at) FROM delivery WHERE state = 'pending'")?;
            oldest.query_one([], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp::from_unix_nanoseconds)))
        })
        .map_err(failed("look for the oldest delivery"))
    }
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
    let (sequence, sink, is_last) = count(writer, id, matches!(notice, Notice::Event(_)))?;
    let (name, detail, description) = written(notice);
    let is_due: bool = writer
        .prepare_cached(
            "INSERT INTO delivery (subscription, sequence, sink, notice, detail, description, at, made_at, due_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
                    CASE WHEN EXISTS (SELECT 1 FROM delivery
                                      WHERE subscription = ?1 AND state = 'pending' AND is_replay = 0)
                         THEN NULL ELSE ?8 END
             RETURNING due_at IS NOT NULL",
        )?
        .query_one(
            params![
                id.as_bytes(),
                sequence,
                sink.as_str(),
                name,
                detail,
                description,
                at.unix_nanoseconds(),
                now.unix_nanoseconds(),
            ],
            |row| row.get(0),
        )?;
    if is_due {
        writer.wake(sink);
    }
    if is_last {
        subscription::end(writer, id, EndReason::MaxEventsReached, None, now)?;
    }
    Ok(())
}

/// Counts a delivery of a subscription: its sequence, the sink, and whether it is the last event.
fn count(connection: &Connection, id: SubscriptionId, is_event: bool) -> rusqlite::Result<(i64, Sink, bool)> {
    connection
        .prepare_cached(
            "UPDATE subscription SET last_sequence = last_sequence + 1, events_made = events_made + ?2 WHERE id = ?1
             RETURNING last_sequence, sink, ?2 AND events_made >= ifnull(max_events, events_made + 1)",
        )?
        .query_one(params![id.as_bytes(), is_event], |row| Ok((row.get(0)?, sink(row, 1)?, row.get(2)?)))
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
    let which = match what {
        GivenUp::Waiting => "state = 'pending'",
        GivenUp::AboutTheLine => "state IN ('pending', 'dead') AND notice NOT LIKE 'subscription-%'",
    };
    writer
        .prepare_cached(&format!(
            "UPDATE delivery SET state = 'dropped', due_at = NULL WHERE subscription = ?1 AND {which}"
        ))?
        .execute([id.as_bytes()])?;
    go_on(writer, id, None)
}

/// Lets the next delivery of a subscription be sent, if none is on its way.
pub(super) fn go_on(writer: &Writer, id: SubscriptionId, now: Option<Timestamp>) -> rusqlite::Result<()> {
    let next = writer
        .prepare_cached(
            "UPDATE delivery SET due_at = ifnull(?2, made_at)
             WHERE subscription = ?1 AND due_at IS NULL
               AND sequence = (SELECT min(sequence) FROM delivery
                               WHERE subscription = ?1 AND state = 'pending' AND is_replay = 0)
             RETURNING sink",
        )?
        .query_one(params![id.as_bytes(), now.map(Timestamp::unix_nanoseconds)], |row| sink(row, 0))
        .optional()?;
    if let Some(sink) = next {
        writer.wake(sink);
    }
    Ok(())
}

fn record(writer: &Writer, attempt: &Attempt) -> rusqlite::Result<()> {
    let (state, due_at) = match attempt.outcome {
        Outcome::Delivered => (DeliveryState::Delivered, None),
        Outcome::Again { at } => (DeliveryState::Pending, Some(at)),
        Outcome::Dead => (DeliveryState::Dead, None),
        Outcome::Dropped | Outcome::Gone => (DeliveryState::Dropped, None),
    };
    // What was given up meanwhile stays so.
    writer
        .prepare_cached(
            "UPDATE delivery SET state = ?3, due_at = ?4, attempts = attempts + 1, last_outcome = ?5
             WHERE subscription = ?1 AND sequence = ?2 AND state = 'pending'",
        )?
        .execute(params![
            attempt.subscription.as_bytes(),
            attempt.sequence.cast_signed(),
            state.as_str(),
            due_at.map(Timestamp::unix_nanoseconds),
            attempt.description,
        ])?;
    if attempt.outcome == Outcome::Gone {
        subscription::end(writer, attempt.subscription, EndReason::SinkGone, None, attempt.at)?;
    } else if due_at.is_none() {
        go_on(writer, attempt.subscription, Some(attempt.at))?;
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

fn due(connection: &Connection, wanted: &Wanted, now: Timestamp) -> rusqlite::Result<Found> {
    let (sink, now) = (wanted.sink.as_str(), now.unix_nanoseconds());
    // The index alone tells which; the rest is read of those only that are not under way.
    let mut ids = connection.prepare_cached(
        "SELECT subscription, sequence FROM delivery
         WHERE sink = ?1 AND due_at IS NOT NULL AND due_at <= ?2 ORDER BY due_at LIMIT ?3",
    )?;
    let looked_at = i64::try_from(wanted.limit + wanted.under_way.len()).unwrap_or(i64::MAX);
    let mut rows = ids.query(params![sink, now, looked_at])?;
    let mut read = connection.prepare_cached(&format!(
        "SELECT {DELIVERY_COLUMNS}, {COLUMNS} FROM delivery d JOIN subscription s ON s.id = d.subscription
         WHERE d.subscription = ?1 AND d.sequence = ?2"
    ))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()?
        && due.len() < wanted.limit
    {
        let (subscription, sequence): ([u8; 16], i64) = (row.get(0)?, row.get(1)?);
        let id = (SubscriptionId::from_bytes(subscription), sequence.cast_unsigned());
        if !wanted.under_way.contains(&id) {
            due.push(read.query_one(params![subscription, sequence], |row| {
                Ok(Due { delivery: delivery(row)?, subscription: subscription::subscription(row, WIDTH)? })
            })?);
        }
    }
    let next_at = if due.len() < wanted.limit {
        connection
            .prepare_cached("SELECT min(due_at) FROM delivery WHERE sink = ?1 AND due_at IS NOT NULL AND due_at > ?2")?
            .query_one(params![sink, now], |row| row.get::<_, Option<i64>>(0))?
    } else {
        None
    };
    Ok(Found { due, next_at: next_at.map(Timestamp::from_unix_nanoseconds) })
}

/// What a step of a sweep has found.
struct Step {
    old: Vec<DeliveryId>,
    /// The last that was looked at; `None` when there was none.
    last: Option<DeliveryId>,
}

/// Looks at the deliveries that follow one. No index is kept for this: it would cost every event something.
fn old(connection: &Connection, after: DeliveryId, settled: Timestamp, dead: Timestamp) -> rusqlite::Result<Step> {
    let mut statement = connection.prepare_cached(
        "SELECT subscription, sequence,
                state IN ('delivered', 'dropped') AND made_at < ?3 OR state = 'dead' AND made_at < ?4
         FROM delivery WHERE (subscription, sequence) > (?1, ?2) ORDER BY subscription, sequence LIMIT 500",
    )?;
    let (settled, dead) = (settled.unix_nanoseconds(), dead.unix_nanoseconds());
    let mut rows = statement.query(params![after.0.as_bytes(), after.1.cast_signed(), settled, dead])?;
    let mut step = Step { old: Vec::new(), last: None };
    while let Some(row) = rows.next()? {
        let id = (SubscriptionId::from_bytes(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned());
        if row.get(2)? {
            step.old.push(id);
        }
        step.last = Some(id);
    }
    Ok(step)
}

/// Deletes deliveries, but for those that are replayed meanwhile, and their subscriptions if those have ended and
/// have no others.
fn forget(connection: &Connection, old: &[DeliveryId]) -> rusqlite::Result<usize> {
    let mut swept = 0;
    let mut delete = connection
        .prepare_cached("DELETE FROM delivery WHERE subscription = ?1 AND sequence = ?2 AND state <> 'pending'")?;
    for (subscription, sequence) in old {
        swept += delete.execute(params![subscription.as_bytes(), sequence.cast_signed()])?;
    }
    let mut end = connection.prepare_cached(
        "DELETE FROM subscription WHERE id = ?1 AND status NOT IN ('active', 'inactive')
           AND NOT EXISTS (SELECT 1 FROM delivery WHERE subscription = ?1)",
    )?;
    // They come in order.
    for of_one in old.chunk_by(|one, next| one.0 == next.0) {
        if let Some((subscription, _)) = of_one.first() {
            end.execute([subscription.as_bytes()])?;
        }
    }
    Ok(swept)
}

fn replay(writer: &Writer, which: Replayed, now: Timestamp) -> rusqlite::Result<usize> {
    let (subscription, sequence, since) = match which {
        Replayed::One(subscription, sequence) => (Some(subscription), Some(sequence.cast_signed()), None),
        Replayed::Since(subscription, since) => (subscription, None, Some(since.unix_nanoseconds())),
    };
    let sinks: Vec<Sink> = writer
        .prepare_cached(
            "UPDATE delivery SET state = 'pending', is_replay = 1, attempts = 0, due_at = ?4
             WHERE state = 'dead' AND (?1 IS NULL OR subscription = ?1) AND (?2 IS NULL OR sequence = ?2)
               AND (?3 IS NULL OR made_at >= ?3)
             RETURNING sink",
        )?
        .query_map(params![subscription.map(|id| *id.as_bytes()), sequence, since, now.unix_nanoseconds()], |row| {
            sink(row, 0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    let replayed = sinks.len();
    for sink in sinks {
        writer.wake(sink);
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
