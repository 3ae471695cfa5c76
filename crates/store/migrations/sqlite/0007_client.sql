-- Secrets of their own: a client has two while one replaces the other.
CREATE TABLE client_secret (
    client     BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    ends_at    INTEGER,
    PRIMARY KEY (client, hash)
) STRICT, WITHOUT ROWID;
INSERT INTO client_secret (client, hash, created_at)
    SELECT id, secret, registered_at FROM client WHERE secret IS NOT NULL;
ALTER TABLE client DROP COLUMN secret;

-- What else is registered. Lists are as the others are. A client from before may get tokens in all the
-- ways that there were.
ALTER TABLE client ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE client ADD COLUMN name TEXT;
ALTER TABLE client ADD COLUMN organisation TEXT;
ALTER TABLE client ADD COLUMN jwks_uri TEXT;
ALTER TABLE client ADD COLUMN authentication_methods TEXT NOT NULL DEFAULT '[]';
ALTER TABLE client ADD COLUMN grants TEXT NOT NULL
    DEFAULT '["client_credentials","authorization_code","urn:openid:params:grant-type:ciba"]';
ALTER TABLE client ADD COLUMN dpop_required INTEGER NOT NULL DEFAULT 0;
ALTER TABLE client ADD COLUMN signed_requests_required INTEGER NOT NULL DEFAULT 0;
ALTER TABLE client ADD COLUMN sector TEXT;

-- Assertions and proofs that were used, and may not be used again until their time is over.
CREATE TABLE used_token (
    key   BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
