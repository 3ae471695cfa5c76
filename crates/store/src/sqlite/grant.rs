//! Grants: what waits at the token endpoint.

use async_trait::async_trait;
use attache_core::{
    Backchannel, ClientId, CodeChallenge, Grant, GrantKey, GrantKind, Grants, LineId, Redirect, RequestId, Scope,
    StoreError, Timestamp,
};
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStore,
    client::{list, text, to_list},
    failed,
};

#[async_trait]
impl Grants for SqliteStore {
    fn load(&self) -> Result<Vec<(GrantKey, Grant)>, StoreError> {
        let action = "read the grants";
        read(&self.reader(action)?).map_err(failed(action))
    }

    fn spent(&self) -> Result<Vec<(GrantKey, Timestamp)>, StoreError> {
        let action = "read the spent codes";
        let read = |connection: &Connection| -> rusqlite::Result<_> {
            connection
                .prepare("SELECT key, expires_at FROM spent_code")?
                .query_map([], |row| Ok((row.get(0)?, Timestamp::from_unix_nanoseconds(row.get(1)?))))?
                .collect()
        };
        read(&self.reader(action)?).map_err(failed(action))
    }

    async fn spend(&self, key: GrantKey, until: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            let spend = || -> rusqlite::Result<()> {
                connection.prepare_cached("DELETE FROM grants WHERE key = ?1")?.execute([key])?;
                connection
                    .prepare_cached("INSERT INTO spent_code (key, expires_at) VALUES (?1, ?2)")?
                    .execute(params![key, until.unix_nanoseconds()])?;
                Ok(())
            };
            spend().map_err(failed("spend a code"))
        })
        .await
    }

    async fn put(&self, key: GrantKey, grant: Grant) -> Result<(), StoreError> {
        self.write(move |connection| {
            insert(connection, &key, &grant).map_err(failed("put a grant"))?;
            Ok(())
        })
        .await
    }

    async fn remove(&self, keys: Vec<GrantKey>) -> Result<(), StoreError> {
        self.write(move |connection| {
            let remove = || -> rusqlite::Result<()> {
                let mut grants = connection.prepare_cached("DELETE FROM grants WHERE key = ?1")?;
                let mut spent = connection.prepare_cached("DELETE FROM spent_code WHERE key = ?1")?;
                keys.iter().try_for_each(|key| grants.execute([key]).and(spent.execute([key])).map(drop))
            };
            remove().map_err(failed("remove grants"))
        })
        .await
    }
}

fn insert(connection: &Connection, key: &GrantKey, grant: &Grant) -> rusqlite::Result<usize> {
    let (backchannel, redirect) = match &grant.kind {
        GrantKind::Backchannel(backchannel) => (Some(backchannel), None),
        GrantKind::AuthorizationCode(redirect) => (None, Some(redirect)),
    };
    connection
        .prepare_cached(
            "INSERT INTO grants (key, publisher, client, line, scopes, openid, purpose, redirect_uri, code_challenge, nonce,
                                 expires_at, request, asked_at, offline_access, authenticated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            key,
            grant.publisher.as_str(),
            grant.client.as_bytes(),
            grant.line.as_bytes(),
            to_list(grant.scopes.iter().map(Scope::as_str)),
            grant.openid,
            grant.purpose.as_str(),
            redirect.map(|redirect| &redirect.redirect_uri),
            redirect.and_then(|redirect| redirect.code_challenge).map(|challenge| challenge.0),
            redirect.and_then(|redirect| redirect.nonce.as_ref()),
            grant.expires_at.unix_nanoseconds(),
            backchannel.map(|backchannel| backchannel.id.as_bytes()),
            backchannel.map(|backchannel| backchannel.asked_at.unix_nanoseconds()),
            grant.offline_access,
            grant.authenticated_at.unix_nanoseconds(),
        ])
}

fn read(connection: &Connection) -> rusqlite::Result<Vec<(GrantKey, Grant)>> {
    connection
        .prepare(
            "SELECT key, publisher, client, line, scopes, openid, purpose, redirect_uri, code_challenge, nonce, expires_at,
                    request, asked_at, offline_access, authenticated_at
             FROM grants",
        )?
        .query_map([], |row| Ok((row.get(0)?, grant(row)?)))?
        .collect()
}

fn grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let kind = match row.get(7)? {
        None => GrantKind::Backchannel(Backchannel {
            id: RequestId::from_bytes(row.get(11)?),
            asked_at: Timestamp::from_unix_nanoseconds(row.get(12)?),
        }),
        Some(redirect_uri) => GrantKind::AuthorizationCode(Redirect {
            redirect_uri,
            code_challenge: row.get::<_, Option<_>>(8)?.map(CodeChallenge),
            nonce: row.get(9)?,
        }),
    };
    Ok(Grant {
        publisher: text(row, 1)?,
        client: ClientId::from_bytes(row.get(2)?),
        line: LineId::from_bytes(row.get(3)?),
        scopes: list(row, 4)?,
        openid: row.get(5)?,
        offline_access: row.get(13)?,
        authenticated_at: Timestamp::from_unix_nanoseconds(row.get(14)?),
        purpose: text(row, 6)?,
        kind,
        expires_at: Timestamp::from_unix_nanoseconds(row.get(10)?),
    })
}
