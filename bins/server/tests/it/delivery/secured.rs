//! TLS and credentials: what is sent only where it is safe.

use std::fs;

use selfmx_testing::{Certificate, Sink, SinkSettings, SinkTls};
use serde_json::json;

use crate::process::until;
use crate::world::{World, recipient, text};

const LOGIN: (&str, &str) = ("mailer", "s3cret-of-the-relay");

async fn sink(certificate: &Certificate) -> Sink {
    let credentials = Some((LOGIN.0.to_owned(), LOGIN.1.to_owned()));
    Sink::start(SinkSettings { tls: SinkTls::StartTls(certificate.clone()), credentials, ..SinkSettings::default() }).await
}

#[tokio::test]
async fn credentials_go_out_under_tls_to_a_relay_that_is_trusted() {
    let (certificate, folder) = (Certificate::for_loopback(), tempfile::tempdir().unwrap());
    let (sink, trusted) = (sink(&certificate).await, folder.path().join("authorities.pem"));
    fs::write(&trusted, certificate.pem()).unwrap();
    let login = [("SMTP_TLS", "true"), ("SMTP_USER", LOGIN.0), ("SMTP_PASS", LOGIN.1)];
    let world = World::relayed(sink.address(), &[&login[..], &[("SSL_CERT_FILE", trusted.to_str().unwrap())]].concat()).await;
    let id = world.send(json!({})).await;
    assert_eq!(world.settled(&id).await["status"], "delivered");
    let arrived = sink.wait_for(1).await;
    assert_eq!((arrived[0].tls, arrived[0].user.as_deref()), (true, Some(LOGIN.0)));
    let verbs: Vec<String> = sink.ledger().commands().iter().map(|(_, line)| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(verbs[..4], ["EHLO", "STARTTLS", "EHLO", "AUTH"], "{verbs:?}");
}

#[tokio::test]
async fn a_relay_that_is_not_trusted_gets_nothing_and_its_mail_waits_unless_any_certificate_will_do() {
    let sink = sink(&Certificate::for_loopback()).await;
    let login = [("SMTP_TLS", "true"), ("SMTP_USER", LOGIN.0), ("SMTP_PASS", LOGIN.1)];
    let world = World::relayed(sink.address(), &login).await;
    let id = world.send(json!({})).await;
    until(&world.database, "SELECT count(reply_text) FROM recipients", "1").await;
    let email = world.email(&id).await;
    let waiting = recipient(&email, "anna@recipient.example");
    assert_eq!((&email["status"], &waiting["status"], &waiting["attempts"]), (&json!("queued"), &json!("queued"), &json!(0)));
    assert!(text(&waiting["last_response"]).contains("not trusted"), "{waiting}");
    assert_eq!(world.get("/health").await.json()["smtp"], "held");
    assert!(!sink.ledger().commands().iter().any(|(_, line)| line == "AUTH"), "{:?}", sink.ledger().commands());

    let port = crate::world::port(&sink);
    let place = [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", port.as_str()), ("SMTP_TLS_VERIFY", "false")];
    let world = world.restarted(&[&login[..], &place].concat()).await;
    // What is held is looked at again half a minute later.
    world.database.execute("UPDATE queue SET due_at = now()").await;
    assert_eq!(world.settled(&id).await["status"], "delivered");
}

#[tokio::test]
async fn a_relay_that_offers_no_tls_gets_no_mail_where_tls_is_asked_for() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[("SMTP_TLS", "true")]).await;
    let id = world.send(json!({})).await;
    until(&world.database, "SELECT count(reply_text) FROM recipients", "1").await;
    let email = world.email(&id).await;
    assert_eq!((&email["status"], &recipient(&email, "anna@recipient.example")["attempts"]), (&json!("queued"), &json!(0)));
    assert!(!sink.ledger().commands().iter().any(|(_, line)| line.starts_with("MAIL")), "{:?}", sink.ledger().commands());
}
