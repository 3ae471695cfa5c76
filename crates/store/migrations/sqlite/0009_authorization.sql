-- What clients may refresh tokens for. It ends with its client.
CREATE TABLE authorization (
    id               BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    publisher        TEXT NOT NULL,
    client           BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    line             BLOB NOT NULL CHECK (length(line) = 16),
    scopes           TEXT NOT NULL,
    openid           INTEGER NOT NULL,
    purpose          TEXT NOT NULL,
    authenticated_at INTEGER NOT NULL,
    bound_to         TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_by_client ON authorization (client);
CREATE INDEX authorization_by_line ON authorization (line);

-- One is good at a time; those before it are kept until they expire, to notice when one is used again.
CREATE TABLE refresh_token (
    hash          BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    authorization BLOB NOT NULL REFERENCES authorization (id) ON DELETE CASCADE,
    is_used       INTEGER NOT NULL DEFAULT 0,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_by_authorization ON refresh_token (authorization);
CREATE INDEX refresh_token_by_end ON refresh_token (expires_at);

-- Tokens, and authorizations with all of their tokens, that are worth nothing although they look good.
CREATE TABLE revocation (
    key        BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Codes that were fetched with, to notice when one is used again.
CREATE TABLE spent_code (
    key        BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether a refresh token is fetched with a grant, and when its subscriber was authenticated. Those from before
-- end soon, and are not waited for any more.
ALTER TABLE grants ADD COLUMN offline_access INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN authenticated_at INTEGER NOT NULL DEFAULT 0;
DELETE FROM grants;
