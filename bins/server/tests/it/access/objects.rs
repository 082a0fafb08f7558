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

/// What stands between a tenant's id and that of something in it.
const IN: char = '|';

/// What stands between the parts of an address that nobody has heard of.
const NEVER: &str = ".never@";

/// Patterns that begin so and go on are what a tenant has, for the platform; the same as what its own keys find without the beginning.
const UNDER_TENANT: &str = "/v1/tenants/{tenant_id}/";

/// The body that a route takes.
pub(crate) fn body(route: &RouteInfo) -> Option<Value> {
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

/// Makes again what one caller may have taken away from those who come after it.
pub(crate) async fn restore(world: &World, route: &RouteInfo, id: &str) {
    if route.method == "DELETE" && route.pattern.ends_with("/suppressions/{address}") && !id.contains(NEVER) {
        suppress(world, id.split_once(IN).map_or(id, |(_, address)| address)).await;
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
    pattern.replace("{id}", id).replace("{address}", id).replace("{tenant_id}", tenant)
}
