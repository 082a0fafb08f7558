//! `RETENTION_DAYS`: what is old and done loses its bodies and events, and says so.

use serde_json::{Value, json};

use crate::process::eventually;
use crate::world::{World, fault};

/// As if all that has happened had happened so many days ago.
const AGED: &str = "UPDATE TABLE SET COLUMN = (lpad(to_hex((extract(epoch FROM now() - interval '9 days') * 1000)::bigint), 12, '0') \
|| right(replace(COLUMN::text, '-', ''), 20))::uuid";

async fn purged(world: World) -> (World, Value) {
    let id = world.send(json!({"text": "a body to forget"})).await;
    world.settled(&id).await;
    let aged = [("events", "email_id"), ("messages", "email_id"), ("recipients", "email_id"), ("emails", "id")];
    let aged = aged.map(|(table, column)| AGED.replace("TABLE", table).replace("COLUMN", column));
    // In one transaction, which has one time.
    world.database.execute(&format!("{}; UPDATE events SET at = now() - interval '9 days'", aged.join("; "))).await;
    let listed = world.get("/v1/emails").await.json()["data"][0].clone();
    (world, listed)
}

#[tokio::test]
async fn an_old_email_keeps_its_row_and_says_that_its_bodies_are_gone() {
    let (world, listed) = purged(World::start().await).await;
    let path = format!("/v1/emails/{}", listed["id"].as_str().unwrap());
    // Without the variable all is kept.
    assert_eq!(world.get(&path).await.json()["purged"], false);
    let world = world.restarted(&[("RETENTION_DAYS", "7")]).await;
    eventually("it is purged", async || world.get(&path).await.json()["purged"] == true).await;
    let email = world.get(&path).await.json();
    assert_eq!((&email["text"], &email["html"], &email["events"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!((&email["status"], &email["subject"]), (&listed["status"], &listed["subject"]));
    assert_eq!(email["recipients"].as_array().map(Vec::len), Some(1));
    let (status, code, _) = fault(&world.get(&format!("{path}/raw")).await);
    assert_eq!((status, code.as_str()), (410, "purged"));
    assert_eq!(world.get("/v1/emails").await.json()["data"][0], listed);
    assert_eq!(world.get("/v1/logs").await.json()["data"], json!([]));
}
