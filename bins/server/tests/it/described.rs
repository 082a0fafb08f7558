//! Whatever the server answers is as its own description says: the status, the code, every member.

mod walk;

use std::sync::OnceLock;

use selfmx_http::{openapi, routes};
use selfmx_testing::HttpAnswer;
use serde_json::{Map, Value, json};

use crate::world::World;

/// The description of this build.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(openapi)
}

/// Fails the test where an answer is not as it is described. Methods and paths that there are not, are not described.
pub(crate) fn check(method: &str, path: &str, answer: &HttpAnswer) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(pattern) = pattern_of(path) else { return };
    let operation = &document()["paths"][pattern][method.to_lowercase()];
    if operation.is_null() {
        return;
    }
    let response = resolved(&operation["responses"][answer.status.to_string()]);
    assert!(!response.is_null(), "{method} {pattern} answers {}, which is not described: {}", answer.status, answer.json());
    let media_type = answer.header("content-type").unwrap_or_default();
    let content = &response["content"][media_type];
    assert!(!content.is_null(), "{method} {pattern} answers {} as {media_type}, which is not described", answer.status);
    if media_type == "application/json" {
        let wrong = faults(&content["schema"], &answer.json(), "");
        assert!(wrong.is_empty(), "{method} {pattern} answers {} otherwise than described: {wrong:?}\n{}", answer.status, answer.json());
    }
}

/// The pattern that a path is found by: one without names before one with them.
fn pattern_of(path: &str) -> Option<&'static str> {
    let segments: Vec<_> = path.split('/').collect();
    let fits = |pattern: &&str| {
        let wanted: Vec<_> = pattern.split('/').collect();
        wanted.len() == segments.len()
            && wanted.iter().zip(&segments).all(|(wanted, found)| wanted == found || (wanted.starts_with('{') && !found.is_empty()))
    };
    let mut patterns: Vec<_> = routes().iter().map(|route| route.pattern).filter(fits).collect();
    patterns.sort_by_key(|pattern| pattern.matches('{').count());
    patterns.first().copied()
}

/// What a reference stands for.
fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).expect(reference),
        None => value,
    }
}

/// Where a value is not as a schema says: for the part of JSON Schema that the description uses.
fn faults(schema: &'static Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolved(schema);
    let wrong = |what: &str| vec![format!("{at}: {what}")];
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().flat_map(|one| faults(one, value, at)).collect();
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return if any.iter().any(|one| faults(one, value, at).is_empty()) { Vec::new() } else { wrong("is none of the choices") };
    }
    if schema.get("const").is_some_and(|wanted| wanted != value) || schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return wrong("is another word");
    }
    if schema.get("type").is_some_and(|kinds| !is_of(kinds, value)) {
        return wrong(&format!("is no {}", schema["type"]));
    }
    let mut found = bounds(schema, value).map(wrong).unwrap_or_default();
    if let Some(members) = value.as_object() {
        found.extend(faults_of_members(schema, members, at));
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate().filter(|_| schema.get("items").is_some()) {
        found.extend(faults(&schema["items"], element, &format!("{at}[{index}]")));
    }
    found
}

fn faults_of_members(schema: &'static Value, members: &Map<String, Value>, at: &str) -> Vec<String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut found: Vec<_> = required.filter(|name| !members.contains_key(*name)).map(|name| format!("{at}.{name} is missing")).collect();
    for (name, member) in members {
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(known), _) => found.extend(faults(known, member, &format!("{at}.{name}"))),
            (None, Some(Value::Bool(false))) => found.push(format!("{at}.{name} is not described")),
            (None, Some(others @ Value::Object(_))) => found.extend(faults(others, member, &format!("{at}.{name}"))),
            (None, _) => {}
        }
    }
    found
}

fn is_of(kinds: &Value, value: &Value) -> bool {
    let kinds = kinds.as_array().cloned().unwrap_or_else(|| vec![kinds.clone()]);
    kinds.iter().any(|kind| match kind.as_str() {
        Some("null") => value.is_null(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("no kind of value: {other:?}"),
    })
}

/// What is wrong with the size or the form of a value.
fn bounds(schema: &Value, value: &Value) -> Option<&'static str> {
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        return (!fits(pattern, text)).then_some("is not of its form");
    }
    if let Some(number) = value.as_u64() {
        let least = schema["minimum"].as_u64().is_some_and(|least| number < least);
        return (least || schema["maximum"].as_u64().is_some_and(|most| number > most)).then_some("is out of its bounds");
    }
    let is_time = schema["format"] == "date-time" && !value.is_null();
    (is_time && !crate::forms::is_time(value)).then_some("is no time in UTC with milliseconds")
}

/// Whether a text is of the form that a pattern of ours gives: those of ids are looked at, the others are simple enough to be believed.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((prefixes, _)) = pattern.trim_start_matches('^').split_once("[0-7]") else { return true };
    let default = prefixes.contains("(default|") && text.ends_with("_default");
    let prefixes = prefixes.trim_end_matches("(default|").trim_end_matches('_').trim_end_matches('(').trim_end_matches('_');
    let mut prefixes = prefixes.trim_start_matches('(').trim_end_matches(')').split('|');
    prefixes.any(|prefix| crate::forms::is_id(prefix, &json!(text)) || (default && text.starts_with(prefix)))
}

#[tokio::test]
async fn the_description_is_served_to_anybody_and_is_that_of_the_route_table() {
    let world = World::start().await;
    let answer = world.server.ask("GET", "/openapi.json", None, None).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), *document());
}

#[tokio::test]
async fn an_error_says_where_it_is_explained_and_there_it_is() {
    let world = World::start().await;
    let error = world.server.ask("GET", "/v1/emails", None, None).await.json()["error"].clone();
    let (path, anchor) = error["docs"].as_str().unwrap().split_once('#').unwrap();
    for path in [path, "/docs"] {
        let page = world.server.ask("GET", path, None, None).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && page.header("x-content-type-options") == Some("nosniff"), "{policy}");
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(html.contains(&format!("id=\"{anchor}\"")) || path == "/docs", "{anchor}");
        assert!(html.contains(&format!("#{anchor}\"")) || path != "/docs", "{anchor}");
    }
}

#[test]
fn what_is_not_as_described_is_found() {
    let key = &document()["components"]["schemas"]["KeyRevoked"];
    let found = |value: Value| faults(key, &value, "").join("; ");
    let id = "key_01h455vb4pex5vsknk084sn02q";
    assert_eq!(found(json!({"id": id, "revoked": true})), "");
    assert_eq!(found(json!({"id": "key_default", "revoked": true})), "");
    assert_eq!(found(json!({"id": id})), ".revoked is missing");
    assert_eq!(found(json!({"id": id, "revoked": false})), ".revoked: is another word");
    assert_eq!(found(json!({"id": "msg_01h455vb4pex5vsknk084sn02q", "revoked": true})), ".id: is not of its form");
    assert_eq!(found(json!({"id": 1, "revoked": true})), ".id: is no \"string\"");
    assert_eq!(found(json!({"id": id, "revoked": true, "more": 1})), ".more is not described");
    assert_eq!(found(json!([])), ": is no \"object\"");
}
