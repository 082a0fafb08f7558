-- How many leases of a mail have ended without a result since its last one, this one counted: at most 4, and 5 once it was begun with no other such mail
-- beside it. A mail whose delivery kills the server has an end by it. In no index, so that a claim costs what it did.
ALTER TABLE queue ADD COLUMN unsettled smallint NOT NULL DEFAULT 0;
