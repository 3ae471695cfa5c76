//! Consents: what subjects have said.

use async_trait::async_trait;
use attache_core::{ClientId, Consent, ConsentState, Consents, LineId, Purpose, Scope, StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};

use super::{SqliteStore, client::text, damaged, failed, subscription};

#[async_trait]
impl Consents for SqliteStore {
    fn load(&self, each: &mut dyn FnMut(Consent)) -> Result<(), StoreError> {
        let action = "read the consents";
        read(&self.reader(action)?, each).map_err(failed(action))
    }

    async fn put(&self, consents: Vec<Consent>) -> Result<(), StoreError> {
        self.write(move |writer| {
            insert(writer, &consents)
                .and_then(|()| subscription::end_without_consent(writer, &consents))
                .map_err(failed("put consents"))
        })
        .await
    }
}

/// Whether a subject's last word about this is yes, if there was one.
pub(super) fn last_word(
    connection: &Connection,
    line: LineId,
    client: ClientId,
    purpose: &Purpose,
    scope: &Scope,
) -> rusqlite::Result<Option<bool>> {
    let about = params![line.as_bytes(), client.as_bytes(), purpose.as_str(), scope.as_str()];
    connection
        .prepare_cached(
            "SELECT ended_at IS NULL FROM consent WHERE line = ?1 AND client = ?2 AND purpose = ?3 AND scope = ?4",
        )?
        .query_one(about, |row| row.get(0))
        .optional()
}

fn insert(connection: &Connection, consents: &[Consent]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO consent (line, client, purpose, scope, basis, granted_at, ended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET
            basis = excluded.basis, granted_at = excluded.granted_at, ended_at = excluded.ended_at",
    )?;
    for consent in consents {
        let (granted_at, ended_at) = match consent.state {
            ConsentState::Granted { at } => (Some(at), None),
            ConsentState::Denied { at } => (None, Some(at)),
            ConsentState::Withdrawn { granted_at, at } => (Some(granted_at), Some(at)),
        };
        statement.execute(params![
            consent.line.as_bytes(),
            consent.client.as_bytes(),
            consent.purpose.as_str(),
            consent.scope.as_str(),
            consent.basis.as_str(),
            granted_at.map(Timestamp::unix_nanoseconds),
            ended_at.map(Timestamp::unix_nanoseconds),
        ])?;
    }
    Ok(())
}

fn read(connection: &Connection, each: &mut dyn FnMut(Consent)) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT line, client, purpose, scope, basis, granted_at, ended_at FROM consent")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(consent(row)?);
    }
    Ok(())
}

fn consent(row: &Row<'_>) -> rusqlite::Result<Consent> {
    let time = |column| row.get::<_, Option<_>>(column).map(|time| time.map(Timestamp::from_unix_nanoseconds));
    let state = match (time(5)?, time(6)?) {
        (Some(at), None) => ConsentState::Granted { at },
        (None, Some(at)) => ConsentState::Denied { at },
        (Some(granted_at), Some(at)) => ConsentState::Withdrawn { granted_at, at },
        (None, None) => return Err(damaged(5, Type::Null)("a consent without a word")),
    };
    Ok(Consent {
        line: LineId::from_bytes(row.get(0)?),
        client: ClientId::from_bytes(row.get(1)?),
        purpose: text(row, 2)?,
        scope: text(row, 3)?,
        basis: text(row, 4)?,
        state,
    })
}
