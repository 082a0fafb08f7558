-- An attempt begins with an event for those tenants alone that have a webhook which asks for it: whether any has is one look at an index that holds nothing else.

CREATE INDEX webhooks_sending ON webhooks (tenant_id) WHERE active AND 'sending' = ANY (events);

-- A UUIDv7 of this very moment, for what the database itself has to give an id.
CREATE FUNCTION uuid_of_now() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_byte(r.octets, 6, (get_byte(r.octets, 6) & 15) | 112), 'hex')::uuid
    FROM (SELECT overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6) AS octets) AS r
$$;

-- As before, and it does nothing where nothing happened: a claim runs it each time.
CREATE OR REPLACE FUNCTION webhook_deliveries_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM happened) THEN
        RETURN NULL;
    END IF;
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
