//! What a tenant may send in a day, and that it sends nothing while it is suspended.

use selfmx_testing::HttpAnswer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::process::{KEY, SECRET_KEY, Server};
use crate::world::{World, email, fault};

const UNLIMITED_REQUESTS: &[(&str, &str)] = &[("RATE_LIMIT_REQUESTS", "0")];

/// A tenant that may send so many emails a day.
async fn limited(world: &World, per_day: u32) -> String {
    let tenant = world.tenant("Acme").await;
    limit(world, &tenant, per_day).await;
    tenant
}

async fn limit(world: &World, tenant: &str, per_day: u32) {
    let change = json!({"rate_limit": {"emails_per_day": per_day}});
    assert_eq!(world.server.ask("PATCH", &format!("/v1/tenants/{tenant}"), Some(KEY), Some(&change)).await.status, 200);
}

async fn key(world: &World, tenant: &str, mode: &str) -> String {
    world.key(json!({"name": "Send", "permissions": ["send"], "tenant_id": tenant, "mode": mode})).await.secret
}

async fn try_send(server: &Server, secret: &str) -> HttpAnswer {
    server.ask("POST", "/v1/send", Some(secret), Some(&email(&json!({})))).await
}

async fn count(world: &World) -> String {
    world.database.query_one_text("SELECT count(*) FROM emails").await
}

#[tokio::test]
async fn a_tenant_s_day_has_so_many_emails_and_no_more_and_the_answer_says_when_the_next_begins() {
    let world = World::start_with(UNLIMITED_REQUESTS).await;
    let tenant = limited(&world, 3).await;
    let (one, other, test) = (key(&world, &tenant, "live").await, key(&world, &tenant, "live").await, key(&world, &tenant, "test").await);
    // Many recipients are one email, and what is refused is none.
    let many: Vec<_> = (0..50).map(|n| format!("r{n}@recipient.example")).collect();
    world.send_as(&one, json!({"to": many})).await;
    for wrong in [json!({"to": []}), json!({"subject": null})] {
        assert_eq!(world.server.ask("POST", "/v1/send", Some(&one), Some(&email(&wrong))).await.status, 400);
    }
    assert_eq!((try_send(&world.server, &other).await.status, try_send(&world.server, &one).await.status), (202, 202));
    for secret in [&one, &other] {
        let sql = "SELECT ceil(extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day' - now() AT TIME ZONE 'UTC'))::int";
        let left: i64 = world.database.query_one_text(sql).await.parse().unwrap();
        let answer = try_send(&world.server, secret).await;
        assert_eq!(fault(&answer), (429, "quota_exceeded".to_owned(), String::new()));
        let told: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((left - 60..=left).contains(&told), "{told} of {left}");
    }
    assert_eq!(try_send(&world.server, &test).await.status, 202);
    assert_eq!(try_send(&world.server, KEY).await.status, 202);
    limit(&world, &tenant, 4).await;
    assert_eq!((try_send(&world.server, &one).await.status, try_send(&world.server, &one).await.status), (202, 429));
    limit(&world, &tenant, 0).await;
    assert_eq!(try_send(&world.server, &one).await.status, 202);
    limit(&world, &tenant, 1).await;
    assert_eq!(try_send(&world.server, &one).await.status, 429);
    world.database.execute("UPDATE quota_days SET day = day - 1").await;
    assert_eq!((try_send(&world.server, &one).await.status, try_send(&world.server, &one).await.status), (202, 429));
    assert_eq!(count(&world).await, "8");
}

#[tokio::test]
async fn a_key_is_told_what_is_left_of_its_tenant_s_day() {
    let world = World::start().await;
    let tenant = limited(&world, 3).await;
    let secret = key(&world, &tenant, "live").await;
    let told = async |secret: &str| {
        let answer = world.server.ask("GET", "/v1/api-keys/me", Some(secret), None).await.json();
        answer["limits"]["emails_per_day"].clone()
    };
    assert_eq!(told(KEY).await, Value::Null);
    assert_eq!((&told(&secret).await["limit"], &told(&secret).await["remaining"]), (&json!(3), &json!(3)));
    assert_eq!(try_send(&world.server, &secret).await.status, 202);
    let left = told(&secret).await;
    assert_eq!((&left["limit"], &left["remaining"]), (&json!(3), &json!(2)));
    let midnight = "SELECT to_char(date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS') || '.000Z'";
    assert_eq!(left["resets_at"], world.database.query_one_text(midnight).await.as_str());
    // What is left is never less than nothing.
    limit(&world, &tenant, 0).await;
    assert_eq!(told(&secret).await, Value::Null);
    assert_eq!((try_send(&world.server, &secret).await.status, limit(&world, &tenant, 1).await), (202, ()));
    assert_eq!(told(&secret).await["remaining"], json!(0));
}

#[tokio::test]
async fn two_nodes_accept_one_quota_together() {
    let world = World::start_with(UNLIMITED_REQUESTS).await;
    let second = Server::start(&world.database, &[("SECRET_KEY", SECRET_KEY), ("RATE_LIMIT_REQUESTS", "0")]).await;
    let tenant = limited(&world, 20).await;
    let secret = key(&world, &tenant, "live").await;
    let mut sending = JoinSet::new();
    for n in 0..60 {
        let mut http = if n % 2 == 0 { &world.server } else { &second }.connect().await;
        let secret = secret.clone();
        sending.spawn(async move { http.send("POST", "/v1/send", Some(&secret), Some(&email(&json!({})))).await.unwrap().status });
    }
    let statuses = sending.join_all().await;
    let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((of(202), of(429)), (20, 40));
    assert_eq!(count(&world).await, "20");
}

/// By the database alone: no node is told, as where it was told too late.
#[tokio::test]
async fn a_tenant_that_is_suspended_or_deleted_sends_nothing_from_that_moment() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let secret = key(&world, &tenant, "live").await;
    assert_eq!(try_send(&world.server, &secret).await.status, 202);
    for (set, status, code) in [
        ("status = 'suspended', suspended_at = now()", 403, "tenant_suspended"),
        ("status = 'active', suspended_at = NULL", 202, ""),
        ("status = 'deleted', deleted_at = now()", 401, "invalid_api_key"),
    ] {
        world.database.execute(&format!("UPDATE tenants SET {set} WHERE name = 'Acme'")).await;
        let answer = try_send(&world.server, &secret).await;
        let told: Value = answer.json();
        assert_eq!((answer.status, told["error"]["code"].as_str().unwrap_or_default()), (status, code), "{set}");
    }
    assert_eq!(count(&world).await, "2");
}
