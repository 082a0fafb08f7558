//! What a route answers.

use std::collections::BTreeMap;

use selfmx_wire::ErrorCode;
use serde_json::{Map, Value, json};

use super::operation::{Content, Operation};
use crate::failure::status;
use crate::{Access, RouteInfo};

/// The codes that any request may be answered with, whatever it asks for.
const ALWAYS: [ErrorCode; 6] = [
    ErrorCode::InvalidRequest,
    ErrorCode::RequestTimeout,
    ErrorCode::PayloadTooLarge,
    ErrorCode::HeadersTooLarge,
    ErrorCode::Internal,
    ErrorCode::Unavailable,
];

/// The codes that whoever needs a key may be answered with.
const KEYED: [ErrorCode; 5] =
    [ErrorCode::UnknownField, ErrorCode::MissingApiKey, ErrorCode::InvalidApiKey, ErrorCode::IpNotAllowed, ErrorCode::RateLimited];

/// The codes of the errors that a route may answer with, by their status.
pub(super) fn errors(route: &RouteInfo, operation: &Operation) -> BTreeMap<u16, Vec<ErrorCode>> {
    let keyed: &[_] = if route.access == Access::Public { &[] } else { &KEYED };
    let permission = matches!(route.access, Access::Permission(_) | Access::Platform(_)).then_some(ErrorCode::PermissionDenied);
    let nothing = route.pattern.contains('{').then_some(ErrorCode::NotFound);
    let body = operation.body.map(|_| ErrorCode::UnsupportedMediaType);
    let all = ALWAYS.iter().chain(keyed).chain(&permission).chain(&nothing).chain(&body).chain(operation.errors);
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in ErrorCode::ALL.iter().filter(|code| all.clone().any(|known| known == *code)) {
        by_status.entry(status(*code).as_u16()).or_default().push(*code);
    }
    by_status
}

/// The answers of a route. Errors with the same codes share a component, which is added to `shared`.
pub(super) fn responses(route: &RouteInfo, operation: &Operation, shared: &mut Map<String, Value>) -> Value {
    let mut responses = Map::new();
    for (status, content) in operation.answers {
        responses.insert(status.to_string(), well(route, operation, *status, *content));
    }
    for (status, codes) in errors(route, operation) {
        let name = codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(".");
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        shared.entry(name).or_insert_with(|| failed(status, &codes));
    }
    responses.into()
}

fn well(route: &RouteInfo, operation: &Operation, status: u16, content: Content) -> Value {
    let limits: &[_] =
        if route.access == Access::Public { &[] } else { &["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"] };
    let more = operation.idempotent.then_some("Idempotency-Replayed").into_iter().chain((status == 302).then_some("Location"));
    let headers = headers(limits.iter().copied().chain(more));
    json!({"description": "All went well.", "headers": headers, "content": content.described()})
}

impl Content {
    /// As OpenAPI has it: the media type, and the schema.
    pub(super) fn described(self) -> Value {
        match self {
            Self::Json(shape) => json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{shape}")}}}),
            Self::Other(media_type) => json!({media_type: {"schema": {"type": "string"}}}),
        }
    }
}

fn failed(status: u16, codes: &[ErrorCode]) -> Value {
    let told: Vec<_> = codes.iter().map(|code| format!("`{code}`: {}.", code.description())).collect();
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let headers = headers([429, 503].contains(&status).then_some("Retry-After"));
    let code = json!({"properties": {"error": {"properties": {"code": {"enum": names}}}}});
    let schema = json!({"allOf": [{"$ref": "#/components/schemas/Error"}, code]});
    json!({"description": told.join(" "), "headers": headers, "content": {"application/json": {"schema": schema}}})
}

/// The headers of an answer, beside the one that each has.
fn headers(more: impl IntoIterator<Item = &'static str>) -> Value {
    let names = ["X-Request-Id"].into_iter().chain(more);
    names.map(|name| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))).collect::<Map<_, _>>().into()
}
