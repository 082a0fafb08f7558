//! Requests that two servers in a row could read differently (H4).

use selfmx_http::HttpSettings;

use crate::raw::{Raw, exchange, request, with_body};
use crate::server::{SENDER, start};

/// Sends `request` with another request behind it: exactly one answer, a 400 as JSON, and the connection is closed.
async fn refused_and_closed(sent: &str) {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(format!("{sent}{}", request("GET", "/open", ""))).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{sent:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{sent:?}");
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!(answer.json()["error"]["request_id"], answer.header("x-request-id").unwrap());
    raw.closed().await;
}

#[tokio::test]
async fn bare_line_feeds_are_refused() {
    for head in [
        "GET /open HTTP/1.1\nHost: x.example\n\n",
        "GET /open HTTP/1.1\r\nHost: x.example\nX: y\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x.example\r\nX: y\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x.example\r\n\n",
        "GET /open HTTP/1.1\r\nHost: x.example\rX: y\r\n\r\n",
    ] {
        refused_and_closed(head).await;
    }
}

#[tokio::test]
async fn unclear_lengths_are_refused() {
    for lines in [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551615\r\n",
    ] {
        refused_and_closed(&request("POST", "/measure", lines)).await;
    }
    refused_and_closed("POST /measure HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn malformed_heads_are_refused() {
    for head in [
        "GET /open HTTP/1.1\r\nHost: x.example\r\nno colon\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x.example\r\nX\0: a\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x.example\r\nX: a\0b\r\n\r\n",
        "GET  /open HTTP/1.1\r\nHost: x.example\r\n\r\n",
        "GET /open\r\n\r\n",
        "GET /open HTTP/3.0\r\nHost: x.example\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
    ] {
        refused_and_closed(head).await;
    }
}

#[tokio::test]
async fn a_chunked_body_is_read_and_a_malformed_one_is_refused() {
    let server = start(HttpSettings::default()).await;
    let lines = format!("Authorization: Bearer {SENDER}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    let head = request("POST", "/measure", &lines);
    let mut raw = Raw::connect(server.address).await;
    raw.send(format!("{head}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n{}", request("GET", "/open", ""))).await;
    assert_eq!(raw.answer().await.json()["octets"], 13);
    assert_eq!(raw.answer().await.json()["open"], true);
    for body in ["3\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "0\r\nX: y\r\n\r\n", "-1\r\n\r\n"] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(format!("{head}{body}{}", request("GET", "/open", ""))).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{body:?}");
        raw.closed().await;
    }
}

#[tokio::test]
async fn requests_that_follow_each_other_are_told_apart() {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    let hidden = request("GET", "/wait", "");
    raw.send(with_body("/measure", SENDER, &hidden) + &request("GET", "/open", "") + &request("GET", "/nothing", "")).await;
    assert_eq!(raw.answer().await.json()["octets"], hidden.len());
    assert_eq!(raw.answer().await.json()["open"], true);
    assert_eq!(raw.answer().await.status, 404);
}

#[tokio::test]
async fn a_refused_head_does_not_touch_the_request_before_it() {
    let server = start(HttpSettings::default()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send(request("GET", "/wait", "") + "GET /open HTTP/1.1\nHost: x\n\n").await;
    server.state.wait_for(1).await;
    server.state.release.add_permits(1);
    assert_eq!(raw.answer().await.json()["waited"], true);
    assert_eq!(raw.answer().await.status, 400);
    raw.closed().await;
}

#[tokio::test]
async fn exactly_one_valid_host_is_required() {
    let server = start(HttpSettings::default()).await;
    for host in ["Host: x.example\r\n", "host: [::1]:8080\r\n"] {
        assert_eq!(exchange(server.address, format!("GET /open HTTP/1.1\r\n{host}\r\n")).await.status, 200, "{host}");
    }
    for host in ["", "Host:\r\n", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: u@a\r\n", "Host: a:b\r\n", "Host: a/b\r\n"] {
        let answer = exchange(server.address, format!("GET /open HTTP/1.1\r\n{host}\r\n")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_request"), "{host:?}");
    }
}

#[tokio::test]
async fn the_absolute_form_names_the_same_host() {
    let server = start(HttpSettings::default()).await;
    let sent = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(exchange(server.address, sent("http://x.example/open", "x.example")).await.status, 200);
    assert_eq!(exchange(server.address, sent("http://x.example/open", "y.example")).await.status, 400);
    assert_eq!(exchange(server.address, sent("http://x.example", "x.example")).await.status, 404);
}

#[tokio::test]
async fn a_head_is_bounded() {
    let server = start(HttpSettings::default()).await;
    for lines in [format!("X: {}\r\n", "v".repeat(17 * 1024)), "X: y\r\n".repeat(101)] {
        let answer = exchange(server.address, request("GET", "/open", &lines)).await;
        assert_eq!((answer.status, answer.code().as_str()), (431, "headers_too_large"));
    }
    let answer = exchange(server.address, request("GET", &format!("/{}", "a".repeat(17 * 1024)), "")).await;
    assert_eq!(answer.status, 431);
}
