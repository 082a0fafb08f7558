ALTER TABLE emails DROP COLUMN template_version, DROP COLUMN template_id;
