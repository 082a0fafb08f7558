//! Emails that are accepted at the same time share a commit, and neither wait for nor suffer from one another.

use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::EmailId;
use selfmx_storage::{Accepted, Error, Store};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{LONG, Place, acceptance, draft, permit};

const ONE_IS_WRONG: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     IF NEW.subject = 'wrong' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$; \
     CREATE TRIGGER refuse BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION refuse()";

/// Begins to accept an email with each of these subjects while no email can be written, and lets them go once all wait.
async fn together(place: &Place, store: &Store, subjects: &[&str]) -> Vec<Result<Accepted, Error>> {
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE emails").await.unwrap();
    let mut calls = Vec::new();
    for subject in subjects {
        let (store, subject) = (store.clone(), subject.parse().unwrap());
        calls.push(tokio::spawn(async move { store.email_accept(acceptance(&permit(), draft(|parts| parts.subject = subject))).await }));
        // Each is on its way before the next begins.
        tokio::task::yield_now().await;
    }
    let blocked = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    timeout(LONG, async { while place.ask(blocked).await != "t" {} }).await.unwrap();
    lock.rollback().await.unwrap();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(timeout(LONG, call).await.unwrap().unwrap());
    }
    answers
}

#[tokio::test]
async fn those_that_come_at_the_same_time_share_a_commit() {
    let place = Place::new().await;
    let answers = together(&place, &place.store, &["s"; 100]).await;
    let mut ids: Vec<EmailId> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), place.rows().await.as_str()), (100, "100 100 100 100 100"));
    let commits: usize = place.ask("SELECT count(DISTINCT xmin::text) FROM emails").await.parse().unwrap();
    assert!(commits <= 5, "{commits}");
}

#[tokio::test]
async fn one_that_is_wrong_fails_alone() {
    let place = Place::new().await;
    place.database.execute(ONE_IS_WRONG).await;
    let mut subjects = vec!["right"; 30];
    (subjects[3], subjects[17]) = ("wrong", "wrong");
    let answers = together(&place, &place.store, &subjects).await;
    for (subject, answer) in subjects.iter().zip(answers) {
        assert_eq!(answer.is_ok(), *subject == "right", "{answer:?}");
    }
    assert_eq!(place.rows().await, "28 28 28 28 28");
}

/// Whether the commit was made is not known then: to try again could accept an email twice.
#[tokio::test]
async fn where_the_connection_is_lost_none_is_tried_again() {
    let place = Place::new().await;
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE emails").await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let store = place.store.clone();
        calls.spawn(async move { store.email_accept(acceptance(&permit(), draft(|_| {}))).await });
    }
    let kill =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut failed = 0;
    while failed < 50 {
        place.ask(kill).await;
        while let Ok(Some(answer)) = timeout(Duration::from_millis(20), calls.join_next()).await {
            assert!(matches!(answer.unwrap(), Err(Error::Unavailable(_))));
            failed += 1;
        }
    }
    lock.rollback().await.unwrap();
    assert_eq!(place.rows().await, "0 0 0 0 0");
}

#[tokio::test]
async fn whoever_gives_up_takes_nobody_with_it() {
    let place = Place::new().await;
    let mut holder = place.database.connect().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE emails").await.unwrap();
    let mut calls = Vec::new();
    for _ in 0..20 {
        let store = place.store.clone();
        calls.push(tokio::spawn(async move { store.email_accept(acceptance(&permit(), draft(|_| {}))).await }));
    }
    let blocked = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    timeout(LONG, async { while place.ask(blocked).await != "t" {} }).await.unwrap();
    // Those whose statement is under way and those that wait alike.
    calls.iter().step_by(2).for_each(tokio::task::JoinHandle::abort);
    lock.rollback().await.unwrap();
    for call in calls.into_iter().skip(1).step_by(2) {
        assert!(timeout(LONG, call).await.unwrap().unwrap().is_ok());
    }
    assert_eq!(place.rows().await, "20 20 20 20 20");
}

/// A node that stops has answered all that it took: nobody waits for an answer that does not come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_on_two_nodes_are_each_answered_once() {
    let place = Place::new().await;
    let stores = Arc::new([place.store.clone(), place.other_store()]);
    let mut calls = JoinSet::new();
    for n in 0..32 {
        let stores = Arc::clone(&stores);
        calls.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..20 {
                ids.push(stores[n % 2].email_accept(acceptance(&permit(), draft(|_| {}))).await.unwrap().id);
            }
            ids
        });
    }
    let mut ids: Vec<_> = timeout(LONG, calls.join_all()).await.unwrap().into_iter().flatten().collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), place.rows().await.as_str()), (640, "640 640 640 640 640"));
}
