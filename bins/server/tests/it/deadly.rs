//! A mail whose delivery kills the server has an end, and no other mail has it.

use std::time::Duration;

use selfmx_testing::{Act, Database, Fault, Gate, Phase, Sink, SinkSettings};
use serde_json::json;
use tokio::time::timeout;

use crate::process::{KEY, Server, database, until};
use crate::world::{email, port, text};

/// Sends a mail to this local part and tells its id.
async fn send(server: &Server, local: &str) -> String {
    let body = email(&json!({"to": format!("{local}@recipient.example")}));
    let answer = server.ask("POST", "/v1/send", Some(KEY), Some(&body)).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    text(&answer.json()["id"])
}

/// Starts the server anew. What the one before had leased is due as if the leases had run out; what it had asked of the database before it died is done by
/// then, so that it leases nothing from beyond.
async fn start(database: &Database, relay: &[(&str, &str)]) -> Server {
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'selfmx%'";
    until(database, asked, "0").await;
    database.execute("UPDATE queue SET due_at = now()").await;
    Server::start(database, relay).await
}

async fn reached(gate: &Gate, count: usize) {
    timeout(Duration::from_secs(60), gate.reached(count)).await.expect("it is at the relay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_kills_the_server_each_time_has_failed_in_the_end_and_those_beside_it_are_delivered() {
    let (deadly, beside) = (Gate::default(), Gate::default());
    let held = |gate: &Gate, local| Fault::new(Phase::FinalDot, Act::Held(gate.clone())).for_local(local);
    let faults = vec![held(&deadly, "deadly"), held(&beside, "beside")];
    let (database, sink) = (database().await, Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await);
    let port = port(&sink);
    let relay = [
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", port.as_str()),
        ("SMTP_TLS", "false"),
        ("QUEUE_RETRY_ATTEMPTS", "1"),
        ("QUEUE_RETRY_DELAY", "0"),
    ];

    let mut server = Server::start(&database, &relay).await;
    let (deadly_id, beside_id) = (send(&server, "deadly").await, send(&server, "beside").await);
    // It dies with both in hand: nobody can know which it was.
    for death in 1..=3 {
        reached(&deadly, death).await;
        reached(&beside, death).await;
        server.kill().await;
        server = start(&database, &relay).await;
    }
    beside.open();
    // One kill for each of the two attempts.
    for attempt in 1..=2 {
        reached(&deadly, 3 + attempt).await;
        send(&server, &format!("meanwhile{attempt}")).await;
        until(&database, "SELECT count(*) FROM recipients WHERE status = 'delivered' AND address LIKE 'meanwhile%'", &attempt.to_string())
            .await;
        server.kill().await;
        server = start(&database, &relay).await;
        until(&database, "SELECT attempts FROM recipients WHERE address LIKE 'deadly%'", &attempt.to_string()).await;
        // It waits for minutes, which are over.
        database.execute("UPDATE queue SET due_at = now()").await;
    }
    until(&database, "SELECT count(*) FROM queue", "0").await;
    let told = server.ask("GET", &format!("/v1/emails/{deadly_id}"), Some(KEY), None).await.json();
    assert_eq!(told["status"], "failed", "{told}");
    assert!(told["recipients"][0]["last_response"].as_str().unwrap().starts_with("the server ended each time"), "{told}");
    let told = server.ask("GET", &format!("/v1/emails/{beside_id}"), Some(KEY), None).await.json();
    assert_eq!((&told["status"], &told["recipients"][0]["attempts"]), (&json!("delivered"), &json!(1)), "{told}");
    assert_eq!(deadly.count(), 5);
    assert_eq!(server.stop().await.code, Some(0));
}
