//! Bodies: their media type, their size, and the room for all of them (H2, H9).

use std::sync::atomic::Ordering;

use selfmx_http::HttpSettings;

use crate::raw::{Raw, exchange, request, with_body};
use crate::server::{LARGE, SENDER, start};

const KIB: usize = 1024;

fn settings() -> HttpSettings {
    HttpSettings { max_body: 4 * KIB, max_send_body: 256 * KIB, ..HttpSettings::default() }
}

fn lines(more: &str) -> String {
    format!("Authorization: Bearer {SENDER}\r\n{more}")
}

#[tokio::test]
async fn a_body_is_plain_json() {
    let server = start(settings()).await;
    let sent = |more: &str| request("POST", "/measure", &lines(&format!("Content-Length: 2\r\n{more}"))) + "{}";
    for more in ["Content-Type: application/json\r\n", "Content-Type: application/json; charset=utf-8\r\n"] {
        assert_eq!(exchange(server.address, sent(more)).await.status, 200, "{more}");
    }
    for more in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity\r\n",
    ] {
        let answer = exchange(server.address, sent(more)).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported_media_type"), "{more}");
    }
    let empty = exchange(server.address, request("POST", "/measure", &lines(""))).await;
    assert_eq!(empty.json()["octets"], 0);
}

#[tokio::test]
async fn a_body_that_is_said_to_be_too_large_is_refused_before_any_of_it_is_read() {
    let server = start(settings()).await;
    for (target, limit) in [("/measure", 4 * KIB), ("/email", 256 * KIB)] {
        assert_eq!(exchange(server.address, with_body(target, SENDER, &"x".repeat(limit))).await.json()["octets"], limit);
        let mut raw = Raw::connect(server.address).await;
        let sent = with_body(target, SENDER, &"x".repeat(limit + 1));
        raw.send(&sent.as_bytes()[..sent.len() - limit - 1]).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "payload_too_large"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn a_body_of_untold_length_is_counted_as_it_comes() {
    let server = start(settings()).await;
    let head = request("POST", "/measure", &lines("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"));
    let chunk = format!("400\r\n{}\r\n", "x".repeat(KIB));
    let fits = format!("{head}{}0\r\n\r\n", chunk.repeat(4));
    assert_eq!(exchange(server.address, fits).await.json()["octets"], 4 * KIB);
    let mut raw = Raw::connect(server.address).await;
    // One chunk more, and no end.
    raw.send(head + &chunk.repeat(5)).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "payload_too_large"));
    assert_eq!(server.state.parsed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_answer_arrives_though_the_client_goes_on_sending() {
    let server = start(HttpSettings { max_body: 4 * KIB, ..HttpSettings::default() }).await;
    for _ in 0..5 {
        let mut raw = Raw::connect(server.address).await;
        let sent = with_body("/measure", SENDER, &"x".repeat(8 * KIB * KIB));
        let sending = raw.try_send(sent).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, 413, "{sending:?}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_body_that_is_not_wanted() {
    let server = start(settings()).await;
    let head = request("POST", "/measure", "Content-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n");
    let mut raw = Raw::connect(server.address).await;
    raw.send(&head).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("connection"), Some("close"));
    raw.closed().await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(head.replace("Expect", &format!("Authorization: Bearer {SENDER}\r\nExpect"))).await;
    assert_eq!(raw.answer().await.status, 100);
    raw.send("0123456789").await;
    assert_eq!(raw.answer().await.json()["octets"], 10);
}

#[tokio::test]
async fn past_the_room_for_bodies_the_server_says_so_and_recovers() {
    let settings = HttpSettings { max_send_body: 64 * KIB, max_body: KIB, max_bodies: 100 * KIB, ..HttpSettings::default() };
    let server = start(settings).await;
    let body = "x".repeat(60 * KIB);
    let mut first = Raw::connect(server.address).await;
    first.send(with_body("/hold", SENDER, &body)).await;
    server.state.wait_for(1).await;
    let refused = exchange(server.address, with_body("/email", SENDER, &body)).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(exchange(server.address, with_body("/email", SENDER, &body[..30 * KIB])).await.status, 200);
    server.state.release.add_permits(1);
    assert_eq!(first.answer().await.json()["octets"], 60 * KIB);
    assert_eq!(exchange(server.address, with_body("/email", SENDER, &body)).await.status, 200);
}

#[tokio::test]
async fn a_small_body_finds_room_where_large_ones_have_taken_theirs() {
    let settings = HttpSettings { max_send_body: 64 * KIB, max_body: KIB, max_bodies: 64 * KIB, ..HttpSettings::default() };
    let server = start(settings).await;
    let mut large = Raw::connect(server.address).await;
    large.send(with_body("/hold", SENDER, &"x".repeat(64 * KIB))).await;
    server.state.wait_for(1).await;
    assert_eq!(exchange(server.address, with_body("/email", SENDER, &"x".repeat(KIB))).await.status, 503);
    assert_eq!(exchange(server.address, with_body("/email", SENDER, &"x".repeat(64))).await.status, 200);
    server.state.release.add_permits(1);
    assert_eq!(large.answer().await.json()["octets"], 64 * KIB);
}

#[tokio::test]
async fn the_room_of_a_body_that_breaks_off_is_given_back() {
    let settings = HttpSettings { max_send_body: 64 * KIB, max_body: KIB, max_bodies: 64 * KIB, ..HttpSettings::default() };
    let server = start(settings).await;
    let body = "x".repeat(60 * KIB);
    for _ in 0..3 {
        let mut raw = Raw::connect(server.address).await;
        let sent = with_body("/email", SENDER, &body);
        raw.send(&sent.as_bytes()[..sent.len() - 1]).await;
        raw.finish_sending().await;
        assert_eq!(raw.answer().await.status, 400);
    }
    assert_eq!(exchange(server.address, with_body("/email", SENDER, &body)).await.status, 200);
}

#[tokio::test]
async fn answers_that_nobody_takes_fill_no_more_than_their_room() {
    let server = start(HttpSettings { max_answers: 2 * LARGE, ..HttpSettings::default() }).await;
    let (mut first, mut second) = (Raw::connect(server.address).await, Raw::connect(server.address).await);
    for raw in [&mut first, &mut second] {
        raw.send(request("GET", "/large", "")).await;
        assert_eq!(raw.status().await, 200);
    }
    let full = exchange(server.address, request("GET", "/large", "")).await;
    assert_eq!((full.status, full.code().as_str(), full.header("retry-after")), (503, "unavailable", Some("1")));
    assert_eq!(exchange(server.address, request("GET", "/open", "")).await.status, 200);
    // Taken or left, an answer gives back its room.
    drop(first);
    second.answer().await;
    let mut status = 503;
    while status == 503 {
        status = exchange(server.address, request("GET", "/large", "")).await.status;
    }
    assert_eq!(status, 200);
}
