-- What the pseudonym of a line in the audit log is made from, beside its identifier and the log's own key: eight random bytes,
-- which are destroyed with the line.
ALTER TABLE line ADD COLUMN subject_key BLOB CHECK (length(subject_key) = 8);
UPDATE line SET subject_key = randomblob(8);
-- What was granted about a line is deleted with it.
CREATE INDEX grants_by_line ON grants (line);
