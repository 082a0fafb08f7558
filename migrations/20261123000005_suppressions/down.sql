UPDATE recipients SET status = 'failed', reply_text = 'the address is on the suppression list' WHERE status = 'suppressed';
ALTER TABLE recipients DROP CONSTRAINT recipients_status_check;
ALTER TABLE recipients ADD CONSTRAINT recipients_status_check CHECK (status IN ('queued', 'delivered', 'bounced', 'failed', 'canceled'));
DELETE FROM events WHERE kind = 'suppressed';
DROP TABLE suppressions;
