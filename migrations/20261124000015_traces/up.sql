-- The trace that an email's request belonged to (W3C Trace Context), so that its attempts are found with it. Emails from before have none.
ALTER TABLE emails ADD COLUMN trace_id uuid;
