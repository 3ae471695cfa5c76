-- The secrets by which what is sent to a client's sinks is signed: two while one replaces the other. As its
-- subscriptions, they outlive the client, so that the end of those can be told to sinks that ask for a signature.
CREATE TABLE webhook_secret (
    client     BLOB NOT NULL CHECK (length(client) = 16),
    created_at INTEGER NOT NULL,
    ends_at    INTEGER,
    -- Encrypted by the caller.
    sealed     BLOB NOT NULL,
    PRIMARY KEY (client, created_at)
) STRICT, WITHOUT ROWID;
