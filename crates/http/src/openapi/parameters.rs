//! The parameters of paths and queries, by their names.

use serde_json::{Value, json};

/// A parameter of the query: its shape and what it does. `None`: nothing is said of it.
pub(super) fn of_query(name: &str, pattern: &str) -> Option<Value> {
    let words = |words: &[&str]| json!({"type": "string", "enum": words});
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let (schema, about) = match name {
        "limit" => (json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}), "How many at most."),
        "after" => (text, "What `next_cursor` of the page before was."),
        "page" => (json!({"type": "integer", "minimum": 1, "maximum": 10_000}), "A page by its number, and with it the `total`."),
        "since" => (time, "From then on."),
        "until" => (time, "Before then."),
        "status" => (text, "Those of this status alone."),
        "from" => (text, "Those from this address alone."),
        "to" => (text, "Those to this address alone."),
        "tag" => (text, "Those with this tag alone."),
        "email_id" => (text, "What happened to this email alone."),
        "api_key_id" if pattern.ends_with("/logs") => (text, "Emails that this key sent, and what it did."),
        "api_key_id" => (text, "What this key did."),
        "event" => (text, "Events of this kind alone."),
        "follow" => (json!({"type": "boolean", "default": true}), "`false`: the stream ends when all that has happened is read."),
        "reason" => (words(&["bounce", "complaint", "manual"]), "Those for this reason alone."),
        "include" => (words(&["revoked"]), "`revoked`: those that are valid no more as well."),
        "mode" => (words(&["strict", "permissive"]), "`strict`, the default: all or none. `permissive`: those that can be sent."),
        "strict" => (json!({"type": "boolean"}), "Whether a variable that is missing is an error; as the template says unless given."),
        "tenant_id" => (text, "Of this tenant alone."),
        "action" => (text, "This action alone."),
        "target" => (text, "What was done to this id alone."),
        "outcome" => (words(&["done", "refused"]), "Those that ended so alone."),
        "period" => (
            json!({"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}),
            "The month, such as `2026-01`; the present one unless given.",
        ),
        _ => return None,
    };
    Some(json!({"name": name, "in": "query", "required": false, "schema": schema, "description": about}))
}

/// A parameter of the path. `None`: nothing is said of it.
pub(super) fn of_path(name: &str) -> Option<Value> {
    let (schema, about) = match name {
        "id" => (json!({"type": "string", "minLength": 1}), "The id. What is no id, or another tenant's, is not found."),
        "tenant_id" => (json!({"type": "string", "minLength": 1}), "The tenant's id."),
        "address" => (json!({"type": "string", "minLength": 1}), "The address, its `@` as `%40` or as it is."),
        "version" => (json!({"type": "integer", "minimum": 1}), "The version's number."),
        "delivery_id" => (json!({"type": "string", "minLength": 1}), "The delivery's id."),
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
