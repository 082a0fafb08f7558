-- Requests that are repeated without repeating their mail, and mail that waits for its time or is called off.

-- A row is there if and only if its mail was accepted: both are one commit.
CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    -- Of the caller's text, which may be anything, and of the mode: a test key's mail answers for no live one.
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    -- Of the request's body.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- What was answered.
    email_id uuid NOT NULL,
    scheduled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, digest)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE emails
    -- A mail that waits for its time is `queued`: whether the time has come, the clock knows.
    ADD COLUMN scheduled_at timestamptz,
    DROP CONSTRAINT emails_status_check,
    ADD CONSTRAINT emails_status_check CHECK (status IN ('queued', 'delivered', 'bounced', 'failed', 'canceled'));

ALTER TABLE recipients
    DROP CONSTRAINT recipients_status_check,
    ADD CONSTRAINT recipients_status_check CHECK (status IN ('queued', 'delivered', 'bounced', 'failed', 'canceled'));
