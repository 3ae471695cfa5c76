-- The last word about what one client may use of one line, for one purpose and by one scope. A word that
-- was never yes has no granted_at, one that still is has no ended_at. It ends with its client, and with its line.
CREATE TABLE consent (
    line       BLOB NOT NULL CHECK (length(line) = 16),
    client     BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    scope      TEXT NOT NULL,
    basis      TEXT NOT NULL,
    granted_at INTEGER,
    ended_at   INTEGER,
    PRIMARY KEY (line, client, purpose, scope),
    CHECK (granted_at IS NOT NULL OR ended_at IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_by_client ON consent (client);
-- A request that its subject is asked about elsewhere: its identifier and when it was asked. One from before
-- has neither, and is not waited for any more.
ALTER TABLE grants ADD COLUMN request BLOB CHECK (length(request) = 16);
ALTER TABLE grants ADD COLUMN asked_at INTEGER;
DELETE FROM grants WHERE redirect_uri IS NULL;
