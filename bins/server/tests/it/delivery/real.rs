//! Relays that are not ours: a Postfix with STARTTLS and AUTH, and Postfix's `smtp-sink`.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use selfmx_testing::{Postfix, Sink, SmtpSink};
use serde_json::json;

use crate::process::{KEY, until};
use crate::world::{World, recipient, text};

#[tokio::test]
async fn a_postfix_takes_our_mail_as_it_is_and_refuses_for_itself() {
    let next = Sink::well_behaved().await;
    let (postfix, folder) = (Postfix::start(Some(next.address())), tempfile::tempdir().unwrap());
    let trusted = folder.path().join("authorities.pem");
    fs::write(&trusted, postfix.certificate().pem()).unwrap();
    let (host, port) = (postfix.address().ip().to_string(), postfix.address().port().to_string());
    let world = World::start_with(&[
        ("SMTP_HOST", &host),
        ("SMTP_PORT", &port),
        ("SMTP_USER", Postfix::USER),
        ("SMTP_PASS", Postfix::PASS),
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
        ("QUEUE_RETRY_DELAY", "3600"),
    ])
    .await;
    let tested = world.server.ask("POST", "/v1/test-smtp", Some(KEY), None).await;
    assert_eq!((tested.status, text(&tested.json()["message"]).contains("250")), (200, true), "{}\n{}", tested.json(), postfix.log());

    let files =
        json!([{"filename": "Bild ü.png", "content": BASE64_STANDARD.encode((0..=255).cycle().take(100_000).collect::<Vec<u8>>())}]);
    let id = world
        .send(json!({
            "from": "Größe, GmbH <shop@sender.example>", "to": ["Anna <anna@recipient.example>"], "cc": "ben@bücher.example", "bcc": "dora@recipient.example",
            "subject": "Grüße 🎉", "text": ".\n..\nFrom ü\n", "html": format!("<p>{}</p>", "ü ".repeat(2000)), "attachments": files,
        }))
        .await;
    let email = world.settled(&id).await;
    assert_eq!(email["status"], "delivered", "{email}\n{}", postfix.log());
    assert!(text(&recipient(&email, "anna@recipient.example")["last_response"]).contains("queued as"), "Postfix's own words: {email}");
    let raw = world.raw(&id).await;
    let mut reached = Vec::new();
    while reached.len() < 3 {
        let arrived = next.wait_for(reached.len() + 1).await;
        // Postfix puts its trace before everything else, and changes nothing.
        assert!(arrived.iter().all(|mail| mail.octets.starts_with(b"Received: ") && mail.octets.ends_with(&raw)), "{}", postfix.log());
        reached = arrived.into_iter().flat_map(|mail| mail.recipients).collect();
    }
    reached.sort();
    assert_eq!(reached, ["anna@recipient.example", "ben@xn--bcher-kva.example", "dora@recipient.example"]);

    let id = world.send(json!({"to": ["refused@recipient.example", "later@recipient.example", "anna@recipient.example"]})).await;
    until(&world.database, "SELECT count(*) FROM recipients WHERE attempts = 1", "6").await;
    let email = world.email(&id).await;
    for (name, status, response) in
        [("refused", "bounced", "550 5.1.1"), ("later", "queued", "450 4.2.0"), ("anna", "delivered", "250 2.0.0")]
    {
        let recipient = recipient(&email, &format!("{name}@recipient.example"));
        assert_eq!(recipient["status"], status, "{recipient}");
        assert!(text(&recipient["last_response"]).starts_with(response), "{recipient}");
    }
}

#[tokio::test]
async fn smtp_sink_takes_two_hundred() {
    let sink = SmtpSink::start(&[]);
    let world = World::relayed(sink.address(), &[]).await;
    let mut http = world.server.connect().await;
    for number in 0..200 {
        let body = crate::world::email(&json!({"to": format!("{number}@recipient.example")}));
        assert_eq!(http.send("POST", "/v1/send", Some(KEY), Some(&body)).await.unwrap().status, 202);
    }
    until(&world.database, "SELECT count(*) FROM queue", "0").await;
    assert_eq!(world.database.query_one_text("SELECT string_agg(DISTINCT status || attempts, ' ') FROM recipients").await, "delivered1");
    assert_eq!(
        world.database.query_one_text("SELECT count(*) FROM emails WHERE status = 'delivered' AND delivered_at IS NOT NULL").await,
        "200"
    );
}
