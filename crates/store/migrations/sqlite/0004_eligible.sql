-- Whether the service is offered for a line. It was for every line from before.
ALTER TABLE line ADD COLUMN eligible INTEGER NOT NULL DEFAULT 1;
