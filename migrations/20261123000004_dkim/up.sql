-- A tenant's own DKIM key.

ALTER TABLE tenants
    ADD COLUMN dkim_domain text,
    ADD COLUMN dkim_selector text,
    ADD COLUMN dkim_algorithm text CHECK (dkim_algorithm IN ('rsa-sha256', 'ed25519-sha256')),
    -- As the DNS record has it after `p=`.
    ADD COLUMN dkim_public_key text,
    -- The private key, sealed: see the server's SECRET_KEY.
    ADD COLUMN dkim_key bytea,
    ADD CONSTRAINT tenants_dkim CHECK (num_nulls(dkim_domain, dkim_selector, dkim_algorithm, dkim_public_key, dkim_key) IN (0, 5));
