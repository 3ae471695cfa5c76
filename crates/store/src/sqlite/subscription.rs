//! Subscriptions, and what is made for them to be told.
//!
//! Whatever changes a line or a subscription makes the deliveries that it causes in its own job, so both
//! are committed or neither is. All jobs run in the one thread that writes, so no two of them can count the
//! same event of a subscription.

use async_trait::async_trait;
use attache_core::{
    ClientId, Consent, DeviceIdentifier, EndReason, EventType, IdempotencyKey, Ipv4Identifier, Kept, Line, LineId,
    Notice, Sink, SinkCredential, Status, StoreError, Subscription, SubscriptionFilter, SubscriptionId,
    SubscriptionStatus, Subscriptions, Timestamp, events, initial_event,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params, types::Type};

use super::{
    SqliteStore, Writer,
    client::text,
    consent, damaged,
    delivery::{self, GivenUp, Told, give_up, go_on, make, select_told},
    failed, line,
    watched::WatchedLine,
};

/// The columns of a subscription, in the order in which [`subscription`] reads them.
macro_rules! columns {
    () => {
        "s.id, s.publisher, s.api, s.contract, s.client, s.purpose, s.scope, s.line, s.device, s.event_type,
         s.sink, s.credential, s.credential_expires_at, s.initial_event, s.max_events, s.expires_at, s.starts_at,
         s.status, max(s.events_made, ifnull(newest.events_made, 0)), s.requested_end, s.ended_at"
    };
}
/// Where they are read from: the newest delivery counts.
macro_rules! counted {
    () => {
        "subscription s LEFT JOIN delivery newest ON newest.position = (
             SELECT position FROM delivery WHERE subscription = s.id ORDER BY sequence DESC LIMIT 1)"
    };
}
pub(super) use {columns, counted};
/// How many columns these are.
pub(super) const WIDTH: usize = 21;

#[async_trait]
impl Subscriptions for SqliteStore {
    async fn begin(
        &self,
        new: Subscription,
        observed: Option<Status>,
        key: Option<IdempotencyKey>,
    ) -> Result<Kept, StoreError> {
        self.write(move |writer| add(writer, new, observed, key.as_ref()).map_err(failed("add a subscription"))).await
    }

    fn kept(&self, client: ClientId, key: &IdempotencyKey) -> Result<Option<Kept>, StoreError> {
        self.read_now(|connection| known(connection, client, key)).map_err(failed("read a subscription"))
    }

    fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        self.read_now(|connection| find(connection, id)).map_err(failed("read a subscription"))
    }

    fn subscriptions(&self, filter: &SubscriptionFilter, limit: u32) -> Result<Vec<Subscription>, StoreError> {
        self.read_now(|connection| list(connection, filter, limit)).map_err(failed("read subscriptions"))
    }

    async fn end(
        &self,
        id: SubscriptionId,
        reason: EndReason,
        description: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError> {
        self.write(move |writer| {
            end(writer, id, reason, description, now, now)
                .and_then(|()| find(writer, id))
                .map_err(failed("end a subscription"))
        })
        .await
    }

    async fn set_active(
        &self,
        id: SubscriptionId,
        is_active: bool,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError> {
        self.write(move |writer| {
            set_active(writer, id, is_active, now)
                .and_then(|()| find(writer, id))
                .map_err(failed("change a subscription"))
        })
        .await
    }

    async fn end_due(&self, now: Timestamp, credentials_until: Timestamp) -> Result<usize, StoreError> {
        let mut ended = 0;
        loop {
            let step = self
                .write(move |writer| end_due(writer, now, credentials_until).map_err(failed("end subscriptions")))
                .await?;
            if step == 0 {
                return Ok(ended);
            }
            ended += step;
        }
    }
}

fn add(
    writer: &Writer,
    new: Subscription,
    observed: Option<Status>,
    key: Option<&IdempotencyKey>,
) -> rusqlite::Result<Kept> {
    if let Some(key) = key
        && let Some(known) = known(writer, new.client, key)?
    {
        return Ok(known);
    }
    let Some(line) = line::find(writer, new.line)? else { return Ok(Kept::LineGone) };
    if let Some(hindrance) = hindrance(writer, &new)? {
        return Ok(hindrance);
    }
    insert(writer, &new, key)?;
    make(writer, new.id, &Notice::Started, new.starts_at, new.starts_at)?;
    // What is stored is newer than what was observed, so that no change is missed. But of what the network would not
    // tell nothing is told.
    let line = Line { status: line.status.filter(|_| observed.is_some()), ..line };
    if new.initial_event == Some(true)
        && let Some(event) = initial_event(&line, new.event_type, new.starts_at)
    {
        make(writer, new.id, &Notice::Event(event.fact), event.at, new.starts_at)?;
    }
    let kept = find(writer, new.id)?;
    Ok(Kept::New(kept.unwrap_or(new)))
}

/// What came of a request that was sent before under this key.
fn known(connection: &Connection, client: ClientId, key: &IdempotencyKey) -> rusqlite::Result<Option<Kept>> {
    let known: Option<([u8; 16], [u8; 32])> = connection
        .prepare_cached("SELECT id, request FROM subscription WHERE client = ?1 AND idempotency_key = ?2")?
        .query_one(params![client.as_bytes(), key.key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, request)) = known else { return Ok(None) };
    let known = find(connection, SubscriptionId::from_bytes(id))?.filter(|_| request == key.request);
    Ok(Some(known.map_or(Kept::OtherRequest, Kept::Again)))
}

/// What stands in the way of a new subscription: that its client is gone; that the subject's word is, where a token for
/// the line stood for it; or that this word is no, where nobody asked.
fn hindrance(connection: &Connection, new: &Subscription) -> rusqlite::Result<Option<Kept>> {
    let is_permitted = consent::last_word(connection, new.line, new.client, &new.purpose, &new.scope)?;
    if new.device.is_none() {
        return Ok((is_permitted != Some(true)).then_some(Kept::RightGone));
    }
    let mut client = connection.prepare_cached("SELECT 1 FROM client WHERE id = ?1")?;
    if !client.exists([new.client.as_bytes()])? {
        return Ok(Some(Kept::RightGone));
    }
    Ok((is_permitted == Some(false)).then_some(Kept::Refused))
}

fn insert(writer: &Writer, new: &Subscription, key: Option<&IdempotencyKey>) -> rusqlite::Result<usize> {
    writer.watched.borrow_mut().take(new.line);
    let credential = new.credential.as_ref();
    writer
        .prepare_cached(
            "INSERT INTO subscription (id, publisher, api, contract, client, purpose, scope, line, device, event_type,
                                       sink, credential, credential_expires_at, initial_event, max_events, expires_at,
                                       starts_at, status, idempotency_key, request, requested_end)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
        )?
        .execute(params![
            new.id.as_bytes(),
            new.publisher.as_str(),
            new.api,
            new.contract,
            new.client.as_bytes(),
            new.purpose.as_str(),
            new.scope.as_str(),
            new.line.as_bytes(),
            new.device.as_ref().map(written_device),
            new.event_type.as_str(),
            new.sink.as_str(),
            credential.map(|credential| &credential.sealed),
            credential.and_then(|credential| credential.expires_at).map(Timestamp::unix_nanoseconds),
            new.initial_event,
            new.max_events,
            new.expires_at.map(Timestamp::unix_nanoseconds),
            new.starts_at.unix_nanoseconds(),
            written_status(new.status),
            key.map(|key| &key.key),
            key.map(|key| &key.request),
            new.requested_end.map(Timestamp::unix_nanoseconds),
        ])
}

pub(super) fn find(connection: &Connection, id: SubscriptionId) -> rusqlite::Result<Option<Subscription>> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM ", counted!(), " WHERE s.id = ?1"))?
        .query_one([id.as_bytes()], |row| subscription(row, 0))
        .optional()
}

fn list(connection: &Connection, filter: &SubscriptionFilter, limit: u32) -> rusqlite::Result<Vec<Subscription>> {
    let (api, contract) = filter.contract.clone().unzip();
    // By the index that leads to the fewest: a client may have a million.
    let whose = match (filter.line, filter.client) {
        (Some(_), _) => "s.line = ?2 AND (?1 IS NULL OR s.client = ?1)",
        (None, Some(_)) => "s.client = ?1 AND ?2 IS NULL",
        (None, None) => "?1 IS NULL AND ?2 IS NULL",
    };
    connection
        .prepare_cached(&format!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM ",
                counted!(),
                "
                 WHERE {} AND s.id > ifnull(?5, x'') AND (?3 IS NULL OR s.api = ?3)
                   AND (?4 IS NULL OR s.contract = ?4) AND (NOT ?6 OR s.status <> ?7)
                 ORDER BY s.id LIMIT ?8"
            ),
            whose
        ))?
        .query_map(
            params![
                filter.client.map(|client| *client.as_bytes()),
                filter.line.map(|line| *line.as_bytes()),
                api,
                contract,
                filter.after.map(|after| *after.as_bytes()),
                filter.without_deleted,
                EndReason::Deleted.as_str(),
                limit,
            ],
            |row| subscription(row, 0),
        )?
        .collect()
}

fn is_alive(connection: &Connection, id: SubscriptionId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM subscription WHERE id = ?1 AND status IN ('active', 'inactive')")?
        .exists([id.as_bytes()])
}

/// Ends a subscription, which happened at a time. One that has ended can only be deleted, which is told nobody.
pub(super) fn end(
    writer: &Writer,
    id: SubscriptionId,
    reason: EndReason,
    description: Option<String>,
    at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if reason == EndReason::Deleted {
        free_key(writer, id)?;
    }
    if !is_alive(writer, id)? {
        // Its client does not want to see it any more.
        return if reason == EndReason::Deleted {
            set_status(writer, id, SubscriptionStatus::Ended(reason))
        } else {
            Ok(())
        };
    }
    set_status(writer, id, SubscriptionStatus::Ended(reason))?;
    set_ended_at(writer, id, at)?;
    match reason {
        EndReason::SinkGone => give_up(writer, id, GivenUp::Waiting)?,
        EndReason::NetworkTerminated => give_up(writer, id, GivenUp::AboutTheLine)?,
        EndReason::MaxEventsReached | EndReason::Expired | EndReason::Deleted | EndReason::CredentialExpired => {}
    }
    match Subscription::end_notice(reason, description) {
        Some(notice) => make(writer, id, &notice, at, now),
        None => Ok(()),
    }
}

/// Ends the subscriptions that rest on those of these consents that are not in force.
pub(super) fn end_without_consent(writer: &Writer, consents: &[Consent]) -> rusqlite::Result<()> {
    for consent in consents.iter().filter(|consent| !consent.is_in_force()) {
        let resting = identifiers(
            writer,
            "SELECT id FROM subscription INDEXED BY subscription_by_line
             WHERE line = ?1 AND client = ?2 AND purpose = ?3 AND scope = ?4",
            params![
                consent.line.as_bytes(),
                consent.client.as_bytes(),
                consent.purpose.as_str(),
                consent.scope.as_str()
            ],
        )?;
        for id in resting {
            silence(writer, id, "the subscriber does not consent any more", consent.state.at())?;
        }
    }
    Ok(())
}

/// Ends the subscriptions of a client. Returns how many.
pub(super) fn end_of_client(writer: &Writer, client: ClientId, now: Timestamp) -> rusqlite::Result<usize> {
    let made = identifiers(writer, "SELECT id FROM subscription WHERE client = ?1", params![client.as_bytes()])?;
    let mut ended = 0;
    for id in made {
        ended += usize::from(is_alive(writer, id)?);
        silence(writer, id, "the client has been removed", now)?;
    }
    Ok(ended)
}

/// Ends a subscription, if it has not ended, and tells nothing about its line any more in either case.
fn silence(writer: &Writer, id: SubscriptionId, why: &str, now: Timestamp) -> rusqlite::Result<()> {
    end(writer, id, EndReason::NetworkTerminated, Some(why.to_owned()), now, now)?;
    give_up(writer, id, GivenUp::AboutTheLine)
}

fn set_active(writer: &Writer, id: SubscriptionId, is_active: bool, now: Timestamp) -> rusqlite::Result<()> {
    let status = if is_active { SubscriptionStatus::Active } else { SubscriptionStatus::Inactive };
    let Some(subscription) = find(writer, id)? else { return Ok(()) };
    if subscription.status.has_ended() || subscription.status == status {
        return Ok(());
    }
    // It is none of its line's that are known, or will not be any more.
    writer.watched.borrow_mut().take(subscription.line);
    set_status(writer, id, status)?;
    make(writer, id, &Notice::Updated { is_active }, now, now)
}

fn set_status(writer: &Writer, id: SubscriptionId, status: SubscriptionStatus) -> rusqlite::Result<()> {
    writer.watched.borrow_mut().forget(id);
    writer
        .prepare_cached("UPDATE subscription SET status = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), written_status(status)])
        .map(drop)
}

fn set_ended_at(connection: &Connection, id: SubscriptionId, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE subscription SET ended_at = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), at.unix_nanoseconds()])
        .map(drop)
}

/// Lets a request be new that has the key of the one which made this subscription.
fn free_key(connection: &Connection, id: SubscriptionId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE subscription SET idempotency_key = NULL, request = NULL WHERE id = ?1")?
        .execute([id.as_bytes()])
        .map(drop)
}

/// How many subscriptions one step ends for each reason, at most: whoever else writes waits no longer for it.
const STEP: i64 = 1000;

/// Ends some of those whose time is over. Returns how many; they may be all if they are fewer than a step. The indexes
/// are named, or all that live would be looked at, every second.
fn end_due(writer: &Writer, now: Timestamp, credentials_until: Timestamp) -> rusqlite::Result<usize> {
    let expired: Vec<(SubscriptionId, Timestamp)> = writer
        .prepare_cached(
            "SELECT id, expires_at FROM subscription INDEXED BY subscription_by_end
             WHERE status IN ('active', 'inactive') AND expires_at IS NOT NULL AND expires_at <= ?1 LIMIT ?2",
        )?
        .query_map(params![now.unix_nanoseconds(), STEP], |row| {
            Ok((SubscriptionId::from_bytes(row.get(0)?), Timestamp::from_unix_nanoseconds(row.get(1)?)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (id, expired_at) in &expired {
        end(writer, *id, EndReason::Expired, None, *expired_at, now)?;
    }
    let without_credential = identifiers(
        writer,
        "SELECT id FROM subscription INDEXED BY subscription_by_credential_end
         WHERE status IN ('active', 'inactive') AND credential_expires_at IS NOT NULL AND credential_expires_at <= ?1
         LIMIT ?2",
        params![credentials_until.unix_nanoseconds(), STEP],
    )?;
    for id in &without_credential {
        end(writer, *id, EndReason::CredentialExpired, None, now, now)?;
    }
    Ok(expired.len() + without_credential.len())
}

/// The identifiers that a query finds.
fn identifiers(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<Vec<SubscriptionId>> {
    connection.prepare_cached(sql)?.query_map(values, |row| Ok(SubscriptionId::from_bytes(row.get(0)?)))?.collect()
}

/// Whether any subscription has not ended.
pub(super) fn are_any_alive(connection: &Connection) -> rusqlite::Result<bool> {
    // In the words of an index, which is all that is looked at.
    connection.prepare_cached("SELECT 1 FROM subscription WHERE status IN ('active', 'inactive') LIMIT 1")?.exists([])
}

/// Makes what subscriptions are told of a line that was changed; those that are active are `told`, if that is known.
/// Whose time is over is told nothing, even if nobody has ended it yet.
pub(super) fn tell_change(
    writer: &Writer,
    before: &Line,
    after: &Line,
    told: Option<Vec<Told>>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let events = events(before, after);
    let mut told = match told {
        Some(told) => told,
        None if events.is_empty() => return Ok(()),
        None => active_about(writer, after.id)?,
    };
    for event in events {
        let concerned = told.iter_mut().filter(|told| {
            let Subscription { event_type, status, expires_at, .. } = &told.subscription;
            *event_type == event.fact.event_type()
                && *status == SubscriptionStatus::Active
                && expires_at.is_none_or(|expires_at| expires_at > now)
        });
        for told in concerned {
            delivery::tell(writer, told, &Notice::Event(event.fact), event.at, now)?;
        }
    }
    told.retain(|told| told.subscription.status == SubscriptionStatus::Active);
    writer.watched.borrow_mut().keep(WatchedLine { line: after.clone(), told });
    Ok(())
}

/// The active subscriptions about a line.
fn active_about(connection: &Connection, line: LineId) -> rusqlite::Result<Vec<Told>> {
    connection
        .prepare_cached(concat!(select_told!(), " WHERE s.line = ?1 AND s.status = 'active' ORDER BY s.id"))?
        .query_map([line.as_bytes()], delivery::told)?
        .collect()
}

/// Fails where what is remembered is not what is stored.
#[cfg(test)]
pub(super) fn verify_watched(writer: &Writer) {
    for WatchedLine { line, told } in writer.watched.borrow().all() {
        assert_eq!(line::find(writer, line.id).unwrap().as_ref(), Some(line));
        let stored = active_about(writer, line.id).unwrap();
        let facts = |told: &[Told]| {
            told.iter()
                .map(|told| (told.subscription.clone(), told.last_sequence, told.has_to_wait(writer).unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(facts(told), facts(&stored));
    }
}

/// Ends the subscriptions about a line, and deletes whatever in them is about it.
pub(super) fn forget(writer: &Writer, line: LineId, now: Timestamp) -> rusqlite::Result<()> {
    writer.watched.borrow_mut().take(line);
    let about = identifiers(writer, "SELECT id FROM subscription WHERE line = ?1", params![line.as_bytes()])?;
    for id in about {
        // First, so that not even its end names the line; and whoever has read it before looks again.
        writer
            .prepare_cached(
                "UPDATE subscription SET line = zeroblob(16), device = NULL, idempotency_key = NULL, request = NULL
                 WHERE id = ?1",
            )?
            .execute([id.as_bytes()])?;
        writer.gives_up.set(true);
        let description = Some("the line has ended".to_owned());
        end(writer, id, EndReason::NetworkTerminated, description, now, now)?;
        writer
            .prepare_cached("DELETE FROM delivery WHERE subscription = ?1 AND notice NOT LIKE 'subscription-%'")?
            .execute([id.as_bytes()])?;
        go_on(writer, id, 0, None)?;
    }
    Ok(())
}

/// Reads a subscription whose columns begin at `first`.
pub(super) fn subscription(row: &Row<'_>, first: usize) -> rusqlite::Result<Subscription> {
    let column = |place: usize| first + place;
    let time = |place: usize| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column(place))?.map(Timestamp::from_unix_nanoseconds))
    };
    let credential_expires_at = time(12)?;
    Ok(Subscription {
        id: SubscriptionId::from_bytes(row.get(column(0))?),
        publisher: text(row, column(1))?,
        api: row.get(column(2))?,
        contract: row.get(column(3))?,
        client: ClientId::from_bytes(row.get(column(4))?),
        purpose: text(row, column(5))?,
        scope: text(row, column(6))?,
        line: LineId::from_bytes(row.get(column(7))?),
        device: row.get::<_, Option<String>>(column(8))?.map(|text| device(&text, column(8))).transpose()?,
        event_type: event_type(row, column(9))?,
        sink: Sink::new(row.get_ref(column(10))?.as_str()?).map_err(damaged(column(10), Type::Text))?,
        credential: row
            .get::<_, Option<_>>(column(11))?
            .map(|sealed| SinkCredential { sealed, expires_at: credential_expires_at }),
        initial_event: row.get(column(13))?,
        max_events: row.get(column(14))?,
        expires_at: time(15)?,
        starts_at: Timestamp::from_unix_nanoseconds(row.get(column(16))?),
        status: status(row.get_ref(column(17))?.as_str()?, column(17))?,
        events_made: row.get(column(18))?,
        requested_end: time(19)?,
        ended_at: time(20)?,
    })
}

fn event_type(row: &Row<'_>, column: usize) -> rusqlite::Result<EventType> {
    EventType::named(row.get_ref(column)?.as_str()?).ok_or_else(|| unknown(column, "event type"))
}

const fn written_status(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Active => "active",
        SubscriptionStatus::Inactive => "inactive",
        SubscriptionStatus::Ended(reason) => reason.as_str(),
    }
}

fn status(text: &str, column: usize) -> rusqlite::Result<SubscriptionStatus> {
    match text {
        "active" => Ok(SubscriptionStatus::Active),
        "inactive" => Ok(SubscriptionStatus::Inactive),
        reason => EndReason::named(reason)
            .map(SubscriptionStatus::Ended)
            .ok_or_else(|| unknown(column, "subscription status")),
    }
}

/// What names a line, in one text.
fn written_device(device: &DeviceIdentifier) -> String {
    match device {
        DeviceIdentifier::PhoneNumber(number) => format!("number {number}"),
        DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port, private_address }) => {
            let port = public_port.map_or_else(|| "-".to_owned(), |port| port.to_string());
            let private = private_address.map_or_else(|| "-".to_owned(), |address| address.to_string());
            format!("ipv4 {public_address} {port} {private}")
        }
        DeviceIdentifier::Ipv6(address) => format!("ipv6 {address}"),
        DeviceIdentifier::NetworkAccessIdentifier(identifier) => format!("name {identifier}"),
    }
}

fn device(text: &str, column: usize) -> rusqlite::Result<DeviceIdentifier> {
    read_device(text).ok_or_else(|| unknown(column, "device"))
}

fn read_device(text: &str) -> Option<DeviceIdentifier> {
    let (kind, value) = text.split_once(' ')?;
    Some(match kind {
        "number" => DeviceIdentifier::PhoneNumber(value.parse().ok()?),
        "ipv4" => {
            let mut parts = value.split(' ');
            let public_address = parts.next()?.parse().ok()?;
            let (port, private) = (parts.next()?, parts.next()?);
            DeviceIdentifier::Ipv4(Ipv4Identifier {
                public_address,
                public_port: if port == "-" { None } else { Some(port.parse().ok()?) },
                private_address: if private == "-" { None } else { Some(private.parse().ok()?) },
            })
        }
        "ipv6" => DeviceIdentifier::Ipv6(value.parse().ok()?),
        "name" => DeviceIdentifier::NetworkAccessIdentifier(value.to_owned()),
        _ => return None,
    })
}

/// A column holds a word that this release does not know.
pub(super) fn unknown(column: usize, what: &str) -> rusqlite::Error {
    damaged(column, Type::Text)(format!("an unknown {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_line_is_read_as_it_was_written() {
        let ipv4 = |public_port, private_address| {
            DeviceIdentifier::Ipv4(Ipv4Identifier {
                public_address: [84, 125, 93, 10].into(),
                public_port,
                private_address,
            })
        };
        for device in [
            DeviceIdentifier::PhoneNumber("+33699901032".parse().unwrap()),
            ipv4(Some(59_765), None),
            ipv4(None, Some([10, 0, 0, 1].into())),
            DeviceIdentifier::Ipv6("2001:db8::1".parse().unwrap()),
            DeviceIdentifier::NetworkAccessIdentifier("a b@c".into()),
        ] {
            assert_eq!(read_device(&written_device(&device)), Some(device));
        }
        for text in ["", "number", "number x", "ipv4 1.2.3.4", "ipv6 1.2.3.4", "imei 1"] {
            assert_eq!(read_device(text), None, "{text}");
        }
    }
}
