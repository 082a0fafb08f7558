//! What was accepted is delivered, however often the server is killed.

use std::collections::{BTreeMap, BTreeSet};

use selfmx_testing::{Load, Sink};
use tokio::sync::watch;

use crate::process::{KEY, Server, database, until};

const MAILS: usize = 1500;
const KILLS: usize = 3;

/// Counted from outside: by the client's ledger and the sink's. A mail may arrive twice only where its attempt was open at a kill.
#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_mail_is_delivered_through_three_kills() {
    let (database, sink) = (database().await, Sink::well_behaved().await);
    let port = sink.address().port().to_string();
    let relay = [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", port.as_str()), ("SMTP_TLS", "false"), ("QUEUE_RETRY_DELAY", "0")];
    let mut server = Server::start(&database, &relay).await;
    let (address, address_seen) = watch::channel(server.address());
    let (progress, mut accepted) = watch::channel(0);
    let load = Load { key: KEY.to_owned(), mails: MAILS, connections: 16, octets: 2000 };
    let loading = tokio::spawn(load.run(address_seen, progress));
    let mut open_at_a_kill = BTreeSet::new();
    for kill in 1..=KILLS {
        let _ = accepted.wait_for(|accepted| *accepted >= kill * MAILS / (KILLS + 1)).await;
        server.kill().await;
        open_at_a_kill
            .extend(database.query_texts("SELECT address FROM recipients JOIN queue USING (email_id) WHERE lease_token IS NOT NULL").await);
        // Nobody is left who holds a lease: they may as well have run out.
        database.execute("UPDATE queue SET due_at = now() WHERE lease_token IS NOT NULL").await;
        server = Server::start(&database, &relay).await;
        address.send_replace(server.address());
    }
    let sent = loading.await.unwrap();
    assert_eq!(sent.refused, []);
    let committed: usize = database.query_one_text("SELECT count(*) FROM emails").await.parse().unwrap();
    until(&database, "SELECT count(*) FROM queue", "0").await;
    server.terminate();
    assert_eq!(server.ended().await.code, Some(0));

    let mut deliveries: BTreeMap<String, usize> = BTreeMap::new();
    for transaction in sink.ledger().delivered() {
        for recipient in transaction.recipients {
            *deliveries.entry(recipient).or_default() += 1;
        }
    }
    let lost: Vec<_> = sent.accepted.iter().filter(|number| !deliveries.contains_key(&format!("{number}@load.example"))).collect();
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
    assert!(
        sent.accepted.len() <= committed && committed <= sent.accepted.len() + sent.unknown.len(),
        "{} accepted, {committed} committed",
        sent.accepted.len()
    );
    let unexplained: Vec<_> = deliveries.iter().filter(|(address, count)| **count > 1 && !open_at_a_kill.contains(*address)).collect();
    assert!(unexplained.is_empty(), "arrived twice though not on their way at a kill: {unexplained:?}");
    assert!(deliveries.values().all(|count| *count <= 1 + KILLS), "{deliveries:?}");
    assert_eq!(database.query_one_text("SELECT count(*) FROM emails WHERE status <> 'delivered'").await, "0");
}
