//! Assertions and proofs that were used.

use async_trait::async_trait;
use attache_core::{StoreError, Timestamp, UsedTokens};
use rusqlite::params;

use super::{SqliteStore, failed};

#[async_trait]
impl UsedTokens for SqliteStore {
    fn load(&self) -> Result<Vec<([u8; 32], Timestamp)>, StoreError> {
        let action = "read the used assertions";
        let connection = self.reader(action)?;
        let mut statement = connection.prepare("SELECT key, until FROM used_token").map_err(failed(action))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, Timestamp::from_unix_nanoseconds(row.get(1)?))));
        rows.and_then(Iterator::collect).map_err(failed(action))
    }

    async fn add(&self, key: [u8; 32], until: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO used_token (key, until) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET until = ?2",
                )
                .and_then(|mut statement| statement.execute(params![key, until.unix_nanoseconds()]))
                .map_err(failed("note a used assertion"))?;
            Ok(())
        })
        .await
    }

    async fn forget(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM used_token WHERE until <= ?1")
                .and_then(|mut statement| statement.execute([now.unix_nanoseconds()]))
                .map_err(failed("forget used assertions"))?;
            Ok(())
        })
        .await
    }
}
