//! Where posts go: to public addresses only, unless the operator says otherwise, whatever stands in the database.

use serde_json::Value;

use super::endpoint::Endpoint;
use super::{PRIVATE, ask, made};
use crate::process::until;
use crate::world::World;

/// This machine, in spellings that make a URL.
const HERE: [&str; 5] = ["127.0.0.1", "localhost", "LocalHost", "0.0.0.0", "[::ffff:127.0.0.1]"];

/// Tests a webhook of each spelling of this machine, and tells how many posts were accepted and how many connections there were.
async fn posted_here(world: &World) -> (String, usize) {
    let endpoint = Endpoint::start(&[200]).await;
    for host in HERE {
        let (path, _) = made(world, "https://hooks.example/", &["queued"]).await;
        // As if it had been let through, or had come from an older version.
        let url = endpoint.url().replace("127.0.0.1", host);
        world.database.execute(&format!("UPDATE webhooks SET url = '{url}' WHERE url = 'https://hooks.example/'")).await;
        assert_eq!(ask(world, "POST", &format!("{path}/test"), Value::Null).await.status, 202);
    }
    until(&world.database, "SELECT count(*) FROM webhook_attempts", &HERE.len().to_string()).await;
    let told =
        "SELECT count(status) || ' ' || count(*) FILTER (WHERE error LIKE '%only public addresses are connected to') FROM webhook_attempts";
    (world.database.query_one_text(told).await, endpoint.connections())
}

#[tokio::test]
async fn nothing_on_this_machine_is_connected_to_unless_that_is_allowed() {
    assert_eq!(posted_here(&World::start().await).await, ("0 5".to_owned(), 0));
    assert_eq!(posted_here(&World::start_with(&[PRIVATE]).await).await, ("5 0".to_owned(), 5), "the endpoint is there");
}
