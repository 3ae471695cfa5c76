//! Clients: the applications that hold credentials.

use std::{collections::HashMap, str::FromStr};

use async_trait::async_trait;
use attache_core::{
    AuthenticationMethod, Client, ClientId, ClientKeys, ClientSecret, Clients, GrantType, Plan, PublicKey, Purpose,
    Quota, Rate, Scope, SecretHash, StoreError, Timestamp,
};
use rusqlite::{Connection, ErrorCode, Row, named_params, params, types::Type};

use super::{SqliteStore, Writer, damaged, failed, subscription};

#[async_trait]
impl Clients for SqliteStore {
    fn load(&self) -> Result<Vec<Client>, StoreError> {
        let action = "read the clients";
        let mut connection = self.reader(action)?;
        connection.transaction().and_then(|snapshot| read(&snapshot)).map_err(failed(action))
    }

    async fn add(&self, client: Client) -> Result<(), StoreError> {
        self.write(move |connection| insert(connection, &client)).await
    }

    async fn replace(&self, client: Client) -> Result<(), StoreError> {
        self.write(move |connection| update(connection, &client)).await
    }

    async fn remove(&self, id: ClientId, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |writer| remove(writer, id, now).map_err(failed("remove a client"))).await
    }
}

pub(super) fn insert(connection: &Connection, client: &Client) -> Result<(), StoreError> {
    let inserted = write(
        connection,
        "INSERT INTO client (id, revision, publisher, client_id, name, organisation, keys, jwks_uri,
                             authentication_methods, redirect_uris, origins, grants, scopes, purposes,
                             rate, burst, quota, dpop_required, signed_requests_required, id_token_algorithm,
                             sector, registered_at)
         VALUES (:id, :revision, :publisher, :client_id, :name, :organisation, :keys, :jwks_uri,
                 :authentication_methods, :redirect_uris, :origins, :grants, :scopes, :purposes,
                 :rate, :burst, :quota, :dpop_required, :signed_requests_required, :id_token_algorithm,
                 :sector, :registered_at)",
        client,
    );
    match inserted {
        Ok(_) => insert_secrets(connection, client).map_err(failed("add a client's secret")),
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(StoreError::Exists),
        Err(cause) => Err(failed("add a client")(cause)),
    }
}

/// Replaces the record of the revision before, whose name and publisher stay as they are.
fn update(connection: &Connection, client: &Client) -> Result<(), StoreError> {
    let updated = write(
        connection,
        "UPDATE client
         SET revision = :revision, name = :name, organisation = :organisation, keys = :keys, jwks_uri = :jwks_uri,
             authentication_methods = :authentication_methods, redirect_uris = :redirect_uris, origins = :origins,
             grants = :grants, scopes = :scopes, purposes = :purposes, rate = :rate, burst = :burst, quota = :quota,
             dpop_required = :dpop_required, signed_requests_required = :signed_requests_required,
             id_token_algorithm = :id_token_algorithm, sector = :sector
         WHERE id = :id AND revision = :revision - 1
           AND publisher = :publisher AND client_id = :client_id AND registered_at = :registered_at",
        client,
    )
    .map_err(failed("change a client"))?;
    if updated == 0 {
        return Err(StoreError::Changed);
    }
    connection
        .prepare_cached("DELETE FROM client_secret WHERE client = ?1")
        .and_then(|mut statement| statement.execute([client.id.as_bytes()]))
        .and_then(|_| insert_secrets(connection, client))
        .map_err(failed("change a client's secrets"))
}

/// Returns how many subscriptions have ended with it.
fn remove(writer: &Writer, id: ClientId, now: Timestamp) -> rusqlite::Result<usize> {
    let ended = subscription::end_of_client(writer, id, now)?;
    writer.prepare_cached("DELETE FROM client WHERE id = ?1")?.execute([id.as_bytes()])?;
    Ok(ended)
}

/// Runs a statement that takes all columns of a client, and tells how many rows it changed.
fn write(connection: &Connection, statement: &str, client: &Client) -> rusqlite::Result<usize> {
    let (keys, jwks_uri) = match &client.keys {
        ClientKeys::Registered(keys) => (keys.as_slice(), None),
        ClientKeys::Published(uri) => (&[][..], Some(uri)),
    };
    connection.prepare_cached(statement)?.execute(named_params! {
        ":id": client.id.as_bytes(),
        ":revision": i64::try_from(client.revision).unwrap_or(i64::MAX),
        ":publisher": client.publisher.as_str(),
        ":client_id": client.client_id,
        ":name": client.name,
        ":organisation": client.organisation,
        ":keys": to_list(keys.iter().map(|key| key.0.as_str())),
        ":jwks_uri": jwks_uri,
        ":authentication_methods": to_list(client.authentication_methods.iter().map(|method| method.as_str())),
        ":redirect_uris": to_list(client.redirect_uris.iter().map(String::as_str)),
        ":origins": to_list(client.origins.iter().map(String::as_str)),
        ":grants": to_list(client.grants.iter().map(|grant| grant.as_str())),
        ":scopes": to_list(client.scopes.iter().map(Scope::as_str)),
        ":purposes": to_list(client.purposes.iter().map(Purpose::as_str)),
        ":rate": client.plan.rate.map(|rate| rate.pace().to_string()),
        ":burst": client.plan.rate.map(|rate| rate.burst().get()),
        ":quota": client.plan.quota.map(|quota| quota.requests().get()),
        ":dpop_required": client.dpop_required,
        ":signed_requests_required": client.signed_requests_required,
        ":id_token_algorithm": client.id_token_algorithm.as_str(),
        ":sector": client.sector,
        ":registered_at": client.registered_at.unix_nanoseconds(),
    })
}

fn insert_secrets(connection: &Connection, client: &Client) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT INTO client_secret (client, hash, created_at, ends_at) VALUES (?1, ?2, ?3, ?4)")?;
    for secret in &client.secrets {
        statement.execute(params![
            client.id.as_bytes(),
            secret.hash.0,
            secret.created_at.unix_nanoseconds(),
            secret.ends_at.map(Timestamp::unix_nanoseconds),
        ])?;
    }
    Ok(())
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<Client>> {
    let mut secrets = read_secrets(connection)?;
    connection
        .prepare(
            "SELECT id, revision, publisher, client_id, name, organisation, keys, jwks_uri, authentication_methods,
                    redirect_uris, origins, grants, scopes, purposes, rate, burst, quota, dpop_required,
                    signed_requests_required, id_token_algorithm, sector, registered_at
             FROM client ORDER BY id",
        )?
        .query_map([], |row| {
            let client = client(row)?;
            Ok(Client { secrets: secrets.remove(&client.id).unwrap_or_default(), ..client })
        })?
        .collect()
}

/// The secrets of all clients, each one's oldest first.
fn read_secrets(connection: &Connection) -> rusqlite::Result<HashMap<ClientId, Vec<ClientSecret>>> {
    let mut secrets: HashMap<ClientId, Vec<ClientSecret>> = HashMap::new();
    let mut statement = connection
        .prepare("SELECT client, hash, created_at, ends_at FROM client_secret ORDER BY client, created_at")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        secrets.entry(ClientId::from_bytes(row.get(0)?)).or_default().push(ClientSecret {
            hash: SecretHash(row.get(1)?),
            created_at: Timestamp::from_unix_nanoseconds(row.get(2)?),
            ends_at: row.get::<_, Option<_>>(3)?.map(Timestamp::from_unix_nanoseconds),
        });
    }
    Ok(secrets)
}

fn client(row: &Row<'_>) -> rusqlite::Result<Client> {
    let keys = match row.get(7)? {
        Some(uri) => ClientKeys::Published(uri),
        None => ClientKeys::Registered(list::<String>(row, 6)?.into_iter().map(PublicKey).collect()),
    };
    Ok(Client {
        id: ClientId::from_bytes(row.get(0)?),
        revision: row.get::<_, i64>(1)?.unsigned_abs(),
        publisher: text(row, 2)?,
        client_id: row.get(3)?,
        name: row.get(4)?,
        organisation: row.get(5)?,
        secrets: Vec::new(),
        keys,
        authentication_methods: list::<AuthenticationMethod>(row, 8)?,
        redirect_uris: list(row, 9)?,
        origins: list(row, 10)?,
        grants: list::<GrantType>(row, 11)?,
        scopes: list(row, 12)?,
        purposes: list(row, 13)?,
        plan: plan(row, 14)?,
        dpop_required: row.get(17)?,
        signed_requests_required: row.get(18)?,
        id_token_algorithm: text(row, 19)?,
        sector: row.get(20)?,
        registered_at: Timestamp::from_unix_nanoseconds(row.get(21)?),
    })
}

/// A plan from three columns, of which this is the first.
fn plan(row: &Row<'_>, first: usize) -> rusqlite::Result<Plan> {
    let rate = match row.get::<_, Option<String>>(first)? {
        None => None,
        Some(pace) => {
            let pace = pace.parse().map_err(damaged(first, Type::Text))?;
            Some(Rate::new(pace, row.get(first + 1)?).map_err(damaged(first + 1, Type::Integer))?)
        }
    };
    Ok(Plan { rate, quota: row.get::<_, Option<_>>(first + 2)?.map(Quota::new) })
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
