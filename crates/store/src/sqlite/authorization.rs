//! Authorizations with their refresh tokens, and what was revoked.

use async_trait::async_trait;
use attache_core::{
    Authorization, AuthorizationId, Authorizations, ClientId, LineId, Purpose, RefreshToken, RefreshTokenHash,
    RevocationKey, Scope, StoreError, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore,
    client::{list, text, to_list},
    failed,
};

/// Refresh tokens with what they rest on, as [`refresh_token`] reads them.
const REFRESH_TOKENS: &str = "SELECT id, publisher, client, line, scopes, openid, purpose, authenticated_at, bound_to,
            is_used, expires_at
     FROM refresh_token JOIN authorization ON id = authorization";

#[async_trait]
impl Authorizations for SqliteStore {
    fn revoked(&self) -> Result<Vec<(RevocationKey, Timestamp)>, StoreError> {
        let action = "read what is revoked";
        let read = |connection: &Connection| -> rusqlite::Result<_> {
            connection
                .prepare("SELECT key, expires_at FROM revocation")?
                .query_map([], |row| Ok((row.get(0)?, Timestamp::from_unix_nanoseconds(row.get(1)?))))?
                .collect()
        };
        read(&self.reader(action)?).map_err(failed(action))
    }

    async fn begin(
        &self,
        authorization: Authorization,
        token: RefreshTokenHash,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let begin = || -> rusqlite::Result<bool> {
                let begun = connection
                    .prepare_cached(
                        "INSERT INTO authorization (id, publisher, client, line, scopes, openid, purpose, authenticated_at,
                                                    bound_to)
                         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
                         WHERE NOT EXISTS (SELECT 1 FROM revocation WHERE key = ?1)",
                    )?
                    .execute(params![
                        authorization.id.as_bytes(),
                        authorization.publisher.as_str(),
                        authorization.client.as_bytes(),
                        authorization.line.as_bytes(),
                        to_list(authorization.scopes.iter().map(Scope::as_str)),
                        authorization.openid,
                        authorization.purpose.as_str(),
                        authorization.authenticated_at.unix_nanoseconds(),
                        authorization.bound_to,
                    ])?;
                if begun == 0 {
                    return Ok(false);
                }
                insert_token(connection, &token, authorization.id, expires_at)?;
                Ok(true)
            };
            begin().map_err(failed("begin an authorization"))
        })
        .await
    }

    async fn find(&self, token: RefreshTokenHash) -> Result<Option<RefreshToken>, StoreError> {
        self.read("read a refresh token", move |connection| {
            connection.query_row(&format!("{REFRESH_TOKENS} WHERE hash = ?1"), [token], refresh_token).optional()
        })
        .await
    }

    async fn line_of(&self, authorization: AuthorizationId) -> Result<Option<LineId>, StoreError> {
        self.read("read an authorization", move |connection| {
            connection
                .query_row("SELECT line FROM authorization WHERE id = ?1", [authorization.as_bytes()], |row| row.get(0))
                .optional()
                .map(|line| line.map(LineId::from_bytes))
        })
        .await
    }

    async fn about(&self, line: LineId) -> Result<Vec<RefreshToken>, StoreError> {
        self.read("read the refresh tokens of a line", move |connection| {
            connection
                .prepare(&format!("{REFRESH_TOKENS} WHERE line = ?1 ORDER BY expires_at"))?
                .query_map([line.as_bytes()], refresh_token)?
                .collect()
        })
        .await
    }

    async fn rotate(
        &self,
        used: RefreshTokenHash,
        new: RefreshTokenHash,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let rotate = || -> rusqlite::Result<bool> {
                let authorization: Option<[u8; 16]> = connection
                    .prepare_cached(
                        "UPDATE refresh_token SET is_used = 1 WHERE hash = ?1 AND is_used = 0 RETURNING authorization",
                    )?
                    .query_row([used], |row| row.get(0))
                    .optional()?;
                let Some(authorization) = authorization else { return Ok(false) };
                insert_token(connection, &new, AuthorizationId::from_bytes(authorization), expires_at)?;
                Ok(true)
            };
            rotate().map_err(failed("rotate a refresh token"))
        })
        .await
    }

    async fn revoke(&self, key: RevocationKey, until: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| revoke(connection, key, until).map_err(failed("revoke"))).await
    }

    async fn withdraw(
        &self,
        client: ClientId,
        line: LineId,
        purpose: Purpose,
        scope: Scope,
        until: Timestamp,
    ) -> Result<Vec<RevocationKey>, StoreError> {
        self.write(move |connection| {
            let withdraw = || -> rusqlite::Result<Vec<RevocationKey>> {
                let keys: Vec<RevocationKey> = connection
                    .prepare_cached(
                        "SELECT id FROM authorization
                         WHERE line = ?1 AND client = ?2 AND purpose = ?3
                           AND EXISTS (SELECT 1 FROM json_each(scopes) WHERE value = ?4)",
                    )?
                    .query_map(params![line.as_bytes(), client.as_bytes(), purpose.as_str(), scope.as_str()], |row| {
                        row.get(0)
                    })?
                    .collect::<Result<_, _>>()?;
                keys.iter().try_for_each(|key| revoke(connection, *key, until))?;
                Ok(keys)
            };
            withdraw().map_err(failed("revoke what rests on a consent"))
        })
        .await
    }

    async fn forget_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            let forget = || -> rusqlite::Result<()> {
                let now = [now.unix_nanoseconds()];
                connection.prepare_cached("DELETE FROM revocation WHERE expires_at <= ?1")?.execute(now)?;
                connection
                    .prepare_cached(
                        "DELETE FROM authorization
                         WHERE id IN (SELECT authorization FROM refresh_token WHERE expires_at <= ?1)
                           AND NOT EXISTS (SELECT 1 FROM refresh_token WHERE authorization = id AND expires_at > ?1)",
                    )?
                    .execute(now)?;
                connection.prepare_cached("DELETE FROM refresh_token WHERE expires_at <= ?1")?.execute(now)?;
                Ok(())
            };
            forget().map_err(failed("forget expired refresh tokens"))
        })
        .await
    }
}

/// Ends an authorization, if it is one, and remembers it as revoked.
fn revoke(connection: &Connection, key: RevocationKey, until: Timestamp) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM authorization WHERE id = ?1")?.execute([key])?;
    connection
        .prepare_cached(
            "INSERT INTO revocation (key, expires_at) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET expires_at = max(expires_at, ?2)",
        )?
        .execute(params![key, until.unix_nanoseconds()])
        .map(drop)
}

fn insert_token(
    connection: &Connection,
    token: &RefreshTokenHash,
    authorization: AuthorizationId,
    expires_at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO refresh_token (hash, authorization, expires_at) VALUES (?1, ?2, ?3)")?
        .execute(params![token, authorization.as_bytes(), expires_at.unix_nanoseconds()])
        .map(drop)
}

fn refresh_token(row: &Row<'_>) -> rusqlite::Result<RefreshToken> {
    Ok(RefreshToken {
        authorization: Authorization {
            id: AuthorizationId::from_bytes(row.get(0)?),
            publisher: text(row, 1)?,
            client: ClientId::from_bytes(row.get(2)?),
            line: LineId::from_bytes(row.get(3)?),
            scopes: list(row, 4)?,
            openid: row.get(5)?,
            purpose: text(row, 6)?,
            authenticated_at: Timestamp::from_unix_nanoseconds(row.get(7)?),
            bound_to: row.get(8)?,
        },
        is_used: row.get(9)?,
        expires_at: Timestamp::from_unix_nanoseconds(row.get(10)?),
    })
}
