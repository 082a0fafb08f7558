-- Which template an email was made from, in which version. No reference: templates may be deleted, and what was sent stays.
ALTER TABLE emails ADD COLUMN template_id uuid, ADD COLUMN template_version integer;
