-- Keys with all their bounds, two secrets while one replaces the other, tenants with settings, limits and a relay, and the audit log.

ALTER TABLE tenants
    ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN deleted_at timestamptz,
    -- When a deleted tenant's data is to be looked at next, and when the last of it was gone.
    ADD COLUMN erase_due_at timestamptz,
    ADD COLUMN erased_at timestamptz,
    ADD COLUMN domain text,
    ADD COLUMN from_name text,
    ADD COLUMN from_address text,
    ADD COLUMN reply_to text,
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute >= 0),
    ADD COLUMN emails_per_day integer CHECK (emails_per_day >= 0),
    ADD COLUMN relay_host text,
    ADD COLUMN relay_port integer CHECK (relay_port BETWEEN 1 AND 65535),
    ADD COLUMN relay_user text,
    -- Sealed: see the server's SECRET_KEY.
    ADD COLUMN relay_pass bytea,
    ADD COLUMN relay_tls boolean,
    -- Another number whenever the relay is another, by which nodes know that theirs is out of date.
    ADD COLUMN relay_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT tenants_relay CHECK ((relay_host IS NULL) = (relay_port IS NULL) AND (relay_host IS NULL) = (relay_tls IS NULL));

UPDATE tenants SET updated_at = created_at;

CREATE INDEX tenants_to_erase ON tenants (erase_due_at) WHERE erase_due_at IS NOT NULL;

-- Where a list is absent, everything is allowed.
ALTER TABLE api_keys
    ADD COLUMN enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN allowed_ips text[],
    ADD COLUMN allowed_senders text[],
    ADD COLUMN allowed_templates uuid[],
    -- 0: no limit; absent: the tenant's or the server's.
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute >= 0),
    -- The secret before the last rotation, and until when it is recognised as well.
    ADD COLUMN previous_digest bytea UNIQUE CHECK (octet_length(previous_digest) = 32),
    ADD COLUMN previous_until timestamptz,
    ADD COLUMN created_by uuid,
    ADD COLUMN last_used_address text,
    ADD COLUMN last_used_agent text,
    ADD CONSTRAINT api_keys_previous CHECK ((previous_digest IS NULL) = (previous_until IS NULL));

-- Who changed what, and what was refused. It outlives the keys and tenants that it speaks of.
CREATE TABLE audit_logs (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    -- The tenant that it concerns: the target's, else the actor's.
    tenant_id uuid NOT NULL,
    action text NOT NULL,
    -- Why it was refused; absent: it was done.
    refusal text,
    -- Absent: the operator, on the machine itself.
    actor_key_id uuid,
    actor_tenant_id uuid,
    address text,
    user_agent text,
    request_id text,
    target text,
    before jsonb,
    after jsonb
);

CREATE INDEX audit_logs_by_tenant ON audit_logs (tenant_id, id DESC);
CREATE INDEX audit_logs_by_actor ON audit_logs (actor_key_id, id DESC);
CREATE INDEX audit_logs_by_target ON audit_logs (target, id DESC);

-- How many emails a tenant with a daily limit has had accepted. Only those with a limit have rows here.
CREATE TABLE quota_days (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    emails integer NOT NULL,
    -- How many of them the latest statement was granted.
    granted integer NOT NULL,
    PRIMARY KEY (tenant_id, day)
) WITH (fillfactor = 50);

CREATE INDEX quota_days_by_day ON quota_days (day);

-- How many requests a tenant's keys have made, written behind.
CREATE TABLE usage_months (
    tenant_id uuid NOT NULL,
    month date NOT NULL,
    api_requests bigint NOT NULL,
    PRIMARY KEY (tenant_id, month)
) WITH (fillfactor = 50);

-- What a suspended or deleted tenant has queued is set aside when its turn comes, so that it is passed over once and not each time.
ALTER TABLE queue ADD COLUMN held boolean NOT NULL DEFAULT false;

DROP INDEX queue_by_turn;
CREATE INDEX queue_by_turn ON queue (priority, due_at) WHERE NOT held;
CREATE INDEX queue_held ON queue (tenant_id, priority, due_at) WHERE held;
