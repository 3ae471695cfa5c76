-- A subscription says by which scope it was made, which is the consent that it rests on; and it outlives its
-- client, so that its sink can be told of its end. References to the table are kept while it is replaced.
CREATE TABLE new_subscription (
    id                    BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    publisher             TEXT NOT NULL,
    api                   TEXT NOT NULL,
    contract              TEXT NOT NULL,
    -- Who made it, even if it is gone: then the subscription has ended.
    client                BLOB NOT NULL CHECK (length(client) = 16),
    purpose               TEXT NOT NULL,
    scope                 TEXT NOT NULL,
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

INSERT INTO new_subscription
    SELECT id, publisher, api, contract, client, purpose,
           CASE
               WHEN api = 'device-status' THEN 'device-status:subscriptions:create'
               WHEN api = 'device-roaming-status-subscriptions' AND contract = '0.6'
                   THEN api || ':org.camaraproject.roaming-status-subscriptions.v0.' || event_type || ':create'
               ELSE api || ':org.camaraproject.' || api || '.v0.' || event_type || ':create'
           END,
           line, device, event_type, sink, credential, credential_expires_at, initial_event, max_events, expires_at,
           starts_at, status, events_made, last_sequence, idempotency_key, request
    FROM subscription;
DROP TABLE subscription;
ALTER TABLE new_subscription RENAME TO subscription;

CREATE INDEX subscription_by_client ON subscription (client, id);
CREATE INDEX subscription_by_line ON subscription (line);
-- Those that have not ended, for the question whether there are any.
CREATE INDEX subscription_alive ON subscription (status) WHERE status IN ('active', 'inactive');
CREATE INDEX subscription_by_end ON subscription (expires_at)
    WHERE status IN ('active', 'inactive') AND expires_at IS NOT NULL;
CREATE INDEX subscription_by_credential_end ON subscription (credential_expires_at)
    WHERE status IN ('active', 'inactive') AND credential_expires_at IS NOT NULL;
CREATE UNIQUE INDEX subscription_by_key ON subscription (client, idempotency_key) WHERE idempotency_key IS NOT NULL;
