//! `/health`, `/health/live`, `/health/ready`: open to anybody.

use std::time::Duration;

use selfmx_testing::{Sink, SinkSettings};
use serde_json::json;
use tokio::time::timeout;

use crate::process::{KEY, eventually, until};
use crate::world::World;

#[tokio::test]
async fn anybody_may_ask_how_the_server_is() {
    let world = World::start().await;
    let healthy = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "database": "ok", "smtp": "capture", "queue_depth": 0, "relays_paused": 0});
    for key in [None, Some("nonsense")] {
        let ask = async |method: &str, path: &str| world.server.ask(method, path, key, None).await;
        let health = ask("GET", "/health").await;
        assert_eq!((health.status, health.json()), (200, healthy.clone()));
        for path in ["/health/live", "/health/ready"] {
            let answer = ask("GET", path).await;
            assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})), "{path}");
        }
        assert_eq!(ask("POST", "/health").await.status, 405);
        assert_eq!(ask("HEAD", "/health").await.status, 200);
    }
}

#[tokio::test]
async fn it_tells_of_the_relay_and_of_what_waits() {
    let gone = Sink::well_behaved().await.address();
    let world = World::relayed(gone, &[("QUEUE_RETRY_DELAY", "3600")]).await;
    assert_eq!(world.get("/health").await.json()["smtp"], "untried");
    for _ in 0..3 {
        world.send(json!({})).await;
    }
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", "3").await;
    // What it found out is up to a second old.
    eventually("three that wait", async || world.get("/health").await.json()["queue_depth"] == 3).await;
    let ill = world.get("/health").await.json();
    assert_eq!((&ill["status"], &ill["smtp"], ill["warnings"].as_array().unwrap().len()), (&json!("degraded"), &json!("unreachable"), 1));
    let sink = Sink::start_at(gone, SinkSettings::default()).await;
    assert_eq!(world.server.ask("POST", "/v1/test-smtp", Some(KEY), None).await.status, 200);
    world.database.execute("UPDATE queue SET due_at = now()").await;
    sink.wait_for(3).await;
    let well =
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "database": "ok", "smtp": "ok", "queue_depth": 0, "relays_paused": 0});
    eventually("all to be well", async || world.get("/health").await.json() == well).await;
}

/// Holds what the server asks the database for, until it is ended.
const FREEZE: &str = "BEGIN; LOCK TABLE queue, __diesel_schema_migrations; SELECT pg_sleep(600)";
const THAW: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE%'";
const FROZEN: &str = "SELECT count(*) FROM pg_locks WHERE relation = 'queue'::regclass AND mode = 'AccessExclusiveLock' AND granted";

#[tokio::test]
async fn of_a_database_that_does_not_answer_it_tells_before_whoever_asks_gives_up() {
    let world = World::start().await;
    let within = |path| timeout(Duration::from_secs(10), world.get(path));
    let asked = async {
        until(&world.database, FROZEN, "1").await;
        let unreachable = async || within("/health").await.expect("an answer in time").json()["database"] == "unreachable";
        eventually("it to tell", unreachable).await;
        assert_eq!(within("/health/ready").await.expect("an answer in time").status, 503);
        assert_eq!(within("/metrics").await.expect("an answer in time").status, 200);
    };
    tokio::select! {
        () = asked => {}
        _ = world.database.execute(FREEZE) => panic!("it held nothing"),
    }
    world.database.execute(THAW).await;
    eventually("all to be well", async || world.get("/health").await.json()["status"] == "ok").await;
    assert_eq!(world.get("/health/ready").await.status, 200);
}
