//! Attempts and cancellations at the same time.

use selfmx_domain::{EmailStatus, Unchangeable};
use selfmx_storage::Error;
use tokio::task::JoinSet;

use super::cancel;
use crate::place::{LONG, Place, permit, system};
use crate::settle::{deferred, delivered};

const MAILS: usize = 60;
const ROUNDS: usize = 8;

/// What was settled as delivered is what was not canceled, whoever came first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mail_is_either_canceled_or_sent() {
    let place = Place::new().await;
    let (mut canceled_in_all, mut sent_in_all) = (0, 0);
    for _ in 0..ROUNDS {
        let ids = place.accept_many(MAILS).await;
        let mut working = JoinSet::new();
        for store in [place.store.clone(), place.other_store()] {
            working.spawn(async move {
                let mut sent = 0;
                loop {
                    let leases = store.queue_lease(&system(), 3, LONG, &[]).await.unwrap();
                    if leases.is_empty() {
                        return sent;
                    }
                    // As if each had been handed over by now.
                    sent += leases.len();
                    let settlements: Vec<_> = leases.into_iter().map(delivered).collect();
                    assert_eq!(store.queue_settle(&system(), &settlements).await.unwrap().len(), settlements.len());
                }
            });
        }
        let mut canceling = JoinSet::new();
        for id in ids.into_iter().rev() {
            let store = place.store.clone();
            canceling.spawn(async move {
                match store.email_cancel(&permit(), id).await {
                    Ok(Some(told)) if told.status == EmailStatus::Canceled => 1,
                    Err(Error::Unchangeable(Unchangeable::Sending | Unchangeable::Done(EmailStatus::Delivered))) => 0,
                    other => panic!("{other:?}"),
                }
            });
        }
        let canceled: usize = canceling.join_all().await.into_iter().sum();
        let sent: usize = working.join_all().await.into_iter().sum();
        assert_eq!(canceled + sent, MAILS);
        (canceled_in_all, sent_in_all) = (canceled_in_all + canceled, sent_in_all + sent);
    }
    assert!(canceled_in_all > 0 && sent_in_all > 0, "no race: {canceled_in_all} canceled, {sent_in_all} sent");
    let counts = "SELECT concat_ws(' ', count(*) FILTER (WHERE e.status = 'canceled' AND r.status = 'canceled'), \
         count(*) FILTER (WHERE e.status = 'delivered' AND r.status = 'delivered'), (SELECT count(*) FROM queue), \
         (SELECT count(*) FROM events WHERE kind = 'canceled')) FROM emails e JOIN recipients r ON email_id = e.id";
    assert_eq!(place.ask(counts).await, format!("{canceled_in_all} {sent_in_all} 0 {canceled_in_all}"));
}

/// Whoever cancels waits for what is being recorded, and then decides by it.
#[tokio::test]
async fn a_cancellation_that_waited_for_a_settlement_sees_what_it_brought() {
    let place = Place::new().await;
    let id = place.accept(|parts| parts.cc = vec!["cc@y.example".parse().unwrap()]).await;
    let lease = place.lease_one().await;
    assert_eq!(place.store.queue_settle(&system(), &[deferred(lease)]).await.unwrap().len(), 1);
    let mut other = place.database.connect().await;
    let recording = other.transaction().await.unwrap();
    recording
        .batch_execute("UPDATE queue SET due_at = due_at; UPDATE recipients SET status = 'delivered' WHERE ordinal = 0")
        .await
        .unwrap();
    let store = place.store.clone();
    let canceling = tokio::spawn(async move { store.email_cancel(&permit(), id).await });
    place.until_blocked(1).await;
    recording.commit().await.unwrap();
    super::is_unchangeable(canceling.await.unwrap(), Unchangeable::PartlyDelivered);
    super::is_unchangeable(cancel(&place, id).await, Unchangeable::PartlyDelivered);
    assert_eq!(place.ask("SELECT string_agg(status, ' ' ORDER BY ordinal) FROM recipients").await, "delivered queued");
}
