//! Retention: bodies and events go when they are old and all is done, in bounded steps; what the lists show stays.

use std::num::NonZeroU32;

use selfmx_domain::{EmailFilter, EmailStatus, LogFilter, PageLimit, PageRequest, PageStart};
use selfmx_storage::Purged;

use crate::place::{Place, admin, system};
use crate::settle::delivered;

const WEEK: NonZeroU32 = NonZeroU32::new(7).unwrap();

async fn age(place: &Place, whose: &str, days: u32) {
    // As if it had been accepted and sent so long ago: ids say so as well.
    let aged = format!("to_timestamp(extract(epoch FROM now()) - {days} * 86400)");
    let id = |column: &str| {
        format!("(lpad(to_hex((extract(epoch FROM {aged}) * 1000)::bigint), 12, '0') || right(replace({column}::text, '-', ''), 20))::uuid")
    };
    let mut statements = Vec::new();
    for (table, column) in
        [("events", "email_id"), ("messages", "email_id"), ("recipients", "email_id"), ("queue", "email_id"), ("emails", "id")]
    {
        let at = if table == "events" { format!(", at = {aged}") } else { String::new() };
        statements.push(format!("UPDATE {table} SET {column} = {}{at} WHERE {whose}", id(column)));
    }
    // In one transaction, which has one time.
    place.database.execute(&statements.join("; ")).await;
}

async fn messages(place: &Place) -> (String, String) {
    (place.ask("SELECT count(*) FROM messages").await, place.ask("SELECT count(DISTINCT email_id) FROM events").await)
}

fn counts(messages: &str, emails: &str) -> (String, String) {
    (messages.to_owned(), emails.to_owned())
}

#[tokio::test]
async fn what_is_old_and_done_loses_its_bodies_and_events_and_nothing_else_does() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    let settlement = delivered(place.lease_one().await);
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    age(&place, "true", 8).await;
    // Old as well, and still to be sent.
    place.accept(|_| {}).await;
    place.database.execute("UPDATE queue SET due_at = now() + interval '1 hour'").await;
    age(&place, "true", 8).await;
    // Done, and young.
    place.accept(|_| {}).await;
    let settlement = delivered(place.lease_one().await);
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    assert_eq!(messages(&place).await, counts("3", "3"));
    let purged = place.store.retention_purge(&system(), WEEK, None).await.unwrap();
    assert_eq!(purged, Purged { emails: 1, next: None });
    assert_eq!(messages(&place).await, counts("2", "2"));
    assert_eq!(place.store.retention_purge(&system(), WEEK, None).await.unwrap().emails, 0);
    let page = |start| PageRequest { start, limit: PageLimit::default() };
    let permit = admin().permit().unwrap();
    let listed = place.store.email_list(&permit, &EmailFilter::default(), page(PageStart::First)).await.unwrap().items;
    assert_eq!(listed.len(), 3);
    let old = place.store.email_find(&permit, listed[2].id).await.unwrap().unwrap();
    let gone = if old.purged { old } else { place.store.email_find(&permit, listed[1].id).await.unwrap().unwrap() };
    assert!(gone.purged && gone.text.is_none() && gone.events.is_empty());
    assert_eq!((gone.summary.status, gone.recipients.len()), (EmailStatus::Delivered, 1));
    assert_eq!(place.store.email_raw(&permit, gone.summary.id).await.unwrap(), Some(None));
    let kept = place.store.email_find(&permit, listed[0].id).await.unwrap().unwrap();
    assert!(!kept.purged && kept.text.is_some() && kept.events.len() == 2);
    let log = place.store.log_list(&permit, &LogFilter::default(), PageRequest { start: PageStart::First, limit: PageLimit::MOST }).await;
    assert_eq!(log.unwrap().page.items.len(), 3);
}

#[tokio::test]
async fn what_happened_lately_keeps_an_old_email_whole() {
    let place = Place::new().await;
    place.accept(|_| {}).await;
    age(&place, "true", 30).await;
    let settlement = delivered(place.lease_one().await);
    place.store.queue_settle(&system(), &[settlement]).await.unwrap();
    assert_eq!(place.store.retention_purge(&system(), WEEK, None).await.unwrap().emails, 0);
    assert_eq!(messages(&place).await, counts("1", "1"));
}

#[tokio::test]
async fn a_step_is_bounded_and_says_where_the_next_begins() {
    let place = Place::new().await;
    place.fill(450, "1", "now()").await;
    place.database.execute("DELETE FROM queue").await;
    age(&place, "true", 9).await;
    let (mut after, mut steps) = (None, Vec::new());
    loop {
        let purged = place.store.retention_purge(&system(), WEEK, after).await.unwrap();
        steps.push(purged.emails);
        after = purged.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(steps, [200, 200, 50]);
    assert_eq!(messages(&place).await, counts("0", "0"));
    assert_eq!(place.ask("SELECT count(*) FROM emails").await, "450");
}
