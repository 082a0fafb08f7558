//! Reports of the same mail at once, and reports while a worker records what came of it.

use std::sync::Arc;

use selfmx_domain::EmailStatus;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;

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
    let to = ["a@y.example", "b@y.example"].map(|address| address.parse().unwrap());
    let id = place.accept(|parts| parts.to = to.to_vec()).await;
    let settlement = [bounced(place.lease_one().await, &["b@y.example"])];
    // Whoever settles waits in the middle of it: somebody else is about to suppress the address that bounces.
    let other = place.database.connect().await;
    let suppress = "BEGIN; INSERT INTO suppressions (tenant_id, id, address, folded, reason) \
         VALUES ('00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'b@y.example', 'b@y.example', 'manual')";
    other.batch_execute(suppress).await.unwrap();
    let store = place.other_store();
    let settling = tokio::spawn(async move { store.queue_settle(&system(), &settlement).await.unwrap().len() });
    place.until_blocked(1).await;
    // The first one's mail comes back; the second one complains.
    let reports = [bounce(Some(id), &["a@y.example"], &gone()), complaint(Some(id), &["b@y.example"])];
    let reporting = reports.map(|report| {
        let store = place.other_store();
        tokio::spawn(async move { record(&store, &report).await[0].outcome })
    });
    place.until_blocked(3).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    let [first, second] = reporting;
    let ends = timeout(LONG, async { (settling.await.unwrap(), first.await.unwrap(), second.await.unwrap()) }).await;
    assert_eq!(ends.expect("nobody waits for ever"), (1, FeedbackOutcome::Recorded, FeedbackOutcome::Recorded));
    let email = read(&place, id).await;
    assert_eq!(email.summary.status, EmailStatus::Bounced);
    assert!(email.recipients.iter().all(|recipient| recipient.state.as_str() == "bounced"));
    let mut kinds: Vec<_> = email.events.iter().map(|event| event.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["bounced", "bounced", "complained", "delivered", "queued"]);
    assert_eq!(place.ask("SELECT count(*) FROM suppressions").await, "2");
}

#[tokio::test]
async fn a_report_that_cannot_be_committed_leaves_nothing_behind() {
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
