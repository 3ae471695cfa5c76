//! Signing keys, which the caller has encrypted: the store never sees one in the clear.

use std::time::Duration;

use async_trait::async_trait;
use attache_core::{SealedKey, SealedKeys, StoreError, Timestamp};
use rusqlite::{Connection, params};

use super::{SqliteStore, failed};

#[async_trait]
impl SealedKeys for SqliteStore {
    fn load(&self) -> Result<Vec<SealedKey>, StoreError> {
        let action = "read the signing keys";
        read(&self.reader(action)?).map_err(failed(action))
    }

    async fn change(&self, put: Vec<SealedKey>, removed: Vec<String>) -> Result<(), StoreError> {
        self.write(move |connection| change(connection, &put, &removed).map_err(failed("change the signing keys")))
            .await
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<SealedKey>> {
    connection
        .prepare(
            "SELECT id, sealed, created_at, signs_from, token_lifetime FROM signing_key ORDER BY created_at DESC, id",
        )?
        .query_map([], |row| {
            Ok(SealedKey {
                id: row.get(0)?,
                sealed: row.get(1)?,
                created_at: Timestamp::from_unix_nanoseconds(row.get(2)?),
                signs_from: Timestamp::from_unix_nanoseconds(row.get(3)?),
                token_lifetime: Duration::from_secs(u64::from(row.get::<_, u32>(4)?)),
            })
        })?
        .collect()
}

fn change(connection: &Connection, put: &[SealedKey], removed: &[String]) -> rusqlite::Result<()> {
    for key in put {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO signing_key (id, sealed, created_at, signs_from, token_lifetime)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                key.id,
                key.sealed,
                key.created_at.unix_nanoseconds(),
                key.signs_from.unix_nanoseconds(),
                whole_seconds(key.token_lifetime),
            ])?;
    }
    let mut remove = connection.prepare_cached("DELETE FROM signing_key WHERE id = ?1")?;
    removed.iter().try_for_each(|id| remove.execute([id]).map(drop))
}

/// A part of a second counts whole.
fn whole_seconds(lifetime: Duration) -> u32 {
    let seconds = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
