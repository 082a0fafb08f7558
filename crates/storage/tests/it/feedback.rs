//! Feedback: what is reported of mail that a relay had taken is recorded once, whole, and of the caller's own mail alone.

mod matching;
mod races;

use selfmx_auth::{Permit, needs};
use selfmx_domain::{
    Email, EmailId, EmailStatus, EnhancedCode, EventKind, FeedbackKind, FeedbackOutcome, FeedbackReport, FeedbackResult, FeedbackType,
    RecipientState, Reply, ReportedRecipient, Suppression, SuppressionReason, Unchangeable,
};
use selfmx_storage::{Error, Store};
use tokio::time::timeout;

use crate::place::{LONG, Place, admin, system};
use crate::settle::{bounced, deferred, delivered};

const ABUSE: FeedbackKind = FeedbackKind::Complaint(FeedbackType::Abuse);

pub(crate) fn all() -> Permit<needs::All> {
    admin().permit().unwrap()
}

fn gone() -> Reply {
    Reply::new(550, Some(EnhancedCode { class: 5, subject: 1, detail: 1 }), "no such user")
}

fn full() -> Reply {
    Reply::new(552, Some(EnhancedCode { class: 5, subject: 2, detail: 2 }), "mailbox full")
}

/// A bounce of mail to these, of the email with this id.
fn bounce(email: Option<EmailId>, to: &[&str], reply: &Reply) -> FeedbackReport {
    let recipient = |address: &&str| ReportedRecipient { addresses: vec![address.parse().unwrap()], bounce: Some(reply.clone()) };
    FeedbackReport { kind: FeedbackKind::Bounce, email, at: None, recipients: to.iter().map(recipient).collect() }
}

/// A complaint of somebody among these, or of nobody knows whom.
pub(crate) fn complaint(email: Option<EmailId>, to: &[&str]) -> FeedbackReport {
    let recipient = |address: &&str| ReportedRecipient { addresses: vec![address.parse().unwrap()], bounce: None };
    FeedbackReport { kind: ABUSE, email, at: None, recipients: to.iter().map(recipient).collect() }
}

async fn record(store: &Store, report: &FeedbackReport) -> Vec<FeedbackResult> {
    store.feedback_record(&all(), report).await.unwrap()
}

/// Whom it was about, what happened, and what was done.
fn told(results: &[FeedbackResult]) -> Vec<(String, Option<EventKind>, &'static str)> {
    let line = |result: &FeedbackResult| {
        let recipient = result.recipient.as_ref().map(ToString::to_string).unwrap_or_default();
        (recipient, result.event, result.outcome.as_str())
    };
    results.iter().map(line).collect()
}

fn one(recipient: &str, event: Option<EventKind>, outcome: FeedbackOutcome) -> Vec<(String, Option<EventKind>, &'static str)> {
    vec![(recipient.to_owned(), event, outcome.as_str())]
}

async fn read(place: &Place, id: EmailId) -> Email {
    place.store.email_find(&admin().permit().unwrap(), id).await.unwrap().unwrap()
}

/// An email to these that the relay took.
async fn taken(place: &Place, to: &[&str]) -> EmailId {
    let id = place.accept(|parts| parts.to = to.iter().map(|address| address.parse().unwrap()).collect()).await;
    settle(place).await;
    id
}

async fn settle(place: &Place) {
    let settlement = delivered(place.lease_one().await);
    assert_eq!(place.store.queue_settle(&system(), &[settlement]).await.unwrap().len(), 1);
}

async fn suppressed(place: &Place, address: &str) -> Option<Suppression> {
    place.store.suppression_find(&admin().permit().unwrap(), &address.parse().unwrap()).await.unwrap()
}

async fn noted(place: &Place) -> String {
    place.ask("SELECT coalesce(string_agg(target || ' ' || after::text, E'\\n' ORDER BY id), '') FROM audit_logs WHERE action = 'feedback.report'").await
}

fn kinds(email: &Email) -> Vec<EventKind> {
    email.events.iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn mail_that_came_back_is_bounced_and_its_address_is_written_to_no_more() {
    let place = Place::new().await;
    let id = taken(&place, &["Gone@y.example", "a@y.example"]).await;
    let report = bounce(Some(id), &["gone@y.example"], &gone());
    let results = record(&place.store, &report).await;
    assert_eq!((told(&results), results[0].email), (one("Gone@y.example", Some(EventKind::Bounced), FeedbackOutcome::Recorded), Some(id)));
    let email = read(&place, id).await;
    assert_eq!((email.summary.status, email.summary.delivered_at), (EmailStatus::Bounced, None));
    assert!(matches!(&email.recipients[0].state, RecipientState::Bounced { attempts: 1, reply, .. } if *reply == gone()));
    assert_eq!(email.recipients[1].state.as_str(), "delivered");
    let event = email.events.last().unwrap();
    assert_eq!((event.kind, event.attempt, event.response.as_deref()), (EventKind::Bounced, 1, Some("550 5.1.1 no such user")));
    assert_eq!(event.recipient.as_ref().unwrap().to_string(), "Gone@y.example");
    let stands = suppressed(&place, "gone@y.example").await.unwrap();
    assert_eq!((stands.reason, stands.email_id), (SuppressionReason::Bounce, Some(id)));
    assert_eq!(stands.response.as_deref(), Some("550 5.1.1 no such user"));
    assert_eq!(noted(&place).await, format!("{id} {}", r#"{"type": "bounce", "recipient": "Gone@y.example"}"#));
    // The same once more is nothing new.
    let again = record(&place.store, &report).await;
    assert_eq!(told(&again), one("Gone@y.example", Some(EventKind::Bounced), FeedbackOutcome::AlreadyRecorded));
    assert_eq!((read(&place, id).await.events.len(), noted(&place).await.lines().count()), (email.events.len(), 1));
    // Of others too, and what is soft keeps nobody from being written to.
    record(&place.store, &bounce(Some(id), &["a@y.example"], &full())).await;
    assert!(suppressed(&place, "a@y.example").await.is_none());
    assert!(read(&place, id).await.recipients.iter().all(|recipient| recipient.state.as_str() == "bounced"));
}

#[tokio::test]
async fn who_complains_is_written_to_no_more_and_the_mail_stays_delivered() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example", "b@y.example"]).await;
    let report = complaint(Some(id), &["B@y.example"]);
    assert_eq!(told(&record(&place.store, &report).await), one("b@y.example", Some(EventKind::Complained), FeedbackOutcome::Recorded));
    let email = read(&place, id).await;
    let event = email.events.last().unwrap();
    assert_eq!(
        (email.summary.status, event.kind, event.response.as_deref()),
        (EmailStatus::Delivered, EventKind::Complained, Some("abuse"))
    );
    assert_eq!(event.recipient.as_ref().unwrap().to_string(), "b@y.example");
    let stands = suppressed(&place, "b@y.example").await.unwrap();
    assert_eq!((stands.reason, stands.email_id, stands.response), (SuppressionReason::Complaint, Some(id), None));
    assert!(suppressed(&place, "a@y.example").await.is_none());
    let again = told(&record(&place.store, &report).await);
    assert_eq!(again, one("b@y.example", Some(EventKind::Complained), FeedbackOutcome::AlreadyRecorded));
    assert_eq!((read(&place, id).await.events.len(), noted(&place).await.lines().count()), (email.events.len(), 1));
}

#[tokio::test]
async fn a_complaint_that_hides_who_complains_is_of_the_only_one_or_of_somebody() {
    let place = Place::new().await;
    let (single, several) = (taken(&place, &["a@y.example"]).await, taken(&place, &["b@y.example", "c@y.example"]).await);
    for (id, named, expected) in [(single, &[][..], "a@y.example"), (several, &["hidden@z.example"], "")] {
        let report = complaint(Some(id), named);
        assert_eq!(told(&record(&place.store, &report).await), one(expected, Some(EventKind::Complained), FeedbackOutcome::Recorded));
        let again = told(&record(&place.store, &report).await);
        assert_eq!(again, one(expected, Some(EventKind::Complained), FeedbackOutcome::AlreadyRecorded));
    }
    assert_eq!(read(&place, several).await.events.last().unwrap().recipient, None);
    assert_eq!(place.ask("SELECT string_agg(address, ' ') FROM suppressions").await, "a@y.example");
    // Whoever is named after that complains for himself.
    let named = told(&record(&place.store, &complaint(Some(several), &["c@y.example"])).await);
    assert_eq!(named, one("c@y.example", Some(EventKind::Complained), FeedbackOutcome::Recorded));
}

#[tokio::test]
async fn mail_to_another_address_that_came_back_says_nothing_of_the_first() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example"]).await;
    let onward = record(&place.store, &bounce(Some(id), &["elsewhere@z.example"], &gone())).await;
    assert_eq!(told(&onward), one("elsewhere@z.example", None, FeedbackOutcome::NoMatch));
    assert_eq!(read(&place, id).await.summary.status, EmailStatus::Delivered);
    let mut hidden = bounce(Some(id), &["a@y.example"], &gone());
    hidden.recipients[0].addresses.clear();
    assert_eq!(told(&record(&place.store, &hidden).await), one("a@y.example", Some(EventKind::Bounced), FeedbackOutcome::Recorded));
}

#[tokio::test]
async fn only_what_a_relay_has_comes_back() {
    let place = Place::new().await;
    let id = place.accept(|parts| parts.to = vec!["a@y.example".parse().unwrap()]).await;
    let report = bounce(Some(id), &["a@y.example"], &gone());
    assert_eq!(told(&record(&place.store, &report).await), one("a@y.example", None, FeedbackOutcome::Ignored));
    // A complaint is of whatever its writer has.
    assert_eq!(record(&place.store, &complaint(Some(id), &[])).await[0].outcome, FeedbackOutcome::Recorded);
    let lease = place.lease_one().await;
    let refused = place.store.feedback_record(&all(), &report).await.unwrap_err();
    assert!(matches!(refused, Error::Unchangeable(Unchangeable::Sending)), "{refused}");
    assert_eq!(place.store.queue_settle(&system(), &[bounced(lease, &["a@y.example"])]).await.unwrap().len(), 1);
    let known = told(&record(&place.store, &report).await);
    assert_eq!(known, one("a@y.example", Some(EventKind::Bounced), FeedbackOutcome::AlreadyRecorded));
    assert_eq!(kinds(&read(&place, id).await), [EventKind::Queued, EventKind::Complained, EventKind::Bounced]);
}

#[tokio::test]
async fn what_is_ignored_or_unknown_changes_nothing() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example"]).await;
    let before = place.everything().await;
    let mut delayed = bounce(Some(id), &["a@y.example"], &gone());
    (delayed.kind, delayed.recipients[0].bounce) = (FeedbackKind::Ignored, None);
    assert_eq!(told(&record(&place.store, &delayed).await), one("a@y.example", None, FeedbackOutcome::Ignored));
    let unknown: EmailId = "msg_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    for report in [bounce(Some(unknown), &["a@y.example"], &gone()), complaint(Some(unknown), &["a@y.example"])] {
        assert_eq!(told(&record(&place.store, &report).await), one("a@y.example", None, FeedbackOutcome::NoMatch));
    }
    assert_eq!(place.everything().await, before);
}

#[tokio::test]
async fn while_others_wait_the_email_does_and_in_the_end_it_is_bounced() {
    let place = Place::new().await;
    let id = place.accept(|parts| parts.to = vec!["a@y.example".parse().unwrap(), "b@y.example".parse().unwrap()]).await;
    let settlement = deferred(place.lease_one().await);
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    // The relay had taken the first one's.
    place
        .database
        .execute("UPDATE recipients SET status = 'delivered', reply_code = 250 WHERE ordinal = 0; UPDATE queue SET due_at = now()")
        .await;
    assert_eq!(record(&place.store, &bounce(Some(id), &["a@y.example"], &gone())).await[0].outcome, FeedbackOutcome::Recorded);
    assert_eq!(read(&place, id).await.summary.status, EmailStatus::Queued);
    // Nobody who looked before takes it up with what it was.
    assert_eq!(place.ask("SELECT due_at > now() FROM queue").await, "t");
    place.database.execute("UPDATE queue SET due_at = now()").await;
    settle(&place).await;
    assert_eq!(read(&place, id).await.summary.status, EmailStatus::Bounced);
}

#[tokio::test]
async fn of_mail_whose_events_are_kept_no_longer_a_complaint_still_counts() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example"]).await;
    place.database.execute("DELETE FROM messages; DELETE FROM events").await;
    let returned = told(&record(&place.store, &bounce(Some(id), &["a@y.example"], &gone())).await);
    assert_eq!(returned, one("a@y.example", None, FeedbackOutcome::NoMatch));
    for outcome in [FeedbackOutcome::Recorded, FeedbackOutcome::AlreadyRecorded] {
        assert_eq!(told(&record(&place.store, &complaint(Some(id), &[])).await), one("a@y.example", None, outcome));
    }
    assert_eq!(suppressed(&place, "a@y.example").await.unwrap().reason, SuppressionReason::Complaint);
    let written = format!("{} {}", place.ask("SELECT count(*) FROM events").await, noted(&place).await.lines().count());
    assert_eq!(written, "0 1");
}

#[tokio::test]
async fn what_is_recorded_wakes_whoever_posts_events() {
    let place = Place::new().await;
    let id = taken(&place, &["a@y.example"]).await;
    let woken = async || timeout(LONG, place.store.webhook_work_arrived()).await.expect("there is something to post");
    // For what became of the mail until now.
    woken().await;
    record(&place.store, &complaint(Some(id), &["a@y.example"])).await;
    woken().await;
}
