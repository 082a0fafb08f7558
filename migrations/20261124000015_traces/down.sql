ALTER TABLE emails DROP COLUMN trace_id;
