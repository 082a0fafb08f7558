//! Whoever has no valid key is told so, and nothing more.

use std::collections::BTreeSet;

use selfmx_http::{Access, routes};
use serde_json::json;

use super::callers::{Tenants, everybody};
use super::objects::{self, Whose};
use super::{Line, whole};
use crate::process::KEY;
use crate::world::World;

#[tokio::test]
async fn unknown_malformed_mistyped_revoked_expired_and_disabled_keys_get_the_same_octets() {
    let world = World::start().await;
    let tenants = Tenants::make(&world).await;
    let callers = everybody(&world, &tenants).await;
    let strangers = ["malformed", "bad checksum", "unknown", "revoked", "expired", "disabled"];
    let mut line = Line::open(&world).await;
    for route in routes().iter().filter(|route| route.access != Access::Public) {
        let path = if objects::has_id(route.pattern) {
            objects::path(route.pattern, &objects::make(&world, &tenants, route.pattern, Whose::Owners).await)
        } else {
            route.pattern.to_owned()
        };
        let mut seen = BTreeSet::new();
        for who in strangers {
            let caller = callers.iter().find(|caller| caller.who == who && ["", "*"].contains(&caller.holds)).unwrap();
            // Neither a body nor a parameter that would be refused makes a difference.
            for (path, body) in [(path.clone(), ""), (path.clone(), "{"), (format!("{path}?unknown=1"), "")] {
                let answer = line.ask(route.method, &path, caller.secret.as_deref(), body).await;
                seen.insert(whole(&answer).replace("connection: \"close\"\n", ""));
            }
        }
        assert_eq!(seen.len(), 1, "{} {}: {seen:#?}", route.method, route.pattern);
        let seen = seen.first().unwrap();
        assert!(seen.contains(r#"www-authenticate: "Bearer realm=\"selfmx\", error=\"invalid_token\"""#), "{seen}");
        assert!(seen.contains(r#""code":"invalid_api_key""#), "{seen}");
    }
}

#[tokio::test]
async fn without_a_bearer_token_a_key_is_asked_for_wherever_else_it_stands() {
    let world = World::start().await;
    let (basic, cookie) = (format!("Basic {KEY}"), format!("key={KEY}; authorization=Bearer {KEY}"));
    let asked = async |path: &str, headers: &[(&str, &str)]| {
        let answer = world.server.connect().await.send_octets("GET", path, headers, Vec::new()).await.unwrap();
        (answer.status, answer.header("www-authenticate").map(str::to_owned), answer.json()["error"]["code"].clone())
    };
    let missing = (401, Some("Bearer realm=\"selfmx\"".to_owned()), json!("missing_api_key"));
    for headers in
        [&[][..], &[("authorization", "")], &[("authorization", &basic)], &[("authorization", KEY)], &[("authorization", "Bearer")]]
    {
        assert_eq!(asked("/v1/api-keys/me", headers).await, missing, "{headers:?}");
    }
    for headers in [("x-api-key", KEY), ("api-key", KEY), ("cookie", &cookie), ("proxy-authorization", &format!("Bearer {KEY}"))] {
        assert_eq!(asked("/v1/api-keys/me", &[headers]).await, missing, "{headers:?}");
    }
    for parameter in ["api_key", "key", "access_token", "authorization"] {
        assert_eq!(asked(&format!("/v1/api-keys/me?{parameter}={KEY}"), &[]).await, missing, "{parameter}");
    }
    let twice = [("authorization", format!("Bearer {KEY}")), ("authorization", format!("Bearer {KEY}"))];
    let twice: Vec<_> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(asked("/v1/api-keys/me", &twice).await, (400, None, json!("invalid_request")));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(asked("/v1/api-keys/me", &[("authorization", &format!("{scheme} {KEY}"))]).await.0, 200, "{scheme}");
    }
}

#[tokio::test]
async fn nobody_without_the_permission_has_a_body_or_an_id_looked_at() {
    let world = World::start().await;
    let reader = world.key(json!({"name": "Reader", "permissions": ["logs:read"]})).await;
    let bearer = format!("Bearer {}", reader.secret);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "text/plain"), ("content-encoding", "gzip"), ("idempotency-key", "x")];
    let mut seen = Vec::new();
    for (method, path, body) in [
        ("POST", "/v1/send", "{"),
        ("POST", "/v1/api-keys", "{"),
        ("POST", "/v1/tenants?x=1", "["),
        ("DELETE", "/v1/api-keys/nonsense", ""),
    ] {
        let answer = world.server.connect().await.send_octets(method, path, &headers, body.into()).await.unwrap();
        seen.push((answer.status, answer.json()["error"]["message"].as_str().unwrap().to_owned()));
    }
    let needs = ["send", "api-keys:write", "*", "api-keys:write"];
    for ((status, message), needs) in seen.iter().zip(needs) {
        assert!(*status == 403 && message.contains(&format!("`{needs}`")), "{message}");
    }
}
