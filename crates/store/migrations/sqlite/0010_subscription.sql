-- Who is told what becomes of a line. The status is `active`, `inactive`, or the reason of its end.
CREATE TABLE subscription (
    id                    BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    publisher             TEXT NOT NULL,
    api                   TEXT NOT NULL,
    contract              TEXT NOT NULL,
    client                BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    purpose               TEXT NOT NULL,
    line                  BLOB NOT NULL CHECK (length(line) = 16),
    -- What the request named the line by; absent where the token told it.
    device                TEXT,
    event_type            TEXT NOT NULL,
    sink                  TEXT NOT NULL,
    -- Encrypted by the caller.
    credential            BLOB,
    credential_expires_at INTEGER,
    initial_event         INTEGER,
    max_events            INTEGER,
    expires_at            INTEGER,
    starts_at             INTEGER NOT NULL,
    status                TEXT NOT NULL,
    events_made           INTEGER NOT NULL DEFAULT 0,
    -- The sequence of the newest of its deliveries.
    last_sequence         INTEGER NOT NULL DEFAULT 0,
    -- What the client called the request, and the SHA-256 of what it asked.
    idempotency_key       TEXT,
    request               BLOB CHECK (length(request) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_by_client ON subscription (client, id);
CREATE INDEX subscription_by_line ON subscription (line);
-- Those that have not ended, for the question whether there are any.
CREATE INDEX subscription_alive ON subscription (status) WHERE status IN ('active', 'inactive');
CREATE INDEX subscription_by_end ON subscription (expires_at)
    WHERE status IN ('active', 'inactive') AND expires_at IS NOT NULL;
CREATE INDEX subscription_by_credential_end ON subscription (credential_expires_at)
    WHERE status IN ('active', 'inactive') AND credential_expires_at IS NOT NULL;
CREATE UNIQUE INDEX subscription_by_key ON subscription (client, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The outbox: what is to be told, and what came of it.
CREATE TABLE delivery (
    subscription BLOB NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    sequence     INTEGER NOT NULL,
    -- Scheme, host and port of the sink.
    origin       TEXT NOT NULL,
    notice       TEXT NOT NULL,
    -- What the notice tells beside its name: a country code, a technology, a reason.
    detail       TEXT,
    description  TEXT,
    at           INTEGER NOT NULL,
    made_at      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    state        TEXT NOT NULL DEFAULT 'pending',
    -- When it can be sent; absent while it waits for the one before it, and when it is settled.
    due_at       INTEGER,
    is_replay    INTEGER NOT NULL DEFAULT 0,
    last_outcome TEXT,
    PRIMARY KEY (subscription, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_by_due ON delivery (origin, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_by_pending ON delivery (subscription, sequence) WHERE state = 'pending';
CREATE INDEX delivery_by_dead ON delivery (made_at) WHERE state = 'dead';
