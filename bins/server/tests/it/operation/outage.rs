//! The database goes away while the server runs, and comes back.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use selfmx_pgbox::{Lifetime, PgBox, Settings};
use selfmx_testing::{Database, Sink, SinkSettings};
use serde_json::{Value, json};

use crate::process::{KEY, Server, eventually};
use crate::world::{World, email, fault, text};

#[tokio::test]
async fn while_the_database_is_down_the_answer_is_503_and_afterwards_all_goes_on() {
    let folder = tempfile::Builder::new().prefix("selfmx-outage-").permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    let settings = || Settings::new(folder.path().join("postgres")).lifetime(Lifetime::Tethered);
    let postgres = PgBox::open(settings()).await.unwrap();
    let url = postgres.connection_string(selfmx_pgbox::DATABASE);
    let gone = Sink::well_behaved().await.address();
    let port = gone.port().to_string();
    let server = Server::start_with(&[
        ("DATABASE_URL", &url),
        ("API_KEY", KEY),
        ("DB_POOL_TIMEOUT", "1"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_TLS", "false"),
        ("QUEUE_RETRY_DELAY", "3600"),
    ])
    .await;
    let ask = async |method: &str, path: &str, key: &str, body: Option<&Value>| server.ask(method, path, Some(key), body).await;
    let wanted = json!({"name": "Shop", "permissions": ["*"]});
    let key = text(&ask("POST", "/v1/api-keys", KEY, Some(&wanted)).await.json()["key"]);
    let sent = ask("POST", "/v1/send", &key, Some(&email(&json!({})))).await.json();
    let recipient = async |id: &Value| ask("GET", &format!("/v1/emails/{}", text(id)), KEY, None).await.json()["recipients"][0].clone();
    let tried = async |id: &Value| eventually("an attempt", async || recipient(id).await["attempts"] == 1).await;
    tried(&sent["id"]).await;

    postgres.stop().await.unwrap();
    let unavailable = (503, "unavailable".to_owned(), String::new());
    let mail = email(&json!({}));
    let (email_path, missing) = (format!("/v1/emails/{}", text(&sent["id"])), "/v1/api-keys/key_01h455vb4pex5vsknk084sn02q");
    let answers = tokio::join!(
        // It is not known whose key it is: that is no 401.
        ask("GET", "/v1/api-keys/me", &key, None),
        ask("POST", "/v1/send", KEY, Some(&mail)),
        ask("GET", "/v1/emails", KEY, None),
        ask("GET", &email_path, KEY, None),
        ask("DELETE", missing, KEY, None),
        ask("GET", "/health/ready", KEY, None),
    );
    for answer in [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5] {
        assert_eq!((fault(&answer), answer.header("retry-after")), (unavailable.clone(), Some("5")));
        let message = text(&answer.json()["error"]["message"]);
        assert!(!message.contains("postgres") && !message.contains('/'), "no path and no cause: {message}");
    }
    assert_eq!(ask("GET", "/health/live", KEY, None).await.status, 200);
    // The operator's key is in no store, but whether its tenant may send is.
    assert_eq!(fault(&ask("GET", "/v1/api-keys/me", KEY, None).await), unavailable);
    let degraded = async || {
        let health = ask("GET", "/health", KEY, None).await;
        let shown = health.json();
        health.status == 200 && shown["status"] == "degraded" && shown["database"] == "unreachable" && shown["queue_depth"].is_null()
    };
    eventually("/health to tell", degraded).await;
    let metrics = String::from_utf8(ask("GET", "/metrics", KEY, None).await.body.to_vec()).unwrap();
    assert!(metrics.contains("\nselfmx_database_up 0\n") && metrics.contains("\nselfmx_emails_total 1\n"), "{metrics}");
    assert!(!metrics.contains("selfmx_emails_queued") && !metrics.contains("selfmx_queue_age_seconds"), "{metrics}");

    let postgres = PgBox::open(settings()).await.unwrap();
    eventually("/health/ready", async || ask("GET", "/health/ready", KEY, None).await.status == 200).await;
    assert_eq!(ask("GET", "/v1/api-keys/me", &key, None).await.status, 200);
    let again = ask("POST", "/v1/send", &key, Some(&mail)).await;
    assert_eq!(again.status, 202);
    // The workers live on: what was queued before the outage and what came after it are delivered.
    tried(&again.json()["id"]).await;
    let sink = Sink::start_at(gone, SinkSettings::default()).await;
    Database::execute_at(&url, "UPDATE queue SET due_at = now()").await;
    sink.wait_for(2).await;
    for id in [&sent["id"], &again.json()["id"]] {
        eventually("the delivery", async || recipient(id).await["status"] == "delivered").await;
    }
    assert_eq!(server.stop().await.code, Some(0));
    postgres.stop().await.unwrap();
}

/// Ends all connections to the test's database, as a server that restarts does.
const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test]
async fn killed_connections_cost_no_accepted_mail_and_are_replaced() {
    let world = World::start().await;
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for _ in 0..10 {
        world.database.execute(KILL).await;
        for _ in 0..5 {
            let answer = world.post("/v1/send", &email(&json!({}))).await;
            match answer.status {
                202 => accepted.push(text(&answer.json()["id"])),
                503 => refused += 1,
                _ => panic!("{}", answer.json()),
            }
        }
    }
    assert!(refused <= 20, "{refused} of 50 were refused");
    for id in accepted {
        assert_eq!(world.settled(&id).await["status"], "delivered");
    }
    assert_eq!(world.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn who_only_reads_does_not_notice_that_a_connection_was_killed() {
    let world = World::start_with(&[("DB_POOL_SIZE", "1")]).await;
    let id = world.send(json!({})).await;
    world.settled(&id).await;
    for _ in 0..10 {
        world.database.execute(KILL).await;
        assert_eq!(world.get("/v1/emails").await.status, 200);
    }
}

#[tokio::test]
async fn a_database_that_lacks_its_tables_is_not_ready() {
    let world = World::start().await;
    assert_eq!(world.get("/health/ready").await.status, 200);
    world.database.execute("DELETE FROM __diesel_schema_migrations").await;
    let answer = world.get("/health/ready").await;
    assert_eq!(fault(&answer), (503, "unavailable".to_owned(), String::new()));
    assert!(text(&answer.json()["error"]["message"]).contains("selfmx migrate"), "{}", answer.json());
}

#[tokio::test]
async fn what_is_broken_on_our_side_is_told_apart_and_says_nothing_of_itself() {
    let world = World::start().await;
    let id = world.send(json!({})).await;
    world.settled(&id).await;
    world.database.execute("UPDATE emails SET from_address = 'no address'").await;
    let answer = world.get(&format!("/v1/emails/{id}")).await;
    assert_eq!(fault(&answer), (500, "internal".to_owned(), String::new()));
    let error = answer.json()["error"].clone();
    assert!(text(&error["message"]).contains("request id") && !error.to_string().contains("address"), "{error}");
    // The log has it under that id.
    world.server.logged("cannot read").await;
    let log = world.server.log();
    let line = log.lines().find(|line| line.contains("cannot read")).unwrap();
    assert!(line.contains(&text(&error["request_id"])) && line.contains("\"ERROR\""), "{line}");
}
