-- What a client asked for is told from what the operator has decided: until now the two were one. And a subscription
-- says when it ended; of those that have, the last that was made to be told is nearest to that. A key is free again
-- when what was made by it was deleted.
ALTER TABLE subscription ADD COLUMN requested_end INTEGER;
ALTER TABLE subscription ADD COLUMN ended_at INTEGER;
UPDATE subscription SET requested_end = expires_at WHERE expires_at IS NOT NULL;
UPDATE subscription
    SET ended_at = ifnull((SELECT max(made_at) FROM delivery WHERE subscription = subscription.id), starts_at)
    WHERE status NOT IN ('active', 'inactive');
UPDATE subscription SET idempotency_key = NULL, request = NULL WHERE status = 'SUBSCRIPTION_DELETED';
