-- What the pseudonym of a line in the audit log is made from, beside the log's own key: sixteen random bytes,
-- which are destroyed with the line.
ALTER TABLE line ADD COLUMN subject_key BLOB CHECK (length(subject_key) = 16);
UPDATE line SET subject_key = randomblob(16);
-- What was granted about a line is deleted with it.
CREATE INDEX grants_by_line ON grants (line);
