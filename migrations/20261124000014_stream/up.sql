-- The order in which a tenant's events can be followed: by the transaction that wrote them. Ids will not do, since who is given the lower one may commit later.
--
-- What happened before has none, and is not followed: to write it into every row would keep the table locked for as long as that takes.

ALTER TABLE events ADD COLUMN xact xid8;
ALTER TABLE events ALTER COLUMN xact SET DEFAULT pg_current_xact_id();

CREATE INDEX events_by_xact ON events (tenant_id, xact, id) WHERE xact IS NOT NULL;

-- One row: which numbering of transactions the events' is, by a number of its own and the database cluster that counted. In another cluster the count begins
-- anew, and so does the stream.
CREATE TABLE event_streams (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL,
    cluster text NOT NULL
);

INSERT INTO event_streams (epoch, cluster)
    SELECT ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12))::bit(48)::bigint, system_identifier::text FROM pg_control_system();
