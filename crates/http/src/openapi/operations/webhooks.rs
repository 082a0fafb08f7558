//! Webhooks.

use crate::openapi::Operation;
use crate::openapi::operation::Content::Json;

pub(super) const WEBHOOKS: &[Operation] = &[
    Operation::post("/v1/webhooks", "createWebhook", "Make a webhook").takes("WriteWebhook").answers(&[(201, Json("WebhookWithSecret"))]),
    Operation::get("/v1/webhooks", "listWebhooks", "List webhooks").answers(&[(200, Json("WebhookList"))]),
    Operation::get("/v1/webhooks/{id}", "findWebhook", "Show a webhook").answers(&[(200, Json("Webhook"))]),
    Operation::put("/v1/webhooks/{id}", "replaceWebhook", "Replace a webhook, but for its secret")
        .takes("WriteWebhook")
        .answers(&[(200, Json("Webhook"))]),
    Operation::patch("/v1/webhooks/{id}", "updateWebhook", "Change a webhook").takes("UpdateWebhook").answers(&[(200, Json("Webhook"))]),
    Operation::delete("/v1/webhooks/{id}", "deleteWebhook", "Delete a webhook").answers(&[(200, Json("WebhookDeleted"))]),
    Operation::post("/v1/webhooks/{id}/rotate-secret", "rotateWebhookSecret", "Give a webhook a new secret")
        .may_take("RotateWebhookSecret")
        .answers(&[(200, Json("WebhookWithSecret"))]),
    Operation::post("/v1/webhooks/{id}/test", "testWebhook", "Post a test event").answers(&[(202, Json("DeliveryQueued"))]),
    Operation::get("/v1/webhooks/{id}/logs", "listWebhookDeliveries", "List deliveries, with every attempt")
        .answers(&[(200, Json("DeliveryList"))]),
    Operation::post("/v1/webhooks/{id}/deliveries/{delivery_id}/replay", "replayWebhookDelivery", "Post an event once more")
        .answers(&[(202, Json("DeliveryQueued"))]),
];
