//! `GET /v1/audit-logs`: every change and every refusal of a management call, with who, from where, before and after.

use serde_json::{Value, json};

use crate::forms::{is_id, is_time};
use crate::process::KEY;
use crate::world::{World, fault, text};

async fn entries(world: &World, key: &str, query: &str) -> Vec<Value> {
    let answer = world.server.ask("GET", &format!("/v1/audit-logs{query}"), Some(key), None).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.json());
    answer.json()["data"].as_array().unwrap().clone()
}

fn summary(entry: &Value) -> (String, String, String) {
    (text(&entry["action"]), text(&entry["outcome"]), text(&entry["code"]))
}

fn line(action: &str, code: &str) -> (String, String, String) {
    (action.to_owned(), if code.is_empty() { "done" } else { "refused" }.to_owned(), code.to_owned())
}

#[tokio::test]
async fn each_change_and_each_refusal_is_noted_once_and_without_secrets() {
    let world = World::start().await;
    let key = world.key(json!({"name": "Noted", "permissions": ["send"], "allowed_senders": ["@a.example"]})).await;
    let path = format!("/v1/api-keys/{}", key.id);
    let ask = async |method: &str, path: &str, secret: &str, body: Option<Value>| {
        let headers = [
            ("authorization", format!("Bearer {secret}")),
            ("content-type", "application/json".to_owned()),
            ("user-agent", "audit-test/1".to_owned()),
        ];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        world.server.connect().await.send_octets(method, path, &headers, body.into()).await.unwrap()
    };
    ask("PATCH", &path, KEY, Some(json!({"enabled": false}))).await;
    ask("PATCH", &path, KEY, Some(json!({"enabled": true, "name": "Renamed"}))).await;
    let rotated = text(&ask("POST", &format!("{path}/rotate"), KEY, None).await.json()["key"]);
    assert_eq!(ask("DELETE", &path, &rotated, None).await.status, 403);
    assert_eq!(ask("GET", "/v1/tenants", &rotated, None).await.status, 403);
    assert_eq!(ask("POST", "/v1/api-keys", KEY, Some(json!({"name": "x", "permissions": []}))).await.status, 400);
    assert_eq!(ask("DELETE", "/v1/api-keys/key_default", KEY, None).await.status, 409);
    let revoked = ask("DELETE", &path, KEY, None).await;
    ask("DELETE", &path, KEY, None).await;
    let all = entries(&world, KEY, "").await;
    let expected = [
        line("api_key.revoke", ""),
        line("api_key.revoke", "conflict"),
        line("tenant.read", "permission_denied"),
        line("api_key.revoke", "permission_denied"),
        line("api_key.rotate", ""),
        line("api_key.update", ""),
        line("api_key.update", ""),
        line("api_key.create", ""),
    ];
    assert_eq!(all.iter().map(summary).collect::<Vec<_>>(), expected);
    let (newest, oldest) = (&all[0], &all[7]);
    assert!(is_id("log", &newest["id"]) && is_time(&newest["timestamp"]), "{newest}");
    assert_eq!((&newest["target"], &newest["tenant_id"]), (&json!(key.id), &json!("tenant_default")));
    assert_eq!(newest["actor"], json!({"type": "api_key", "id": "key_default"}));
    assert_eq!((&newest["address"], &newest["user_agent"]), (&json!("127.0.0.1"), &json!("audit-test/1")));
    assert_eq!(newest["request_id"].as_str(), revoked.header("x-request-id"));
    assert!(newest["before"].get("revoked_at").is_none() && newest["after"]["revoked_at"].is_string(), "{newest}");
    assert_eq!((&all[5]["before"]["name"], &all[5]["after"]["name"]), (&json!("Noted"), &json!("Renamed")));
    assert_eq!((&all[5]["before"]["enabled"], &all[5]["after"]["enabled"]), (&json!(false), &json!(true)));
    assert_eq!((&oldest["before"], &oldest["after"]["allowed_senders"]), (&Value::Null, &json!(["@a.example"])));
    assert_eq!((&all[3]["actor"]["id"], &all[3]["target"], &all[3]["after"]), (&json!(key.id), &json!(key.id), &Value::Null));
    let everything = format!("{all:?}{}", world.database.query_one_text("SELECT string_agg(a::text, ' ') FROM audit_logs a").await);
    assert!(!everything.contains(&key.secret[8..]) && !everything.contains(&rotated[8..]) && !everything.contains("digest"));
}

#[tokio::test]
async fn a_key_in_the_wrong_place_is_noted() {
    let world = World::start().await;
    let key = world.key(json!({"name": "Bound", "permissions": ["send"], "allowed_ips": ["192.0.2.0/24"]})).await;
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&key.secret), None).await.status, 403);
    let entry = entries(&world, KEY, "?outcome=refused").await.remove(0);
    assert_eq!(summary(&entry), line("api_key.use", "ip_not_allowed"));
    assert_eq!((&entry["target"], &entry["address"]), (&json!(key.id), &json!("127.0.0.1")));
}

#[tokio::test]
async fn what_the_platform_is_refused_under_a_tenant_s_path_stands_under_the_tenant() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let key = world.key(json!({"name": "Gone", "permissions": ["send"], "tenant_id": tenant})).await;
    let path = format!("/v1/tenants/{tenant}/api-keys/{}", key.id);
    let ask = async |method: &str, path: &str| world.server.ask(method, path, Some(KEY), None).await;
    assert_eq!(ask("DELETE", &path).await.status, 200);
    assert_eq!(fault(&ask("POST", &format!("{path}/rotate")).await).1, "conflict");
    // Who may not act for it leaves nothing there.
    assert_eq!(world.server.ask("DELETE", &path, Some(&key.secret), None).await.status, 401);
    let weak = world.key(json!({"name": "Weak", "permissions": ["api-keys:write"]})).await;
    assert_eq!(world.server.ask("DELETE", &path, Some(&weak.secret), None).await.status, 403);
    let refused = entries(&world, KEY, &format!("?tenant_id={tenant}&outcome=refused")).await;
    assert_eq!(refused.iter().map(summary).collect::<Vec<_>>(), [line("api_key.rotate", "conflict")]);
    assert_eq!((&refused[0]["target"], &refused[0]["actor"]["id"]), (&json!(key.id), &json!("key_default")));
    let refused = entries(&world, KEY, "?tenant_id=tenant_default&outcome=refused").await;
    assert_eq!(refused.iter().map(summary).collect::<Vec<_>>(), [line("api_key.revoke", "permission_denied")]);
}

#[tokio::test]
async fn a_tenant_sees_its_own_and_not_from_where_the_platform_works() {
    let world = World::start().await;
    let (own, other) = (world.tenant("Own").await, world.tenant("Other").await);
    let admin = world.key(json!({"name": "Admin", "permissions": ["*"], "tenant_id": own})).await;
    world.key(json!({"name": "Others", "permissions": ["*"], "tenant_id": other})).await;
    let made =
        world.server.ask("POST", "/v1/api-keys", Some(&admin.secret), Some(&json!({"name": "n", "permissions": ["send"]}))).await.json();
    let seen = entries(&world, &admin.secret, "").await;
    assert_eq!(seen.iter().map(|entry| text(&entry["target"])).collect::<Vec<_>>(), [text(&made["id"]), admin.id.clone(), own.clone()]);
    assert!(seen.iter().all(|entry| entry["tenant_id"] == own.as_str()));
    assert_eq!((&seen[0]["address"], &seen[0]["actor"]["tenant_id"]), (&json!("127.0.0.1"), &json!(own)));
    assert_eq!((&seen[1]["address"], &seen[1]["user_agent"], &seen[1]["request_id"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(entries(&world, &admin.secret, &format!("?tenant_id={other}")).await, Vec::<Value>::new());
    assert_eq!(entries(&world, KEY, &format!("?tenant_id={other}")).await.len(), 2);
    let reader = world.key(json!({"name": "Reader", "permissions": ["logs:read", "api-keys:read"], "tenant_id": own})).await;
    assert_eq!(fault(&world.server.ask("GET", "/v1/audit-logs", Some(&reader.secret), None).await).1, "permission_denied");
}

#[tokio::test]
async fn entries_are_filtered_and_paged() {
    let world = World::start().await;
    let mut keys = Vec::new();
    for number in 0..5 {
        keys.push(world.key(json!({"name": format!("k{number}"), "permissions": ["api-keys:write", "send"]})).await);
    }
    let refused = world.server.ask("GET", "/v1/api-keys", Some(&keys[0].secret), None).await;
    assert_eq!(refused.status, 403);
    let all = entries(&world, KEY, "").await;
    assert_eq!(all.len(), 6);
    for (query, count) in [
        (format!("?api_key_id={}", keys[0].id), 1),
        ("?api_key_id=key_default".to_owned(), 5),
        (format!("?target={}", keys[1].id), 1),
        ("?action=api_key.create".to_owned(), 5),
        ("?action=api_key.read&outcome=refused".to_owned(), 1),
        ("?outcome=done".to_owned(), 5),
        ("?since=2020-01-01T00:00:00Z".to_owned(), 6),
        ("?until=2020-01-01T00:00:00Z".to_owned(), 0),
        (format!("?since={}", text(&all[2]["timestamp"])), 3),
        (format!("?until={}", text(&all[2]["timestamp"])), 3),
        ("?tenant_id=tenant_default".to_owned(), 6),
    ] {
        let found = entries(&world, KEY, &query).await.len();
        // Two entries may be of one millisecond.
        assert!(found == count || (query.contains("since=20") && found > count), "{query}: {found}");
    }
    let mut walked = Vec::new();
    let mut query = "?limit=4".to_owned();
    loop {
        let page = world.get(&format!("/v1/audit-logs{query}")).await.json();
        walked.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=4&after={next}");
    }
    assert_eq!(walked, all);
    for (query, field) in [
        ("?action=nothing", "action"),
        ("?outcome=maybe", "outcome"),
        ("?api_key_id=x", "api_key_id"),
        ("?since=x", "since"),
        ("?limit=0", "limit"),
    ] {
        assert_eq!(fault(&world.get(&format!("/v1/audit-logs{query}")).await), (400, "invalid_request".to_owned(), field.to_owned()));
    }
}
