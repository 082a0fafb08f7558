DROP INDEX queue_by_tenant;
