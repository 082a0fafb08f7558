//! What a path with an id can name.

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

/// The body that a route takes.
pub(crate) fn body(route: &RouteInfo) -> Option<Value> {
    match (route.method, route.pattern) {
        ("GET" | "DELETE", _) | ("POST", "/v1/test-smtp") => None,
        ("PATCH", "/v1/api-keys/{id}") => Some(json!({"name": "Changed"})),
        ("POST", "/v1/api-keys/{id}/rotate") => Some(json!({})),
        // Whoever may make keys holds what this one is to hold.
        ("POST", "/v1/api-keys") => Some(json!({"name": "Made", "permissions": ["api-keys:write"]})),
        ("POST", "/v1/send") => Some(crate::world::email(&json!({}))),
        ("POST", "/v1/tenants") => Some(json!({"name": "Made"})),
        ("PUT" | "PATCH", "/v1/tenants/{tenant_id}") => Some(json!({"name": "Changed"})),
        (method, pattern) => panic!("say here what body {method} {pattern} takes"),
    }
}

/// Makes an object for a route with an id, and gives its id.
pub(crate) async fn make(world: &World, tenants: &Tenants, pattern: &str, whose: Whose) -> String {
    let tenant = match whose {
        Whose::Owners => Some(&tenants.owner),
        Whose::Platforms => None,
        Whose::Nobodys => return never_made(&Box::pin(make(world, tenants, pattern, Whose::Platforms)).await),
    };
    if pattern.starts_with("/v1/tenants/") {
        return tenant.cloned().unwrap_or_else(|| "tenant_default".to_owned());
    }
    let key = world.key(json!({"name": "Object", "permissions": ["send"], "tenant_id": tenant})).await;
    if pattern.starts_with("/v1/api-keys/") {
        return key.id;
    }
    if pattern.starts_with("/v1/emails/") {
        return world.send_as(&key.secret, json!({})).await;
    }
    panic!("say here what the id in {pattern} names")
}

/// An id that is as well formed and as old as this one, and of nothing.
pub(crate) fn never_made(id: &str) -> String {
    let (prefix, digits) = id.split_once('_').unwrap_or_default();
    if digits == "default" {
        return format!("{prefix}_01h455vb4pex5vsknk084sn02q");
    }
    let (kept, last) = digits.split_at(digits.len() - 6);
    format!("{prefix}_{kept}{}", if last == "zzzzzz" { "yyyyyy" } else { "zzzzzz" })
}

/// Whether a pattern names something by its id.
pub(crate) fn has_id(pattern: &str) -> bool {
    pattern.contains("{id}") || pattern.contains("{tenant_id}")
}

/// The path of a pattern with this id.
pub(crate) fn path(pattern: &str, id: &str) -> String {
    pattern.replace("{id}", id).replace("{tenant_id}", id)
}
