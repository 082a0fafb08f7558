//! What a path with an id can name.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use selfmx_domain::{TemplateId, TenantId, WebhookId};
use selfmx_http::RouteInfo;
use serde_json::{Value, json};

use super::callers::Tenants;
use crate::world::World;

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The tenant `owner`'s.
    Owners,
    /// The platform's.
    Platforms,
    /// It does not exist.
    Nobodys,
}

/// What stands between a tenant's id and that of something in it.
const IN: char = '|';

/// What stands between the parts of an address that nobody has heard of.
const NEVER: &str = ".never@";

/// Patterns that begin so and go on are what a tenant has, for the platform; the same as what its own keys find without the beginning.
const UNDER_TENANT: &str = "/v1/tenants/{tenant_id}/";

/// The end of the path of what goes on for as long as it is listened to.
const STREAM: &str = "/events/stream";

/// Whose each template is that was made.
static TEMPLATES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Whose each webhook is that was made, and a delivery of it.
static WEBHOOKS: Mutex<BTreeMap<String, (String, String)>> = Mutex::new(BTreeMap::new());

/// A webhook to which nothing is posted.
fn new_webhook() -> Value {
    json!({"url": "https://hooks.example/in", "events": ["delivered"], "active": false})
}

/// A template of a name that none has yet.
fn new_template() -> Value {
    static MADE: AtomicU32 = AtomicU32::new(0);
    json!({"name": format!("template {}", MADE.fetch_add(1, Ordering::Relaxed)), "subject": "s", "text": "t"})
}

/// The octets of the body that a route takes.
pub(crate) fn written_body(route: &RouteInfo) -> String {
    if route.pattern.ends_with("/feedback") {
        return crate::feedback::complaint("<nobody@relay.example>", "nobody@recipient.example");
    }
    body(route).map(|body| body.to_string()).unwrap_or_default()
}

/// The JSON that a route takes.
fn body(route: &RouteInfo) -> Option<Value> {
    let pattern = route.pattern.replace("/v1/tenants/{tenant_id}/", "/v1/");
    let pattern = if route.pattern.contains(UNDER_TENANT) { pattern.as_str() } else { route.pattern };
    match (route.method, pattern) {
        ("GET" | "DELETE", _) | ("POST", "/v1/test-smtp") => None,
        ("PATCH", "/v1/api-keys/{id}") => Some(json!({"name": "Changed"})),
        ("POST", "/v1/api-keys/{id}/rotate") => Some(json!({})),
        ("PATCH", "/v1/emails/{id}") => Some(json!({"scheduled_at": crate::world::in_seconds(7200)})),
        ("POST", "/v1/emails/{id}/cancel") => None,
        // Whoever may make keys holds what this one is to hold.
        ("POST", "/v1/api-keys") => Some(json!({"name": "Made", "permissions": ["api-keys:write"]})),
        ("POST", "/v1/send/batch") => Some(json!({"emails": [crate::world::email(&json!({}))]})),
        ("POST", "/v1/send") => Some(crate::world::email(&json!({}))),
        // It stands there already, so that each call is answered alike.
        ("POST", "/v1/suppressions") => Some(json!({"address": super::callers::SUPPRESSED})),
        ("POST", "/v1/templates" | "/v1/templates/validate") => Some(json!({"name": "Made", "subject": "s"})),
        ("PUT", "/v1/templates/{id}") => Some(new_template()),
        ("PATCH", "/v1/templates/{id}") => Some(json!({"subject": "Changed"})),
        ("POST", "/v1/templates/{id}/render") => Some(json!({})),
        ("POST", "/v1/webhooks") | ("PUT", "/v1/webhooks/{id}") => Some(new_webhook()),
        ("PATCH", "/v1/webhooks/{id}") => Some(json!({"events": ["bounced"]})),
        ("POST", "/v1/webhooks/{id}/rotate-secret") => Some(json!({})),
        ("POST", "/v1/webhooks/{id}/test" | "/v1/webhooks/{id}/deliveries/{delivery_id}/replay") => None,
        ("POST", "/v1/templates/{id}/versions/{version}/restore") => None,
        ("POST", "/v1/tenants") => Some(json!({"name": "Made"})),
        ("PUT" | "PATCH", "/v1/tenants/{tenant_id}") => Some(json!({"name": "Changed"})),
        ("POST", "/v1/suspend" | "/v1/resume") => None,
        (method, pattern) => panic!("say here what body {method} {pattern} takes"),
    }
}

/// Makes what a route with an id is asked about. A tenant that is deleted by it is one of its own: others are asked about `tenants` after it.
pub(crate) async fn target(world: &World, tenants: &Tenants, route: &RouteInfo, whose: Whose) -> String {
    match (route.method, route.pattern, whose) {
        ("DELETE", "/v1/tenants/{tenant_id}", Whose::Owners) => world.tenant("Short-lived").await,
        _ => make(world, tenants, route.pattern, whose).await,
    }
}

/// Makes an object for a route with an id, and gives its id.
pub(crate) async fn make(world: &World, tenants: &Tenants, pattern: &str, whose: Whose) -> String {
    let tenant = match whose {
        Whose::Owners => Some(&tenants.owner),
        Whose::Platforms => None,
        Whose::Nobodys => return never_made(&Box::pin(make(world, tenants, pattern, Whose::Platforms)).await),
    };
    if let Some(rest) = pattern.strip_prefix("/v1/tenants/{tenant_id}") {
        let tenant = tenant.cloned().unwrap_or_else(|| "tenant_default".to_owned());
        if !rest.contains("{id}") && !rest.contains("{address}") {
            return tenant;
        }
        let inside = Tenants { owner: tenant.clone(), other: tenants.other.clone() };
        let id = Box::pin(make(world, &inside, &format!("/v1{rest}"), Whose::Owners)).await;
        return format!("{tenant}{IN}{id}");
    }
    if pattern.starts_with("/v1/suppressions/") {
        let address = format!("{}@suppressed.example", tenant.map_or("tenant_default", String::as_str));
        suppress(world, &address).await;
        return address;
    }
    if pattern.starts_with("/v1/templates/") {
        let tenant = tenant.map_or("tenant_default", String::as_str);
        let answer = world.post(&format!("/v1/tenants/{tenant}/templates"), &new_template()).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        let id = crate::world::text(&answer.json()["id"]);
        TEMPLATES.lock().unwrap().insert(id.clone(), tenant.to_owned());
        return id;
    }
    if pattern.starts_with("/v1/webhooks/") {
        let tenant = tenant.map_or("tenant_default", String::as_str);
        let made = world.post(&format!("/v1/tenants/{tenant}/webhooks"), &new_webhook()).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let id = crate::world::text(&made.json()["id"]);
        let queued = world.post(&format!("/v1/tenants/{tenant}/webhooks/{id}/test"), &json!({})).await;
        assert_eq!(queued.status, 202, "{}", queued.json());
        WEBHOOKS.lock().unwrap().insert(id.clone(), (tenant.to_owned(), crate::world::text(&queued.json()["id"])));
        return id;
    }
    let key = world.key(json!({"name": "Object", "permissions": ["send"], "tenant_id": tenant})).await;
    if pattern.starts_with("/v1/api-keys/") {
        return key.id;
    }
    if pattern.starts_with("/v1/emails/") {
        // It waits, so that it can be put off or called off.
        return world.send_as(&key.secret, json!({"scheduled_at": crate::world::in_seconds(3600)})).await;
    }
    panic!("say here what the id in {pattern} names")
}

/// Puts an address on the list of the tenant that it names.
async fn suppress(world: &World, address: &str) {
    let tenant = address.split('@').next().unwrap_or_default();
    let answer = world.post(&format!("/v1/tenants/{tenant}/suppressions"), &json!({"address": address})).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.json());
}

/// Puts a template back under its id, if it was made and is gone.
async fn put_back(world: &World, id: &str) {
    let Some(tenant) = TEMPLATES.lock().unwrap().get(id).cloned() else { return };
    let (tenant, id): (TenantId, TemplateId) = (tenant.parse().unwrap(), id.parse().unwrap());
    let (tenant, id) = (tenant.as_uuid(), id.as_uuid());
    let back = format!(
        "INSERT INTO templates (tenant_id, id, name, version, partials) VALUES ('{tenant}', '{id}', 'back {id}', 1, '{{}}') ON CONFLICT DO NOTHING; \
         INSERT INTO template_versions (tenant_id, template_id, version, name, subject, reply_to, strict) \
         VALUES ('{tenant}', '{id}', 1, 'back {id}', 's', '{{}}', false) ON CONFLICT DO NOTHING"
    );
    world.database.execute(&back).await;
}

/// Puts a webhook back under its id, if it was made and is gone. Nothing opens its secret.
async fn put_webhook_back(world: &World, id: &str) {
    let Some((tenant, _)) = WEBHOOKS.lock().unwrap().get(id).cloned() else { return };
    let (tenant, id): (TenantId, WebhookId) = (tenant.parse().unwrap(), id.parse().unwrap());
    let back = format!(
        "INSERT INTO webhooks (id, tenant_id, url, events, secret, active) VALUES ('{}', '{}', 'https://hooks.example/in', '{{delivered}}', '\\x00', false) \
         ON CONFLICT DO NOTHING",
        id.as_uuid(),
        tenant.as_uuid()
    );
    world.database.execute(&back).await;
}

/// Makes again what one caller may have taken away from those who come after it, and takes away what it may have put in their way.
pub(crate) async fn restore(world: &World, route: &RouteInfo, id: &str) {
    if route.method == "DELETE" && route.pattern.ends_with("/suppressions/{address}") && !id.contains(NEVER) {
        suppress(world, id.split_once(IN).map_or(id, |(_, address)| address)).await;
    }
    if route.method == "POST" && route.pattern.ends_with("/templates") {
        world.database.execute("DELETE FROM templates WHERE name = 'Made'").await;
    }
    if route.method == "DELETE" && route.pattern.ends_with("/templates/{id}") {
        put_back(world, id.split_once(IN).map_or(id, |(_, id)| id)).await;
    }
    if route.method == "DELETE" && route.pattern.ends_with("/webhooks/{id}") {
        put_webhook_back(world, id.split_once(IN).map_or(id, |(_, id)| id)).await;
    }
}

/// An id that is as well formed and as old as this one, and of nothing.
pub(crate) fn never_made(id: &str) -> String {
    if id.contains('@') {
        return id.replace('@', NEVER);
    }
    let (prefix, digits) = id.split_once('_').unwrap_or_default();
    if digits == "default" {
        return format!("{prefix}_01h455vb4pex5vsknk084sn02q");
    }
    let (kept, last) = digits.split_at(digits.len() - 6);
    format!("{prefix}_{kept}{}", if last == "zzzzzz" { "yyyyyy" } else { "zzzzzz" })
}

/// Whether a pattern names something by its id.
pub(crate) fn has_id(pattern: &str) -> bool {
    ["{id}", "{tenant_id}", "{address}"].iter().any(|name| pattern.contains(name))
}

/// The path of a pattern with this id, or with that of a tenant and of something in it.
pub(crate) fn path(pattern: &str, id: &str) -> String {
    let (tenant, id) = id.split_once(IN).unwrap_or((id, id));
    // Unless told otherwise it has no end.
    let pattern = if pattern.ends_with(STREAM) { format!("{pattern}?follow=false") } else { pattern.to_owned() };
    let delivery =
        WEBHOOKS.lock().unwrap().get(id).map_or_else(|| "whd_01h455vb4pex5vsknk084sn02q".to_owned(), |(_, delivery)| delivery.clone());
    let pattern = pattern.replace("{delivery_id}", &delivery);
    let pattern = crate::tracking::links::with_token(&pattern);
    pattern.replace("{id}", id).replace("{version}", "1").replace("{address}", id).replace("{tenant_id}", tenant)
}
