-- The foundation: tenants, API keys, emails with their recipients, messages and events, and the queue of work.
--
-- The tables that every mail writes to (emails, messages, recipients, queue, events) have no foreign keys: each insert would lock the
-- row of its tenant, which all mails of a tenant share. Whole business steps in one statement keep them in step instead.

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The tenant on which platform keys act: `tenant_default`.
INSERT INTO tenants (id, name) VALUES ('00000000-0000-0000-0000-000000000000', 'Default');

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES tenants (id),
    name text NOT NULL,
    hint text NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    permissions text[] NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, id DESC);

CREATE TABLE emails (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    api_key_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 2),
    -- A mail that is being sent right now is `queued` here; the queue knows that it is leased.
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'delivered', 'bounced', 'failed')),
    smtputf8 boolean NOT NULL,
    from_name text,
    from_address text NOT NULL,
    subject text NOT NULL,
    reply_to jsonb NOT NULL,
    tags jsonb NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    -- An index on the id alone would tempt the planner to look for an idle tenant's newest emails among everybody's. That an id is not
    -- given twice is for the messages' key to see.
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 85);

-- What was said, apart from the small row that changes with each attempt.
CREATE TABLE messages (
    email_id uuid PRIMARY KEY,
    text text,
    html text,
    raw bytea NOT NULL
);

CREATE TABLE recipients (
    email_id uuid NOT NULL,
    ordinal smallint NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('to', 'cc', 'bcc')),
    name text,
    address text NOT NULL,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'delivered', 'bounced', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    bounce_type text CHECK (bounce_type IN ('hard', 'soft')),
    reply_code smallint,
    reply_enhanced text,
    reply_text text,
    next_attempt_at timestamptz,
    PRIMARY KEY (email_id, ordinal)
) WITH (fillfactor = 85);

CREATE INDEX recipients_by_address ON recipients (tenant_id, address, email_id DESC);

-- One row for each email that has something left to do. A leased row is due again when its lease runs out.
CREATE TABLE queue (
    email_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 0 AND 2),
    due_at timestamptz NOT NULL DEFAULT now(),
    lease_token uuid
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Without the id, which would let the planner look for an id here instead of in the primary key.
CREATE INDEX queue_by_turn ON queue (priority, due_at);

CREATE TABLE events (
    email_id uuid NOT NULL,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    ordinal smallint,
    attempt integer NOT NULL,
    response text,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (email_id, id)
);
