-- By which tenants take turns: from one tenant that has something due to the next, whatever each has. Without the id, as in `queue_by_turn`.
CREATE INDEX queue_by_tenant ON queue (tenant_id, priority, due_at) WHERE NOT held;
