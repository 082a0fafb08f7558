//! The pool: fair, bounded, and back after whatever happens to a connection.

use std::time::{Duration, Instant};

use selfmx_storage::{DatabaseAddress, Error, PoolSettings, Store, migrate};
use selfmx_testing::Database;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{LONG, Place, accept, acceptance, admin, draft, permit, store, system};
use crate::server::Server;

async fn small(size: u32, wait: Duration) -> Place {
    Place::with_pool(PoolSettings { size, wait, ..PoolSettings::default() }).await
}

/// The processes that serve the place's stores.
const OURS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx'";

async fn kill_all(place: &Place) {
    place.ask(&format!("SELECT count(pg_terminate_backend(pid)) {OURS}")).await;
    while place.ask(&format!("SELECT count(*) {OURS}")).await != "0" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_tasks_on_eight_connections_all_get_their_turn() {
    let place = small(8, Duration::from_secs(10)).await;
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = place.store.clone();
        tasks.spawn(async move {
            let mut worst = Duration::ZERO;
            for _ in 0..50 {
                let start = Instant::now();
                store.ping().await.unwrap();
                worst = worst.max(start.elapsed());
            }
            worst
        });
    }
    let worst = tasks.join_all().await.into_iter().max().unwrap();
    assert!(worst < Duration::from_secs(5), "{worst:?}");
    let connections: u32 = place.ask(&format!("SELECT count(*) {OURS}")).await.parse().unwrap();
    assert!((1..=8).contains(&connections), "{connections}");
}

#[tokio::test]
async fn a_killed_connection_is_survived_by_what_reads_and_by_what_writes() {
    let place = small(2, Duration::from_secs(10)).await;
    let id = place.accept(|_| {}).await;
    for _ in 0..3 {
        kill_all(&place).await;
        assert!(place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().is_some());
        kill_all(&place).await;
        place.accept(|_| {}).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_whose_connection_is_killed_under_it_is_made_again() {
    let place = small(1, Duration::from_secs(10)).await;
    place.store.ping().await.unwrap();
    // The read waits for a lock, and there its connection is killed.
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE queue").await.unwrap();
    let store = place.store.clone();
    let reading = tokio::spawn(async move { store.queue_depth().await });
    place.until_blocked(1).await;
    place.ask(&format!("SELECT count(pg_terminate_backend(pid)) {OURS}")).await;
    place.until_blocked(1).await;
    lock.rollback().await.unwrap();
    assert_eq!(timeout(LONG, reading).await.unwrap().unwrap().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_connection_is_killed_under_it_is_unavailable_and_not_made_again() {
    let place = small(1, Duration::from_secs(10)).await;
    place.store.ping().await.unwrap();
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE queue").await.unwrap();
    let store = place.store.clone();
    let accepting = tokio::spawn(async move { store.email_accept(acceptance(&permit(), draft(|_| {}))).await });
    place.until_blocked(1).await;
    kill_all(&place).await;
    let refused = timeout(LONG, accepting).await.unwrap().unwrap();
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    lock.rollback().await.unwrap();
    assert_eq!(place.rows().await, "0 0 0 0 0");
    place.accept(|_| {}).await;
}

/// Without a word from the server: as when its machine dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_just_ends_is_unavailable_and_the_next_one_works() {
    let server = Server::with(&[]).await;
    let text = server.address("127.0.0.1", "sslmode=disable");
    let address: DatabaseAddress = text.parse().unwrap();
    let store = store(&address, PoolSettings { size: 1, ..PoolSettings::default() });
    timeout(LONG, async { while store.ping().await.is_err() {} }).await.expect("the server comes up");
    migrate(&address).await.unwrap();
    Database::execute_at(
        &text,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$; \
         CREATE TRIGGER die BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION die()",
    )
    .await;
    let accepting = store.clone();
    let accepting = tokio::spawn(async move { accepting.email_accept(acceptance(&permit(), draft(|_| {}))).await });
    let sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let pid = timeout(LONG, async {
        loop {
            if let Some(pid) = Database::query_texts_at(&text, sleeping).await.pop() {
                return pid;
            }
        }
    });
    let pid = pid.await.expect("the statement runs");
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    let refused = timeout(LONG, accepting).await.unwrap().unwrap();
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    timeout(LONG, async { while store.ping().await.is_err() {} }).await.expect("the server comes back");
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_statement_in_the_next_one_s_way() {
    let place = small(1, Duration::from_secs(10)).await;
    place.store.ping().await.unwrap();
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE queue").await.unwrap();
    {
        let system = system();
        let leasing = place.store.queue_lease(&system, 1, LONG, &[]);
        tokio::pin!(leasing);
        tokio::select! {
            result = &mut leasing => panic!("{result:?}"),
            () = place.until_blocked(1) => {}
        }
    }
    // Behind the abandoned statement this would wait as long as that waits for its lock.
    let start = Instant::now();
    place.store.ping().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    lock.rollback().await.unwrap();
    assert_eq!(place.rows().await, "0 0 0 0 0");
    assert_eq!(place.ask(&format!("SELECT count(*) {OURS}")).await, "1");
}

#[tokio::test]
async fn callers_that_give_up_never_take_more_connections_than_there_are() {
    let place = small(2, Duration::from_secs(10)).await;
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE queue").await.unwrap();
    for _ in 0..10 {
        drop(timeout(Duration::from_millis(20), place.store.queue_depth()).await);
        let connections: u32 = place.ask(&format!("SELECT count(*) {OURS}")).await.parse().unwrap();
        assert!(connections <= 2, "{connections}");
    }
    lock.rollback().await.unwrap();
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn the_wait_for_a_connection_is_bounded() {
    let place = small(1, Duration::from_millis(200)).await;
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE queue").await.unwrap();
    let (held, start) = (place.store.queue_depth(), Instant::now());
    tokio::pin!(held);
    let refused = tokio::select! {
        _ = &mut held => panic!("the table is locked"),
        refused = async { place.until_blocked(1).await; place.store.ping().await } => refused,
    };
    assert!(matches!(&refused, Err(Error::Unavailable(reason)) if reason.contains("DB_POOL_SIZE")), "{refused:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
    lock.rollback().await.unwrap();
    assert_eq!(held.await.unwrap(), 0);
}

/// What a session of the store's own says of a setting: asked by a trigger.
async fn session(place: &Place, store: &Store, setting: &str) -> String {
    let asking = format!(
        "CREATE TABLE IF NOT EXISTS said (word text); TRUNCATE said; \
         CREATE OR REPLACE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO said VALUES (current_setting('{setting}')); RETURN NEW; END $$; \
         CREATE OR REPLACE TRIGGER ask BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION ask()"
    );
    place.database.execute(&asking).await;
    accept(store, &permit(), |_| {}).await;
    place.ask("SELECT word FROM said").await
}

#[tokio::test]
async fn every_session_is_durable_and_bounded_whatever_the_database_s_default_is() {
    let place = Place::new().await;
    for (default, expected) in [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")] {
        let name = place.database.name();
        place.database.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = '{default}'")).await;
        place.database.execute(&format!("ALTER DATABASE {name} SET statement_timeout = 0")).await;
        place.database.execute(&format!("ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")).await;
        let store = place.other_store();
        assert_eq!(session(&place, &store, "synchronous_commit").await, expected, "{default}");
        assert_eq!(session(&place, &store, "statement_timeout").await, "30s");
        assert_eq!(session(&place, &store, "lock_timeout").await, "10s");
        assert_eq!(session(&place, &store, "idle_in_transaction_session_timeout").await, "30s");
        assert_eq!(session(&place, &store, "TimeZone").await, "UTC");
    }
}

#[tokio::test]
async fn a_statement_that_is_refused_for_a_time_may_be_tried_again() {
    let place = Place::new().await;
    let name = place.database.name();
    place.database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let refused = place.other_store().email_accept(acceptance(&permit(), draft(|_| {}))).await;
    assert!(refused.as_ref().is_err_and(Error::is_transient), "{refused:?}");
}
