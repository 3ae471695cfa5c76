-- From when on a key signs, and the longest life, in seconds, of a token that it may have signed. A key from
-- before signs since it was made, its tokens for as long as the next start finds.
ALTER TABLE signing_key ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_key ADD COLUMN token_lifetime INTEGER NOT NULL DEFAULT 0;
