-- Times are nanoseconds since 1970-01-01T00:00:00Z, identifiers the sixteen bytes of a UUID.

-- Small values by name: the mode that the database was made for, and what the server remembers.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The number is the row's own key, so that a line costs one B-tree entry; a network is written as
-- its digits, because 01 and 001 are two networks.
CREATE TABLE line (
    phone_number              INTEGER NOT NULL PRIMARY KEY,
    id                        BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    home                      TEXT NOT NULL,
    -- Five columns that are all there or all absent: a line that was never seen has none of them.
    serving                   TEXT,
    serving_confirmed_at      INTEGER,
    data                      INTEGER,
    sms                       INTEGER,
    reachability_confirmed_at INTEGER,
    public_ipv4               INTEGER,
    first_port                INTEGER,
    last_port                 INTEGER,
    private_ipv4              INTEGER,
    ipv6_prefix               INTEGER,
    CHECK ((serving IS NULL) = (serving_confirmed_at IS NULL)
       AND (serving IS NULL) = (data IS NULL)
       AND (serving IS NULL) = (sms IS NULL)
       AND (serving IS NULL) = (reachability_confirmed_at IS NULL)),
    CHECK ((first_port IS NULL) = (last_port IS NULL))
) STRICT;

-- Lists are JSON arrays of texts, in the order that they were given in.
CREATE TABLE client (
    id            BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    publisher     TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    secret        BLOB CHECK (length(secret) = 32),
    keys          TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    origins       TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    purposes      TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    UNIQUE (publisher, client_id)
) STRICT, WITHOUT ROWID;

-- What waits at the token endpoint. A grant with a redirect URI is fetched by an authorization
-- code, one without by an auth_req_id. It ends with its client.
CREATE TABLE grants (
    key            BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    publisher      TEXT NOT NULL,
    client         BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    line           BLOB NOT NULL CHECK (length(line) = 16),
    scopes         TEXT NOT NULL,
    openid         INTEGER NOT NULL,
    purpose        TEXT NOT NULL,
    redirect_uri   TEXT,
    code_challenge BLOB CHECK (length(code_challenge) = 32),
    nonce          TEXT,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_client ON grants (client);

-- Signing keys, encrypted by the caller.
CREATE TABLE signing_key (
    id         TEXT NOT NULL PRIMARY KEY,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
