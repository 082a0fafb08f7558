ALTER TABLE events DROP COLUMN url;
DROP INDEX tenants_tracked;
ALTER TABLE tenants DROP COLUMN track_opens, DROP COLUMN track_clicks;
