-- Tracking of opens and clicks: who wants it, and where the link leads that was followed.

ALTER TABLE tenants
    ADD COLUMN track_opens boolean NOT NULL DEFAULT false,
    ADD COLUMN track_clicks boolean NOT NULL DEFAULT false;

-- Few have it; a server without PUBLIC_URL looks whether any does.
CREATE INDEX tenants_tracked ON tenants (id) WHERE (track_opens OR track_clicks) AND deleted_at IS NULL;

ALTER TABLE events ADD COLUMN url text;
