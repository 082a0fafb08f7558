UPDATE recipients SET status = 'failed' WHERE status = 'canceled';

ALTER TABLE recipients
    DROP CONSTRAINT recipients_status_check,
    ADD CONSTRAINT recipients_status_check CHECK (status IN ('queued', 'delivered', 'bounced', 'failed'));

UPDATE emails SET status = 'failed' WHERE status = 'canceled';

ALTER TABLE emails
    DROP COLUMN scheduled_at,
    DROP CONSTRAINT emails_status_check,
    ADD CONSTRAINT emails_status_check CHECK (status IN ('queued', 'delivered', 'bounced', 'failed'));

DROP TABLE idempotency_keys;
