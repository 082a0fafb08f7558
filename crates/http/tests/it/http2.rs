//! HTTP/2 with prior knowledge, on the same port (H5).

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use selfmx_http::{Drained, HttpSettings};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::raw::{Raw, request as http1_request};
use crate::server::{LARGE, SENDER, Server, start};

pub(crate) type Sender = SendRequest<Full<Bytes>>;

async fn connect(server: &Server) -> (Sender, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn request(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(format!("http://x.example{path}")).body(Full::default()).unwrap()
}

fn post(path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    let request = Request::post(format!("http://x.example{path}"));
    let request = request.header("authorization", format!("Bearer {SENDER}")).header("content-type", "application/json");
    request.body(Full::from(body)).unwrap()
}

async fn read(response: hyper::Result<Response<hyper::body::Incoming>>) -> (u16, HeaderMap, Bytes) {
    let (head, body) = response.unwrap().into_parts();
    (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
}

fn octets(body: &[u8]) -> u64 {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["octets"].as_u64().unwrap()
}

#[tokio::test]
async fn both_versions_are_spoken_on_one_port() {
    let server = start(HttpSettings::default()).await;
    let (mut sender, _connection) = connect(&server).await;
    let (status, headers, _) = read(sender.send_request(request(Method::GET, "/open")).await).await;
    assert_eq!(status, 200);
    assert!(headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    let mut raw = Raw::connect(server.address).await;
    raw.send(http1_request("GET", "/open", "")).await;
    assert_eq!(raw.answer().await.status, 200);
}

#[tokio::test]
async fn bodies_go_both_ways_and_are_bounded() {
    let server = start(HttpSettings::default()).await;
    let (mut sender, _connection) = connect(&server).await;
    let (_, _, body) = read(sender.send_request(request(Method::GET, "/large")).await).await;
    assert_eq!(body.len(), LARGE);
    let (_, _, body) = read(sender.send_request(post("/email", vec![b'x'; 3 * LARGE])).await).await;
    assert_eq!(octets(&body), 3 * LARGE as u64);
    let (status, ..) = read(sender.send_request(post("/measure", vec![b'x'; LARGE])).await).await;
    assert_eq!(status, 413);
    let (status, ..) = read(sender.send_request(request(Method::GET, "/open")).await).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn head_has_a_length_and_no_body() {
    let server = start(HttpSettings::default()).await;
    let (mut sender, _connection) = connect(&server).await;
    let (status, headers, body) = read(sender.send_request(request(Method::HEAD, "/large")).await).await;
    assert_eq!((status, headers["content-length"].to_str().unwrap(), body.len()), (200, LARGE.to_string().as_str(), 0));
}

#[tokio::test]
async fn a_host_that_contradicts_the_authority_is_refused() {
    let server = start(HttpSettings::default()).await;
    let (mut sender, _connection) = connect(&server).await;
    for (host, expected) in [("x.example", 200), ("y.example", 400)] {
        let mut request = request(Method::GET, "/open");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(read(sender.send_request(request).await).await.0, expected, "{host}");
    }
}

#[tokio::test]
async fn a_panic_ends_no_other_stream() {
    let server = start(HttpSettings::default()).await;
    let (mut sender, _connection) = connect(&server).await;
    let waiting = sender.send_request(request(Method::GET, "/wait"));
    let (status, ..) = read(sender.clone().send_request(request(Method::GET, "/panic")).await).await;
    assert_eq!(status, 500);
    server.state.release.add_permits(1);
    assert_eq!(read(waiting.await).await.0, 200);
}

#[tokio::test]
async fn streams_are_bounded() {
    let server = start(HttpSettings::default()).await;
    let (sender, _connection) = connect(&server).await;
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { sender.send_request(request(Method::GET, "/wait")).await.unwrap().status() })
        })
        .collect();
    server.state.wait_for(128).await;
    assert!(timeout(Duration::from_millis(300), server.state.wait_for(129)).await.is_err());
    server.state.release.add_permits(200);
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn work_that_the_client_has_lost_interest_in_still_counts() {
    let server = start(HttpSettings::default()).await;
    let (sender, _connection) = connect(&server).await;
    let lost: Vec<_> = (0..128).map(|_| tokio::spawn(sender.clone().send_request(request(Method::GET, "/wait")))).collect();
    server.state.wait_for(128).await;
    // Each stream is reset, and its place among the streams is free again.
    lost.iter().for_each(JoinHandle::abort);
    for request_of_lost in lost {
        assert!(request_of_lost.await.is_err());
    }
    let mut status = 0;
    while status != 503 {
        (status, ..) = read(sender.clone().send_request(request(Method::GET, "/open")).await).await;
    }
    server.state.release.add_permits(128);
    while status != 200 {
        (status, ..) = read(sender.clone().send_request(request(Method::GET, "/open")).await).await;
    }
}

#[tokio::test]
async fn work_that_was_begun_is_finished_though_the_client_has_gone() {
    let mut server = start(HttpSettings::default()).await;
    let (mut sender, connection) = connect(&server).await;
    let lost = tokio::spawn(sender.send_request(request(Method::GET, "/wait")));
    server.state.wait_for(1).await;
    lost.abort();
    assert!(lost.await.is_err());
    drop(sender);
    connection.await.unwrap().unwrap();
    server.drain.cancel();
    assert!(timeout(Duration::from_millis(300), &mut server.serving).await.is_err());
    server.state.release.add_permits(1);
    assert_eq!((&mut server.serving).await.unwrap(), Drained::Completely);
    assert_eq!(server.state.finished.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn headers_are_bounded() {
    let server = start(HttpSettings::default()).await;
    let (mut sender, _connection) = connect(&server).await;
    let mut large = request(Method::GET, "/open");
    large.headers_mut().insert("x", "v".repeat(17 * 1024).parse().unwrap());
    let answered = sender.send_request(large).await;
    assert!(answered.is_err() || answered.is_ok_and(|response| response.status() == 431));
}

#[tokio::test]
async fn a_drain_finishes_open_streams() {
    let mut server = start(HttpSettings::default()).await;
    let (mut sender, connection) = connect(&server).await;
    let waiting = tokio::spawn(sender.send_request(request(Method::GET, "/wait")));
    server.state.wait_for(1).await;
    server.drain.cancel();
    // Once the goodbye is there, no further request is taken.
    while sender.send_request(request(Method::GET, "/open")).await.is_ok() {}
    server.state.release.add_permits(1);
    assert_eq!(read(waiting.await.unwrap()).await.0, 200);
    connection.await.unwrap().unwrap();
    assert_eq!((&mut server.serving).await.unwrap(), Drained::Completely);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let idle_timeout = Duration::from_millis(300);
    let server = start(HttpSettings { idle_timeout, ..HttpSettings::default() }).await;
    let (mut sender, connection) = connect(&server).await;
    assert_eq!(read(sender.send_request(request(Method::GET, "/open")).await).await.0, 200);
    timeout(Duration::from_secs(15), connection).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_says_the_preface_and_nothing_more_is_closed() {
    let idle_timeout = Duration::from_millis(300);
    let server = start(HttpSettings { idle_timeout, ..HttpSettings::default() }).await;
    let mut raw = Raw::connect(server.address).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.ended().await;
}
