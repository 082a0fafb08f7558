CREATE OR REPLACE FUNCTION webhook_deliveries_queue() RETURNS trigger LANGUAGE plpgsql AS $$
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

DROP FUNCTION uuid_of_now();
DROP INDEX webhooks_sending;
