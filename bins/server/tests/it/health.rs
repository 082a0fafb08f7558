//! `/health`, `/health/live`, `/health/ready`: open to anybody.

use selfmx_testing::{Sink, SinkSettings};
use serde_json::json;

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
    let sink = Sink::start_at(gone, SinkSettings::default()).await;
    assert_eq!(world.server.ask("POST", "/v1/test-smtp", Some(KEY), None).await.status, 200);
    world.database.execute("UPDATE queue SET due_at = now()").await;
    sink.wait_for(3).await;
    let well =
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "database": "ok", "smtp": "ok", "queue_depth": 0, "relays_paused": 0});
    eventually("all to be well", async || world.get("/health").await.json() == well).await;
}
