//! Reports of the same mail at once, and reports while a worker records what came of it.

use std::sync::Arc;

use selfmx_domain::EmailStatus;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::*;
use crate::place::LONG;

#[tokio::test]
async fn of_the_same_report_from_many_at_once_one_is_recorded() {
    let place = Place::new().await;
    for make in [complaint as fn(Option<EmailId>, &[&str]) -> FeedbackReport, |id, to| bounce(id, to, &gone())] {
        let id = taken(&place, &["a@y.example", "b@y.example"]).await;
        let (report, barrier) = (make(Some(id), &["a@y.example"]), Arc::new(Barrier::new(6)));
        let mut reporters = JoinSet::new();
        for _ in 0..6 {
            let (store, report, barrier) = (place.other_store(), report.clone(), Arc::clone(&barrier));
            reporters.spawn(async move {
                barrier.wait().await;
                record(&store, &report).await[0].outcome
            });
        }
        let mut outcomes: Vec<_> =
            timeout(LONG, reporters.join_all()).await.expect("nobody waits for ever").iter().map(|outcome| outcome.as_str()).collect();
        outcomes.sort_unstable();
        let mut expected = vec!["already_recorded"; 5];
        expected.push("recorded");
        assert_eq!((outcomes, read(&place, id).await.events.len()), (expected, 4));
        place.database.execute("DELETE FROM suppressions").await;
    }
}

/// Who settles and who reports lock the queue before all else, so that one waits for the other and both are recorded.
#[tokio::test]
async fn a_report_while_the_mail_is_settled_is_recorded_after_it() {
    let place = Place::new().await;
    for round in 0..10 {
        let to = [format!("a{round}@y.example"), format!("b{round}@y.example")];
        let id = place.accept(|parts| parts.to = to.iter().map(|address| address.parse().unwrap()).collect()).await;
        let lease = place.lease_one().await;
        let barrier = Arc::new(Barrier::new(3));
        let settling = {
            let (store, barrier, gone) = (place.other_store(), Arc::clone(&barrier), to[1].clone());
            tokio::spawn(async move {
                barrier.wait().await;
                store.queue_settle(&system(), &[bounced(lease, &[&gone])]).await.unwrap().len()
            })
        };
        // The first one's mail comes back; the second complains, whose address the worker puts on the list at the same time.
        let reporting = {
            let (store, barrier, first) = (place.other_store(), Arc::clone(&barrier), to[0].clone());
            tokio::spawn(async move {
                barrier.wait().await;
                let report = bounce(Some(id), &[&first], &gone());
                loop {
                    match store.feedback_record(&all(), &report).await {
                        Err(Error::Unchangeable(Unchangeable::Sending)) => sleep(std::time::Duration::from_millis(1)).await,
                        recorded => return recorded.unwrap()[0].outcome,
                    }
                }
            })
        };
        let complaining = {
            let (store, barrier, second) = (place.other_store(), Arc::clone(&barrier), to[1].clone());
            tokio::spawn(async move {
                barrier.wait().await;
                record(&store, &complaint(Some(id), &[&second])).await[0].outcome
            })
        };
        let ends = timeout(LONG, async { (settling.await.unwrap(), reporting.await.unwrap(), complaining.await.unwrap()) }).await;
        assert_eq!(ends.expect("nobody waits for ever"), (1, FeedbackOutcome::Recorded, FeedbackOutcome::Recorded));
        let email = read(&place, id).await;
        assert_eq!(email.summary.status, EmailStatus::Bounced);
        assert!(email.recipients.iter().all(|recipient| recipient.state.as_str() == "bounced"));
        let mut kinds: Vec<_> = email.events.iter().map(|event| event.kind.as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["bounced", "bounced", "complained", "delivered", "queued"]);
    }
    assert_eq!(place.ask("SELECT count(*) FROM suppressions").await, "20");
}

#[tokio::test]
async fn a_report_waits_for_whoever_has_the_mail_s_row() {
    let place = Place::new().await;
    let id = place.accept(|parts| parts.to = vec!["a@y.example".parse().unwrap(), "b@y.example".parse().unwrap()]).await;
    let lease = place.lease_one().await;
    place.refuse_commits().await;
    let settlement = [delivered(lease)];
    assert!(place.store.queue_settle(&system(), &settlement).await.is_err());
    // Nothing of it is seen: the mail is being sent still.
    let report = bounce(Some(id), &["a@y.example"], &gone());
    assert!(place.store.feedback_record(&all(), &report).await.is_err());
    place.database.execute("DROP TRIGGER refuse ON events").await;
    assert_eq!(place.store.queue_settle(&system(), &settlement).await.unwrap().len(), 1);
    // What cannot be committed whole is not there in part.
    place
        .database
        .execute(
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    let before = place.everything().await;
    assert!(place.store.feedback_record(&all(), &report).await.is_err());
    assert_eq!(place.everything().await, before);
    place.database.execute("DROP TRIGGER refuse ON events").await;
    assert_eq!(record(&place.store, &report).await[0].outcome, FeedbackOutcome::Recorded);
}
