//! How many connections there may be (H1).

use selfmx_http::HttpSettings;

use crate::raw::{Raw, request};
use crate::server::start;

async fn answers(raw: &mut Raw) -> bool {
    raw.try_send(request("GET", "/open", "")).await.is_ok() && raw.answer_to("GET").await.is_some()
}

#[tokio::test]
async fn connections_are_bounded_in_all() {
    let server = start(HttpSettings { max_connections: 2, ..HttpSettings::default() }).await;
    let (mut first, mut second) = (Raw::connect(server.address).await, Raw::connect(server.address).await);
    assert!(answers(&mut first).await && answers(&mut second).await);
    assert!(!answers(&mut Raw::connect(server.address).await).await);
    assert!(answers(&mut first).await);
    first.finish_sending().await;
    first.closed().await;
    // The server gives the place back after the client has seen the end.
    while !answers(&mut Raw::connect(server.address).await).await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_are_bounded_per_address() {
    let server = start(HttpSettings { max_connections_per_address: 1, ..HttpSettings::default() }).await;
    let mut first = Raw::connect(server.address).await;
    assert!(answers(&mut first).await);
    assert!(!answers(&mut Raw::connect(server.address).await).await);
}

#[tokio::test]
async fn a_trusted_proxy_s_connections_are_not_counted_by_its_address() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start(HttpSettings { max_connections_per_address: 1, trusted_proxies, ..HttpSettings::default() }).await;
    let (mut first, mut second) = (Raw::connect(server.address).await, Raw::connect(server.address).await);
    assert!(answers(&mut first).await && answers(&mut second).await);
}
