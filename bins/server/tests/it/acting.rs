//! `/v1/tenants/{tenant_id}/...`: what a tenant has, for the platform.

use serde_json::{Value, json};

use crate::process::KEY;
use crate::world::{World, email, fault, text};

async fn ids(world: &World, key: &str, path: &str) -> Vec<String> {
    let answer = world.server.ask("GET", path, Some(key), None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.json());
    answer.json()["data"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect()
}

#[tokio::test]
async fn the_platform_makes_keys_for_a_tenant_and_sees_and_changes_only_its_keys_there() {
    let world = World::start().await;
    let (acme, other) = (world.tenant("Acme").await, world.tenant("Other").await);
    let keys = format!("/v1/tenants/{acme}/api-keys");
    let made = world.post(&keys, &json!({"name": "Acme's", "permissions": ["*"]})).await.json();
    assert_eq!(made["tenant_id"], json!(acme), "{made}");
    let (id, secret) = (text(&made["id"]), text(&made["key"]));
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&secret), None).await.json()["acts_for"], json!(acme));
    let foreign = world.key(json!({"name": "Other's", "permissions": ["send"], "tenant_id": other})).await;
    let platforms = world.key(json!({"name": "Platform's", "permissions": ["send"]})).await;
    assert_eq!(ids(&world, KEY, &keys).await, [id.as_str()]);
    for outside in [&foreign.id, &platforms.id, "key_default"] {
        for (method, path) in [
            ("GET", format!("{keys}/{outside}")),
            ("DELETE", format!("{keys}/{outside}")),
            ("PATCH", format!("{keys}/{outside}")),
            ("POST", format!("{keys}/{outside}/rotate")),
        ] {
            let body = (method != "GET" && method != "DELETE").then(|| json!({}));
            assert_eq!(fault(&world.server.ask(method, &path, Some(KEY), body.as_ref()).await).0, 404, "{method} {path}");
        }
    }
    // The path has the last word on whose key it is.
    let elsewhere = world.post(&keys, &json!({"name": "x", "permissions": ["send"], "tenant_id": other})).await;
    assert_eq!((fault(&elsewhere).0, fault(&elsewhere).1), (403, "permission_denied".to_owned()));
    assert_eq!(
        world.server.ask("PATCH", &format!("{keys}/{id}"), Some(KEY), Some(&json!({"name": "Renamed"}))).await.json()["name"],
        "Renamed"
    );
    let rotated = world.post(&format!("{keys}/{id}/rotate"), &json!({})).await.json();
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&secret), None).await.status, 401);
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&text(&rotated["key"])), None).await.status, 200);
    assert_eq!(world.server.ask("DELETE", &format!("{keys}/{id}"), Some(KEY), None).await.json(), json!({"id": id, "revoked": true}));
    let entry = world.get(&format!("/v1/audit-logs?target={id}&action=api_key.revoke")).await.json()["data"][0].clone();
    assert_eq!((&entry["tenant_id"], &entry["actor"]["id"]), (&json!(acme), &json!("key_default")));
}

#[tokio::test]
async fn mail_that_the_platform_sends_for_a_tenant_is_the_tenant_s() {
    let world = World::start().await;
    let (acme, other) = (world.tenant("Acme").await, world.tenant("Other").await);
    let path = format!("/v1/tenants/{acme}");
    let changed = world.server.ask("PATCH", &path, Some(KEY), Some(&json!({"domain": "acme.example"}))).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    let own = |from: &str| email(&json!({"from": from}));
    assert_eq!(fault(&world.post(&format!("{path}/send"), &own("shop@sender.example")).await).1, "sender_not_allowed");
    let sent = world.post(&format!("{path}/send"), &own("shop@acme.example")).await;
    assert_eq!(sent.status, 202, "{}", sent.json());
    let id = text(&sent.json()["id"]);
    let acmes = world.key(json!({"name": "k", "permissions": ["logs:read"], "tenant_id": acme})).await;
    assert_eq!(ids(&world, &acmes.secret, "/v1/emails").await, [id.as_str()]);
    assert_eq!(ids(&world, KEY, &format!("{path}/emails")).await, [id.as_str()]);
    assert_eq!(ids(&world, KEY, "/v1/emails").await, Vec::<String>::new());
    assert_eq!(ids(&world, KEY, &format!("/v1/tenants/{other}/emails")).await, Vec::<String>::new());
    let found = world.get(&format!("{path}/emails/{id}")).await;
    assert_eq!((found.status, &found.json()["api_key_id"]), (200, &json!("key_default")));
    assert_eq!(world.get(&format!("{path}/emails/{id}/raw")).await.status, 200);
    for absent in [format!("/v1/tenants/{other}/emails/{id}"), format!("/v1/emails/{id}"), format!("{path}/emails/nonsense")] {
        assert_eq!(world.get(&absent).await.status, 404, "{absent}");
    }
}

#[tokio::test]
async fn nobody_but_the_platform_with_all_acts_for_a_tenant() {
    let world = World::start().await;
    let (acme, other) = (world.tenant("Acme").await, world.tenant("Other").await);
    let sender = world.key(json!({"name": "Sender", "permissions": ["send", "api-keys:write", "logs:read"]})).await;
    let own = world.key(json!({"name": "Own", "permissions": ["*"], "tenant_id": acme})).await;
    for secret in [&sender.secret, &own.secret] {
        for tenant in [&acme, &other, "tenant_default", "nonsense"] {
            for (method, rest, body) in
                [("GET", "emails", Value::Null), ("POST", "send", email(&json!({}))), ("GET", "api-keys", Value::Null)]
            {
                let body = (!body.is_null()).then_some(body);
                let answer = world.server.ask(method, &format!("/v1/tenants/{tenant}/{rest}"), Some(secret), body.as_ref()).await;
                assert_eq!((fault(&answer).0, fault(&answer).1), (403, "permission_denied".to_owned()), "{method} {tenant} {rest}");
            }
        }
    }
}
