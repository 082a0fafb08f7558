//! What becomes of accepted mail.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::Mode;
use selfmx_mail::{Capture, Relay, RelaySettings, Security, Transport};
use selfmx_testing::{Act, Fault, Gate, Phase, Sink, SinkSettings};
use selfmx_worker::WorkerSettings;
use tokio::net::TcpListener;

use crate::world::{Running, World, settings};

/// A relay at a port, with a short patience.
pub(crate) fn relay(port: u16) -> Transport {
    let mut settings = RelaySettings::new("127.0.0.1", port, "client.example".parse().unwrap());
    settings.security = Security::Plain;
    settings.timeout = Duration::from_millis(500);
    Transport::Relay(Arc::new(Relay::new(settings).unwrap()))
}

/// A port where nothing listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Refuses to renew any lease, as long as its trigger stands.
const NOT_RENEWED: &str = "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'away'; END $$; \
    CREATE TRIGGER refused BEFORE UPDATE ON queue FOR EACH ROW WHEN (NEW.lease_token = OLD.lease_token) EXECUTE FUNCTION refused()";

/// A worker with brief leases whose relay has got as far as this with a mail, and waits for the gate.
async fn held_at(phase: Phase, world: &World) -> (Sink, Gate, Running) {
    let gate = Gate::default();
    let faults = vec![Fault::new(phase, Act::Held(gate.clone()))];
    let sink = Sink::start(SinkSettings { faults, ..SinkSettings::default() }).await;
    let mut patient = RelaySettings::new("127.0.0.1", sink.address().port(), "client.example".parse().unwrap());
    patient.security = Security::Plain;
    let short = WorkerSettings { lease: Duration::from_millis(500), ..settings(3) };
    let running = world.work(Transport::Relay(Arc::new(Relay::new(patient).unwrap())), short);
    gate.reached(1).await;
    (sink, gate, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_mail_is_delivered_and_its_story_told() {
    let world = World::new().await;
    let id = world.accept(&["a@x.example", "b@x.example"], Mode::Live).await;
    let running = world.work(Transport::Capture(Capture::NoRelay), settings(3));
    world.until("SELECT status FROM emails", "delivered").await;
    running.stop().await;
    let database = &world.database;
    assert_eq!(
        database.query_one_text("SELECT string_agg(kind, ' ' ORDER BY at, ordinal) FROM events").await,
        "queued delivered delivered"
    );
    assert_eq!(database.query_one_text("SELECT count(*) FROM queue").await, "0");
    assert_eq!(database.query_one_text("SELECT string_agg(status || attempts, ' ') FROM recipients").await, "delivered1 delivered1");
    assert_eq!(database.query_one_text("SELECT (delivered_at >= created_at)::text FROM emails").await, "true");
    assert_eq!(database.query_one_text("SELECT id FROM emails").await, id.as_uuid().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_key_s_mail_never_reaches_the_relay() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Test).await;
    let running = world.work(relay(closed_port().await), settings(0));
    world.until("SELECT status FROM emails", "delivered").await;
    running.stop().await;
    assert_eq!(world.database.query_one_text("SELECT reply_text FROM recipients").await, "captured: sent with a test key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_never_reached_fails_the_mail_after_its_retries() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Live).await;
    let running = world.work(relay(closed_port().await), settings(2));
    world.until("SELECT status FROM emails", "failed").await;
    running.stop().await;
    assert_eq!(
        world.database.query_one_text("SELECT string_agg(kind || attempt, ' ' ORDER BY attempt) FROM events").await,
        "queued0 deferred1 deferred2 failed3"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_deliver_each_mail_once() {
    let world = World::new().await;
    for _ in 0..200 {
        world.accept(&["a@x.example"], Mode::Live).await;
    }
    let nodes =
        [world.work(Transport::Capture(Capture::NoRelay), settings(3)), world.work(Transport::Capture(Capture::NoRelay), settings(3))];
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", "200").await;
    for node in nodes {
        node.stop().await;
    }
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM events WHERE kind = 'delivered'").await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_was_begun_and_gives_the_rest_back() {
    let world = World::new().await;
    for _ in 0..5 {
        world.accept(&["a@x.example"], Mode::Live).await;
    }
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one_at_a_time = WorkerSettings { runners: 1, sending: 1, poll: Duration::from_secs(3600), ..settings(3) };
    let running = world.work(relay(silent.local_addr().unwrap().port()), one_at_a_time);
    let (_connection, _) = silent.accept().await.unwrap();
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL").await, "4");
    running.stop().await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL").await, "0");
    assert_eq!(
        world.database.query_one_text("SELECT string_agg(attempts::text, ' ' ORDER BY attempts) FROM recipients").await,
        "0 0 0 0 1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_for_as_long_as_its_attempt_takes() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Live).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let short = WorkerSettings { lease: Duration::from_millis(300), ..settings(0) };
    let slow = {
        let mut settings = RelaySettings::new("127.0.0.1", silent.local_addr().unwrap().port(), "client.example".parse().unwrap());
        settings.security = Security::Plain;
        settings.timeout = Duration::from_millis(1500);
        Transport::Relay(Arc::new(Relay::new(settings).unwrap()))
    };
    let first = world.work(slow, short);
    let (_connection, _) = silent.accept().await.unwrap();
    // Another node, which would take the mail if its lease ran out.
    let second = world.work(Transport::Capture(Capture::NoRelay), short);
    world.until("SELECT status FROM emails", "failed").await;
    first.stop().await;
    second.stop().await;
    assert_eq!(world.database.query_one_text("SELECT string_agg(kind, ' ' ORDER BY at) FROM events").await, "queued failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_comes_too_late_changes_nothing_and_is_counted() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Live).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = world.work(relay(silent.local_addr().unwrap().port()), settings(0));
    let (_connection, _) = silent.accept().await.unwrap();
    // As if the worker had been asleep and another had taken the email.
    world.database.execute("UPDATE queue SET lease_token = gen_random_uuid(), due_at = now() + interval '1 hour'").await;
    let counts = Arc::clone(&running.counts);
    running.stop().await;
    assert_eq!(counts.stale(), 1);
    assert_eq!(world.database.query_one_text("SELECT status || attempts FROM recipients").await, "queued0");
    assert_eq!(world.database.query_one_text("SELECT string_agg(kind, ' ') FROM events").await, "queued");
}

/// Nobody can write an event; whoever writes none, as a claim, is not hindered.
const NOT_RECORDED: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$; \
CREATE TRIGGER refused BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_sent_while_results_cannot_be_recorded() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Test).await;
    world.database.execute("ALTER TABLE queue ADD COLUMN first boolean DEFAULT false; UPDATE queue SET first = true").await;
    for _ in 0..3 {
        world.accept(&["b@x.example"], Mode::Live).await;
    }
    world.database.execute("UPDATE queue SET due_at = now() + interval '1 hour' WHERE NOT first").await;
    // Results have nowhere to go.
    world.database.execute(NOT_RECORDED).await;
    let sink = Sink::well_behaved().await;
    let one_at_a_time = WorkerSettings { runners: 1, sending: 1, ..settings(3) };
    let running = world.work(relay(sink.address().port()), one_at_a_time);
    world.until("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL", "1").await;
    // Time for the first result to be refused.
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.database.execute("UPDATE queue SET due_at = now() WHERE NOT first").await;
    // Time for them to be claimed and sent, if they were.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL").await, "1");
    assert_eq!(sink.ledger().delivered_count(), 0);
    world.database.execute("DROP TRIGGER refused ON events").await;
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", "4").await;
    running.stop().await;
    assert_eq!(sink.ledger().delivered_count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_leases_ran_out_unrenewed_does_not_take_its_own_work_again() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Live).await;
    let (sink, gate, running) = held_at(Phase::FinalDot, &world).await;
    // As if the database were away, but for the claims, which come back first.
    world.database.execute(NOT_RENEWED).await;
    world.until("SELECT (due_at < now())::text FROM queue", "true").await;
    // Time for it to be claimed, if it was.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.database.query_one_text("SELECT (due_at < now())::text FROM queue").await, "true");
    world.database.execute("DROP TRIGGER refused ON queue").await;
    world.until("SELECT (due_at > now())::text FROM queue", "true").await;
    gate.open();
    world.until("SELECT status FROM emails", "delivered").await;
    let counts = Arc::clone(&running.counts);
    running.stop().await;
    assert_eq!((sink.ledger().delivered_count(), gate.count(), counts.stale()), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_lease_ran_out_on_the_way_never_gets_its_final_dot() {
    let world = World::new().await;
    world.accept(&["a@x.example"], Mode::Live).await;
    let (sink, gate, running) = held_at(Phase::Data, &world).await;
    // As if the worker had been frozen in the middle of it: nothing renews its lease.
    world.database.execute(NOT_RENEWED).await;
    world.until("SELECT (due_at < now())::text FROM queue", "true").await;
    gate.open();
    sink.ledger().until("the connection to be closed", |ledger| ledger.closed() == 1).await;
    assert_eq!(sink.ledger().delivered_count(), 0);
    world.database.execute("DROP TRIGGER refused ON queue").await;
    world.until("SELECT status FROM emails", "delivered").await;
    running.stop().await;
    assert_eq!((sink.ledger().delivered_count(), gate.count()), (1, 2));
}
