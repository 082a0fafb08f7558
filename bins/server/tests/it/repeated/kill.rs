//! Fifty times the same request at once on two nodes, one of which is killed.

use std::collections::BTreeSet;

use selfmx_testing::{Database, Sink};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::process::{KEY, Server, database, until};
use crate::world::{email, port, text};

const AT_ONCE: usize = 50;

/// What one of the requests was told: the status and the id; `None`: no whole answer.
type Told = Option<(u16, String)>;

/// Kills one of the nodes once this many have been answered, which may be none.
async fn one_mail_through_a_kill(database: &Database, relay: &[(&str, &str)], key: &str, answered: usize) -> BTreeSet<String> {
    let (killed, other) = (Server::start(database, relay).await, Server::start(database, relay).await);
    let (progress, mut seen) = watch::channel(0);
    let begin = watch::Sender::new(false);
    let mut asking = JoinSet::new();
    for n in 0..AT_ONCE {
        let mut http = if n % 2 == 0 { &killed } else { &other }.connect().await;
        let (progress, mut begun, key) = (progress.clone(), begin.subscribe(), key.to_owned());
        asking.spawn(async move {
            begun.wait_for(|begun| *begun).await.unwrap();
            let bearer = format!("Bearer {KEY}");
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", &key)];
            let body = email(&json!({"to": format!("{key}@recipient.example")})).to_string();
            let answer = http.send_octets("POST", "/v1/send", &headers, body.into()).await;
            progress.send_modify(|answered| *answered += 1);
            answer.ok().map(|answer| (answer.status, text(&answer.json()["id"])))
        });
    }
    begin.send_replace(true);
    seen.wait_for(|seen| *seen >= answered).await.unwrap();
    killed.kill().await;
    let told: Vec<Told> = asking.join_all().await;
    let ids: BTreeSet<String> = told.iter().flatten().filter(|(status, _)| *status == 202).map(|(_, id)| id.clone()).collect();
    // The other node answers all of its own.
    assert!(told.iter().flatten().count() >= AT_ONCE / 2, "{told:?}");
    assert!(told.iter().flatten().all(|(status, _)| [202, 409].contains(status)), "{told:?}");
    assert_eq!(ids.len(), 1, "{told:?}");
    assert_eq!(other.stop().await.code, Some(0));
    ids
}

/// Counted from outside: by what the clients were told and by what reached the sink.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_times_the_same_request_on_two_nodes_is_one_mail_though_one_node_is_killed() {
    let (database, sink) = (database().await, Sink::well_behaved().await);
    let port = port(&sink);
    let relay = [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", port.as_str()), ("SMTP_TLS", "false"), ("QUEUE_RETRY_DELAY", "0")];
    let rounds = [0, 1, 10];
    for (round, answered) in rounds.into_iter().enumerate() {
        let key = format!("round-{round}");
        let ids = one_mail_through_a_kill(&database, &relay, &key, answered).await;
        let committed =
            database.query_texts(&format!("SELECT email_id::text FROM recipients WHERE address = '{key}@recipient.example'")).await;
        assert_eq!(committed.len(), 1, "{ids:?}");
    }
    // What the killed nodes had leased is due as if the leases had run out.
    database.execute("UPDATE queue SET due_at = now()").await;
    let last = Server::start(&database, &relay).await;
    until(&database, "SELECT count(*) FROM queue", "0").await;
    assert_eq!(last.stop().await.code, Some(0));
    let reached: BTreeSet<String> = sink.ledger().delivered().into_iter().flat_map(|transaction| transaction.recipients).collect();
    assert_eq!(reached.len(), rounds.len(), "{reached:?}");
    assert_eq!(database.query_one_text("SELECT count(*) FROM emails WHERE status <> 'delivered'").await, "0");
}
