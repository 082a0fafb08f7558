//! Which posts share a connection.

use std::time::Duration;

use selfmx_testing::Certificate;
use selfmx_webhook::{Answer, PostError, Poster, PosterSettings};

use crate::support::{Act, Endpoint, WEBHOOK, anywhere, post_by, secrets};

const OTHER: &str = "wh_01h455vb4pex5vsknk084sn02r";

fn keeping() -> Act {
    Act::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
}

async fn posts(poster: &Poster, webhook: &str, url: &str) -> Result<Answer, PostError> {
    let [secret, previous] = secrets();
    post_by(poster, webhook, url, (&secret, Some(&previous))).await
}

#[tokio::test]
async fn one_webhook_s_posts_share_a_connection_and_no_two_webhooks_do() {
    let (endpoint, poster) = (Endpoint::start(keeping()).await, Poster::new(&anywhere()).unwrap());
    let url = endpoint.url("http", "localhost");
    for _ in 0..5 {
        assert_eq!(posts(&poster, WEBHOOK, &url).await.unwrap().status, 204);
    }
    assert_eq!(endpoint.seen(|seen| (seen.connections, seen.requests.len())), (1, 5));
    posts(&poster, OTHER, &url).await.unwrap();
    assert_eq!(endpoint.seen(|seen| seen.connections), 2);
    posts(&poster, WEBHOOK, &url).await.unwrap();
    assert_eq!(endpoint.seen(|seen| seen.connections), 2, "each has kept its own");
}

#[tokio::test]
async fn over_tls_it_is_the_same() {
    let certificate = Certificate::for_loopback();
    let endpoint = Endpoint::with_tls(keeping(), &certificate).await;
    let poster = Poster::new(&PosterSettings { extra_roots: vec![certificate.pem().to_owned()], ..anywhere() }).unwrap();
    for _ in 0..3 {
        posts(&poster, WEBHOOK, &endpoint.url("https", "localhost")).await.unwrap();
    }
    assert_eq!(endpoint.seen(|seen| (seen.connections, seen.requests.len())), (1, 3));
}

#[tokio::test]
async fn another_url_or_secret_means_another_connection() {
    let (endpoint, poster) = (Endpoint::start(keeping()).await, Poster::new(&anywhere()).unwrap());
    let [first, second] = secrets();
    let url = endpoint.url("http", "127.0.0.1");
    let mut connections = Vec::new();
    for (url, secret) in [(url.clone(), &first), (url.clone(), &second), (url.replace("x=1", "x=2"), &second), (url, &first)] {
        post_by(&poster, WEBHOOK, &url, (secret, None)).await.unwrap();
        connections.push(endpoint.seen(|seen| seen.connections));
    }
    assert_eq!(connections, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_for_a_while_is_closed() {
    let (endpoint, poster) = (Endpoint::start(keeping()).await, Poster::new(&anywhere()).unwrap());
    let url = endpoint.url("http", "127.0.0.1");
    for _ in 0..2 {
        posts(&poster, WEBHOOK, &url).await.unwrap();
        poster.forget_idle();
    }
    assert_eq!(endpoint.seen(|seen| (seen.connections, seen.open)), (1, 1));
    let poster = Poster::new(&PosterSettings { idle: Duration::ZERO, ..anywhere() }).unwrap();
    posts(&poster, WEBHOOK, &url).await.unwrap();
    poster.forget_idle();
    endpoint.closed(1).await;
    posts(&poster, WEBHOOK, &url).await.unwrap();
    assert_eq!(endpoint.seen(|seen| seen.connections), 3);
}

#[tokio::test]
async fn where_the_endpoint_has_closed_it_meanwhile_the_post_goes_over_a_new_one() {
    // It says that it goes on, and does not.
    let (endpoint, poster) = (Endpoint::start(Act::answer("200 OK", "", "")).await, Poster::new(&anywhere()).unwrap());
    for _ in 0..4 {
        assert_eq!(posts(&poster, WEBHOOK, &endpoint.url("http", "127.0.0.1")).await.unwrap().status, 200);
    }
    assert_eq!(endpoint.seen(|seen| (seen.connections, seen.requests.len())), (4, 4));
}

#[tokio::test]
async fn where_it_gives_a_kept_connection_up_the_post_goes_over_a_new_one() {
    let timed_out = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec();
    let act = Act::Then(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), timed_out.clone());
    let (endpoint, poster) = (Endpoint::start(act).await, Poster::new(&anywhere()).unwrap());
    for _ in 0..3 {
        assert_eq!(posts(&poster, WEBHOOK, &endpoint.url("http", "127.0.0.1")).await.unwrap().status, 204);
    }
    assert_eq!(endpoint.seen(|seen| (seen.connections, seen.requests.len())), (3, 5));
    let always = Endpoint::start(Act::Say(timed_out)).await;
    assert_eq!(posts(&poster, OTHER, &always.url("http", "127.0.0.1")).await.unwrap().status, 408, "who says so at once has said it");
}

#[tokio::test]
async fn what_is_said_after_an_answer_is_no_answer_to_the_next_post() {
    let act = Act::Keep(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 500 Forged\r\ncontent-length: 0\r\n\r\n".to_vec());
    let (endpoint, poster) = (Endpoint::start(act).await, Poster::new(&anywhere()).unwrap());
    for _ in 0..3 {
        assert_eq!(posts(&poster, WEBHOOK, &endpoint.url("http", "127.0.0.1")).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn the_bound_on_what_is_read_is_each_answer_s_own() {
    let text = "x".repeat(60_000);
    let act = Act::Keep(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).into_bytes());
    let (endpoint, poster) = (Endpoint::start(act).await, Poster::new(&anywhere()).unwrap());
    for _ in 0..3 {
        assert_eq!(posts(&poster, WEBHOOK, &endpoint.url("http", "127.0.0.1")).await.unwrap().excerpt.len(), 1024);
    }
    assert_eq!(endpoint.seen(|seen| seen.connections), 1);
}
