//! The log: each change of an email in it, each tenant's own, by every filter, page by page.

use std::time::Duration;

use selfmx_auth::{Permission, Principal, Secret, Wanted, needs};
use selfmx_domain::Clock as _;
use selfmx_domain::{AuditAction, EventKind, LogEntry, LogEvent, LogFilter, LogId, Mode, PageLimit, PageRequest, PageStart, RetryPolicy};
use selfmx_storage::Fault;
use selfmx_testing::{OsEntropy, SystemClock};
use time::Duration as Span;

use crate::place::{Place, accept, admin, permit, system, tenant_admin};
use crate::settle::{deferred, delivered};

const ALL: PageLimit = PageLimit::MOST;

async fn page(
    place: &Place,
    who: &Principal,
    filter: &LogFilter,
    start: PageStart<LogId>,
    limit: PageLimit,
) -> (Vec<LogEntry>, Option<LogId>) {
    let log = place.store.log_list(&who.permit().unwrap(), filter, PageRequest { start, limit }).await.unwrap();
    assert_eq!(log.page.has_more, log.next.is_some());
    (log.page.items, log.next)
}

async fn logged(place: &Place, who: &Principal, filter: LogFilter) -> Vec<LogEntry> {
    let (entries, next) = page(place, who, &filter, PageStart::First, ALL).await;
    assert_eq!(next, None);
    entries
}

fn names(entries: &[LogEntry]) -> Vec<&'static str> {
    entries.iter().map(|entry| entry.event.as_str()).collect()
}

/// Ids are in order from one millisecond to the next, and not within one.
async fn next_millisecond() {
    let began = SystemClock.now();
    while SystemClock.now() - began < Span::milliseconds(2) {
        tokio::task::yield_now().await;
    }
}

fn kind(kind: EventKind) -> LogFilter {
    LogFilter { event: Some(LogEvent::Email(kind)), ..LogFilter::default() }
}

#[tokio::test]
async fn each_change_of_an_email_is_in_the_log_newest_first() {
    let place = Place::new().await;
    let at = SystemClock.now() + Span::hours(1);
    let moved = place.accept(|parts| parts.scheduled_at = Some(at)).await;
    next_millisecond().await;
    place.store.email_reschedule(&permit(), moved, at + Span::hours(1)).await.unwrap();
    next_millisecond().await;
    place.store.email_cancel(&permit(), moved).await.unwrap();
    next_millisecond().await;
    let sent = place.accept(|parts| parts.to = vec!["r@y.example".parse().unwrap()]).await;
    next_millisecond().await;
    let settlement = deferred(place.lease_one().await).took(Duration::from_millis(7));
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    place.database.execute("UPDATE queue SET due_at = now()").await;
    let lease = place.lease_one().await;
    next_millisecond().await;
    assert!(place.store.queue_fault(&system(), lease.key(), Fault::BrokeDown, &RetryPolicy::default()).await.unwrap());
    place.database.execute("UPDATE queue SET due_at = now()").await;
    next_millisecond().await;
    let settlement = delivered(place.lease_one().await);
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    let entries = logged(&place, &admin(), LogFilter::default()).await;
    let expected = ["delivered", "deferred", "deferred", "queued", "canceled", "rescheduled", "queued"];
    assert_eq!(names(&entries), expected);
    assert!(entries[..4].iter().all(|entry| entry.email == Some(sent)) && entries[4..].iter().all(|entry| entry.email == Some(moved)));
    let told: Vec<_> = entries[..4].iter().map(|entry| (entry.attempt, entry.duration_ms, entry.response.is_some())).collect();
    assert_eq!(told, [(Some(3), None, true), (Some(2), None, true), (Some(1), Some(7), true), (Some(0), None, false)]);
    assert!(entries.iter().all(|entry| entry.to.is_some() && entry.api_key_id == Some(permit().key_id())));
    let times: Vec<_> = entries.iter().map(|entry| entry.at).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

#[tokio::test]
async fn each_filter_shows_its_own_and_all_together() {
    let place = Place::new().await;
    let key = place.keyed(None, Permission::All).await;
    let by_key = key.permit().unwrap();
    let to = |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>();
    let both = accept(&place.store, &by_key, |parts| parts.to = to(&["r@y.example", "s@y.example"])).await;
    let one = place.accept(|parts| parts.to = to(&["s@y.example"])).await;
    let settlements: Vec<_> = place.lease(2).await.into_iter().map(delivered).collect();
    place.store.queue_settle(&system(), &settlements).await.unwrap();
    let all = logged(&place, &admin(), LogFilter::default()).await;
    assert_eq!(all.len(), 5);
    // About all of an email with several recipients: to nobody in particular.
    let whole = all.iter().find(|entry| entry.email == Some(both) && entry.event == LogEvent::Email(EventKind::Queued)).unwrap();
    assert_eq!(whole.to, None);
    let count = async |filter: LogFilter| logged(&place, &admin(), filter).await.len();
    assert_eq!(count(LogFilter { email: Some(one), ..LogFilter::default() }).await, 2);
    assert_eq!(count(kind(EventKind::Delivered)).await, 3);
    assert_eq!(count(kind(EventKind::Bounced)).await, 0);
    let reads = |address: &str| LogFilter { to: address.parse().ok(), ..LogFilter::default() };
    assert_eq!(count(reads("r@y.example")).await, 2);
    assert_eq!(count(reads("s@y.example")).await, 4);
    assert_eq!(count(LogFilter { event: Some(LogEvent::Email(EventKind::Queued)), ..reads("s@y.example") }).await, 2);
    assert_eq!(count(LogFilter { email: Some(both), ..reads("s@y.example") }).await, 2);
    assert_eq!(count(reads("nobody@y.example")).await, 0);
    assert_eq!(count(LogFilter { api_key: Some(by_key.key_id()), ..kind(EventKind::Delivered) }).await, 2);
    let (newest, oldest) = (all[0].at, all[4].at);
    assert_eq!(count(LogFilter { since: Some(newest), ..LogFilter::default() }).await, 3);
    assert_eq!(count(LogFilter { since: Some(oldest), until: Some(newest), ..LogFilter::default() }).await, 2);
    assert_eq!(count(LogFilter { until: Some(oldest), ..LogFilter::default() }).await, 0);
}

#[tokio::test]
async fn a_key_s_log_has_its_mail_and_its_calls_in_one_order() {
    let place = Place::new().await;
    let key = place.keyed(None, Permission::All).await;
    let id = key.permit::<needs::Send>().unwrap().key_id();
    accept(&place.store, &key.permit().unwrap(), |_| {}).await;
    let wanted = Wanted::new("made".parse().unwrap(), Permission::Send.into());
    let secret = Secret::generate(Mode::Live, &OsEntropy);
    next_millisecond().await;
    let made = place.store.key_create(&key.permit().unwrap(), wanted, &secret).await.unwrap();
    next_millisecond().await;
    accept(&place.store, &key.permit().unwrap(), |_| {}).await;
    place.accept(|_| {}).await;
    let of_key = LogFilter { api_key: Some(id), ..LogFilter::default() };
    let entries = logged(&place, &admin(), of_key.clone()).await;
    assert_eq!(names(&entries), ["queued", "api_key.create", "queued"]);
    assert_eq!((entries[1].target.clone(), entries[1].api_key_id), (Some(made.id.to_string()), Some(id)));
    // Page by page the same.
    let (mut start, mut seen) = (PageStart::First, Vec::new());
    for _ in 0..3 {
        let (items, next) = page(&place, &admin(), &of_key, start, PageLimit::new(1).unwrap()).await;
        seen.extend(items.iter().map(|entry| entry.id));
        start = next.map_or(PageStart::First, PageStart::After);
    }
    assert_eq!(seen, entries.iter().map(|entry| entry.id).collect::<Vec<_>>());
    assert_eq!(start, PageStart::First);
    // Without a key the log is of mail, unless a call is named.
    assert_eq!(names(&logged(&place, &admin(), LogFilter::default()).await), ["queued"; 3]);
    let call = LogFilter { event: Some(LogEvent::Call(AuditAction::KeyCreate)), ..LogFilter::default() };
    assert_eq!(logged(&place, &admin(), call.clone()).await.len(), 2);
    // Another tenant sees neither.
    let other = tenant_admin(place.tenant().await);
    for filter in [of_key, call, LogFilter::default(), LogFilter { email: entries[0].email, ..LogFilter::default() }] {
        assert!(logged(&place, &other, filter).await.is_empty());
    }
}

#[tokio::test]
async fn what_is_rare_is_found_in_bounded_steps() {
    let place = Place::new().await;
    let key = place.keyed(None, Permission::All).await;
    let id = key.permit::<needs::Send>().unwrap().key_id();
    let email = accept(&place.store, &key.permit().unwrap(), |_| {}).await;
    place.database.execute("UPDATE events SET id = '00000000-0000-7000-8000-000000000001'").await;
    place.database.execute("DELETE FROM audit_logs").await;
    place.fill(20_000, "1", "now()").await;
    place.database.execute("VACUUM ANALYZE").await;
    let of_key = LogFilter { api_key: Some(id), ..LogFilter::default() };
    let (entries, next) = page(&place, &admin(), &of_key, PageStart::First, ALL).await;
    assert!(entries.is_empty() && next.is_some());
    let (entries, next) = page(&place, &admin(), &of_key, PageStart::After(next.unwrap()), ALL).await;
    assert_eq!((entries.len(), entries[0].email, next), (1, Some(email), None));
    assert_eq!(logged(&place, &admin(), LogFilter { email: Some(email), ..LogFilter::default() }).await.len(), 1);
}
