-- Deliveries wait for their sink, not for all sinks of its scheme, host and port.
ALTER TABLE delivery RENAME COLUMN origin TO sink;
UPDATE delivery SET sink = (SELECT sink FROM subscription WHERE id = delivery.subscription);
