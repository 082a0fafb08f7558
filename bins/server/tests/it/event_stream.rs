//! `GET /v1/events/stream`: what happens to a tenant's emails, to readers that come, go and come back.

mod ends;
mod resumed;

use std::net::SocketAddr;
use std::time::Duration;

use selfmx_testing::{EventReader, EventRequest, HttpAnswer, Sink, Version};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::process::KEY;
use crate::world::{World, fault, text};

/// Longer than anything here takes, also while other databases of the same server hold transactions open.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const STREAM: &str = "/v1/events/stream";
const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Opens a stream, or gives what was answered instead.
pub(crate) async fn opened(
    address: SocketAddr,
    version: Version,
    (path, key): (&str, &str),
    after: Option<&str>,
) -> Result<EventReader, HttpAnswer> {
    timeout(PATIENCE, EventReader::open(EventRequest { address, version, path, key, after })).await.unwrap().unwrap()
}

/// A stream of the default tenant's, of which the beginning was read.
pub(crate) async fn begun(world: &World, version: Version, path: &str) -> EventReader {
    let mut reader = opened(world.server.address(), version, (path, KEY), None).await.unwrap();
    opening(&mut reader).await;
    reader
}

/// Reads a stream's beginning, which tells where it begins.
pub(crate) async fn opening(reader: &mut EventReader) {
    let block = timeout(PATIENCE, reader.block()).await.unwrap().unwrap();
    assert_eq!(reader.event(&block), None, "{block}");
    assert!(reader.last_id().is_some() && reader.retry() == Some(1000), "{block}");
}

pub(crate) async fn next(reader: &mut EventReader) -> Option<Value> {
    timeout(PATIENCE, reader.next()).await.unwrap()
}

/// What is answered instead of a stream: the status, the code and the field.
async fn refused(world: &World, (path, key): (&str, &str), after: Option<&str>) -> (u16, String, String) {
    fault(&opened(world.server.address(), Version::HTTP_11, (path, key), after).await.unwrap_err())
}

#[tokio::test]
async fn what_happens_comes_as_it_stands_in_the_log_over_both_versions_of_http() {
    let sink = Sink::well_behaved().await;
    let world = World::relayed(sink.address(), &[]).await;
    for version in VERSIONS {
        let mut reader = begun(&world, version, STREAM).await;
        let id = world.send(json!({})).await;
        let events = [next(&mut reader).await.unwrap(), next(&mut reader).await.unwrap()];
        let mut logged = world.get(&format!("/v1/logs?email_id={id}")).await.json()["data"].as_array().unwrap().clone();
        logged.reverse();
        assert_eq!(events.to_vec(), logged);
        assert_eq!((&events[0]["event"], &events[1]["event"]), (&json!("queued"), &json!("delivered")));
    }
}

#[tokio::test]
async fn an_answer_says_what_it_is_and_that_nothing_is_to_hold_it_back() {
    let world = World::start().await;
    for method in ["GET", "HEAD"] {
        let answer = world.server.ask(method, "/v1/events/stream?follow=false", Some(KEY), None).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")), "{method}");
        assert_eq!((answer.header("cache-control"), answer.header("x-accel-buffering")), (Some("no-store"), Some("no")));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.body.is_empty(), method == "HEAD");
    }
}

#[tokio::test]
async fn what_is_let_through_is_what_was_asked_for_and_the_place_moves_on() {
    let world = World::start().await;
    let path = format!("{STREAM}?event=canceled");
    let mut canceled = begun(&world, Version::HTTP_2, &path).await;
    let first = canceled.last_id().map(str::to_owned);
    let later = json!({"scheduled_at": crate::world::in_seconds(3600)});
    let (one, other) = (world.send(later.clone()).await, world.send(later).await);
    let mut of_one = begun(&world, Version::HTTP_11, &format!("{STREAM}?email_id={one}&follow=true")).await;
    for id in [&other, &one] {
        assert_eq!(world.post(&format!("/v1/emails/{id}/cancel"), &json!({})).await.status, 200);
    }
    let events = [next(&mut canceled).await.unwrap(), next(&mut canceled).await.unwrap()];
    assert_eq!(
        events.map(|event| (text(&event["event"]), text(&event["email_id"]))),
        [("canceled".to_owned(), other), ("canceled".to_owned(), one.clone())]
    );
    // Of the one email alone; whether its beginning is among it depends on what else the database had open.
    let mut seen = Vec::new();
    while seen.last() != Some(&"canceled".to_owned()) {
        let event = next(&mut of_one).await.unwrap();
        assert_eq!(event["email_id"], json!(one));
        seen.push(text(&event["event"]));
    }
    // A place of before, without waiting for more.
    let path = format!("{STREAM}?follow=false&event=bounced");
    let mut whole = opened(world.server.address(), Version::HTTP_11, (&path, KEY), first.as_deref()).await.unwrap();
    opening(&mut whole).await;
    assert_eq!((next(&mut whole).await, whole.last_id() != first.as_deref()), (None, true));
    for (query, field) in [
        ("event=sent", "event"),
        ("event=api_key.create", "event"),
        ("email_id=x", "email_id"),
        ("follow=maybe", "follow"),
        ("limit=1", "limit"),
    ] {
        let (status, _, named) = refused(&world, (&format!("{STREAM}?{query}"), KEY), None).await;
        assert_eq!((status, named.as_str()), (400, field));
    }
    assert_eq!(refused(&world, (STREAM, KEY), Some("7")).await, (400, "invalid_request".to_owned(), "Last-Event-ID".to_owned()));
}

#[tokio::test]
async fn a_reader_sees_its_own_tenant_s_events_and_a_foreign_place_reveals_nothing() {
    let world = World::start().await;
    let (mine, other) = (world.tenant("Mine").await, world.tenant("Other").await);
    let (key, foreign) = (world.key_for(&mine).await, world.key_for(&other).await);
    let address = world.server.address();
    let under = format!("/v1/tenants/{mine}/events/stream");
    let mut own = opened(address, Version::HTTP_2, (STREAM, &key), None).await.unwrap();
    let mut by_platform = opened(address, Version::HTTP_2, (&under, KEY), None).await.unwrap();
    let mut platform = begun(&world, Version::HTTP_2, STREAM).await;
    opening(&mut own).await;
    opening(&mut by_platform).await;
    let before = own.last_id().map(str::to_owned);
    let theirs = world.send_as(&foreign, json!({})).await;
    let ours = world.send_as(&key, json!({})).await;
    let default = world.send(json!({})).await;
    for (reader, id) in [(&mut own, &ours), (&mut by_platform, &ours), (&mut platform, &default)] {
        assert_eq!(next(reader).await.unwrap()["email_id"], json!(id));
    }
    // From where another tenant's reader began, the foreign key reads its own.
    let mut reader = opened(address, Version::HTTP_11, (STREAM, &foreign), before.as_deref()).await.unwrap();
    assert_eq!(next(&mut reader).await.unwrap()["email_id"], json!(theirs));
    assert_eq!(refused(&world, (&under, &key), None).await.0, 403);
    let sender = world.key(json!({"name": "Sender", "permissions": ["send"]})).await;
    assert_eq!(refused(&world, (STREAM, &sender.secret), None).await.1, "permission_denied");
}

#[tokio::test]
async fn a_tenant_has_so_many_streams_and_others_have_theirs() {
    let world = World::start().await;
    let address = world.server.address();
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(opened(address, Version::HTTP_2, (STREAM, KEY), None).await.unwrap());
    }
    let answer = opened(address, Version::HTTP_2, (STREAM, KEY), None).await.unwrap_err();
    assert_eq!((fault(&answer).0, fault(&answer).1.as_str(), answer.header("retry-after")), (429, "rate_limited", Some("5")));
    let other = world.key_for(&world.tenant("Other").await).await;
    assert!(opened(address, Version::HTTP_2, (STREAM, &other), None).await.is_ok());
    open.pop();
    let again = async || opened(address, Version::HTTP_2, (STREAM, KEY), None).await.is_ok();
    crate::process::eventually("a place to be free", again).await;
}
