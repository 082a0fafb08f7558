DROP TABLE event_streams;
DROP INDEX events_by_xact;
ALTER TABLE events DROP COLUMN xact;
