-- Webhooks, the deliveries of events to them, and each attempt.

CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    -- Sealed, and the one before it while that is in its grace: see the server's SECRET_KEY.
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_until timestamptz,
    active boolean NOT NULL DEFAULT true,
    -- Why the server has switched it off, and when.
    disabled_reason text CHECK (disabled_reason IN ('gone', 'failing')),
    disabled_at timestamptz,
    -- Since when there has been no success, counted from the first failure.
    failing_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhooks_previous CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CONSTRAINT webhooks_disabled CHECK ((disabled_reason IS NULL) = (disabled_at IS NULL) AND NOT (active AND disabled_at IS NOT NULL))
);

CREATE INDEX webhooks_by_tenant ON webhooks (tenant_id, id DESC);

-- One row for each event and webhook. What is posted is read from the email and its event each time.
CREATE TABLE webhook_deliveries (
    webhook_id uuid NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    -- Absent: an event that somebody asked for, to test the endpoint.
    email_id uuid,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed', 'canceled')),
    attempts integer NOT NULL DEFAULT 0,
    -- When it is to be posted, or its lease runs out; absent once there is nothing left to do.
    due_at timestamptz DEFAULT now(),
    lease_token uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (webhook_id, id),
    CONSTRAINT webhook_deliveries_due CHECK ((status = 'pending') = (due_at IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX webhook_deliveries_by_turn ON webhook_deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (webhook_id, due_at) WHERE lease_token IS NOT NULL;
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);

CREATE TABLE webhook_attempts (
    webhook_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    -- What was answered, or why there is no answer.
    status smallint,
    error text,
    answer text,
    duration_ms integer NOT NULL,
    PRIMARY KEY (webhook_id, delivery_id, attempt)
);

-- Whatever writes an event queues its deliveries in the same commit: a trigger, so that no statement can forget to. It is run once for each statement,
-- whatever the number of events. The id is a UUIDv7 of the event's own time.
CREATE FUNCTION webhook_deliveries_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (webhook_id, id, tenant_id, event_id, email_id)
    SELECT w.id,
        encode(set_byte(r.octets, 6, (get_byte(r.octets, 6) & 15) | 112), 'hex')::uuid,
        h.tenant_id, h.id, h.email_id
    FROM happened h
    JOIN webhooks w ON w.tenant_id = h.tenant_id AND w.active AND h.kind = ANY(w.events)
    CROSS JOIN LATERAL (SELECT overlay(uuid_send(gen_random_uuid()) PLACING substring(uuid_send(h.id) FROM 1 FOR 6) FROM 1 FOR 6) AS octets) AS r;
    RETURN NULL;
END
$$;

CREATE TRIGGER events_to_webhooks AFTER INSERT ON events
REFERENCING NEW TABLE AS happened FOR EACH STATEMENT EXECUTE FUNCTION webhook_deliveries_queue();
