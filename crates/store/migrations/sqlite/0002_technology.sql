-- The access technology of a line, `2G` to `5G`, absent when the network cannot tell; and when it last
-- confirmed that. What was written before has no such time: the network said nothing of a technology
-- when it last confirmed the serving network, so that time stands for it.
ALTER TABLE line ADD COLUMN technology TEXT;
ALTER TABLE line ADD COLUMN technology_confirmed_at INTEGER;
