//! The API described: OpenAPI 3.1, made of the route table, of what is said of each route, and of the wire's shapes.
//!
//! A route that nothing is said of stops the tests: it gets a row in `openapi/operations.rs` or one of the files beside it, under its method and pattern. What a tenant
//! has for the platform, under `/v1/tenants/{tenant_id}`, is described by the row of the route that its own keys call.

mod document;
mod operation;
mod operations;
mod parameters;
mod responses;

use std::sync::OnceLock;

use serde_json::Value;

pub(crate) use self::operation::Operation;
pub(crate) use self::operations::operations;

/// The document.
///
/// ```
/// let document = selfmx_http::openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert_eq!(document["paths"]["/v1/send"]["post"]["security"][0]["apiKey"][0], "send");
/// ```
#[must_use]
pub fn openapi() -> Value {
    document::document(&crate::routes())
}

/// The document as it is served: written once.
pub(crate) fn written() -> &'static str {
    static WRITTEN: OnceLock<String> = OnceLock::new();
    WRITTEN.get_or_init(|| openapi().to_string())
}

#[cfg(test)]
mod tests;
