-- Takes the foundation away, and all that stands on it.

DROP TABLE events, queue, recipients, messages, emails, api_keys, tenants;
