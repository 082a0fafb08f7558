//! Every route of the API, in one list. Who may call follows from the handler's first argument.

use selfmx_app::App;
use selfmx_domain::AuditAction as Action;

use crate::routes::{
    audit, batch, docs, emails, events, feedback, health, keys, logs, metrics, send, smtp, suppressions, templates, tenants, tracking,
    usage, webhooks,
};
use crate::{Route, RouteInfo};

/// The route table.
pub(crate) fn table() -> Vec<Route<App>> {
    own().into_iter().chain(of_tenant()).collect()
}

fn own() -> Vec<Route<App>> {
    vec![
        Route::public("/health", health::health),
        Route::public("/health/live", health::live),
        Route::public("/health/ready", health::ready),
        Route::public("/metrics", metrics::metrics),
        Route::public("/openapi.json", docs::description),
        Route::public("/docs", docs::reference),
        Route::public("/docs/errors", docs::errors),
        Route::public("/t/o/{token}", tracking::open),
        Route::public("/t/c/{token}", tracking::click),
        Route::post("/v1/api-keys", keys::create).audited(Action::KeyCreate),
        Route::get("/v1/api-keys", keys::list).with_parameters(keys::LIST).audited(Action::KeyRead),
        Route::get("/v1/api-keys/me", keys::me),
        Route::get("/v1/api-keys/{id}", keys::find).audited(Action::KeyRead),
        Route::patch("/v1/api-keys/{id}", keys::update).audited(Action::KeyUpdate),
        Route::delete("/v1/api-keys/{id}", keys::revoke).audited(Action::KeyRevoke),
        Route::post("/v1/api-keys/{id}/rotate", keys::rotate).audited(Action::KeyRotate),
        Route::post("/v1/send", send::send).with_email_body(),
        Route::post("/v1/send/batch", batch::send).with_parameters(batch::SEND).with_email_body(),
        Route::get("/v1/emails", emails::list).with_parameters(emails::LIST),
        Route::get("/v1/emails/{id}", emails::find),
        Route::get("/v1/emails/{id}/raw", emails::raw),
        Route::patch("/v1/emails/{id}", emails::reschedule),
        Route::post("/v1/emails/{id}/cancel", emails::cancel),
        Route::get("/v1/logs", logs::list).with_parameters(logs::LIST),
        Route::get("/v1/events/stream", events::stream).with_parameters(events::STREAM),
        Route::post("/v1/feedback", feedback::report).with_email_body().audited(Action::FeedbackReport),
        Route::post("/v1/suppressions", suppressions::create).audited(Action::SuppressionCreate),
        Route::get("/v1/suppressions", suppressions::list).with_parameters(suppressions::LIST).audited(Action::SuppressionRead),
        Route::get("/v1/suppressions/{address}", suppressions::find).audited(Action::SuppressionRead),
        Route::delete("/v1/suppressions/{address}", suppressions::delete).audited(Action::SuppressionDelete),
        Route::post("/v1/templates", templates::create).audited(Action::TemplateCreate),
        Route::get("/v1/templates", templates::list).with_parameters(templates::LIST).audited(Action::TemplateRead),
        Route::post("/v1/templates/validate", templates::validate).audited(Action::TemplateCreate),
        Route::get("/v1/templates/{id}", templates::find).audited(Action::TemplateRead),
        Route::put("/v1/templates/{id}", templates::replace).audited(Action::TemplateUpdate),
        Route::patch("/v1/templates/{id}", templates::update).audited(Action::TemplateUpdate),
        Route::delete("/v1/templates/{id}", templates::delete).audited(Action::TemplateDelete),
        Route::get("/v1/templates/{id}/versions", templates::versions).audited(Action::TemplateRead),
        Route::post("/v1/templates/{id}/versions/{version}/restore", templates::restore).audited(Action::TemplateRestore),
        Route::post("/v1/templates/{id}/render", templates::render).with_parameters(templates::RENDER).audited(Action::TemplateRead),
        Route::post("/v1/webhooks", webhooks::create).audited(Action::WebhookCreate),
        Route::get("/v1/webhooks", webhooks::list).with_parameters(webhooks::LIST).audited(Action::WebhookRead),
        Route::get("/v1/webhooks/{id}", webhooks::find).audited(Action::WebhookRead),
        Route::put("/v1/webhooks/{id}", webhooks::replace).audited(Action::WebhookUpdate),
        Route::patch("/v1/webhooks/{id}", webhooks::update).audited(Action::WebhookUpdate),
        Route::delete("/v1/webhooks/{id}", webhooks::delete).audited(Action::WebhookDelete),
        Route::post("/v1/webhooks/{id}/rotate-secret", webhooks::rotate).audited(Action::WebhookRotate),
        Route::post("/v1/webhooks/{id}/test", webhooks::test).audited(Action::WebhookTest),
        Route::get("/v1/webhooks/{id}/logs", webhooks::deliveries).with_parameters(webhooks::LIST).audited(Action::WebhookRead),
        Route::post("/v1/webhooks/{id}/deliveries/{delivery_id}/replay", webhooks::replay).audited(Action::WebhookReplay),
        Route::get("/v1/audit-logs", audit::list).with_parameters(audit::LIST).audited(Action::AuditRead),
        Route::post("/v1/test-smtp", smtp::test).audited(Action::RelayTest),
        Route::post("/v1/tenants", tenants::create).audited(Action::TenantCreate),
        Route::get("/v1/tenants", tenants::list).with_parameters(tenants::LIST).audited(Action::TenantRead),
        Route::get("/v1/tenants/{tenant_id}", tenants::find).audited(Action::TenantRead),
        Route::put("/v1/tenants/{tenant_id}", tenants::update).audited(Action::TenantUpdate),
        Route::patch("/v1/tenants/{tenant_id}", tenants::update).audited(Action::TenantUpdate),
        Route::delete("/v1/tenants/{tenant_id}", tenants::delete).audited(Action::TenantDelete),
        Route::post("/v1/tenants/{tenant_id}/suspend", tenants::suspend).audited(Action::TenantSuspend),
        Route::post("/v1/tenants/{tenant_id}/resume", tenants::resume).audited(Action::TenantResume),
        Route::get("/v1/tenants/{tenant_id}/usage", usage::find).with_parameters(usage::FIND).audited(Action::TenantRead),
    ]
}

/// What a tenant has, for the platform: the same handlers under the tenant's path.
fn of_tenant() -> Vec<Route<App>> {
    vec![
        Route::post("/v1/tenants/{tenant_id}/send", send::send).with_email_body().for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/send/batch", batch::send).with_parameters(batch::SEND).with_email_body().for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/emails", emails::list).with_parameters(emails::LIST).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/emails/{id}", emails::find).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/emails/{id}/raw", emails::raw).for_tenant(),
        Route::patch("/v1/tenants/{tenant_id}/emails/{id}", emails::reschedule).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/emails/{id}/cancel", emails::cancel).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/logs", logs::list).with_parameters(logs::LIST).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/events/stream", events::stream).with_parameters(events::STREAM).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/feedback", feedback::report).with_email_body().audited(Action::FeedbackReport).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/suppressions", suppressions::create).audited(Action::SuppressionCreate).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/suppressions", suppressions::list)
            .with_parameters(suppressions::LIST)
            .audited(Action::SuppressionRead)
            .for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/suppressions/{address}", suppressions::find).audited(Action::SuppressionRead).for_tenant(),
        Route::delete("/v1/tenants/{tenant_id}/suppressions/{address}", suppressions::delete)
            .audited(Action::SuppressionDelete)
            .for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/templates", templates::create).audited(Action::TemplateCreate).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/templates", templates::list)
            .with_parameters(templates::LIST)
            .audited(Action::TemplateRead)
            .for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/templates/validate", templates::validate).audited(Action::TemplateCreate).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/templates/{id}", templates::find).audited(Action::TemplateRead).for_tenant(),
        Route::put("/v1/tenants/{tenant_id}/templates/{id}", templates::replace).audited(Action::TemplateUpdate).for_tenant(),
        Route::patch("/v1/tenants/{tenant_id}/templates/{id}", templates::update).audited(Action::TemplateUpdate).for_tenant(),
        Route::delete("/v1/tenants/{tenant_id}/templates/{id}", templates::delete).audited(Action::TemplateDelete).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/templates/{id}/versions", templates::versions).audited(Action::TemplateRead).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/templates/{id}/versions/{version}/restore", templates::restore)
            .audited(Action::TemplateRestore)
            .for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/templates/{id}/render", templates::render)
            .with_parameters(templates::RENDER)
            .audited(Action::TemplateRead)
            .for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/webhooks", webhooks::create).audited(Action::WebhookCreate).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/webhooks", webhooks::list)
            .with_parameters(webhooks::LIST)
            .audited(Action::WebhookRead)
            .for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/webhooks/{id}", webhooks::find).audited(Action::WebhookRead).for_tenant(),
        Route::put("/v1/tenants/{tenant_id}/webhooks/{id}", webhooks::replace).audited(Action::WebhookUpdate).for_tenant(),
        Route::patch("/v1/tenants/{tenant_id}/webhooks/{id}", webhooks::update).audited(Action::WebhookUpdate).for_tenant(),
        Route::delete("/v1/tenants/{tenant_id}/webhooks/{id}", webhooks::delete).audited(Action::WebhookDelete).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/webhooks/{id}/rotate-secret", webhooks::rotate).audited(Action::WebhookRotate).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/webhooks/{id}/test", webhooks::test).audited(Action::WebhookTest).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/webhooks/{id}/logs", webhooks::deliveries)
            .with_parameters(webhooks::LIST)
            .audited(Action::WebhookRead)
            .for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/webhooks/{id}/deliveries/{delivery_id}/replay", webhooks::replay)
            .audited(Action::WebhookReplay)
            .for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/api-keys", keys::create).audited(Action::KeyCreate).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/api-keys", keys::list).with_parameters(keys::LIST).audited(Action::KeyRead).for_tenant(),
        Route::get("/v1/tenants/{tenant_id}/api-keys/{id}", keys::find).audited(Action::KeyRead).for_tenant(),
        Route::patch("/v1/tenants/{tenant_id}/api-keys/{id}", keys::update).audited(Action::KeyUpdate).for_tenant(),
        Route::delete("/v1/tenants/{tenant_id}/api-keys/{id}", keys::revoke).audited(Action::KeyRevoke).for_tenant(),
        Route::post("/v1/tenants/{tenant_id}/api-keys/{id}/rotate", keys::rotate).audited(Action::KeyRotate).for_tenant(),
    ]
}

/// The route table as data: for documents, and for tests that try every row.
///
/// ```
/// use selfmx_auth::Permission;
/// use selfmx_http::Access;
///
/// let send = selfmx_http::routes().into_iter().find(|route| route.pattern == "/v1/send");
/// assert_eq!(send.map(|route| route.access), Some(Access::Permission(Permission::Send)));
/// ```
#[must_use]
pub fn routes() -> Vec<RouteInfo> {
    table().iter().map(Route::info).collect()
}

#[cfg(test)]
mod tests {
    use selfmx_auth::Permission;

    use super::*;
    use crate::{Access, Router};

    #[test]
    fn the_table_does_not_contradict_itself() {
        assert!(Router::new(table()).is_ok());
    }

    #[test]
    fn each_row_asks_for_what_the_contract_says() {
        let rows: Vec<_> = routes().iter().map(|route| (route.method, route.pattern, route.access)).collect();
        assert_eq!(
            rows,
            [
                ("GET", "/health", Access::Public),
                ("GET", "/health/live", Access::Public),
                ("GET", "/health/ready", Access::Public),
                ("GET", "/metrics", Access::Public),
                ("GET", "/openapi.json", Access::Public),
                ("GET", "/docs", Access::Public),
                ("GET", "/docs/errors", Access::Public),
                ("GET", "/t/o/{token}", Access::Public),
                ("GET", "/t/c/{token}", Access::Public),
                ("POST", "/v1/api-keys", Access::Permission(Permission::ApiKeysWrite)),
                ("GET", "/v1/api-keys", Access::Permission(Permission::ApiKeysRead)),
                ("GET", "/v1/api-keys/me", Access::AnyKey),
                ("GET", "/v1/api-keys/{id}", Access::Permission(Permission::ApiKeysRead)),
                ("PATCH", "/v1/api-keys/{id}", Access::Permission(Permission::ApiKeysWrite)),
                ("DELETE", "/v1/api-keys/{id}", Access::Permission(Permission::ApiKeysWrite)),
                ("POST", "/v1/api-keys/{id}/rotate", Access::Permission(Permission::ApiKeysWrite)),
                ("POST", "/v1/send", Access::Permission(Permission::Send)),
                ("POST", "/v1/send/batch", Access::Permission(Permission::Send)),
                ("GET", "/v1/emails", Access::Permission(Permission::LogsRead)),
                ("GET", "/v1/emails/{id}", Access::Permission(Permission::LogsRead)),
                ("GET", "/v1/emails/{id}/raw", Access::Permission(Permission::LogsRead)),
                ("PATCH", "/v1/emails/{id}", Access::Permission(Permission::Send)),
                ("POST", "/v1/emails/{id}/cancel", Access::Permission(Permission::Send)),
                ("GET", "/v1/logs", Access::Permission(Permission::LogsRead)),
                ("GET", "/v1/events/stream", Access::Permission(Permission::LogsRead)),
                ("POST", "/v1/feedback", Access::Permission(Permission::All)),
                ("POST", "/v1/suppressions", Access::Permission(Permission::SuppressionsWrite)),
                ("GET", "/v1/suppressions", Access::Permission(Permission::SuppressionsRead)),
                ("GET", "/v1/suppressions/{address}", Access::Permission(Permission::SuppressionsRead)),
                ("DELETE", "/v1/suppressions/{address}", Access::Permission(Permission::SuppressionsWrite)),
                ("POST", "/v1/templates", Access::Permission(Permission::TemplatesWrite)),
                ("GET", "/v1/templates", Access::Permission(Permission::TemplatesRead)),
                ("POST", "/v1/templates/validate", Access::Permission(Permission::TemplatesWrite)),
                ("GET", "/v1/templates/{id}", Access::Permission(Permission::TemplatesRead)),
                ("PUT", "/v1/templates/{id}", Access::Permission(Permission::TemplatesWrite)),
                ("PATCH", "/v1/templates/{id}", Access::Permission(Permission::TemplatesWrite)),
                ("DELETE", "/v1/templates/{id}", Access::Permission(Permission::TemplatesWrite)),
                ("GET", "/v1/templates/{id}/versions", Access::Permission(Permission::TemplatesRead)),
                ("POST", "/v1/templates/{id}/versions/{version}/restore", Access::Permission(Permission::TemplatesWrite)),
                ("POST", "/v1/templates/{id}/render", Access::Permission(Permission::TemplatesRead)),
                ("POST", "/v1/webhooks", Access::Permission(Permission::WebhooksWrite)),
                ("GET", "/v1/webhooks", Access::Permission(Permission::WebhooksRead)),
                ("GET", "/v1/webhooks/{id}", Access::Permission(Permission::WebhooksRead)),
                ("PUT", "/v1/webhooks/{id}", Access::Permission(Permission::WebhooksWrite)),
                ("PATCH", "/v1/webhooks/{id}", Access::Permission(Permission::WebhooksWrite)),
                ("DELETE", "/v1/webhooks/{id}", Access::Permission(Permission::WebhooksWrite)),
                ("POST", "/v1/webhooks/{id}/rotate-secret", Access::Permission(Permission::WebhooksWrite)),
                ("POST", "/v1/webhooks/{id}/test", Access::Permission(Permission::WebhooksWrite)),
                ("GET", "/v1/webhooks/{id}/logs", Access::Permission(Permission::WebhooksRead)),
                ("POST", "/v1/webhooks/{id}/deliveries/{delivery_id}/replay", Access::Permission(Permission::WebhooksWrite)),
                ("GET", "/v1/audit-logs", Access::Permission(Permission::All)),
                ("POST", "/v1/test-smtp", Access::Permission(Permission::All)),
                ("POST", "/v1/tenants", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}", Access::Platform(Permission::All)),
                ("PUT", "/v1/tenants/{tenant_id}", Access::Platform(Permission::All)),
                ("PATCH", "/v1/tenants/{tenant_id}", Access::Platform(Permission::All)),
                ("DELETE", "/v1/tenants/{tenant_id}", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/suspend", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/resume", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/usage", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/send", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/send/batch", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/emails", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/emails/{id}", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/emails/{id}/raw", Access::Platform(Permission::All)),
                ("PATCH", "/v1/tenants/{tenant_id}/emails/{id}", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/emails/{id}/cancel", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/logs", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/events/stream", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/feedback", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/suppressions", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/suppressions", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/suppressions/{address}", Access::Platform(Permission::All)),
                ("DELETE", "/v1/tenants/{tenant_id}/suppressions/{address}", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/templates", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/templates", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/templates/validate", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/templates/{id}", Access::Platform(Permission::All)),
                ("PUT", "/v1/tenants/{tenant_id}/templates/{id}", Access::Platform(Permission::All)),
                ("PATCH", "/v1/tenants/{tenant_id}/templates/{id}", Access::Platform(Permission::All)),
                ("DELETE", "/v1/tenants/{tenant_id}/templates/{id}", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/templates/{id}/versions", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/templates/{id}/versions/{version}/restore", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/templates/{id}/render", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/webhooks", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/webhooks", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/webhooks/{id}", Access::Platform(Permission::All)),
                ("PUT", "/v1/tenants/{tenant_id}/webhooks/{id}", Access::Platform(Permission::All)),
                ("PATCH", "/v1/tenants/{tenant_id}/webhooks/{id}", Access::Platform(Permission::All)),
                ("DELETE", "/v1/tenants/{tenant_id}/webhooks/{id}", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/webhooks/{id}/rotate-secret", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/webhooks/{id}/test", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/webhooks/{id}/logs", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/webhooks/{id}/deliveries/{delivery_id}/replay", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/api-keys", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/api-keys", Access::Platform(Permission::All)),
                ("GET", "/v1/tenants/{tenant_id}/api-keys/{id}", Access::Platform(Permission::All)),
                ("PATCH", "/v1/tenants/{tenant_id}/api-keys/{id}", Access::Platform(Permission::All)),
                ("DELETE", "/v1/tenants/{tenant_id}/api-keys/{id}", Access::Platform(Permission::All)),
                ("POST", "/v1/tenants/{tenant_id}/api-keys/{id}/rotate", Access::Platform(Permission::All)),
            ]
        );
    }
}
