//! Settling: what came of an attempt is recorded whole, once, for those it is about.

use std::collections::HashSet;
use std::time::Duration;

use selfmx_domain::{
    BounceType, Deferral, Email, EmailId, EmailStatus, EnhancedCode, EventKind, Jitter, NextStep, RecipientState, Reply, RetryPolicy,
    Verdict,
};
use selfmx_storage::{Delivery, Lease, Outcome, Settlement};

use crate::place::{Place, admin, system};

/// Settles each waiting recipient by its verdict; those beyond the list are left out.
fn settled(lease: Lease<Delivery>, verdicts: &[Verdict]) -> Settlement {
    let policy = RetryPolicy::default();
    let outcomes = lease.work().waiting.iter().zip(verdicts).map(|(waiting, verdict)| Outcome {
        ordinal: waiting.ordinal,
        attempts_before: waiting.queued.attempts(),
        step: waiting.queued.clone().settle(verdict.clone(), &policy, Jitter::from_bytes([0, 0])),
    });
    let outcomes = outcomes.collect();
    lease.settle(outcomes)
}

pub(crate) fn delivered(lease: Lease<Delivery>) -> Settlement {
    let verdicts = vec![took(); lease.work().waiting.len()];
    settled(lease, &verdicts)
}

pub(crate) fn deferred(lease: Lease<Delivery>) -> Settlement {
    let verdicts = vec![later(); lease.work().waiting.len()];
    settled(lease, &verdicts)
}

/// Those with these addresses, in lower case, bounce for good; all others are delivered.
pub(crate) fn bounced(lease: Lease<Delivery>, gone: &[&str]) -> Settlement {
    let is_gone = |address: String| gone.contains(&address.to_ascii_lowercase().as_str());
    let verdict = |address: String| if is_gone(address) { refused() } else { took() };
    let verdicts: Vec<_> = lease.work().waiting.iter().map(|waiting| verdict(waiting.address.to_string())).collect();
    settled(lease, &verdicts)
}

fn took() -> Verdict {
    Verdict::Delivered(Reply::new(250, Some(EnhancedCode { class: 2, subject: 0, detail: 0 }), "taken"))
}

fn later() -> Verdict {
    Verdict::Deferred(Deferral::Reply(Reply::new(451, None, "later")))
}

fn refused() -> Verdict {
    Verdict::Bounced(Reply::new(550, Some(EnhancedCode { class: 5, subject: 1, detail: 1 }), "no such user"))
}

async fn place_with(recipients: usize) -> (Place, EmailId) {
    let place = Place::new().await;
    let to: Vec<_> = (0..recipients).map(|n| format!("r{n}@y.example").parse().unwrap()).collect();
    let id = place.accept(|parts| parts.to = to).await;
    (place, id)
}

async fn record(place: &Place, settlement: Settlement) -> usize {
    place.store.queue_settle(&system(), &[settlement]).await.unwrap().len()
}

async fn read(place: &Place, id: EmailId) -> Email {
    place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap()
}

/// The events after the first: whom they are about, what, at which attempt, and the response.
fn happened(email: &Email) -> Vec<(String, EventKind, u32, String)> {
    let told = |event: &selfmx_domain::EmailEvent| {
        let address = event.recipient.as_ref().map(ToString::to_string).unwrap_or_default();
        (address, event.kind, event.attempt, event.response.clone().unwrap_or_default())
    };
    email.events.iter().skip(1).map(told).collect()
}

async fn due_in_seconds(place: &Place) -> String {
    place.ask("SELECT round(extract(epoch FROM due_at - now()) / 10) * 10 FROM queue").await
}

#[tokio::test]
async fn a_mail_that_all_relays_took_is_delivered_and_leaves_the_queue() {
    let (place, id) = place_with(2).await;
    assert_eq!(record(&place, delivered(place.lease_one().await)).await, 1);
    let email = read(&place, id).await;
    assert_eq!(email.summary.status, EmailStatus::Delivered);
    let reply = Reply::new(250, Some(EnhancedCode { class: 2, subject: 0, detail: 0 }), "taken");
    for recipient in &email.recipients {
        assert_eq!(recipient.state, RecipientState::Delivered { attempts: 1, reply: reply.clone() });
        assert_eq!((recipient.last_response.as_deref(), recipient.next_attempt_at), (Some("250 2.0.0 taken"), None));
    }
    let event = |address: &str| (address.to_owned(), EventKind::Delivered, 1, "250 2.0.0 taken".to_owned());
    let mut events = happened(&email);
    events.sort_by_key(|event| event.0.clone());
    assert_eq!(events, [event("r0@y.example"), event("r1@y.example")]);
    assert_eq!(place.ask("SELECT delivered_at = max(at) FROM emails JOIN events ON email_id = emails.id GROUP BY delivered_at").await, "t");
    assert_eq!(place.ask("SELECT count(*) FROM queue").await, "0");
}

#[tokio::test]
async fn each_recipient_has_an_end_of_its_own_and_only_the_waiting_come_back() {
    let (place, id) = place_with(3).await;
    record(&place, settled(place.lease_one().await, &[took(), refused(), later()])).await;
    let email = read(&place, id).await;
    assert_eq!((email.summary.status, email.summary.delivered_at), (EmailStatus::Queued, None));
    let states: Vec<_> = email.recipients.iter().map(|recipient| (recipient.state.as_str(), recipient.state.attempts())).collect();
    assert_eq!(states, [("delivered", 1), ("bounced", 1), ("queued", 1)]);
    let kinds: HashSet<_> = happened(&email).into_iter().map(|event| (event.0, event.1.as_str(), event.3)).collect();
    let event = |address: &str, kind: &'static str, response: &str| (address.to_owned(), kind, response.to_owned());
    let expected = [
        event("r0@y.example", "delivered", "250 2.0.0 taken"),
        event("r1@y.example", "bounced", "550 5.1.1 no such user"),
        event("r2@y.example", "deferred", "451 later"),
    ];
    assert_eq!(kinds, HashSet::from(expected));
    assert_eq!(due_in_seconds(&place).await, "60");
    assert_eq!(place.ask("SELECT next_attempt_at = due_at FROM queue JOIN recipients USING (email_id) WHERE ordinal = 2").await, "t");
    assert!(place.lease(1).await.is_empty());
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let lease = place.lease_one().await;
    let waiting: Vec<_> = lease.work().waiting.iter().map(|waiting| (waiting.ordinal, waiting.queued.attempts())).collect();
    assert_eq!(waiting, [(2, 1)]);
    assert_eq!(lease.work().finished.len(), 2);
    record(&place, delivered(lease)).await;
    let email = read(&place, id).await;
    assert_eq!((email.summary.status, email.summary.delivered_at), (EmailStatus::Bounced, None));
    assert_eq!(email.recipients[2].state.attempts(), 2);
    assert_eq!(place.store.queue_depth().await.unwrap(), 0);
}

#[tokio::test]
async fn retries_wait_as_the_policy_says_until_the_attempts_run_out() {
    let (place, id) = place_with(1).await;
    for expected in ["60", "300", "1800"] {
        record(&place, deferred(place.lease_one().await)).await;
        assert_eq!(due_in_seconds(&place).await, expected);
        place.database.execute("UPDATE queue SET due_at = now()").await;
    }
    record(&place, deferred(place.lease_one().await)).await;
    let email = read(&place, id).await;
    assert_eq!(email.summary.status, EmailStatus::Bounced);
    let RecipientState::Bounced { attempts: 4, bounce: BounceType::Soft, reply } = &email.recipients[0].state else {
        panic!("{:?}", email.recipients[0]);
    };
    assert_eq!(reply.to_string(), "451 later");
    let attempts: Vec<_> = happened(&email).into_iter().map(|event| (event.1.as_str(), event.2)).collect();
    assert_eq!(attempts, [("deferred", 1), ("deferred", 2), ("deferred", 3), ("bounced", 4)]);
}

#[tokio::test]
async fn an_attempt_that_was_not_made_is_no_event_and_counts_for_nothing() {
    let (place, id) = place_with(1).await;
    record(&place, settled(place.lease_one().await, &[Verdict::Held("the relay refuses our credentials".to_owned())])).await;
    let email = read(&place, id).await;
    assert_eq!(email.events.len(), 1);
    assert_eq!(email.recipients[0].state, RecipientState::accepted());
    assert_eq!(email.recipients[0].last_response.as_deref(), Some("the relay refuses our credentials"));
    assert!(email.recipients[0].next_attempt_at.is_some());
    assert_eq!(due_in_seconds(&place).await, "30");
}

#[tokio::test]
async fn what_cannot_be_handed_over_has_failed_with_its_reason() {
    let (place, id) = place_with(2).await;
    record(&place, settled(place.lease_one().await, &[took(), Verdict::Undeliverable("no SMTPUTF8".to_owned())])).await;
    let email = read(&place, id).await;
    assert_eq!((email.summary.status, email.summary.delivered_at), (EmailStatus::Failed, None));
    assert_eq!(email.recipients[1].state, RecipientState::Failed { attempts: 1, reason: "no SMTPUTF8".to_owned() });
    assert_eq!(email.recipients[1].last_response.as_deref(), Some("no SMTPUTF8"));
}

#[tokio::test]
async fn a_recipient_without_an_outcome_goes_on_waiting_and_is_due_at_once() {
    let (place, id) = place_with(3).await;
    record(&place, settled(place.lease_one().await, &[took(), later()])).await;
    assert_eq!(read(&place, id).await.summary.status, EmailStatus::Queued);
    let lease = place.lease_one().await;
    assert_eq!(lease.work().waiting.iter().map(|waiting| waiting.ordinal).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn the_earliest_retry_of_all_recipients_is_when_the_mail_comes_back() {
    let (place, _) = place_with(2).await;
    record(&place, settled(place.lease_one().await, &[Verdict::Deferred(Deferral::ambiguous("gone")), Verdict::Held("held".to_owned())]))
        .await;
    assert_eq!(due_in_seconds(&place).await, "30");
}

#[tokio::test]
async fn recording_twice_changes_nothing() {
    let (place, id) = place_with(2).await;
    let settlement = [settled(place.lease_one().await, &[took(), later()])];
    assert_eq!(place.store.queue_settle(&system(), &settlement).await.unwrap(), HashSet::from([id]));
    let before = place.everything().await;
    assert!(place.store.queue_settle(&system(), &settlement).await.unwrap().is_empty());
    assert_eq!(place.everything().await, before);
}

#[tokio::test]
async fn a_batch_records_what_is_ours_and_leaves_what_is_not() {
    let place = Place::new().await;
    place.accept_many(6).await;
    let leases = place.lease(6).await;
    let stolen = [leases[0].work().email_id, leases[3].work().email_id];
    for id in stolen {
        place.database.execute(&format!("UPDATE queue SET lease_token = gen_random_uuid() WHERE email_id = '{}'", id.as_uuid())).await;
    }
    let all: HashSet<_> = leases.iter().map(|lease| lease.work().email_id).collect();
    let settlements: Vec<_> =
        leases.into_iter().enumerate().map(|(n, lease)| if n % 2 == 0 { delivered(lease) } else { deferred(lease) }).collect();
    let recorded = place.store.queue_settle(&system(), &settlements).await.unwrap();
    assert_eq!(recorded, all.into_iter().filter(|id| !stolen.contains(id)).collect());
    for id in stolen {
        let email = read(&place, id).await;
        assert_eq!((email.summary.status, email.events.len(), email.recipients[0].state.attempts()), (EmailStatus::Sending, 1, 0));
    }
    assert_eq!(
        place.ask("SELECT string_agg(status, ' ' ORDER BY status) FROM emails").await,
        "delivered delivered queued queued queued queued"
    );
    assert_eq!(place.store.queue_settle(&system(), &[]).await.unwrap(), HashSet::new());
}

#[tokio::test]
async fn no_word_of_a_relay_can_stop_the_recording() {
    let (place, id) = place_with(4).await;
    let nasty = "a\0b\u{fffe} \\ ' {\"} é🎉";
    let verdicts = [
        Verdict::Undeliverable(nasty.to_owned()),
        Verdict::Held(nasty.to_owned()),
        Verdict::Deferred(Deferral::Network(nasty.to_owned())),
        Verdict::Delivered(Reply::new(u16::MAX, Some(EnhancedCode { class: u16::MAX, subject: u16::MAX, detail: u16::MAX }), nasty)),
    ];
    assert_eq!(record(&place, settled(place.lease_one().await, &verdicts)).await, 1);
    let email = read(&place, id).await;
    for recipient in &email.recipients {
        let told = recipient.last_response.clone().unwrap_or_default();
        assert!(told.ends_with("\u{fffe} \\ ' {\"} é🎉"), "{told:?}");
    }
    assert_eq!(email.recipients[3].state.as_str(), "delivered");
}

#[tokio::test]
async fn a_held_recipient_that_was_never_tried_is_final_only_by_a_step_that_says_so() {
    let (place, id) = place_with(1).await;
    let lease = place.lease_one().await;
    let state = RecipientState::Failed { attempts: 0, reason: "too old".to_owned() };
    let outcome = Outcome { ordinal: 0, attempts_before: 0, step: NextStep::Final(state.clone()) };
    record(&place, lease.settle(vec![outcome])).await;
    let email = read(&place, id).await;
    assert_eq!((email.summary.status, &email.recipients[0].state), (EmailStatus::Failed, &state));
}

#[tokio::test]
async fn the_longest_delay_that_a_policy_gives_fits() {
    let (place, _) = place_with(1).await;
    let lease = place.lease_one().await;
    let waiting = lease.work().waiting[0].clone();
    let policy = RetryPolicy::new(u32::MAX, Duration::from_secs(u64::MAX));
    let step = waiting.queued.settle(later(), &policy, Jitter::from_bytes([255, 255]));
    record(&place, lease.settle(vec![Outcome { ordinal: 0, attempts_before: 0, step }])).await;
    assert_eq!(due_in_seconds(&place).await, "95040");
}
