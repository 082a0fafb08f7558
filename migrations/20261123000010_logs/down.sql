DROP INDEX events_by_tenant;
-- What the schema before does not know of.
DELETE FROM events WHERE kind = 'rescheduled';
ALTER TABLE events DROP COLUMN duration_ms;
