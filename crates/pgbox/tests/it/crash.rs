//! Deaths: of PostgreSQL, of us, and what they leave behind.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use selfmx_pgbox::{DATABASE, Error, PgBox, Stopped};

use crate::place::{Place, connect, sql, wait_until};

/// About a second of work without a pause.
const BUSY: &str = "DO $$ DECLARE n bigint; BEGIN FOR n IN 1..30000000 LOOP END LOOP; END $$";

#[tokio::test]
async fn a_postgres_killed_with_9_is_recovered_with_what_it_had_committed() {
    let place = Place::new();
    let lost = PgBox::open(place.detached()).await.unwrap();
    sql(&lost, "CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)").await;
    let _idle = connect(&lost, DATABASE).await;
    place.kill(Signal::SIGKILL);
    // At once, while its orphans may still be ending and its parent, ourselves, has not noticed.
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT count(*) FROM kept").await, "1000");
    assert!(place.log().contains("database system was not properly shut down"));
    drop(lost);
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn a_postgres_killed_with_9_is_revived_in_its_place_and_one_that_lives_is_left_alone() {
    let place = Place::new();
    let mut server = PgBox::open(place.tethered()).await.unwrap();
    let (first, reached) = (place.postmaster(), server.connection_string(DATABASE));
    sql(&server, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)").await;
    assert!(!server.revive().await.unwrap());
    assert_eq!(place.postmaster(), first);
    place.kill(Signal::SIGKILL);
    place.wait_until_down();
    assert!(server.revive().await.unwrap());
    assert_ne!(place.postmaster(), first);
    assert_eq!(server.connection_string(DATABASE), reached);
    assert_eq!(sql(&server, "SELECT count(*) FROM kept").await, "1");
    assert!(!server.revive().await.unwrap());
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_not_made_anew() {
    let place = Place::new();
    let mut server = PgBox::open(place.tethered()).await.unwrap();
    place.kill(Signal::SIGKILL);
    place.wait_until_down();
    fs::rename(place.path("cluster"), place.path("elsewhere")).unwrap();
    assert!(matches!(server.revive().await, Err(Error::NoCluster { .. })));
    assert!(!place.path("cluster").exists());
    fs::rename(place.path("elsewhere"), place.path("cluster")).unwrap();
    assert!(server.revive().await.unwrap());
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn our_death_leaves_a_detached_server_that_is_found() {
    let place = Place::new();
    let mut process = place.second_process("find::detached_process");
    let pid = place.postmaster();
    process.kill().unwrap();
    process.wait().unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(place.postmaster(), pid);
    assert_eq!(sql(&server, "SELECT 1").await, "1");
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn our_death_while_the_cluster_is_made_leaves_none_that_is_half_made() {
    let place = Place::new();
    let mut process = place.start_second_process("find::detached_process");
    wait_until("initdb to begin", || place.path("cluster.new/base").exists());
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!place.path("cluster").exists());
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT current_database()").await, "selfmx");
    assert!(!place.path("cluster.new").exists());
}

#[tokio::test]
async fn a_start_waits_for_a_lost_servers_last_session() {
    let place = Place::new();
    let lost = PgBox::open(place.detached()).await.unwrap();
    let session = connect(&lost, DATABASE).await;
    // It does not look up from its work, so it does not notice that its postmaster is gone.
    tokio::spawn(async move { session.simple_query(BUSY).await.map(drop) });
    let active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'";
    while sql(&lost, active).await != "1" {}
    place.kill(Signal::SIGKILL);
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_dead_servers_process_id_may_be_anothers() {
    let place = Place::new();
    drop(PgBox::open(place.tethered()).await.unwrap());
    let mut another = place.as_server("/bin/sleep").arg("60").spawn().unwrap();
    let record = format!(
        "{}\n{}\n1700000000\n5432\n{}\n\n  1 1\nready   \n",
        another.id(),
        place.path("cluster").display(),
        place.path("socket").display()
    );
    fs::write(place.path("cluster/postmaster.pid"), record).unwrap();
    let server = PgBox::open(place.tethered()).await.unwrap();
    assert_eq!(sql(&server, "SELECT 1").await, "1");
    assert!(another.try_wait().unwrap().is_none());
    another.kill().unwrap();
    another.wait().unwrap();
}

#[tokio::test]
async fn a_start_waits_for_a_server_that_is_stopping() {
    let place = Place::new();
    let leaving = PgBox::open(place.detached()).await.unwrap();
    starts_after(&place, &leaving).await;
}

#[tokio::test]
async fn a_start_waits_for_a_server_that_was_started_by_hand_and_is_stopping() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    let mut by_hand = place.by_hand();
    let leaving = PgBox::open(place.detached()).await.unwrap();
    starts_after(&place, &leaving).await;
    by_hand.wait().unwrap();
}

async fn starts_after(place: &Place, leaving: &PgBox) {
    let session = connect(leaving, DATABASE).await;
    let pid = place.postmaster();
    // A smart shutdown: it waits for the session.
    place.kill(Signal::SIGTERM);
    wait_until("the record to say so", || place.record().contains("stopping"));
    let (server, ()) = tokio::join!(PgBox::open(place.tethered()), async {
        // Let the other one look first.
        tokio::task::yield_now().await;
        drop(session);
    });
    let server = server.unwrap();
    assert_ne!(place.postmaster(), pid);
    assert_eq!(sql(&server, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_taken_for_ready() {
    let place = Place::new();
    let server = PgBox::open(place.tethered()).await.unwrap();
    place.kill(Signal::SIGSTOP);
    let error = PgBox::open(place.tethered().start_limit(Duration::from_millis(1))).await.unwrap_err();
    place.kill(Signal::SIGCONT);
    assert!(matches!(error, Error::StartTimedOut { .. }), "{error}");
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}

#[tokio::test]
async fn a_start_that_takes_too_long_says_so_and_is_found_later() {
    let place = Place::new();
    PgBox::open(place.tethered()).await.unwrap().stop().await.unwrap();
    let error = PgBox::open(place.detached().start_limit(Duration::ZERO)).await.unwrap_err();
    assert!(matches!(error, Error::StartTimedOut { .. }), "{error}");
    let server = PgBox::open(place.detached()).await.unwrap();
    assert_eq!(place.log().matches("ready to accept connections").count(), 2);
    assert_eq!(server.stop().await.unwrap(), Stopped::Down);
}
