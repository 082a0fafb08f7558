//! How long an endpoint is waited for, and when it is given up; how long what was posted is shown.

use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::{PRIVATE, ask, made};
use crate::forms::is_time;
use crate::process::{eventually, until};
use crate::world::{World, text};

#[tokio::test]
async fn an_endpoint_that_asks_for_time_gets_it() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[429, 200]).await);
    let (path, _) = made(&world, &endpoint.url(), &["delivered"]).await;
    world.send(json!({})).await;
    until(&world.database, "SELECT count(*) FROM webhook_attempts", "1").await;
    let later = "SELECT (due_at BETWEEN now() + interval '9 minutes' AND now() + interval '12 minutes')::text FROM webhook_deliveries";
    assert_eq!(world.database.query_one_text(later).await, "true", "a minute, if it had not asked for ten");
    let shown = world.get(&format!("{path}/logs")).await.json()["data"][0].clone();
    assert_eq!((&shown["status"], &shown["attempts"][0]["status"]), (&json!("pending"), &json!(429)));
    assert!(is_time(&shown["next_attempt_at"]), "{shown}");
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[500]).await);
    let (path, _) = made(&world, &endpoint.url(), &["delivered"]).await;
    world.send(json!({})).await;
    for (attempt, since) in [("1", "119 hours"), ("2", "120 hours")] {
        until(&world.database, "SELECT count(*) FROM webhook_attempts", attempt).await;
        assert_eq!(world.get(&path).await.json()["active"], json!(true), "{attempt}");
        world.database.execute(&format!("UPDATE webhooks SET failing_since = now() - interval '{since}'")).await;
        world.database.execute("UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending'").await;
    }
    eventually("a disabled webhook", async || world.get(&path).await.json()["disabled_reason"] == "failing").await;
    assert!(world.server.stop().await.log.contains("a webhook is disabled"));
}

#[tokio::test]
async fn what_was_posted_is_shown_for_as_long_as_it_is_kept() {
    let (world, endpoint) = (World::start_with(&[PRIVATE]).await, Endpoint::start(&[200]).await);
    let (path, _) = made(&world, &endpoint.url(), &["delivered"]).await;
    for day in [31, 29] {
        world.send(json!({})).await;
        until(&world.database, "SELECT count(*) FROM webhook_deliveries WHERE status <> 'delivered'", "0").await;
        eventually("a delivery", async || !world.get(&format!("{path}/logs")).await.json()["data"].as_array().unwrap().is_empty()).await;
        let older =
            format!("UPDATE webhook_deliveries SET created_at = now() - interval '{day} days' WHERE created_at > now() - interval '1 day'");
        world.database.execute(&older).await;
    }
    let kept = world.get(&format!("{path}/logs")).await.json();
    assert_eq!(kept["data"].as_array().unwrap().len(), 2, "{kept}");
    let (kept, world) = (text(&kept["data"][0]["id"]), world.restarted(&[PRIVATE]).await);
    let left = async || world.get(&format!("{path}/logs")).await.json()["data"].clone();
    eventually("one delivery less", async || left().await.as_array().is_some_and(|left| left.len() == 1)).await;
    assert_eq!((&left().await[0]["id"], ask(&world, "GET", "/health", Value::Null).await.status), (&json!(kept), 200));
}
