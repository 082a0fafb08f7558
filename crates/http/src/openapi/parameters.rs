//! The parameters of paths and queries, by their names.

use selfmx_domain::{AuditAction, EmailStatus, EventKind};
use serde_json::{Value, json};

/// A parameter of the query: its shape and what it does. `None`: nothing is said of it.
pub(super) fn of_query(name: &str, pattern: &str) -> Option<Value> {
    let words = |words: &[&str]| json!({"type": "string", "enum": words});
    let address = json!({"type": "string", "minLength": 3, "pattern": "[^@]@[^@]"});
    let time = json!({"type": "string", "format": "date-time"});
    let (schema, about) = match name {
        "limit" => (json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}), "How many at most."),
        "after" => (id(cursor(pattern)), "What `next_cursor` of the page before was."),
        "page" => (json!({"type": "integer", "minimum": 1, "maximum": 10_000}), "A page by its number, and with it the `total`."),
        "since" => (time, "From then on."),
        "until" => (time, "Before then."),
        "status" => (words(&EmailStatus::ALL.map(EmailStatus::as_str)), "Those of this status alone."),
        "from" => (address, "Those from this address alone."),
        "to" => (address, "Those to this address alone."),
        "tag" => (json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,256}$"}), "Those with this tag alone."),
        "email_id" => (id("msg"), "What happened to this email alone."),
        "api_key_id" if pattern.ends_with("/logs") => (id("key"), "Emails that this key sent, and what it did."),
        "api_key_id" => (id("key"), "What this key did."),
        "event" => (words(&events(pattern)), "Events of this kind alone."),
        "follow" => (json!({"type": "boolean", "default": true}), "`false`: the stream ends when all that has happened is read."),
        "reason" => (words(&["bounce", "complaint", "manual"]), "Those for this reason alone."),
        "include" => (words(&["revoked"]), "`revoked`: those that are valid no more as well."),
        "mode" => (words(&["strict", "permissive"]), "`strict`, the default: all or none. `permissive`: those that can be sent."),
        "strict" => (json!({"type": "boolean"}), "Whether a variable that is missing is an error; as the template says unless given."),
        "tenant_id" => (id("tenant"), "Of this tenant alone."),
        "action" => (words(&actions()), "This action alone."),
        "target" => (json!({"type": "string"}), "What was done to this id alone."),
        "outcome" => (words(&["done", "refused"]), "Those that ended so alone."),
        "period" => (
            json!({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}),
            "The month, such as `2026-01`; the present one unless given.",
        ),
        _ => return None,
    };
    Some(json!({"name": name, "in": "query", "required": false, "schema": schema, "description": about}))
}

/// An id: one of these prefixes, and 26 characters of Crockford's base 32 or, of keys and tenants, the word `default`.
fn id(prefixes: &str) -> Value {
    let default = if ["key", "tenant"].contains(&prefixes) { "default|" } else { "" };
    json!({"type": "string", "pattern": format!("^({prefixes})_({default}[0-7][0-9a-hjkmnp-tv-z]{{25}})$")})
}

/// What the ids of a list begin with.
fn cursor(pattern: &str) -> &'static str {
    match pattern.rsplit('/').next() {
        Some("api-keys") => "key",
        Some("audit-logs") => "log",
        Some("emails") => "msg",
        Some("logs") if pattern.contains("/webhooks/") => "whd",
        Some("logs") => "evt|log",
        Some("suppressions") => "sup",
        Some("templates") => "tmpl",
        Some("tenants") => "tenant",
        Some("webhooks") => "wh",
        _ => "[a-z]+",
    }
}

/// What can be asked for: of the log also what keys do.
fn events(pattern: &str) -> Vec<&'static str> {
    let calls = if pattern.ends_with("/logs") { actions() } else { Vec::new() };
    EventKind::ALL.map(EventKind::as_str).into_iter().chain(calls).collect()
}

fn actions() -> Vec<&'static str> {
    AuditAction::ALL.iter().map(|action| action.as_str()).collect()
}

/// A parameter of the path. `None`: nothing is said of it.
pub(super) fn of_path(name: &str) -> Option<Value> {
    let (schema, about) = match name {
        "id" => (json!({"type": "string", "minLength": 1}), "The id. What is no id, or another tenant's, is not found."),
        "tenant_id" => (json!({"type": "string", "minLength": 1}), "The tenant's id."),
        "address" => (json!({"type": "string", "minLength": 1}), "The address, its `@` as `%40` or as it is."),
        "version" => (json!({"type": "integer", "minimum": 1}), "The version's number."),
        "delivery_id" => (json!({"type": "string", "minLength": 1}), "The delivery's id."),
        "token" => (json!({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}), "What the link tells, signed by the server."),
        _ => return None,
    };
    Some(json!({"name": name, "in": "path", "required": true, "schema": schema, "description": about}))
}

/// The names in a pattern, in their order.
pub(super) fn names_of(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// The header by which a stream goes on.
pub(super) fn last_event_id() -> Value {
    json!({
        "name": "Last-Event-ID", "in": "header", "required": false, "schema": {"type": "string", "pattern": "^([0-9a-f]{20}\\.[0-9a-f]{1,16}\\.[0-9a-f]{32})?$"},
        "description": "The last `id` that the stream gave: it goes on after that event. Without it, it begins with what happens from now on."
    })
}

/// The header by which a repetition is recognised.
pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false, "schema": {"type": "string", "pattern": "^[!-~]{1,256}$"},
        "description": "A word of your own. The same request with the same word within 24 hours is one request, and gets the same answer."
    })
}
