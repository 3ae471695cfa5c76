//! Lines of the simulated network.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use attache_core::{
    Addresses, Line, LineId, Lines, NetworkAccessIdentifier, PhoneNumber, Plmn, Status, StoreError, SubjectKey,
    Technology, Timestamp,
};
use rusqlite::{
    Connection, OptionalExtension, Row, params,
    types::{Type, ValueRef},
};

use super::{SqliteStore, Writer, damaged, failed, subscription, watched::WatchedLine};

/// How many lines are written between two calls of `progress`.
const STEP: usize = 10_000;

/// The columns of a line, in the order in which [`line`] reads them.
macro_rules! columns {
    () => {
        "phone_number, id, home, serving, serving_confirmed_at, data, sms, reachability_confirmed_at,
         public_ipv4, first_port, last_port, private_ipv4, ipv6_prefix,
         technology, coalesce(technology_confirmed_at, serving_confirmed_at), eligible,
         network_access_identifier, subject_key"
    };
}

#[async_trait]
impl Lines for SqliteStore {
    fn count(&self) -> Result<usize, StoreError> {
        let action = "count the lines";
        let connection = self.reader(action)?;
        let count = connection.query_one("SELECT count(*) FROM line", [], |row| row.get::<_, isize>(0));
        count.map(isize::unsigned_abs).map_err(failed(action))
    }

    fn load(&self, each: &mut dyn FnMut(Line)) -> Result<(), StoreError> {
        let action = "read the lines";
        let connection = self.reader(action)?;
        read(&connection, each).map_err(failed(action))
    }

    async fn put(
        &self,
        lines: Vec<Line>,
        now: Timestamp,
        progress: Box<dyn Fn(usize) + Send + Sync>,
    ) -> Result<(), StoreError> {
        self.write(move |writer| put_and_tell(writer, &lines, now, &*progress)).await
    }

    async fn remove(&self, id: LineId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |writer| forget(writer, id, now)).await?;
        self.forget_what_was_deleted().await
    }

    async fn replace(&self, id: LineId, by: Line, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |writer| {
            forget(writer, id, now)?;
            put(writer, &[by], &|_| ())
        })
        .await?;
        self.forget_what_was_deleted().await
    }
}

/// Every table that has something about a line, or belongs to one that has: whoever asks what is stored about a
/// line is told all of them.
pub const TABLES_ABOUT_A_LINE: [&str; 7] =
    ["authorization", "consent", "delivery", "grants", "line", "refresh_token", "subscription"];

/// Whatever is stored about a line, and the column that names it: all of it is deleted with the line.
pub(super) const ABOUT_A_LINE: [(&str, &str); 4] =
    [("line", "id"), ("grants", "line"), ("authorization", "line"), ("consent", "line")];

/// Deletes a line and all that is stored about it. Of the subscriptions remains what is needed to tell that
/// they have ended, which names no line.
fn forget(writer: &Writer, id: LineId, now: Timestamp) -> Result<(), StoreError> {
    subscription::forget(writer, id, now).map_err(failed("end the subscriptions about a line"))?;
    for (table, column) in ABOUT_A_LINE {
        writer
            .prepare_cached(&format!("DELETE FROM {table} WHERE {column} = ?1"))
            .and_then(|mut statement| statement.execute([id.as_bytes()]))
            .map_err(failed("remove a line"))?;
    }
    Ok(())
}

/// Puts lines, and makes what subscriptions are to be told of that.
fn put_and_tell(writer: &Writer, lines: &[Line], now: Timestamp, progress: &dyn Fn(usize)) -> Result<(), StoreError> {
    if !subscription::are_any_alive(writer).map_err(failed("look for subscriptions"))? {
        writer.watched.borrow_mut().clear();
        return put(writer, lines, progress);
    }
    let telling = |line: &Line| -> rusqlite::Result<()> {
        let known = writer.watched.borrow_mut().take(line.id);
        let (before, told) = match known.filter(|known| known.line.phone_number == line.phone_number) {
            Some(WatchedLine { line, told }) => (Some(line), Some(told)),
            None => (of_number(writer, line.phone_number)?, None),
        };
        // Another line that had the number is gone.
        let before = before.filter(|before| {
            before.id == line.id || {
                writer.watched.borrow_mut().take(before.id);
                false
            }
        });
        let Some(before) = before else { return insert(writer, line) };
        if is_same_but_status(&before, line) {
            set_status(writer, line)?;
        } else {
            insert(writer, line)?;
        }
        subscription::tell_change(writer, &before, line, told, now)
    };
    each(lines, progress, telling).map_err(failed("put lines and tell of their changes"))
}

/// Whether nothing but the status of a line has changed: then there is less to write.
fn is_same_but_status(before: &Line, after: &Line) -> bool {
    let Line { id, phone_number, home, status: _, addresses, eligible, subject_key } = before;
    (*id, *phone_number, *home, *eligible, *subject_key)
        == (after.id, after.phone_number, after.home, after.eligible, after.subject_key)
        && *addresses == after.addresses
}

/// The line of this number.
fn of_number(connection: &Connection, number: PhoneNumber) -> rusqlite::Result<Option<Line>> {
    let sql = concat!("SELECT ", columns!(), " FROM line WHERE phone_number = ?1");
    connection.prepare_cached(sql)?.query_one([number.as_integer().cast_signed()], line).optional()
}

fn set_status(connection: &Connection, line: &Line) -> rusqlite::Result<()> {
    let status = line.status.as_ref();
    connection
        .prepare_cached(
            "UPDATE line SET serving = ?2, serving_confirmed_at = ?3, data = ?4, sms = ?5,
                             reachability_confirmed_at = ?6, technology = ?7, technology_confirmed_at = ?8
             WHERE phone_number = ?1",
        )?
        .execute(params![
            line.phone_number.as_integer().cast_signed(),
            status.map(|status| status.serving.to_string()),
            status.map(|status| status.serving_confirmed_at.unix_nanoseconds()),
            status.map(|status| status.data),
            status.map(|status| status.sms),
            status.map(|status| status.reachability_confirmed_at.unix_nanoseconds()),
            status.and_then(|status| status.technology).map(Technology::as_str),
            status.map(|status| status.technology_confirmed_at.unix_nanoseconds()),
        ])
        .map(drop)
}

/// The line of this identifier.
pub(super) fn find(connection: &Connection, id: LineId) -> rusqlite::Result<Option<Line>> {
    let sql = concat!("SELECT ", columns!(), " FROM line WHERE id = ?1");
    connection.prepare_cached(sql)?.query_one([id.as_bytes()], line).optional()
}

pub(super) fn put(connection: &Connection, lines: &[Line], progress: &dyn Fn(usize)) -> Result<(), StoreError> {
    each(lines, progress, |line| insert(connection, line)).map_err(failed("put lines"))
}

/// Does something with each line, and tells how it goes.
fn each(
    lines: &[Line],
    progress: &dyn Fn(usize),
    work: impl Fn(&Line) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    for (done, line) in (1..).zip(lines) {
        work(line)?;
        if done % STEP == 0 || done == lines.len() {
            progress(done);
        }
    }
    Ok(())
}

fn insert(connection: &Connection, line: &Line) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO line (phone_number, id, home,
                           serving, serving_confirmed_at, data, sms, reachability_confirmed_at,
                           public_ipv4, first_port, last_port, private_ipv4, ipv6_prefix,
                           technology, technology_confirmed_at, eligible, network_access_identifier, subject_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (phone_number) DO UPDATE SET
            id = excluded.id, home = excluded.home, serving = excluded.serving,
            serving_confirmed_at = excluded.serving_confirmed_at, data = excluded.data, sms = excluded.sms,
            reachability_confirmed_at = excluded.reachability_confirmed_at,
            public_ipv4 = excluded.public_ipv4, first_port = excluded.first_port, last_port = excluded.last_port,
            private_ipv4 = excluded.private_ipv4, ipv6_prefix = excluded.ipv6_prefix,
            technology = excluded.technology, technology_confirmed_at = excluded.technology_confirmed_at,
            eligible = excluded.eligible, network_access_identifier = excluded.network_access_identifier,
            subject_key = excluded.subject_key",
    )?;
    let status = line.status.as_ref();
    let addresses = line.addresses.as_deref();
    statement.execute(params![
        line.phone_number.as_integer().cast_signed(),
        line.id.as_bytes(),
        line.home.to_string(),
        status.map(|status| status.serving.to_string()),
        status.map(|status| status.serving_confirmed_at.unix_nanoseconds()),
        status.map(|status| status.data),
        status.map(|status| status.sms),
        status.map(|status| status.reachability_confirmed_at.unix_nanoseconds()),
        addresses.and_then(|addresses| addresses.public_ipv4).map(Ipv4Addr::to_bits),
        addresses.and_then(|addresses| addresses.public_ports).map(|(first, _)| first),
        addresses.and_then(|addresses| addresses.public_ports).map(|(_, last)| last),
        addresses.and_then(|addresses| addresses.private_ipv4).map(Ipv4Addr::to_bits),
        addresses.and_then(|addresses| addresses.ipv6_prefix).map(u64::cast_signed),
        status.and_then(|status| status.technology).map(Technology::as_str),
        status.map(|status| status.technology_confirmed_at.unix_nanoseconds()),
        line.eligible,
        addresses
            .and_then(|addresses| addresses.network_access_identifier.as_ref())
            .map(NetworkAccessIdentifier::as_str),
        line.subject_key.as_bytes(),
    ])?;
    Ok(())
}

fn read(connection: &Connection, each: &mut dyn FnMut(Line)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(concat!("SELECT ", columns!(), " FROM line ORDER BY phone_number"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(line(row)?);
    }
    Ok(())
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    let number: i64 = row.get(0)?;
    Ok(Line {
        phone_number: PhoneNumber::from_integer(number.cast_unsigned()).map_err(damaged(0, Type::Integer))?,
        id: LineId::from_bytes(row.get(1)?),
        home: plmn(row, 2)?,
        status: status(row)?,
        addresses: addresses(row)?,
        eligible: row.get(15)?,
        subject_key: SubjectKey::from_bytes(row.get(17)?),
    })
}

fn status(row: &Row<'_>) -> rusqlite::Result<Option<Status>> {
    if row.get_ref(3)? == ValueRef::Null {
        return Ok(None);
    }
    Ok(Some(Status {
        serving: plmn(row, 3)?,
        serving_confirmed_at: Timestamp::from_unix_nanoseconds(row.get(4)?),
        data: row.get(5)?,
        sms: row.get(6)?,
        reachability_confirmed_at: Timestamp::from_unix_nanoseconds(row.get(7)?),
        technology: technology(row, 13)?,
        technology_confirmed_at: Timestamp::from_unix_nanoseconds(row.get(14)?),
    }))
}

fn addresses(row: &Row<'_>) -> rusqlite::Result<Option<Box<Addresses>>> {
    // Most lines have none, and a million of them are read at a start: the fewest looks tell it.
    let has = |column| row.get_ref(column).map(|value| value != ValueRef::Null);
    if !has(8)? && !has(9)? && !has(11)? && !has(12)? && !has(16)? {
        return Ok(None);
    }
    Ok(Some(Box::new(Addresses {
        public_ipv4: row.get::<_, Option<_>>(8)?.map(Ipv4Addr::from_bits),
        public_ports: row.get::<_, Option<_>>(9)?.zip(row.get(10)?),
        private_ipv4: row.get::<_, Option<_>>(11)?.map(Ipv4Addr::from_bits),
        ipv6_prefix: row.get::<_, Option<_>>(12)?.map(i64::cast_unsigned),
        network_access_identifier: access_identifier(row, 16)?,
    })))
}

fn plmn(row: &Row<'_>, column: usize) -> rusqlite::Result<Plmn> {
    row.get_ref(column)?.as_str()?.parse().map_err(damaged(column, Type::Text))
}

fn access_identifier(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<NetworkAccessIdentifier>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        text => text.as_str()?.parse().map(Some).map_err(damaged(column, Type::Text)),
    }
}

fn technology(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Technology>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        text => text.as_str()?.parse().map(Some).map_err(damaged(column, Type::Text)),
    }
}
