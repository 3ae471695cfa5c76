-- What a client's ID tokens are signed by. A client from before goes on with what it knows.
ALTER TABLE client ADD COLUMN id_token_algorithm TEXT NOT NULL DEFAULT 'ES256';
