-- Addresses to which a tenant's mail is not sent any more.

CREATE TABLE suppressions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    -- With the letters of its local part as they were seen first.
    address text NOT NULL,
    -- By which it is found: two spellings that differ in upper and lower case of ASCII are one mailbox nearly everywhere.
    folded text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('bounce', 'complaint', 'manual')),
    -- The email whose bounce it was, and what the relay said.
    email_id uuid,
    response text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, folded)
);

CREATE INDEX suppressions_by_age ON suppressions (tenant_id, id DESC);

ALTER TABLE recipients DROP CONSTRAINT recipients_status_check;
ALTER TABLE recipients ADD CONSTRAINT recipients_status_check CHECK (status IN ('queued', 'delivered', 'bounced', 'failed', 'canceled', 'suppressed'));
