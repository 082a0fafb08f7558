//! The queue: who gets which work, for how long, and in what order.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use selfmx_domain::{EmailId, Priority};
use selfmx_storage::{Delivery, Lease};
use selfmx_testing::ManualClock;
use time::macros::datetime;

use crate::place::{LONG, Place, acceptance, admin, draft, permit, store_with_clock, system};

fn ids(leases: &[Lease<Delivery>]) -> Vec<EmailId> {
    leases.iter().map(|lease| lease.work().email_id).collect()
}

#[tokio::test]
async fn high_goes_before_normal_before_low_and_the_first_in_is_the_first_out() {
    let place = Place::new().await;
    let mut accepted: BTreeMap<Priority, Vec<EmailId>> = BTreeMap::new();
    for priority in [Priority::Low, Priority::Normal, Priority::High, Priority::Normal, Priority::Low, Priority::High, Priority::Normal] {
        let id = place.accept(|parts| parts.priority = priority).await;
        accepted.entry(priority).or_default().push(id);
    }
    // Priorities sort as they go.
    let expected: Vec<_> = accepted.into_values().flatten().collect();
    let mut got = ids(&place.lease(3).await);
    got.extend(ids(&place.lease(1).await));
    got.extend(ids(&place.lease(100).await));
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_batch_comes_in_the_queue_s_order_whatever_order_the_rows_lie_in() {
    let place = Place::new().await;
    place.fill(300, "n % 3", "now() - (n * 7919 % 300) * interval '1 second'").await;
    place.database.execute("ANALYZE").await;
    let expected = place.database.query_texts("SELECT email_id FROM queue ORDER BY priority, due_at, email_id").await;
    let got: Vec<_> =
        ids(&place.lease(100).await).into_iter().chain(ids(&place.lease(300).await)).map(|id| id.as_uuid().to_string()).collect();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn work_that_is_not_due_is_not_leased() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    place.database.execute("UPDATE queue SET due_at = now() + interval '1 minute'").await;
    assert!(place.lease(10).await.is_empty());
    place.database.execute("UPDATE queue SET due_at = now()").await;
    assert_eq!(ids(&place.lease(10).await), [id]);
    assert!(place.lease(10).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_leasers_at_once_get_each_of_1000_mails_exactly_once() {
    let place = Place::new().await;
    place.fill(1000, "n % 3", "now()").await;
    let got = place.lease_by(8).await;
    assert_eq!(got.len(), 1000);
    assert_eq!(got.into_iter().collect::<HashSet<_>>().len(), 1000);
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_asked_by_the_database_s_clock() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    let wrong = store_with_clock(&place.address(), Arc::new(ManualClock::new(datetime!(2000-01-01 00:00 UTC))));
    let lease = wrong.queue_lease(&system(), 1, Duration::from_millis(45_678), &[]).await.unwrap().remove(0);
    assert_eq!(place.ask("SELECT due_at - now() BETWEEN interval '30 s' AND interval '45.678 s' FROM queue").await, "t");
    wrong.queue_renew(&system(), &[lease.key()], Duration::from_secs(300)).await.unwrap();
    assert_eq!(place.ask("SELECT due_at - now() BETWEEN interval '290 s' AND interval '300 s' FROM queue").await, "t");
}

#[tokio::test]
async fn a_lease_that_ran_out_goes_to_another_and_the_stale_holder_changes_nothing() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    let stale = place.store.queue_lease(&system(), 1, Duration::from_millis(1), &[]).await.unwrap().remove(0);
    let other = place.other_store();
    let mut current = Vec::new();
    while current.is_empty() {
        current = other.queue_lease(&system(), 1, LONG, &[]).await.unwrap();
    }
    let before = place.everything().await;
    assert!(place.store.queue_renew(&system(), &[stale.key()], Duration::from_secs(600)).await.unwrap().is_empty());
    assert_eq!(place.everything().await, before);
    let id = stale.work().email_id;
    let settlement = crate::settle::delivered(stale);
    assert!(place.store.queue_settle(&system(), &[settlement]).await.unwrap().is_empty());
    assert_eq!(place.everything().await, before);
    let settlement = crate::settle::delivered(current.remove(0));
    assert_eq!(other.queue_settle(&system(), &[settlement]).await.unwrap(), HashSet::from([id]));
    assert_ne!(place.everything().await, before);
}

#[tokio::test]
async fn a_stale_holder_cannot_give_back_what_another_holds() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    let stale = place.lease_one().await;
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let current = place.lease_one().await;
    let before = place.everything().await;
    place.store.queue_release(&system(), vec![stale]).await.unwrap();
    assert_eq!(place.everything().await, before);
    assert_eq!(place.store.queue_renew(&system(), &[current.key()], LONG).await.unwrap(), HashSet::from([current.work().email_id]));
}

#[tokio::test]
async fn renewing_keeps_what_is_held_and_tells_what_is_not() {
    let place = Place::new().await;
    place.accept_many(3).await;
    let leases = place.lease(3).await;
    let lost = leases[1].work().email_id;
    place.database.execute("UPDATE queue SET due_at = now() + interval '1 ms'").await;
    place.database.execute(&format!("UPDATE queue SET lease_token = gen_random_uuid() WHERE email_id = '{}'", lost.as_uuid())).await;
    let keys: Vec<_> = leases.iter().map(Lease::key).collect();
    let kept = place.store.queue_renew(&system(), &keys, LONG).await.unwrap();
    assert_eq!(kept, ids(&leases).into_iter().filter(|id| *id != lost).collect());
    assert_eq!(place.ask("SELECT count(*) FROM queue WHERE due_at > now() + interval '50 s'").await, "2");
    assert!(place.store.queue_renew(&system(), &[], LONG).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_given_back_is_due_at_once_and_wakes_a_worker() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    place.store.work_arrived().await;
    let lease = place.lease_one().await;
    assert!(place.lease(1).await.is_empty());
    place.store.queue_release(&system(), vec![lease]).await.unwrap();
    tokio::time::timeout(LONG, place.store.work_arrived()).await.unwrap();
    let again = place.lease_one().await;
    assert_eq!(again.work().email_id, id);
    assert_eq!(again.work().waiting[0].queued.attempts(), 0);
    place.store.queue_release(&system(), vec![]).await.unwrap();
}

#[tokio::test]
async fn a_lease_carries_what_the_relay_is_told() {
    let place = Place::new().await;
    let id = place.accept(|parts| parts.to = vec!["a@y.example".parse().unwrap(), "é@y.example".parse().unwrap()]).await;
    let mut lease = place.lease_one().await;
    let delivery = lease.work();
    assert_eq!((delivery.email_id, delivery.tenant.to_string(), delivery.smtputf8), (id, "tenant_default".to_owned(), true));
    assert_eq!(delivery.sender.to_string(), "from@x.example");
    let waiting: Vec<_> = delivery.waiting.iter().map(|waiting| (waiting.ordinal, waiting.address.to_string())).collect();
    assert_eq!(waiting, [(0, "a@y.example".to_owned()), (1, "é@y.example".to_owned())]);
    assert!(delivery.finished.is_empty());
    assert_eq!(place.store.queue_message(&mut lease).await.unwrap(), b"Subject: s\r\n\r\nt\r\n");
}

#[tokio::test]
async fn a_message_of_any_size_comes_whole() {
    let place = Place::new().await;
    for octets in [0, 1, 65_536, 65_537, 5_000_000] {
        let mut asked = acceptance(&permit(), draft(|_| {}));
        asked.message = (0..octets).map(|n: u32| n.to_le_bytes()[0]).collect();
        let message = asked.message.clone();
        place.store.email_accept(asked).await.unwrap();
        let mut lease = place.lease_one().await;
        assert_eq!(place.store.queue_message(&mut lease).await.unwrap(), message, "{octets}");
        // Taken from the lease once, from the database after that.
        assert_eq!(place.store.queue_message(&mut lease).await.unwrap(), message, "{octets}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hurts_no_other() {
    let place = Place::new().await;
    for broken in [
        "UPDATE recipients SET address = 'nobody' WHERE",
        "UPDATE recipients SET attempts = -1 WHERE",
        "DELETE FROM recipients WHERE",
        "UPDATE emails SET from_address = 'nobody' WHERE '' <> '",
        "DELETE FROM emails WHERE '' <> '",
    ] {
        let ids_before = place.accept_many(3).await;
        let bad = ids_before[1].as_uuid();
        let condition = match broken.strip_suffix(" '' <> '") {
            Some(statement) => format!("{statement} id = '{bad}'"),
            None => format!("{broken} email_id = '{bad}'"),
        };
        place.database.execute(&condition).await;
        assert_eq!(ids(&place.lease(10).await), [ids_before[0], ids_before[2]], "{broken}");
        place.database.execute("DELETE FROM queue").await;
    }
}

#[tokio::test]
async fn a_message_that_is_not_there_is_an_error_that_does_not_pass() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    place.database.execute("DELETE FROM messages").await;
    let mut lease = place.lease_one().await;
    let absent = place.store.queue_message(&mut lease).await;
    assert!(absent.as_ref().is_err_and(|error| !error.is_transient()), "{absent:?}");
}

#[tokio::test]
async fn the_depth_counts_what_has_something_left_to_do() {
    let place = Place::new().await;
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
    place.accept_many(3).await;
    let lease = place.lease_one().await;
    assert_eq!(place.store.queue_depth().await.unwrap(), 3);
    place.store.queue_settle(&system(), &[crate::settle::delivered(lease)]).await.unwrap();
    assert_eq!(place.store.queue_depth().await.unwrap(), 2);
}

#[tokio::test]
async fn an_email_that_is_leased_is_being_sent_until_the_lease_runs_out() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    let status = async || place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap().summary.status.as_str();
    assert_eq!(status().await, "queued");
    let _lease = place.lease_one().await;
    assert_eq!(status().await, "sending");
    place.database.execute("UPDATE queue SET due_at = now() - interval '1 ms'").await;
    assert_eq!(status().await, "queued");
}

/// A heart-beat, a recorder and a leaser work on the same rows in whatever order they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewing_settling_and_leasing_at_once_never_deadlock() {
    let place = Place::new().await;
    place.fill(400, "1", "now()").await;
    for round in 0..20 {
        let mut leases = place.lease(20).await;
        let mut keys: Vec<_> = leases.iter().map(Lease::key).collect();
        if round % 2 == 0 {
            keys.reverse();
        }
        leases.sort_by_key(|lease| lease.work().email_id.as_uuid().as_u128().reverse_bits());
        let settlements: Vec<_> = leases.into_iter().map(crate::settle::deferred).collect();
        let renewing = async || {
            for _ in 0..5 {
                place.store.queue_renew(&system(), &keys, LONG).await.unwrap();
            }
        };
        let settling = async || {
            for chunk in settlements.chunks(10) {
                place.store.queue_settle(&system(), chunk).await.unwrap();
            }
        };
        tokio::join!(renewing(), settling(), renewing(), async { drop(place.lease(5).await) });
    }
}
