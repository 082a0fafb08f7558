//! `POST /v1/send/batch`: several emails in one request, all of them or as many as may be sent.

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::process::KEY;
use crate::world::{World, email, fault, text};

async fn batch(world: &World, secret: &str, query: &str, emails: &[Value]) -> HttpAnswer {
    world.server.ask("POST", &format!("/v1/send/batch{query}"), Some(secret), Some(&json!({"emails": emails}))).await
}

/// With an idempotency key.
async fn posted(world: &World, path: &str, key: &str, body: &Value) -> HttpAnswer {
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
    world.server.connect().await.send_octets("POST", path, &headers, body.to_string().into()).await.unwrap()
}

async fn again(world: &World, key: &str, query: &str, emails: &[Value]) -> HttpAnswer {
    posted(world, &format!("/v1/send/batch{query}"), key, &json!({"emails": emails})).await
}

async fn alone(world: &World, key: &str, email: &Value) -> HttpAnswer {
    posted(world, "/v1/send", key, email).await
}

/// Refused for its idempotency key, and no email of it is to blame.
fn is_conflict(answer: &HttpAnswer) -> bool {
    answer.status == 409 && answer.json()["error"]["code"] == "idempotency_conflict" && answer.json()["error"].get("field").is_none()
}

fn to(address: &str) -> Value {
    email(&json!({"to": address}))
}

fn ids(answer: &HttpAnswer) -> Vec<String> {
    answer.json()["data"].as_array().unwrap().iter().map(|email| text(&email["id"])).collect()
}

async fn count(world: &World) -> String {
    world.database.query_one_text("SELECT concat_ws(' ', count(*), count(DISTINCT created_at)) FROM emails").await
}

#[tokio::test]
async fn five_hundred_emails_are_one_commit_in_their_order() {
    let world = World::start().await;
    let emails: Vec<_> = (0..500).map(|n| to(&format!("r{n}@recipient.example"))).collect();
    let answer = batch(&world, KEY, "", &emails).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    let ids = ids(&answer);
    assert_eq!((ids.len(), count(&world).await.as_str()), (500, "500 1"));
    assert!(
        answer.json().get("errors").is_none() && answer.json()["data"][7]["index"] == 7 && answer.json()["data"][7]["status"] == "queued"
    );
    for place in [0, 499] {
        assert_eq!(world.email(&ids[place]).await["to"], json!([format!("r{place}@recipient.example")]));
    }
    let many: Vec<_> = (0..501).map(|_| to("a@recipient.example")).collect();
    assert_eq!(fault(&batch(&world, KEY, "", &many).await), (400, "invalid_request".to_owned(), "emails".to_owned()));
    assert_eq!(fault(&batch(&world, KEY, "?mode=loose", &many[..1]).await).2, "mode");
}

#[tokio::test]
async fn one_that_is_wrong_keeps_all_from_being_accepted_unless_the_caller_says_otherwise() {
    let world = World::start().await;
    let key = world.key(json!({"name": "k", "permissions": ["send"], "allowed_senders": ["@sender.example"]})).await.secret;
    let emails = [
        to("a@recipient.example"),
        to("nonsense"),
        email(&json!({"from": "x@other.example"})),
        email(&json!({"scheduled_at": "2020-01-01T00:00:00Z"})),
        to("b@recipient.example"),
    ];
    assert_eq!(fault(&batch(&world, &key, "", &emails).await), (400, "invalid_request".to_owned(), "emails[1].to".to_owned()));
    let without = |wrong: usize| [&emails[..1], &emails[wrong..=wrong]].concat();
    assert_eq!(
        fault(&batch(&world, &key, "?mode=strict", &without(2)).await),
        (403, "sender_not_allowed".to_owned(), "emails[1]".to_owned())
    );
    assert_eq!(
        fault(&batch(&world, &key, "", &without(3)).await),
        (400, "invalid_request".to_owned(), "emails[1].scheduled_at".to_owned())
    );
    assert_eq!(count(&world).await, "0 0");
    let answer = batch(&world, &key, "?mode=permissive", &emails).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    let told = answer.json();
    let places = |list: &str| told[list].as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((places("data"), places("errors")), (vec![0, 4], vec![1, 2, 3]));
    let errors: Vec<_> =
        told["errors"].as_array().unwrap().iter().map(|entry| (text(&entry["error"]["code"]), text(&entry["error"]["field"]))).collect();
    let expected =
        [("invalid_request", "emails[1].to"), ("sender_not_allowed", "emails[2]"), ("invalid_request", "emails[3].scheduled_at")];
    assert_eq!(told["errors"][2]["error"]["message"], "emails[3].scheduled_at: must be in the future");
    assert_eq!(errors, expected.map(|(code, field)| (code.to_owned(), field.to_owned())));
    assert_eq!(count(&world).await, "2 1");
}

#[tokio::test]
async fn a_quota_that_does_not_suffice_for_all_is_left_untouched() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let limit = json!({"rate_limit": {"emails_per_day": 3}});
    assert_eq!(world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&limit)).await.status, 200);
    let key = world.key(json!({"name": "k", "permissions": ["send"], "tenant_id": tenant})).await.secret;
    let emails: Vec<_> = (0..4).map(|n| to(&format!("r{n}@recipient.example"))).collect();
    let refused = batch(&world, &key, "", &emails).await;
    assert_eq!(fault(&refused), (429, "quota_exceeded".to_owned(), "emails[3]".to_owned()));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(count(&world).await, "0 0");
    let some = batch(&world, &key, "?mode=permissive", &emails).await.json();
    assert_eq!(
        (some["data"].as_array().unwrap().len(), &some["errors"][0]["index"], &some["errors"][0]["error"]["code"]),
        (3, &json!(3), &json!("quota_exceeded"))
    );
    assert_eq!(fault(&batch(&world, &key, "", &emails[..1]).await).1, "quota_exceeded");
}

#[tokio::test]
async fn a_batch_that_is_repeated_is_told_what_the_first_one_was() {
    let world = World::start().await;
    let emails = [to("a@recipient.example"), to("b@recipient.example")];
    for query in ["", "?mode=permissive"] {
        let key = format!("order{}", query.len());
        let first = again(&world, &key, query, &emails).await;
        let repeated = again(&world, &key, query, &emails).await;
        assert_eq!((first.status, repeated.status, first.json()), (202, 202, repeated.json()), "{query}");
        assert_eq!((first.header("idempotency-replayed"), repeated.header("idempotency-replayed")), (None, Some("true")));
        for (query, emails) in [(query, &emails[..1]), (if query.is_empty() { "?mode=permissive" } else { "" }, &emails[..])] {
            assert!(is_conflict(&again(&world, &key, query, emails).await), "{query}");
        }
    }
    assert_eq!(count(&world).await, "4 2");
    // A batch that was refused leaves the key free.
    assert_eq!(again(&world, "free", "", &[to("nonsense")]).await.status, 400);
    assert_eq!(again(&world, "free", "", &emails).await.status, 202);
}

/// Whichever of its emails were accepted: a key that stands for a request stands for no other, of as many emails or more.
#[tokio::test]
async fn a_key_that_was_used_is_used_up_for_all_of_any_other_request() {
    let world = World::start().await;
    let emails = ["a", "b", "c"].map(|name| to(&format!("{name}@recipient.example")));
    let bodies = [vec![emails[0].clone()], vec![to("nonsense"), emails[0].clone()], vec![emails[0].clone(), to("nonsense")]];
    for (key, first) in ["alone", "second", "first"].into_iter().zip(&bodies) {
        let first = again(&world, key, "?mode=permissive", first).await;
        assert_eq!((first.status, ids(&first).len()), (202, 1), "{key}");
        for (query, others) in [("?mode=permissive", &emails[1..]), ("?mode=permissive", &emails[..]), ("", &emails[1..])] {
            let other = again(&world, key, query, others).await;
            assert!(is_conflict(&other), "{key}{query}: {}", other.json());
        }
        assert!(is_conflict(&alone(&world, key, &emails[1]).await), "{key}");
    }
    assert_eq!(alone(&world, "single", &emails[0]).await.status, 202);
    for query in ["", "?mode=permissive"] {
        assert!(is_conflict(&again(&world, "single", query, &emails).await), "{query}");
    }
    assert_eq!(count(&world).await, "4 4");
    // A batch of which nothing was accepted leaves the key free.
    let none = again(&world, "free", "?mode=permissive", &[to("nonsense"), email(&json!({"scheduled_at": "2020-01-01T00:00:00Z"}))]).await;
    assert_eq!((none.status, ids(&none).len()), (202, 0));
    assert_eq!(alone(&world, "free", &emails[0]).await.status, 202);
}

/// What was refused is looked at again, and what was accepted is not accepted again.
#[tokio::test]
async fn a_permissive_batch_that_is_repeated_has_what_was_refused_looked_at_again() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let limit = async |per_day: u32| {
        let limit = json!({"rate_limit": {"emails_per_day": per_day}});
        assert_eq!(world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&limit)).await.status, 200);
    };
    let emails = ["a", "b", "c"].map(|name| to(&format!("{name}@recipient.example")));
    let path = format!("/v1/tenants/{tenant}/send/batch?mode=permissive");
    let mut told = Vec::new();
    for per_day in [1, 2, 2] {
        limit(per_day).await;
        let answer = posted(&world, &path, "order-7", &json!({"emails": emails})).await;
        told.push((ids(&answer), answer.header("idempotency-replayed").is_some()));
    }
    let counts: Vec<_> = told.iter().map(|(ids, replayed)| (ids.len(), *replayed)).collect();
    assert_eq!(counts, [(1, false), (2, false), (2, true)]);
    assert!(told[1].0 == told[2].0 && told[0].0[0] == told[1].0[0]);
    assert!(is_conflict(&posted(&world, &path, "order-7", &json!({"emails": emails[..2]})).await));
    assert_eq!(count(&world).await, "2 2");
}

#[tokio::test]
async fn fifty_batches_with_one_key_at_once_are_one_batch() {
    let world = World::start().await;
    let emails: Vec<_> = (0..20).map(|n| to(&format!("r{n}@recipient.example"))).collect();
    let body = json!({"emails": emails}).to_string();
    let bearer = format!("Bearer {KEY}");
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (mut http, bearer, body) = (world.server.connect().await, bearer.clone(), body.clone());
        calls.spawn(async move {
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "order-7")];
            http.send_octets("POST", "/v1/send/batch", &headers, body.into()).await.unwrap()
        });
    }
    let answers = calls.join_all().await;
    let mut told: Vec<_> = answers.iter().filter(|answer| answer.status == 202).map(ids).collect();
    assert!(answers.iter().all(|answer| answer.status == 202 || answer.json()["error"]["code"] == "idempotency_in_flight"));
    told.dedup();
    assert_eq!((told.len(), count(&world).await.as_str()), (1, "20 1"));
}
