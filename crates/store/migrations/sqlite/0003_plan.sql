-- How much a client may ask: a rate such as `10/s` with how many requests may come at once, and how many
-- requests on one day of UTC. A client from before has no plan, and is not limited.
ALTER TABLE client ADD COLUMN rate TEXT;
ALTER TABLE client ADD COLUMN burst INTEGER;
ALTER TABLE client ADD COLUMN quota INTEGER;
