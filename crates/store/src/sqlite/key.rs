//! Signing keys, which the caller has encrypted: the store never sees one in the clear.

use attache_core::{StoreError, Timestamp};
use rusqlite::params;

use super::{SqliteStore, failed};

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKey {
    /// By what tokens name it (`kid`); not secret.
    pub id: String,
    /// The key, encrypted by the caller.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl SqliteStore {
    /// All signing keys, oldest first.
    pub fn signing_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let action = "read the signing keys";
        let read = |connection: &rusqlite::Connection| -> rusqlite::Result<_> {
            connection
                .prepare("SELECT id, sealed, created_at FROM signing_key ORDER BY created_at, id")?
                .query_map([], |row| {
                    let created_at = Timestamp::from_unix_nanoseconds(row.get(2)?);
                    Ok(StoredKey { id: row.get(0)?, sealed: row.get(1)?, created_at })
                })?
                .collect()
        };
        read(&self.reader(action)?).map_err(failed(action))
    }

    /// Adds a signing key.
    pub async fn add_signing_key(&self, key: StoredKey) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("INSERT INTO signing_key (id, sealed, created_at) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| {
                    statement.execute(params![key.id, key.sealed, key.created_at.unix_nanoseconds()])
                })
                .map_err(failed("add a signing key"))?;
            Ok(())
        })
        .await
    }
}
