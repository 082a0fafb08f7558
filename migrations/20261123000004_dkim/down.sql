ALTER TABLE tenants
    DROP COLUMN dkim_domain,
    DROP COLUMN dkim_selector,
    DROP COLUMN dkim_algorithm,
    DROP COLUMN dkim_public_key,
    DROP COLUMN dkim_key;
