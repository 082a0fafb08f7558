WITH e AS (INSERT INTO emails (id, tenant_id, api_key_id, mode, priority, status, smtputf8, from_address, subject, reply_to, tags, metadata)
SELECT ('018f' || lpad(to_hex(nextval('bench_ids')), 28, '0'))::uuid, :tenant::uuid, :tenant::uuid, 'live', 1, 'queued', false, :sender::text, 'Your order', '[]', '[]', '{}'
RETURNING id, tenant_id),
w AS (INSERT INTO queue (email_id, tenant_id, priority) SELECT id, tenant_id, 1 FROM e),
h AS (INSERT INTO events (email_id, id, tenant_id, kind, attempt) SELECT id, id, tenant_id, 'queued', 0 FROM e),
r AS (INSERT INTO recipients (email_id, ordinal, tenant_id, kind, address) SELECT id, 0, tenant_id, 'to', :recipient::text FROM e),
m AS (INSERT INTO messages (email_id, text, raw) SELECT id, :text::text, convert_to(:raw::text, 'UTF8') FROM e)
SELECT id FROM e;
