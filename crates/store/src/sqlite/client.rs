//! Clients: the applications that hold credentials.

use std::str::FromStr;

use async_trait::async_trait;
use attache_core::{Client, ClientId, Clients, Plan, PublicKey, Quota, Rate, SecretHash, StoreError, Timestamp};
use rusqlite::{Connection, ErrorCode, Row, params, types::Type};

use super::{SqliteStore, damaged, failed};

#[async_trait]
impl Clients for SqliteStore {
    fn load(&self) -> Result<Vec<Client>, StoreError> {
        let action = "read the clients";
        read(&self.reader(action)?).map_err(failed(action))
    }

    async fn add(&self, client: Client) -> Result<(), StoreError> {
        self.write(move |connection| insert(connection, &client)).await
    }

    async fn remove(&self, id: ClientId) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM client WHERE id = ?1")
                .and_then(|mut statement| statement.execute([id.as_bytes()]))
                .map_err(failed("remove a client"))?;
            Ok(())
        })
        .await
    }
}

pub(super) fn insert(connection: &Connection, client: &Client) -> Result<(), StoreError> {
    let keys = client.keys.iter().map(|key| key.0.as_str());
    let inserted = connection
        .prepare_cached(
            "INSERT INTO client (id, publisher, client_id, secret, keys, redirect_uris, origins, scopes, purposes,
                                 registered_at, rate, burst, quota)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                client.id.as_bytes(),
                client.publisher.as_str(),
                client.client_id,
                client.secret.as_ref().map(|secret| &secret.0),
                to_list(keys),
                to_list(client.redirect_uris.iter().map(String::as_str)),
                to_list(client.origins.iter().map(String::as_str)),
                to_list(client.scopes.iter().map(attache_core::Scope::as_str)),
                to_list(client.purposes.iter().map(attache_core::Purpose::as_str)),
                client.registered_at.unix_nanoseconds(),
                client.plan.rate.map(|rate| rate.pace().to_string()),
                client.plan.rate.map(|rate| rate.burst().get()),
                client.plan.quota.map(|quota| quota.requests().get()),
            ])
        });
    match inserted {
        Ok(_) => Ok(()),
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(StoreError::Exists),
        Err(cause) => Err(failed("add a client")(cause)),
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<Client>> {
    connection
        .prepare(
            "SELECT id, publisher, client_id, secret, keys, redirect_uris, origins, scopes, purposes, registered_at,
                    rate, burst, quota
             FROM client ORDER BY id",
        )?
        .query_map([], client)?
        .collect()
}

fn client(row: &Row<'_>) -> rusqlite::Result<Client> {
    Ok(Client {
        id: ClientId::from_bytes(row.get(0)?),
        publisher: text(row, 1)?,
        client_id: row.get(2)?,
        secret: row.get::<_, Option<_>>(3)?.map(SecretHash),
        keys: list::<String>(row, 4)?.into_iter().map(PublicKey).collect(),
        redirect_uris: list(row, 5)?,
        origins: list(row, 6)?,
        scopes: list(row, 7)?,
        purposes: list(row, 8)?,
        registered_at: Timestamp::from_unix_nanoseconds(row.get(9)?),
        plan: plan(row)?,
    })
}

fn plan(row: &Row<'_>) -> rusqlite::Result<Plan> {
    let rate = match row.get::<_, Option<String>>(10)? {
        None => None,
        Some(pace) => {
            let pace = pace.parse().map_err(damaged(10, Type::Text))?;
            Some(Rate::new(pace, row.get(11)?).map_err(damaged(11, Type::Integer))?)
        }
    };
    Ok(Plan { rate, quota: row.get::<_, Option<_>>(12)?.map(Quota::new) })
}

/// A list of texts as it is stored: a JSON array.
pub(super) fn to_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<serde_json::Value>().to_string()
}

/// A list of texts as it was stored.
pub(super) fn list<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Vec<T>> {
    let texts: Vec<String> =
        serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(damaged(column, Type::Text))?;
    texts.iter().map(|text| text.parse().map_err(damaged(column, Type::Text))).collect()
}

/// A text that was checked when it was stored, and is again.
pub(super) fn text<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    row.get_ref(column)?.as_str()?.parse().map_err(damaged(column, Type::Text))
}
