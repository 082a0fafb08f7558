//! Emails that cannot be worked on: each has an end.

use std::time::Duration;

use selfmx_domain::{Email, EmailId, EmailStatus, EventKind, RecipientState, RetryPolicy};
use selfmx_storage::{Fault, Lease};

use crate::place::{Place, admin, system};
use crate::settle::delivered;

/// How an email's row may be broken, and whether the email can still be read.
const BROKEN: [(&str, &str); 5] = [
    ("UPDATE recipients SET address = 'nobody' WHERE email_id =", "failed"),
    ("UPDATE recipients SET attempts = attempts - 1 WHERE email_id =", "delivered"),
    ("DELETE FROM recipients WHERE email_id =", "failed"),
    ("UPDATE emails SET from_address = 'nobody' WHERE id =", "failed"),
    ("DELETE FROM emails WHERE id =", ""),
];

async fn read(place: &Place, id: EmailId) -> Email {
    place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap()
}

fn happened(email: &Email) -> Vec<(EventKind, u32)> {
    email.events.iter().skip(1).map(|event| (event.kind, event.attempt)).collect()
}

async fn delay_in_minutes(place: &Place) -> String {
    place.ask("SELECT round(extract(epoch FROM due_at - now()) / 60) FROM queue").await
}

#[tokio::test]
async fn what_cannot_be_read_is_tried_as_often_as_what_is_put_off_and_then_has_failed() {
    for (broken, end) in BROKEN {
        let place = Place::new().await;
        let bad = place.accept(|_| {}).await.as_uuid();
        place.database.execute(&format!("{broken} '{bad}'")).await;
        let mut looks = 0;
        while place.ask("SELECT count(*) FROM queue").await != "0" {
            for lease in place.lease(10).await {
                assert_eq!(place.store.queue_settle(&system(), &[delivered(lease)]).await.unwrap().len(), 1);
            }
            assert_eq!(place.ask("SELECT count(lease_token) FROM queue").await, "0", "{broken}");
            place.database.execute("UPDATE queue SET due_at = now()").await;
            looks += 1;
            assert!(looks <= 4, "{broken}");
        }
        let status = place.database.query_texts(&format!("SELECT status FROM emails WHERE id = '{bad}'")).await;
        assert_eq!(status.first().map_or("", String::as_str), end, "{broken}");
        let reasons =
            place.ask(&format!("SELECT string_agg(DISTINCT response, ' ') FROM events WHERE email_id = '{bad}' AND kind = 'failed'")).await;
        assert!(end != "failed" || reasons.starts_with("what is stored of the email cannot be read: "), "{broken}: {reasons}");
    }
}

#[tokio::test]
async fn each_attempt_that_broke_down_counts_for_who_waited_and_is_told() {
    let place = Place::new().await;
    let to = ["a@y.example", "b@y.example"].map(|text| text.parse().unwrap()).to_vec();
    let id = place.accept(|parts| parts.to = to).await;
    let policy = RetryPolicy::new(1, Duration::from_secs(60));
    let key = place.lease_one().await.key();
    assert!(place.store.queue_fault(&system(), key, Fault::BrokeDown, &policy).await.unwrap());
    let email = read(&place, id).await;
    assert_eq!((email.summary.status, happened(&email)), (EmailStatus::Queued, vec![(EventKind::Deferred, 1); 2]));
    assert!(email.recipients.iter().all(|recipient| recipient.last_response.as_ref().is_some_and(|told| told.contains("may have taken"))));
    assert_eq!(delay_in_minutes(&place).await, "5", "the relay may have it");
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let key = place.lease_one().await.key();
    assert!(place.store.queue_fault(&system(), key, Fault::BrokeDown, &policy).await.unwrap());
    let email = read(&place, id).await;
    assert_eq!(email.summary.status, EmailStatus::Failed);
    assert_eq!(happened(&email)[2..], [(EventKind::Failed, 2); 2]);
    assert!(email.recipients.iter().all(|recipient| matches!(&recipient.state, RecipientState::Failed { attempts: 2, .. })));
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn only_who_waits_is_concerned_and_a_bounce_stays_the_email_s_end() {
    let place = Place::new().await;
    let to = ["a@y.example", "b@y.example"].map(|text| text.parse().unwrap()).to_vec();
    let id = place.accept(|parts| parts.to = to).await;
    place
        .database
        .execute("UPDATE recipients SET status = 'bounced', bounce_type = 'hard', attempts = 1, reply_code = 550 WHERE ordinal = 0")
        .await;
    let key = place.lease_one().await.key();
    let none = RetryPolicy::new(0, Duration::ZERO);
    assert!(place.store.queue_fault(&system(), key, Fault::Unreadable("here"), &none).await.unwrap());
    let email = read(&place, id).await;
    let states: Vec<_> = email.recipients.iter().map(|recipient| recipient.state.as_str()).collect();
    assert_eq!((email.summary.status, states), (EmailStatus::Bounced, vec!["bounced", "failed"]));
    assert_eq!(email.recipients[1].last_response.as_deref(), Some("what is stored of the email cannot be read: here"));
}

#[tokio::test]
async fn whoever_has_lost_the_lease_changes_nothing() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    let stale = place.lease_one().await.key();
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let current: Lease<_> = place.lease_one().await;
    let before = place.everything().await;
    assert!(!place.store.queue_fault(&system(), stale, Fault::BrokeDown, &RetryPolicy::default()).await.unwrap());
    assert_eq!(place.everything().await, before);
    assert!(place.store.queue_fault(&system(), current.key(), Fault::BrokeDown, &RetryPolicy::default()).await.unwrap());
}
