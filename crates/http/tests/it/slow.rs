//! Clients that take their time (H1).

use std::time::Duration;

use selfmx_http::HttpSettings;
use tokio::time::{Instant, sleep};

use crate::raw::{Raw, request, with_body};
use crate::server::{LARGE, SENDER, start};

const SHORT: Duration = Duration::from_millis(300);

fn settings() -> HttpSettings {
    HttpSettings { header_timeout: SHORT, body_timeout: SHORT, min_body_rate: 1024 * 1024, ..HttpSettings::default() }
}

#[tokio::test]
async fn a_connection_that_never_says_a_thing_is_closed() {
    let server = start(settings()).await;
    let begin = Instant::now();
    let mut raw = Raw::connect(server.address).await;
    raw.closed().await;
    assert!(begin.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_preface_that_stops_is_closed() {
    let server = start(settings()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM").await;
    raw.closed().await;
}

#[tokio::test]
async fn a_head_that_drips_is_answered_and_closed() {
    let server = start(settings()).await;
    let mut raw = Raw::connect(server.address).await;
    let begin = Instant::now();
    for octet in request("GET", "/open", "X: a\r\n").bytes() {
        if raw.try_send([octet]).await.is_err() || begin.elapsed() > SHORT * 4 {
            break;
        }
        sleep(SHORT / 10).await;
    }
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    raw.closed().await;
}

#[tokio::test]
async fn each_head_has_a_time_of_its_own_and_waiting_for_it_costs_none() {
    let server = start(settings()).await;
    let mut raw = Raw::connect(server.address).await;
    for _ in 0..3 {
        raw.send(request("GET", "/open", "")).await;
        assert_eq!(raw.answer().await.status, 200);
        sleep(SHORT + SHORT / 2).await;
    }
}

#[tokio::test]
async fn a_body_that_stops_is_answered_and_closed() {
    let server = start(settings()).await;
    let mut raw = Raw::connect(server.address).await;
    let sent = with_body("/measure", SENDER, "0123456789");
    raw.send(&sent.as_bytes()[..sent.len() - 1]).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    raw.closed().await;
}

#[tokio::test]
async fn a_body_that_drips_does_not_live_for_ever() {
    let server = start(settings()).await;
    let mut raw = Raw::connect(server.address).await;
    let sent = with_body("/measure", SENDER, &"x".repeat(1000));
    raw.send(&sent.as_bytes()[..sent.len() - 1000]).await;
    let begin = Instant::now();
    while raw.try_send("x").await.is_ok() && begin.elapsed() < SHORT * 4 {
        sleep(SHORT / 10).await;
    }
    assert_eq!(raw.answer().await.status, 408);
}

#[tokio::test]
async fn a_body_that_comes_fast_enough_earns_its_time() {
    let server = start(HttpSettings { min_body_rate: 1, ..settings() }).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(with_body("/measure", SENDER, "0123456789").as_bytes().split_last().unwrap().1).await;
    sleep(SHORT * 2).await;
    raw.send("9").await;
    assert_eq!(raw.answer().await.json()["octets"], 10);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_a_while() {
    let server = start(HttpSettings { idle_timeout: SHORT, ..HttpSettings::default() }).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/open", "")).await;
    assert_eq!(raw.answer().await.status, 200);
    let begin = Instant::now();
    raw.closed().await;
    assert!(begin.elapsed() >= SHORT - SHORT / 3, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_idle() {
    let server = start(HttpSettings { idle_timeout: SHORT, ..HttpSettings::default() }).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/wait", "")).await;
    server.state.wait_for(1).await;
    sleep(SHORT * 3).await;
    server.state.release.add_permits(1);
    assert_eq!(raw.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_left() {
    let settings = HttpSettings { idle_timeout: SHORT, max_connections: 1, ..HttpSettings::default() };
    let server = start(settings).await;
    let mut greedy = Raw::connect(server.address).await;
    // More than the sockets' buffers hold.
    greedy.send(request("GET", "/large", "").repeat(16)).await;
    assert_eq!(greedy.status().await, 200);
    // Its place is the only one.
    let begin = Instant::now();
    loop {
        let mut other = Raw::connect(server.address).await;
        if other.try_send(request("GET", "/open", "")).await.is_ok() && other.answer_to("GET").await.is_some() {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "the connection is still there");
        sleep(SHORT / 10).await;
    }
    assert!(begin.elapsed() >= SHORT / 2);
}

#[tokio::test]
async fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let server = start(HttpSettings { idle_timeout: SHORT * 4, ..HttpSettings::default() }).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/large", "").repeat(5)).await;
    for _ in 0..5 {
        sleep(SHORT).await;
        assert_eq!(raw.answer().await.body.len(), LARGE);
    }
}

#[tokio::test]
async fn a_client_that_has_finished_sending_gets_its_answer() {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/wait", "")).await;
    raw.finish_sending().await;
    server.state.wait_for(1).await;
    // The server is told of the end before the answer is there.
    sleep(SHORT / 3).await;
    server.state.release.add_permits(1);
    assert_eq!(raw.answer().await.status, 200);
    raw.closed().await;
}
