//! Emails that are accepted at the same time share a commit, and neither wait for nor suffer from one another.

use std::collections::HashSet;
use std::sync::Arc;

use selfmx_domain::EmailId;
use selfmx_storage::{Accepted, Error};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::place::{LONG, Place, acceptance, draft, permit};

const ONE_IS_WRONG: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     IF NEW.subject = 'wrong' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$; \
     CREATE TRIGGER refuse BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION refuse()";

/// Emails that are being accepted while none can be written.
struct HeldUp {
    calls: Vec<JoinHandle<Result<Accepted, Error>>>,
    holder: Client,
}

impl HeldUp {
    /// Begins to accept an email with each of these subjects: some are being written then, and the others wait.
    async fn with(place: &Place, subjects: &[&str]) -> Self {
        let holder = place.database.connect().await;
        holder.batch_execute("BEGIN; LOCK TABLE emails").await.unwrap();
        let mut calls = Vec::new();
        for subject in subjects {
            let (store, subject) = (place.store.clone(), Some(subject.parse().unwrap()));
            let asked = acceptance(&permit(), draft(|parts| parts.subject = subject));
            calls.push(tokio::spawn(async move { store.email_accept(asked).await }));
            // Each is on its way before the next begins.
            tokio::task::yield_now().await;
        }
        place.until_blocked(2).await;
        Self { calls, holder }
    }

    /// Lets them go, and gives the answers of those that have not given up.
    async fn released(self) -> Vec<Result<Accepted, Error>> {
        self.holder.batch_execute("ROLLBACK").await.unwrap();
        let mut answers = Vec::new();
        for call in self.calls {
            match timeout(LONG, call).await.unwrap() {
                Err(aborted) if aborted.is_cancelled() => {}
                answer => answers.push(answer.unwrap()),
            }
        }
        answers
    }
}

#[tokio::test]
async fn those_that_come_at_the_same_time_share_a_commit() {
    let place = Place::new().await;
    let answers = HeldUp::with(&place, &["s"; 100]).await.released().await;
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
    let answers = HeldUp::with(&place, &subjects).await.released().await;
    for (subject, answer) in subjects.iter().zip(answers) {
        assert_eq!(answer.is_ok(), *subject == "right", "{answer:?}");
    }
    assert_eq!(place.rows().await, "28 28 28 28 28");
}

/// Whether the commit was made is not known then: to try again could accept an email twice.
#[tokio::test]
async fn where_the_connection_is_lost_none_is_tried_again() {
    let place = Place::new().await;
    let mut held_up = HeldUp::with(&place, &["s"; 50]).await;
    let kill = "SELECT pid::text FROM (SELECT pid, pg_terminate_backend(pid) AS killed FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock' OFFSET 0) AS those WHERE killed";
    let mut killed = HashSet::new();
    for call in held_up.calls.drain(..) {
        timeout(LONG, async {
            while !call.is_finished() {
                killed.extend(place.database.query_texts(kill).await);
            }
        })
        .await
        .unwrap();
        assert!(matches!(call.await.unwrap(), Err(Error::Unavailable(_))));
    }
    // Each had a statement, and none a second one.
    assert!(killed.len() <= 5, "{killed:?}");
    held_up.released().await;
    assert_eq!(place.rows().await, "0 0 0 0 0");
}

#[tokio::test]
async fn whoever_gives_up_takes_nobody_with_it() {
    let place = Place::new().await;
    let held_up = HeldUp::with(&place, &["s"; 20]).await;
    // Those whose statement is under way and those that wait alike.
    held_up.calls.iter().step_by(2).for_each(JoinHandle::abort);
    let answers = held_up.released().await;
    assert!(answers.len() == 10 && answers.iter().all(Result::is_ok), "{answers:?}");
    // The statements of those who gave up are finished in the background.
    timeout(LONG, async { while place.rows().await != "20 20 20 20 20" {} }).await.expect("all are accepted");
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
