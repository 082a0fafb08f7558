-- The log: a tenant's events, newest first, and how long attempts took.

-- Of the attempt that the event is of; absent where there was none, and for what happened before this column was there.
ALTER TABLE events ADD COLUMN duration_ms integer CHECK (duration_ms >= 0);

-- The one index that the log costs. What it is asked for besides the tenant is looked for on the way along it.
CREATE INDEX events_by_tenant ON events (tenant_id, id DESC);
