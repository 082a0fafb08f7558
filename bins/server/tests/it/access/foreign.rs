//! What belongs to another tenant answers as what does not exist.

use std::collections::BTreeSet;

use selfmx_http::routes;
use serde_json::{Value, json};

use super::callers::Tenants;
use super::objects::{self, Whose, never_made};
use super::{Line, whole};
use crate::world::World;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

#[tokio::test]
async fn a_foreign_id_and_one_of_nothing_answer_alike_to_each_method_of_each_route() {
    let world = World::start().await;
    let tenants = Tenants::make(&world).await;
    let other = world.key(json!({"name": "Other", "permissions": ["*"], "tenant_id": tenants.other})).await;
    // A platform key that does not hold `*` reaches no tenant's keys.
    let narrow = world.key(json!({"name": "Narrow", "permissions": ["api-keys:read", "api-keys:write", "logs:read"]})).await;
    let patterns: BTreeSet<_> = routes().iter().map(|route| route.pattern).filter(|pattern| objects::has_id(pattern)).collect();
    assert!(patterns.len() >= 4, "{patterns:?}");
    let mut line = Line::open(&world).await;
    for pattern in patterns {
        let foreign = objects::make(&world, &tenants, pattern, Whose::Owners).await;
        for method in METHODS {
            for secret in [&other.secret, &narrow.secret] {
                let expected = whole(&line.ask(method, &objects::path(pattern, &never_made(&foreign)), Some(secret), "").await);
                // Of another kind, malformed, in another spelling: there is no such id either.
                for id in [&foreign, "evt_01h455vb4pex5vsknk084sn02q", "nonsense", "%00", &foreign.to_uppercase()] {
                    let found = whole(&line.ask(method, &objects::path(pattern, id), Some(secret), "").await);
                    assert_eq!(found, expected, "{method} {pattern} with {id}");
                }
            }
        }
    }
}

#[tokio::test]
async fn nothing_happens_to_a_foreign_key_that_is_revoked() {
    let world = World::start().await;
    let tenants = Tenants::make(&world).await;
    let foreign = world.key(json!({"name": "Owner", "permissions": ["send"], "tenant_id": tenants.owner})).await;
    let other = world.key(json!({"name": "Other", "permissions": ["*"], "tenant_id": tenants.other})).await;
    let answer = world.server.ask("DELETE", &format!("/v1/api-keys/{}", foreign.id), Some(&other.secret), None).await;
    assert_eq!(answer.status, 404);
    assert_eq!(world.server.ask("GET", "/v1/api-keys/me", Some(&foreign.secret), None).await.status, 200);
}

#[tokio::test]
async fn a_list_shows_its_own_tenant_s_and_a_foreign_cursor_reveals_nothing() {
    let world = World::start().await;
    let tenants = Tenants::make(&world).await;
    let key = async |tenant: &str| world.key(json!({"name": "Key", "permissions": ["*"], "tenant_id": tenant})).await;
    let (owner, other) = (key(&tenants.owner).await, key(&tenants.other).await);
    // One after the other, so that the foreign ones lie between one's own.
    let (mut foreign, mut own) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        own.push(world.send_as(&other.secret, json!({})).await);
        foreign.push(world.send_as(&owner.secret, json!({})).await);
    }
    own.reverse();
    let ids = async |path: &str, secret: &str| -> Vec<String> {
        let list: Value = world.server.ask("GET", path, Some(secret), None).await.json();
        list["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("/v1/emails", &other.secret).await, own);
    assert_eq!(ids("/v1/emails?page=1", &other.secret).await, own);
    assert_eq!(ids("/v1/emails?to=anna@recipient.example&from=shop@sender.example", &other.secret).await, own);
    assert_eq!(ids("/v1/api-keys", &other.secret).await, [other.id.as_str()]);
    for (list, cursor) in [("/v1/emails", &foreign[1]), ("/v1/api-keys", &owner.id)] {
        let mut line = Line::open(&world).await;
        let mut after =
            async |cursor: &str| whole(&line.ask("GET", &format!("{list}?limit=2&after={cursor}"), Some(&other.secret), "").await);
        assert_eq!(after(cursor).await, after(&never_made(cursor)).await, "{list}");
    }
    assert_eq!(ids(&format!("/v1/emails?after={}", foreign[1]), &other.secret).await, own[1..]);
}
