//! `Idempotency-Key`: a request that is repeated sends one mail and gets the first answer, and a key that nothing was accepted under is free.

mod kill;

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};

use crate::process::{KEY, Server};
use crate::world::{World, email, fault, in_seconds, text};

/// Sends octets to `path` with these keys; no idempotency key where it is empty.
async fn sent_to(server: &Server, path: &str, secret: &str, key: &str, octets: &str) -> HttpAnswer {
    let bearer = format!("Bearer {secret}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    if !key.is_empty() {
        headers.push(("idempotency-key", key));
    }
    server.connect().await.send_octets("POST", path, &headers, octets.into()).await.unwrap()
}

async fn sent(server: &Server, secret: &str, key: &str, body: &Value) -> HttpAnswer {
    sent_to(server, "/v1/send", secret, key, &body.to_string()).await
}

fn is_replayed(answer: &HttpAnswer) -> bool {
    assert_eq!(answer.status, 202, "{}", answer.json());
    answer.header("idempotency-replayed").is_some_and(|value| value == "true")
}

async fn count(world: &World) -> String {
    world.database.query_one_text("SELECT count(*) FROM emails").await
}

#[tokio::test]
async fn a_request_that_is_repeated_gets_the_first_answer_also_after_a_restart() {
    let mut world = World::start().await;
    let body = email(&json!({"metadata": {"a": "1", "b": "é"}, "tags": ["t"]}));
    let first = sent(&world.server, KEY, "order-7", &body).await;
    assert!(!is_replayed(&first));
    let id = text(&first.json()["id"]);
    let written = [
        body.to_string(),
        serde_json::to_string_pretty(&body).unwrap(),
        "{\"text\":\"It works.\",\"tags\":[\"t\"],\"subject\":\"\\u0048ello\",\n\"metadata\":{\"b\":\"\\u00e9\",\"a\":\"1\"},\"from\":\"shop@sender.example\",\"cc\":null,\"to\":\"anna@recipient.example\"}".to_owned(),
    ];
    for restart in [false, true] {
        if restart {
            world = world.restarted(&[]).await;
        }
        for octets in &written {
            let again = sent_to(&world.server, "/v1/send", KEY, "order-7", octets).await;
            assert!(is_replayed(&again), "{octets}");
            assert_eq!(again.body, first.body);
        }
        // The same for the platform under the tenant's path.
        let path = "/v1/tenants/tenant_default/send";
        assert_eq!(sent_to(&world.server, path, KEY, "order-7", &body.to_string()).await.body, first.body);
        world.settled(&id).await;
    }
    assert_eq!(count(&world).await, "1");
    assert_ne!(sent(&world.server, KEY, "order-8", &body).await.json()["id"], id);
    assert_ne!(sent(&world.server, KEY, "", &body).await.json()["id"], id);
    assert_eq!(count(&world).await, "3");
}

/// Its answer says for when it was, also when that has passed.
#[tokio::test]
async fn a_scheduled_request_is_repeated_as_any_other() {
    let world = World::start().await;
    let body = email(&json!({"scheduled_at": in_seconds(3600)}));
    let first = sent(&world.server, KEY, "order-7", &body).await;
    assert_eq!((is_replayed(&first), first.json()["status"].clone()), (false, json!("scheduled")));
    let again = sent(&world.server, KEY, "order-7", &body).await;
    assert_eq!((is_replayed(&again), &again.body), (true, &first.body));
    let past = email(&json!({"scheduled_at": in_seconds(-3600)}));
    assert_eq!(fault(&sent(&world.server, KEY, "order-7", &past).await).1, "idempotency_conflict");
    assert_eq!(fault(&sent(&world.server, KEY, "order-8", &past).await).1, "invalid_request");
    assert!(!is_replayed(&sent(&world.server, KEY, "order-8", &body).await));
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_a_conflict() {
    let world = World::start().await;
    let body = json!({"to": ["a@recipient.example", "b@recipient.example"], "metadata": {"a": "1"}});
    assert_eq!(sent(&world.server, KEY, "order-7", &email(&body)).await.status, 202);
    for other in [
        json!({"to": ["b@recipient.example", "a@recipient.example"], "metadata": {"a": "1"}}),
        json!({"to": ["a@recipient.example", "b@recipient.example"], "metadata": {"a": "2"}}),
        json!({"to": ["a@recipient.example", "b@recipient.example"]}),
    ] {
        let answer = sent(&world.server, KEY, "order-7", &email(&other)).await;
        assert_eq!(fault(&answer), (409, "idempotency_conflict".to_owned(), String::new()), "{other}");
    }
    assert_eq!(count(&world).await, "1");
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let world = World::start().await;
    let body = email(&json!({})).to_string();
    let bearer = format!("Bearer {KEY}");
    let usual = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let long = "x".repeat(257);
    for keys in [vec![""], vec!["two words"], vec!["é"], vec![&*long], vec!["a", "a"], vec!["a", "b"]] {
        let keys: Vec<_> = keys.into_iter().map(|key| ("idempotency-key", key)).collect();
        let headers = [&usual[..], &keys].concat();
        let answer = world.server.connect().await.send_octets("POST", "/v1/send", &headers, body.clone().into()).await.unwrap();
        assert_eq!(fault(&answer), (400, "invalid_idempotency_key".to_owned(), String::new()), "{keys:?}");
    }
    assert_eq!(count(&world).await, "0");
    assert_eq!(sent_to(&world.server, "/v1/send", KEY, &"x".repeat(256), &body).await.status, 202);
}

#[tokio::test]
async fn what_was_refused_leaves_its_key_free() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let wanted = json!({"name": "Send", "permissions": ["send"], "tenant_id": tenant, "allowed_senders": ["@sender.example"]});
    let secret = world.key(wanted).await.secret;
    let change = async |change: Value| world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&change)).await.status;
    let suspended = async |word: &str| world.post(&format!("/v1/tenants/{tenant}/{word}"), &Value::Null).await.status;
    let refused = async |body: Value| fault(&sent(&world.server, &secret, "order-7", &email(&body)).await);
    assert_eq!(refused(json!({"to": "nobody"})).await, (400, "invalid_request".to_owned(), "to".to_owned()));
    assert_eq!(refused(json!({"form": "x"})).await.1, "unknown_field");
    assert_eq!(refused(json!({"from": "shop@other.example"})).await.1, "sender_not_allowed");
    assert_eq!(suspended("suspend").await, 200);
    assert_eq!(refused(json!({})).await.1, "tenant_suspended");
    assert_eq!(suspended("resume").await, 200);
    assert_eq!(change(json!({"rate_limit": {"emails_per_day": 1}})).await, 200);
    assert_eq!(sent(&world.server, &secret, "order-6", &email(&json!({}))).await.status, 202);
    assert_eq!(refused(json!({})).await.1, "quota_exceeded");
    // What was accepted is told all the same.
    assert!(is_replayed(&sent(&world.server, &secret, "order-6", &email(&json!({}))).await));
    assert_eq!(change(json!({"rate_limit": {"emails_per_day": 2}})).await, 200);
    assert!(!is_replayed(&sent(&world.server, &secret, "order-7", &email(&json!({"subject": "At last"}))).await));
    assert_eq!(count(&world).await, "2");
}

#[tokio::test]
async fn a_key_is_a_tenant_s_and_whoever_may_not_send_this_is_told_nothing() {
    let world = World::start().await;
    let (one, other) = (world.tenant("One").await, world.tenant("Other").await);
    let key = async |tenant: &str, more: Value| {
        let mut wanted = json!({"name": "Send", "permissions": ["send"], "tenant_id": tenant});
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.key(wanted).await.secret
    };
    let (first, second) = (key(&one, json!({})).await, key(&one, json!({})).await);
    let body = email(&json!({}));
    let answer = sent(&world.server, &first, "order-7", &body).await;
    assert!(!is_replayed(&answer));
    // Of the same tenant.
    for path in ["/v1/send".to_owned(), format!("/v1/tenants/{one}/send")] {
        let secret = if path == "/v1/send" { &second } else { KEY };
        assert_eq!(sent_to(&world.server, &path, secret, "order-7", &body.to_string()).await.body, answer.body);
    }
    // Of another, or none of its own, or for no relay.
    for secret in [key(&other, json!({})).await, key(&one, json!({"mode": "test"})).await, KEY.to_owned()] {
        let theirs = sent(&world.server, &secret, "order-7", &body).await;
        assert!(!is_replayed(&theirs) && theirs.json()["id"] != answer.json()["id"], "{}", theirs.json());
    }
    let narrow = key(&one, json!({"allowed_senders": ["news@sender.example"]})).await;
    assert_eq!(fault(&sent(&world.server, &narrow, "order-7", &body).await).1, "sender_not_allowed");
    let reader = key(&one, json!({"permissions": ["logs:read"]})).await;
    assert_eq!(fault(&sent(&world.server, &reader, "order-7", &body).await).1, "permission_denied");
    assert_eq!(count(&world).await, "4");
}

#[tokio::test]
async fn after_a_day_a_key_stands_for_a_new_request() {
    let world = World::start().await;
    let body = email(&json!({}));
    let first = sent(&world.server, KEY, "order-7", &body).await.json();
    world.database.execute("UPDATE idempotency_keys SET created_at = created_at - interval '24 hours'").await;
    let second = sent(&world.server, KEY, "order-7", &body).await;
    assert!(!is_replayed(&second) && second.json()["id"] != first["id"], "{}", second.json());
    assert_eq!(sent(&world.server, KEY, "order-7", &body).await.body, second.body);
    world.database.execute("UPDATE idempotency_keys SET created_at = created_at - interval '24 hours'").await;
    // A server looks when it starts.
    let world = world.restarted(&[]).await;
    crate::process::until(&world.database, "SELECT count(*) FROM idempotency_keys", "0").await;
}
