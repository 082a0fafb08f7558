//! What requests and answers look like: JSON Schema (2020-12), as OpenAPI 3.1 takes it.
//!
//! Requests are read by hand, field by field, so that an error names its field; no library could derive a schema from that. So each shape is said once more here,
//! next to the types that it is of, and tests hold the two together: what a request's reader takes is what its schema names, and the server's tests compare
//! every answer with the schema that is documented for it.

mod emails;
mod feedback;
mod keys;
mod send;
mod server;
mod shape;
mod suppressions;
mod templates;
mod tenants;
mod webhooks;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::shape::{Object, flag, list, named, nullable, text};

/// A shape by its name.
pub(crate) type Named = (&'static str, Value);

/// Every shape by its name. A list of `Key` is `KeyList`.
///
/// ```
/// let schemas = selfmx_wire::schemas();
/// assert_eq!(schemas["KeyList"]["properties"]["data"]["items"]["$ref"], "#/components/schemas/Key");
/// ```
#[must_use]
pub fn schemas() -> BTreeMap<String, Value> {
    let nouns = [
        emails::shapes(),
        feedback::shapes(),
        keys::shapes(),
        send::shapes(),
        server::shapes(),
        suppressions::shapes(),
        templates::shapes(),
        tenants::shapes(),
        webhooks::shapes(),
    ];
    let shapes = nouns.into_iter().flatten().map(|(name, shape)| (name.to_owned(), shape));
    shapes.chain(LISTED.iter().map(|name| (format!("{name}List"), page_of(name)))).collect()
}

/// What there are lists of.
const LISTED: &[&str] = &[
    "AuditEntry",
    "Delivery",
    "EmailSummary",
    "Key",
    "LogEntry",
    "Suppression",
    "TemplateSummary",
    "TemplateVersion",
    "Tenant",
    "Webhook",
];

fn page_of(name: &str) -> Value {
    let place = Object::new("Where a page that was asked for by its number stands.")
        .has("page", json!({"type": "integer", "minimum": 1}))
        .has("limit", json!({"type": "integer", "minimum": 1, "maximum": 100}))
        .has("total", json!({"type": "integer", "minimum": 0}))
        .may("total_capped", flag());
    let page = Object::new("A page, the newest first.")
        .has("data", list(named(name)))
        .has("has_more", flag())
        .has("next_cursor", nullable(text("What `after` takes for the next page.")));
    let page = if name == "EmailSummary" { page.may("pagination", place.into_json()) } else { page };
    page.into_json()
}

#[cfg(test)]
mod forms;
#[cfg(test)]
mod tests;
