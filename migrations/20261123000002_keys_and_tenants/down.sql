DROP INDEX queue_held;
DROP INDEX queue_by_turn;
CREATE INDEX queue_by_turn ON queue (priority, due_at);
ALTER TABLE queue DROP COLUMN held;

DROP TABLE usage_months;
DROP TABLE quota_days;
DROP TABLE audit_logs;

ALTER TABLE api_keys
    DROP COLUMN enabled,
    DROP COLUMN allowed_ips,
    DROP COLUMN allowed_senders,
    DROP COLUMN allowed_templates,
    DROP COLUMN requests_per_minute,
    DROP COLUMN previous_digest,
    DROP COLUMN previous_until,
    DROP COLUMN created_by,
    DROP COLUMN last_used_address,
    DROP COLUMN last_used_agent;

ALTER TABLE tenants
    DROP COLUMN status,
    DROP COLUMN suspended_at,
    DROP COLUMN deleted_at,
    DROP COLUMN erased_at,
    DROP COLUMN domain,
    DROP COLUMN from_name,
    DROP COLUMN from_address,
    DROP COLUMN reply_to,
    DROP COLUMN requests_per_minute,
    DROP COLUMN emails_per_day,
    DROP COLUMN relay_host,
    DROP COLUMN relay_port,
    DROP COLUMN relay_user,
    DROP COLUMN relay_pass,
    DROP COLUMN relay_tls,
    DROP COLUMN relay_version,
    DROP COLUMN updated_at;
