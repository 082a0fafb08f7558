//! Stopping: what is open is finished, what is idle is closed, and nothing waits for ever (D10).

use std::sync::atomic::Ordering;
use std::time::Duration;

use selfmx_http::{Drained, HttpSettings};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::raw::{Raw, request, with_body};
use crate::server::{SENDER, start};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_open_request_is_finished_and_told_to_close() {
    let mut server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/wait", "")).await;
    server.state.wait_for(1).await;
    server.drain.cancel();
    // The port is closed at once.
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.state.release.add_permits(1);
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    raw.closed().await;
    drop(raw);
    assert_eq!((&mut server.serving).await.unwrap(), Drained::Completely);
}

#[tokio::test]
async fn a_body_that_is_on_its_way_is_still_read() {
    let mut server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    let sent = with_body("/measure", SENDER, "0123456789");
    raw.send(&sent.as_bytes()[..sent.len() - 5]).await;
    let mut other = Raw::connect(server.address).await;
    other.send(request("GET", "/wait", "")).await;
    server.state.wait_for(1).await;
    server.drain.cancel();
    server.state.release.add_permits(1);
    assert_eq!(other.answer().await.status, 200);
    raw.send("56789").await;
    assert_eq!(raw.answer().await.json()["octets"], 10);
    drop((raw, other));
    assert_eq!((&mut server.serving).await.unwrap(), Drained::Completely);
}

#[tokio::test]
async fn idle_silent_and_half_begun_connections_are_closed_at_once() {
    let mut server = start(HttpSettings::default()).await;
    let mut idle = Raw::connect(server.address).await;
    idle.send(request("GET", "/open", "")).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut silent = Raw::connect(server.address).await;
    let mut begun = Raw::connect(server.address).await;
    begun.send("GET /open HT").await;
    let mut preface = Raw::connect(server.address).await;
    preface.send("PRI * HT").await;
    // Connections are taken in order: once this one is answered, the others are there.
    let mut last = Raw::connect(server.address).await;
    last.send(request("GET", "/open", "")).await;
    assert_eq!(last.answer().await.status, 200);
    let begin = Instant::now();
    server.drain.cancel();
    for raw in [&mut idle, &mut silent, &mut begun, &mut preface, &mut last] {
        raw.closed().await;
    }
    drop((idle, silent, begun, preface, last));
    assert_eq!((&mut server.serving).await.unwrap(), Drained::Completely);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_does_not_end_is_broken_off() {
    let mut server = start(HttpSettings { drain_timeout: SHORT, ..HttpSettings::default() }).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/wait", "")).await;
    server.state.wait_for(1).await;
    let begin = Instant::now();
    server.drain.cancel();
    assert_eq!((&mut server.serving).await.unwrap(), Drained::BrokenOff(1));
    assert!(begin.elapsed() >= SHORT);
    raw.closed().await;
}

#[tokio::test]
async fn what_was_begun_is_finished_though_the_client_has_gone() {
    let mut server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/wait", "")).await;
    server.state.wait_for(1).await;
    drop(raw);
    sleep(SHORT).await;
    server.drain.cancel();
    assert_eq!(server.state.finished.load(Ordering::SeqCst), 0);
    server.state.release.add_permits(1);
    assert_eq!((&mut server.serving).await.unwrap(), Drained::Completely);
    assert_eq!(server.state.finished.load(Ordering::SeqCst), 1);
}
