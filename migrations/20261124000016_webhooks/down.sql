DROP TRIGGER events_to_webhooks ON events;
DROP FUNCTION webhook_deliveries_queue();
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
