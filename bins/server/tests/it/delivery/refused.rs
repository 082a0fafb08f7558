//! A relay that refuses us: the mail waits and costs nothing until somebody puts it right.

use selfmx_testing::{Sink, SinkSettings};
use serde_json::json;

use crate::process::{KEY, eventually, until};
use crate::world::{World, fault, port, recipient, text};

#[tokio::test]
async fn a_wrong_password_costs_no_attempt_and_the_right_one_delivers() {
    let credentials = Some(("mailer".to_owned(), "right".to_owned()));
    let sink = Sink::start(SinkSettings { credentials, ..SinkSettings::default() }).await;
    let world = World::relayed(sink.address(), &[("SMTP_USER", "mailer"), ("SMTP_PASS", "wrong"), ("QUEUE_RETRY_ATTEMPTS", "0")]).await;
    let (first, second) = (world.send(json!({})).await, world.send(json!({})).await);
    until(&world.database, "SELECT count(reply_text) FROM recipients", "2").await;
    for id in [&first, &second] {
        let email = world.email(id).await;
        let waiting = recipient(&email, "anna@recipient.example");
        assert_eq!(
            (&email["status"], &waiting["status"], &waiting["attempts"]),
            (&json!("queued"), &json!("queued"), &json!(0)),
            "{email}"
        );
        assert!(text(&waiting["last_response"]).contains("535 5.7.8") && waiting["next_attempt_at"].is_string(), "{waiting}");
    }
    let held = async || {
        let health = world.get("/health").await.json();
        health["status"] == "degraded" && health["smtp"] == "held" && text(&health["warnings"][0]).contains("test-smtp")
    };
    eventually("/health to tell", held).await;
    let tested = world.server.ask("POST", "/v1/test-smtp", Some(KEY), None).await;
    assert_eq!(fault(&tested).0, 502);
    assert!(text(&tested.json()["error"]["message"]).contains("535 5.7.8"), "{}", tested.json());
    world.server.logged("the relay is held").await;

    let port = port(&sink);
    let right =
        [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", port.as_str()), ("SMTP_TLS", "false"), ("SMTP_USER", "mailer"), ("SMTP_PASS", "right")];
    let world = world.restarted(&right).await;
    assert_eq!(world.get("/health").await.json()["status"], "ok");
    // What is held is looked at again half a minute later.
    world.database.execute("UPDATE queue SET due_at = now()").await;
    for id in [&first, &second] {
        let email = world.settled(id).await;
        assert_eq!((&email["status"], &recipient(&email, "anna@recipient.example")["attempts"]), (&json!("delivered"), &json!(1)));
    }
    assert_eq!(sink.ledger().delivered_count(), 2);
}
