//! The document says what the route table says, of every route and of nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::{Access, routes};

/// Every operation of the document: its method, its path, itself.
fn operations_of(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone())).collect::<Vec<_>>()
    });
    all.collect()
}

#[test]
fn each_route_is_described_and_nothing_else_is() {
    let undescribed: Vec<_> =
        routes().iter().filter(|route| document::described(route).is_none()).map(|route| (route.method, route.pattern)).collect();
    assert_eq!(undescribed, [], "give these a row in crates/http/src/openapi/operations.rs or beside it");
    let described: BTreeSet<_> = operations_of(&openapi()).into_iter().map(|(method, path, _)| (method, path)).collect();
    let there: BTreeSet<_> = routes().iter().map(|route| (route.method.to_owned(), route.pattern.to_owned())).collect();
    assert_eq!(described, there);
    let gone: Vec<_> =
        operations().filter(|row| !there.contains(&(row.method.to_owned(), row.pattern.to_owned()))).map(|row| row.id).collect();
    assert_eq!(gone, [""; 0], "there are no such routes");
}

#[test]
fn each_operation_needs_what_its_route_needs() {
    let document = openapi();
    for route in routes() {
        let security = &document["paths"][route.pattern][route.method.to_lowercase()]["security"];
        let needs = match route.access {
            Access::Public => continue,
            Access::AnyKey => serde_json::json!([{"apiKey": []}]),
            Access::Permission(permission) => serde_json::json!([{"apiKey": [permission.as_str()]}]),
            Access::Platform(permission) => serde_json::json!([{"platformKey": [permission.as_str()]}]),
        };
        assert_eq!(*security, needs, "{} {}", route.method, route.pattern);
    }
}

#[test]
fn each_parameter_is_described() {
    for route in routes() {
        let said = |name: &&str| parameters::of_query(name, route.pattern).is_some();
        let unsaid: Vec<_> = route.parameters.iter().filter(|name| !said(name)).collect();
        assert!(unsaid.is_empty(), "say in openapi/parameters.rs what these do: {} {unsaid:?}", route.pattern);
        let unsaid: Vec<_> = parameters::names_of(route.pattern).filter(|name| parameters::of_path(name).is_none()).collect();
        assert!(unsaid.is_empty(), "say in openapi/parameters.rs what these are: {} {unsaid:?}", route.pattern);
    }
}

#[test]
fn a_list_s_cursor_has_the_form_that_the_list_takes() {
    let form = |pattern| {
        let said = parameters::of_query("after", pattern).unwrap();
        regex::Regex::new(said["schema"]["pattern"].as_str().unwrap()).unwrap()
    };
    let all = ["key", "log", "msg", "evt", "whd", "sup", "tmpl", "tenant", "wh"];
    for (pattern, prefixes) in [
        ("/v1/api-keys", &["key"][..]),
        ("/v1/audit-logs", &["log"]),
        ("/v1/tenants/{tenant_id}/emails", &["msg"]),
        ("/v1/logs", &["evt", "log"]),
        ("/v1/webhooks/{id}/logs", &["whd"]),
        ("/v1/suppressions", &["sup"]),
        ("/v1/tenants/{tenant_id}/templates", &["tmpl"]),
        ("/v1/tenants", &["tenant"]),
        ("/v1/webhooks", &["wh"]),
    ] {
        let taken: Vec<_> =
            all.into_iter().filter(|prefix| form(pattern).is_match(&format!("{prefix}_01h455vb4pex5vsknk084sn02q"))).collect();
        assert_eq!(taken.iter().collect::<BTreeSet<_>>(), prefixes.iter().collect(), "{pattern}");
    }
    assert!(form("/v1/api-keys").is_match("key_default") && form("/v1/tenants").is_match("tenant_default"));
    let lists: Vec<_> = routes().iter().filter(|route| route.parameters.contains(&"after")).map(|route| route.pattern).collect();
    assert!(
        lists.iter().all(|pattern| !form(pattern).is_match("x_01h455vb4pex5vsknk084sn02q")),
        "say in openapi/parameters.rs what these list: {lists:?}"
    );
}

#[test]
fn each_operation_has_an_id_of_its_own_and_an_answer_that_is_well() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations_of(&openapi()) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().cloned().collect();
        assert!(statuses.iter().any(|status| status.starts_with(['2', '3'])), "{method} {path}: {statuses:?}");
        assert!(!operation["tags"][0].as_str().unwrap().is_empty(), "{method} {path}");
        assert!(operation.get("requestBody").is_none() || method != "GET", "{path}");
    }
}

#[test]
fn whatever_is_referred_to_is_there() {
    let document = openapi();
    for used in written().split("\"$ref\":\"#").skip(1) {
        let pointer = used.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
