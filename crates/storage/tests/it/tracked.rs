//! Opens and clicks: recorded as events of emails that are there, so many and no more.

use selfmx_domain::{EmailId, LinkTarget, Tracked, TrackedAct};
use selfmx_testing::{OsEntropy, SystemClock};

use crate::place::{Place, admin, system};

fn opened(email: EmailId) -> Tracked {
    Tracked { email, ordinal: Some(0), act: TrackedAct::Opened }
}

fn clicked(email: EmailId, url: &str) -> Tracked {
    Tracked { email, ordinal: Some(0), act: TrackedAct::Clicked(LinkTarget::read(url).unwrap()) }
}

async fn record(place: &Place, all: impl IntoIterator<Item = Tracked>) -> String {
    all.into_iter().for_each(|tracked| place.store.tracked_noted(tracked));
    place.store.tracked_write(&system()).await.unwrap();
    place.ask("SELECT count(*) FROM events WHERE kind IN ('opened', 'clicked')").await
}

#[tokio::test]
async fn an_open_and_each_link_are_events_of_their_email() {
    let place = Place::new().await;
    let (one, two) = (place.accept(|_| {}).await, place.accept(|_| {}).await);
    place.store.tracked_noted(opened(one));
    place.store.tracked_arrived().await;
    assert_eq!(record(&place, [clicked(one, "https://a.example/"), clicked(one, "https://b.example/"), opened(two)]).await, "4");
    let email = place.store.email_find(&admin().permit().unwrap(), one).await.unwrap().unwrap();
    let told: Vec<_> =
        email.events[1..].iter().map(|event| (event.kind.as_str(), event.url.as_deref(), event.recipient.is_some())).collect();
    let of = |url| ("clicked", Some(url), true);
    assert_eq!(told, [("opened", None, true), of("https://a.example/"), of("https://b.example/")]);
    assert_eq!(email.summary.status.as_str(), "queued");
}

#[tokio::test]
async fn one_in_ten_seconds_of_each_kind_and_link_and_two_hundred_in_all() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    let link = |n: usize| clicked(id, &format!("https://a.example/{n}"));
    assert_eq!(record(&place, [opened(id), link(0)]).await, "2");
    assert_eq!(record(&place, [opened(id), link(0), link(1)]).await, "3");
    place.database.execute("UPDATE events SET at = at - interval '9 seconds'").await;
    assert_eq!(record(&place, [opened(id), link(0)]).await, "3");
    place.database.execute("UPDATE events SET at = at - interval '1 second'").await;
    assert_eq!(record(&place, [opened(id), link(0)]).await, "5");
    // By as many at once, and by another node.
    assert_eq!(record(&place, (10..260).map(link)).await, "200");
    let other = place.other_store();
    other.tracked_noted(link(1_000));
    other.tracked_write(&system()).await.unwrap();
    assert_eq!(record(&place, [link(1_001)]).await, "200");
    let next = place.accept(|_| {}).await;
    assert_eq!(record(&place, [opened(next)]).await, "201");
}

#[tokio::test]
async fn of_what_is_not_there_any_more_nothing_is_recorded() {
    let place = Place::new().await;
    let never = EmailId::generate(&SystemClock, &OsEntropy);
    let purged = place.accept(|_| {}).await;
    place.database.execute("DELETE FROM messages").await;
    let tenant = place.tenant().await;
    let gone = place.accept(|_| {}).await;
    assert_eq!(record(&place, [opened(never), opened(purged)]).await, "0");
    // Of a tenant that is deleted and whose emails are not erased yet.
    let give = format!("UPDATE recipients SET tenant_id = '{0}' WHERE email_id = '{1}'", tenant.as_uuid(), gone.as_uuid());
    place.database.execute(&give).await;
    assert!(place.store.tenant_delete(&admin().platform_permit().unwrap(), tenant).await.unwrap());
    assert_eq!(record(&place, [opened(gone)]).await, "0");
}

#[tokio::test]
async fn whoever_purges_an_email_leaves_no_event_of_it_behind() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    // It waits for the purge, and finds nothing left.
    let purge = format!(
        "BEGIN; SELECT 1 FROM messages WHERE email_id = '{0}' FOR UPDATE; DELETE FROM messages WHERE email_id = '{0}'",
        id.as_uuid()
    );
    let purging = place.database.connect().await;
    purging.batch_execute(&purge).await.unwrap();
    place.store.tracked_noted(opened(id));
    let (store, system) = (place.store.clone(), system());
    let recording = tokio::spawn(async move { store.tracked_write(&system).await });
    place.until_blocked(1).await;
    purging.batch_execute("COMMIT").await.unwrap();
    recording.await.unwrap().unwrap();
    assert_eq!(place.ask("SELECT count(*) FROM events WHERE kind = 'opened'").await, "0");
}

#[tokio::test]
async fn what_two_nodes_hear_of_at_once_is_one_event() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    let holding = place.database.connect().await;
    let hold = format!("BEGIN; SELECT 1 FROM messages WHERE email_id = '{}' FOR UPDATE", id.as_uuid());
    holding.batch_execute(&hold).await.unwrap();
    let nodes = [place.store.clone(), place.other_store()].map(|store| {
        store.tracked_noted(opened(id));
        let system = system();
        tokio::spawn(async move { store.tracked_write(&system).await })
    });
    place.until_blocked(2).await;
    holding.batch_execute("COMMIT").await.unwrap();
    for node in nodes {
        node.await.unwrap().unwrap();
    }
    assert_eq!(place.ask("SELECT count(*) FROM events WHERE kind = 'opened'").await, "1");
}

#[tokio::test]
async fn what_cannot_be_written_is_written_later() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    place.refuse_commits().await;
    place.store.tracked_noted(opened(id));
    assert!(place.store.tracked_write(&system()).await.is_err());
    place.database.execute("DROP TRIGGER refuse ON events").await;
    assert_eq!(record(&place, []).await, "1");
}
