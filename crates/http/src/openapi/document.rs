//! The whole document.

use selfmx_wire::schemas;
use serde_json::{Map, Value, json};

use super::{Operation, operations, parameters, responses};
use crate::{Access, RouteInfo};

/// What a tenant has, for the platform, is described as what its own keys call.
const OF_TENANT: &str = "/v1/tenants/{tenant_id}/";

const ABOUT: &str = "A self-hosted email API. Each request needs an API key as `Authorization: Bearer <key>`, but for those that say otherwise; what a key may do is \
                     in its permissions, and each route names the one that it needs.";

/// The document that describes these routes.
pub(super) fn document(routes: &[RouteInfo]) -> Value {
    let (mut paths, mut shared) = (Map::new(), Map::new());
    for route in routes {
        let Some(operation) = described(route) else { continue };
        let method = route.method.to_ascii_lowercase();
        let written = written(route, &operation, &mut shared);
        if let Some(path) = paths.entry(route.pattern).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(method, written);
        }
    }
    let tags: Vec<_> = tags().into_iter().map(|name| json!({"name": name})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SelfMX", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas(), "responses": shared, "headers": headers(), "securitySchemes": security_schemes()}
    })
}

/// What is said of a route; `None`: nothing.
pub(super) fn described(route: &RouteInfo) -> Option<Operation> {
    let of = |pattern: &str| operations().find(|operation| (operation.method, operation.pattern) == (route.method, pattern));
    of(route.pattern).or_else(|| of(&format!("/v1/{}", route.pattern.strip_prefix(OF_TENANT)?)))
}

/// The headings, in their order.
pub(super) fn tags() -> Vec<&'static str> {
    let mut tags: Vec<_> = operations().map(|operation| operation.tag).collect();
    tags.dedup();
    tags
}

fn written(route: &RouteInfo, operation: &Operation, shared: &mut Map<String, Value>) -> Value {
    let for_tenant = operation.pattern != route.pattern;
    let (id, summary) = match for_tenant {
        true => (format!("{}ForTenant", operation.id), format!("{}, for a tenant", operation.summary)),
        false => (operation.id.to_owned(), operation.summary.to_owned()),
    };
    let tag = if for_tenant { "Tenants" } else { operation.tag };
    let in_path = parameters::names_of(route.pattern).filter_map(parameters::of_path);
    let in_query = route.parameters.iter().filter_map(|name| parameters::of_query(name, route.pattern));
    let repeated = operation.idempotent.then(parameters::idempotency_key);
    let resumed = operation.resumable.then(parameters::last_event_id);
    let parameters: Vec<_> = in_path.chain(in_query).chain(repeated).chain(resumed).collect();
    let responses = responses::responses(route, operation, shared);
    let mut written = Map::from_iter([
        ("operationId".to_owned(), id.into()),
        ("summary".to_owned(), summary.into()),
        ("tags".to_owned(), json!([tag])),
        ("security".to_owned(), security(route)),
        ("parameters".to_owned(), parameters.into()),
        ("responses".to_owned(), responses),
    ]);
    if let Some(content) = operation.body {
        let content = content.described();
        written.insert("requestBody".to_owned(), json!({"required": !operation.body_optional, "content": content}));
    }
    written.into()
}

/// Who may call; the permission stands where OpenAPI 3.1 has room for the roles that are needed.
fn security(route: &RouteInfo) -> Value {
    match route.access {
        Access::Public if route.pattern == "/metrics" => json!([{}, {"metricsToken": []}]),
        Access::Public => json!([]),
        Access::AnyKey => json!([{"apiKey": []}]),
        Access::Permission(permission) => json!([{"apiKey": [permission.as_str()]}]),
        Access::Platform(permission) => json!([{"platformKey": [permission.as_str()]}]),
    }
}

fn security_schemes() -> Value {
    let bearer = |about: &str| json!({"type": "http", "scheme": "bearer", "description": about});
    json!({
        "apiKey": bearer("An API key that holds the permission, or `*`."),
        "platformKey": bearer("An API key without a tenant that holds the permission."),
        "metricsToken": bearer("What METRICS_TOKEN is, where the operator has set it.")
    })
}

fn headers() -> Value {
    let header = |kind: &str, about: &str| json!({"schema": {"type": kind}, "description": about});
    json!({
        "X-Request-Id": header("string", "The caller's own, or a new one. The server's log has it."),
        "X-RateLimit-Limit": header("integer", "How many requests there may be; absent where there is no limit."),
        "X-RateLimit-Remaining": header("integer", "How many are left."),
        "X-RateLimit-Reset": header("integer", "The Unix second at which all of them are there again."),
        "Retry-After": header("integer", "After so many seconds it may be tried again."),
        "Location": header("string", "Where it goes on."),
        "Idempotency-Replayed": header("string", "`true` where this answer was given before.")
    })
}
