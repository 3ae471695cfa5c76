-- Deliveries stand in the order in which they were made, whosever they are: those that are made and recorded
-- together are on few pages, and none is written twice for being told apart. The newest of a subscription has its
-- count, so that the subscription itself needs no writing; it gets back the count when that delivery is deleted.
CREATE TABLE new_delivery (
    position     INTEGER PRIMARY KEY,
    subscription BLOB NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    sequence     INTEGER NOT NULL,
    -- How many events had been made for its subscription with this one.
    events_made  INTEGER NOT NULL,
    sink         TEXT NOT NULL,
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
    -- When the last attempt ended.
    attempted_at INTEGER,
    UNIQUE (subscription, sequence)
) STRICT;

INSERT INTO new_delivery (subscription, sequence, events_made, sink, notice, detail, description, at, made_at,
                          attempts, state, due_at, is_replay, last_outcome)
    SELECT d.subscription, d.sequence, s.events_made, d.sink, d.notice, d.detail, d.description, d.at, d.made_at,
           d.attempts, d.state, d.due_at, d.is_replay, d.last_outcome
    FROM delivery d JOIN subscription s ON s.id = d.subscription
    ORDER BY d.made_at, d.subscription, d.sequence;
DROP TABLE delivery;
ALTER TABLE new_delivery RENAME TO delivery;

CREATE INDEX delivery_by_due ON delivery (sink, due_at, made_at) WHERE due_at IS NOT NULL;
-- Nothing is in it as long as nothing has to wait.
CREATE INDEX delivery_waiting ON delivery (made_at) WHERE state = 'pending' AND due_at IS NULL;
CREATE INDEX delivery_by_dead ON delivery (made_at) WHERE state = 'dead';

-- Whether a change concerns a subscription is seen without looking at it.
DROP INDEX subscription_by_line;
CREATE INDEX subscription_by_line ON subscription (line, status, event_type);
