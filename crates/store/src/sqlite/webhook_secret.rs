//! The secrets by which events are signed.

use async_trait::async_trait;
use attache_core::{ClientId, StoreError, Timestamp, WebhookSecret, WebhookSecrets};
use rusqlite::{Connection, params};

use super::{SqliteStore, failed};

#[async_trait]
impl WebhookSecrets for SqliteStore {
    fn load(&self) -> Result<Vec<(ClientId, WebhookSecret)>, StoreError> {
        let action = "read the webhook secrets";
        read(&self.reader(action)?).map_err(failed(action))
    }

    async fn replace(&self, client: ClientId, secrets: Vec<WebhookSecret>) -> Result<(), StoreError> {
        self.write(move |connection| replace(connection, client, &secrets).map_err(failed("change webhook secrets")))
            .await
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<(ClientId, WebhookSecret)>> {
    connection
        .prepare("SELECT client, created_at, ends_at, sealed FROM webhook_secret ORDER BY client, created_at")?
        .query_map([], |row| {
            let secret = WebhookSecret {
                created_at: Timestamp::from_unix_nanoseconds(row.get(1)?),
                ends_at: row.get::<_, Option<_>>(2)?.map(Timestamp::from_unix_nanoseconds),
                sealed: row.get(3)?,
            };
            Ok((ClientId::from_bytes(row.get(0)?), secret))
        })?
        .collect()
}

fn replace(connection: &Connection, client: ClientId, secrets: &[WebhookSecret]) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM webhook_secret WHERE client = ?1")?.execute([client.as_bytes()])?;
    let mut statement = connection
        .prepare_cached("INSERT INTO webhook_secret (client, created_at, ends_at, sealed) VALUES (?1, ?2, ?3, ?4)")?;
    for secret in secrets {
        statement.execute(params![
            client.as_bytes(),
            secret.created_at.unix_nanoseconds(),
            secret.ends_at.map(Timestamp::unix_nanoseconds),
            secret.sealed,
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_secrets_of_a_client_are_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attache.db");
        let secret = |seconds, ends_at: Option<i64>| WebhookSecret {
            sealed: vec![1, 2, 3],
            created_at: Timestamp::from_unix_seconds(seconds),
            ends_at: ends_at.map(Timestamp::from_unix_seconds),
        };
        let (one, other) = (ClientId::from_bytes([1; 16]), ClientId::from_bytes([2; 16]));
        {
            let store = SqliteStore::open(path.clone(), "test").unwrap();
            store.replace(one, vec![secret(1, None)]).await.unwrap();
            store.replace(one, vec![secret(2, None), secret(1, Some(3))]).await.unwrap();
            store.replace(other, vec![secret(1, None)]).await.unwrap();
            store.replace(other, vec![]).await.unwrap();
        }
        let store = SqliteStore::open(path, "test").unwrap();
        let kept = WebhookSecrets::load(&store).unwrap();
        assert_eq!(kept, [(one, secret(1, Some(3))), (one, secret(2, None))]);
        assert!(!format!("{kept:?}").contains("[1, 2, 3]"));
    }
}
