//! Mail whose leases end without a result: it is suspected, delivered alone, and has an end.

use std::time::Duration;

use selfmx_domain::{EmailStatus, RecipientState, RetryPolicy};
use selfmx_storage::{Delivery, Fault, Lease, Suspicion};

use crate::place::{LONG, Place, admin, new_tenant, system};
use crate::settle::delivered;

/// The next lease of the one email, after the one before has run out.
async fn next_lease(place: &Place) -> Lease<Delivery> {
    place.database.execute("UPDATE queue SET due_at = now()").await;
    place.lease_one().await
}

/// So many leases that end without a result.
async fn deaths(place: &Place, count: usize) {
    for _ in 0..count {
        drop(next_lease(place).await);
    }
}

async fn suspicion(place: &Place) -> Suspicion {
    next_lease(place).await.work().suspicion
}

async fn unsettled(place: &Place) -> String {
    place.ask("SELECT unsettled FROM queue").await
}

async fn begin_alone(place: &Place) -> Lease<Delivery> {
    let lease = next_lease(place).await;
    assert_eq!(lease.work().suspicion, Suspicion::Suspected);
    assert!(place.store.queue_begin_alone(&system(), lease.key()).await.unwrap());
    lease
}

#[tokio::test]
async fn three_leases_without_a_result_make_a_suspect_and_no_number_of_them_makes_more() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    for _ in 0..3 {
        assert_eq!(suspicion(&place).await, Suspicion::None);
    }
    for _ in 0..30 {
        assert_eq!(suspicion(&place).await, Suspicion::Suspected);
    }
    drop(begin_alone(&place).await);
    for _ in 0..3 {
        assert_eq!(suspicion(&place).await, Suspicion::Died);
    }
}

#[tokio::test]
async fn tenants_that_take_turns_have_suspects_as_well() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    let nobody = [new_tenant()];
    for expected in [Suspicion::None, Suspicion::None, Suspicion::None, Suspicion::Suspected] {
        place.database.execute("UPDATE queue SET due_at = now()").await;
        let leases = place.store.queue_lease(&system(), 1, LONG, &nobody).await.unwrap();
        assert_eq!(leases[0].work().suspicion, expected);
    }
}

#[tokio::test]
async fn a_result_that_leaves_the_email_waiting_clears_it() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    deaths(&place, 3).await;
    let lease = begin_alone(&place).await;
    // Nobody has heard of the recipient: it waits on.
    assert_eq!(place.store.queue_settle(&system(), &[lease.settle(vec![])]).await.unwrap().len(), 1);
    assert_eq!((unsettled(&place).await.as_str(), suspicion(&place).await), ("0", Suspicion::None));
    deaths(&place, 3).await;
    let key = begin_alone(&place).await.key();
    assert!(place.store.queue_fault(&system(), key, Fault::BrokeDown, &RetryPolicy::default()).await.unwrap());
    assert_eq!(unsettled(&place).await, "0", "a breakdown is a result");
}

#[tokio::test]
async fn what_is_given_back_was_not_leased() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    for _ in 0..10 {
        let lease = next_lease(&place).await;
        assert_eq!(lease.work().suspicion, Suspicion::None);
        place.store.queue_release(&system(), vec![lease]).await.unwrap();
        assert_eq!(unsettled(&place).await, "0");
    }
    deaths(&place, 3).await;
    for _ in 0..3 {
        let lease = begin_alone(&place).await;
        place.store.queue_postpone(&system(), vec![lease], LONG).await.unwrap();
        assert_eq!(place.ask("SELECT due_at > now() + interval '50 s' AND lease_token IS NULL FROM queue").await, "t");
    }
    assert_eq!(suspicion(&place).await, Suspicion::Suspected);
}

#[tokio::test]
async fn what_was_set_aside_was_not_leased() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    place.database.execute("UPDATE tenants SET status = 'suspended'").await;
    assert!(place.lease(1).await.is_empty());
    assert_eq!(place.ask("SELECT held::text || unsettled FROM queue").await, "true0");
}

#[tokio::test]
async fn whoever_has_lost_the_lease_begins_nothing() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    deaths(&place, 3).await;
    let stale = next_lease(&place).await;
    let current = next_lease(&place).await;
    assert!(!place.store.queue_begin_alone(&system(), stale.key()).await.unwrap());
    place.store.queue_postpone(&system(), vec![stale], LONG).await.unwrap();
    assert_eq!(unsettled(&place).await, "4");
    assert!(place.store.queue_begin_alone(&system(), current.key()).await.unwrap());
}

#[tokio::test]
async fn each_death_alone_is_an_attempt_and_the_last_one_is_the_end() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    let policy = RetryPolicy::new(2, Duration::ZERO);
    deaths(&place, 3).await;
    for attempt in 1..=3 {
        drop(begin_alone(&place).await);
        let died = next_lease(&place).await;
        assert_eq!(died.work().suspicion, Suspicion::Died);
        assert!(place.store.queue_fault(&system(), died.key(), Fault::Died, &policy).await.unwrap());
        assert_eq!(place.ask("SELECT attempts FROM recipients").await, attempt.to_string());
        let later = place.ask("SELECT count(*) FROM queue WHERE due_at > now() + interval '4 minutes'").await;
        assert_eq!(later, if attempt < 3 { "1" } else { "0" }, "the relay may have it");
    }
    let email = place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap();
    assert_eq!((email.summary.status, place.store.queue_depth().await.unwrap()), (EmailStatus::Failed, 0));
    assert!(matches!(&email.recipients[0].state, RecipientState::Failed { attempts: 3, .. }));
    assert!(email.recipients[0].last_response.as_ref().unwrap().contains("the server ended each time"));
}

#[tokio::test]
async fn one_that_died_alone_once_is_delivered_where_it_lives_the_next_time() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    deaths(&place, 3).await;
    drop(begin_alone(&place).await);
    let key = next_lease(&place).await.key();
    assert!(place.store.queue_fault(&system(), key, Fault::Died, &RetryPolicy::default()).await.unwrap());
    let lease = begin_alone(&place).await;
    assert_eq!(place.store.queue_settle(&system(), &[delivered(lease)]).await.unwrap().len(), 1);
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}
