//! Mail whose leases ended without a result three times.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::Mode;
use selfmx_mail::{Capture, Relay, RelaySettings, Security, Transport};
use selfmx_testing::{Act, Fault, Gate, Phase, Sink, SinkSettings};

use crate::world::{World, settings};

/// So many mails, as they are after three deaths of those who had them.
async fn suspects(world: &World, count: usize) {
    for number in 0..count {
        world.accept(&[&format!("suspect{number}@x.example")], Mode::Live).await;
    }
    world.database.execute("UPDATE queue SET unsettled = 3").await;
}

/// A relay that keeps suspects waiting for its last reply until the gate is open.
async fn gated(gate: &Gate) -> (Sink, Transport) {
    let held = Fault::new(Phase::FinalDot, Act::Held(gate.clone())).for_locals_from("suspect");
    let sink = Sink::start(SinkSettings { faults: vec![held], ..SinkSettings::default() }).await;
    let mut patient = RelaySettings::new("127.0.0.1", sink.address().port(), "client.example".parse().unwrap());
    patient.security = Security::Plain;
    (sink, Transport::Relay(Arc::new(Relay::new(patient).unwrap())))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_is_sent_and_nobody_else_waits_for_it() {
    let (world, gate) = (World::new().await, Gate::default());
    let (_sink, transport) = gated(&gate).await;
    suspects(&world, 80).await;
    let running = world.work(transport, settings(3));
    gate.reached(1).await;
    for _ in 0..30 {
        world.accept(&["usual@x.example"], Mode::Live).await;
    }
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", "30").await;
    assert_eq!(gate.count(), 1);
    assert_eq!(world.database.query_one_text("SELECT count(*) FROM queue WHERE unsettled = 5").await, "1");
    gate.open();
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", "110").await;
    assert_eq!(world.database.query_one_text("SELECT max(attempts) FROM recipients").await, "1");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_is_begun_when_the_last_one_s_result_is_in_the_database() {
    let world = World::new().await;
    suspects(&world, 8).await;
    // Recording takes long enough for another to begin.
    let look = "CREATE TABLE others (count bigint); \
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); \
        INSERT INTO others SELECT count(*) FROM queue WHERE unsettled = 5 AND email_id <> NEW.email_id; RETURN NEW; END $$; \
        CREATE TRIGGER look BEFORE UPDATE ON recipients FOR EACH ROW EXECUTE FUNCTION look()";
    world.database.execute(look).await;
    let running = world.work(Transport::Capture(Capture::NoRelay), settings(3));
    world.until("SELECT count(*) FROM emails WHERE status = 'delivered'", "8").await;
    assert_eq!(world.database.query_one_text("SELECT count(*) || ' ' || sum(count) FROM others").await, "8 0");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_alone_when_the_server_died_has_had_an_attempt_and_is_not_sent() {
    let world = World::new().await;
    suspects(&world, 1).await;
    world.database.execute("UPDATE queue SET unsettled = 5").await;
    let running = world.work(Transport::Capture(Capture::NoRelay), settings(1));
    let told = "SELECT count(*) FROM recipients WHERE status = 'queued' AND attempts = 1 AND reply_text LIKE 'the server ended each time%'";
    world.until(told, "1").await;
    let late = "SELECT count(*) FROM queue WHERE due_at > now() + interval '4 minutes' AND lease_token IS NULL";
    assert_eq!(world.database.query_one_text(late).await, "1");
    world.database.execute("UPDATE queue SET due_at = now()").await;
    world.until("SELECT status FROM emails", "delivered").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_wait_when_the_worker_stops_are_given_back() {
    let (world, gate) = (World::new().await, Gate::default());
    let (_sink, transport) = gated(&gate).await;
    suspects(&world, 5).await;
    let running = world.work(transport, settings(3));
    gate.reached(1).await;
    world.until("SELECT count(*) FROM queue WHERE lease_token IS NOT NULL", "5").await;
    let opened = async {
        world.until("SELECT count(*) FROM queue WHERE lease_token IS NULL", "4").await;
        gate.open();
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(running.stop(), opened) }).await.unwrap();
    let left = "SELECT string_agg(unsettled::text, ' ') FROM queue";
    assert_eq!(world.database.query_one_text(left).await, "3 3 3 3");
}
