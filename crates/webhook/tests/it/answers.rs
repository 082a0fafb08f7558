//! What an endpoint answers, however badly it does.

use std::time::{Duration, Instant};

use selfmx_domain::PostOutcome;
use selfmx_webhook::{Answer, PostError, PosterSettings, Step};

use crate::support::{Act, Endpoint, anywhere, post};

/// Not so long that a test waits for it, and long enough for a busy machine.
const SOON: Duration = Duration::from_millis(400);

async fn answered(act: Act) -> Result<Answer, PostError> {
    let endpoint = Endpoint::start(act).await;
    post(anywhere(), &endpoint.url("http", "127.0.0.1")).await
}

/// What comes of an endpoint that would go on for ever, and how long that took.
async fn cut_short(act: Act) -> (Result<Answer, PostError>, Duration) {
    let endpoint = Endpoint::start(act).await;
    let began = Instant::now();
    let result = post(PosterSettings { timeout: SOON, ..anywhere() }, &endpoint.url("http", "127.0.0.1")).await;
    (result, began.elapsed())
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let inside = Endpoint::start(Act::answer("200 OK", "", "secret")).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("location: {}\r\n", inside.url("http", "127.0.0.1"));
        let answer = answered(Act::answer(status, &location, "")).await.unwrap();
        assert_eq!(answer.status.to_string(), status[..3]);
        assert_eq!(answer.outcome(), PostOutcome::Failed { retry_after: None });
    }
    assert_eq!(inside.seen(|seen| seen.connections), 0);
    // It would have been there.
    assert_eq!(post(anywhere(), &inside.url("http", "127.0.0.1")).await.unwrap().status, 200);
    assert_eq!(inside.seen(|seen| seen.connections), 1);
}

#[tokio::test]
async fn each_status_means_what_it_says() {
    let wait = |millis| PostOutcome::Failed { retry_after: Some(Duration::from_millis(millis)) };
    for (status, fields, expected) in [
        ("202 Accepted", "", PostOutcome::Accepted),
        ("410 Gone", "", PostOutcome::Gone),
        ("404 Not Found", "", PostOutcome::Failed { retry_after: None }),
        ("429 Too Many", "retry-after: 120\r\n", wait(120_000)),
        ("503 Unavailable", "Retry-After: Mon, 23 Nov 2026 22:01:00 GMT\r\n", wait(59_500)),
        ("500 Broken", "retry-after: whenever\r\n", PostOutcome::Failed { retry_after: None }),
    ] {
        assert_eq!(answered(Act::answer(status, fields, "")).await.unwrap().outcome(), expected, "{status}");
    }
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_kept_and_not_much_is_read() {
    let whole = answered(Act::answer("200 OK", "", &"x".repeat(60_000))).await.unwrap();
    assert_eq!((whole.status, whole.excerpt.len()), (200, 1024));
    // More than any buffer between the two holds.
    let (chunk, times) = (vec![b'y'; 64 * 1024], 1024);
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n"] {
        let endpoint = Endpoint::start(Act::Repeat(head.into(), chunk.clone(), times)).await;
        let answer = post(anywhere(), &endpoint.url("http", "127.0.0.1")).await.unwrap();
        assert_eq!((answer.status, answer.excerpt), (200, "y".repeat(1024)));
        let said = endpoint.seen(|seen| seen.said);
        assert!(said < chunk.len() * times / 2, "{said} octets were taken");
    }
}

#[tokio::test]
async fn a_head_without_end_is_no_answer() {
    for head in ["", "HTTP/1.1 200 OK\r\n"] {
        let fields = Act::Repeat(head.into(), b"x: y\r\n".repeat(2000), 1000);
        let error = answered(fields).await.unwrap_err();
        assert!(matches!(error, PostError::NotHttp(_)), "{error:?}");
    }
    // Interim answers without end come to an end with the octets.
    let error = answered(Act::Repeat(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), 1000)).await.unwrap_err();
    assert!(matches!(error, PostError::Closed(_) | PostError::NotHttp(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    let closed = answered(Act::Say(Vec::new())).await.unwrap_err();
    assert!(matches!(closed, PostError::Closed(_)), "{closed:?}");
    let half = answered(Act::Say(b"HTTP/1.1 200 OK\r\ncontent-".to_vec())).await.unwrap_err();
    assert!(matches!(half, PostError::Closed(_) | PostError::NotHttp(_)), "{half:?}");
    for nonsense in
        ["SSH-2.0-OpenSSH_9\r\n", "220 mail.example ESMTP\r\n", "200 OK\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\0"]
    {
        let error = answered(Act::Say(nonsense.into())).await.unwrap_err();
        assert!(matches!(error, PostError::NotHttp(_)), "{nonsense:?}: {error:?}");
    }
}

#[tokio::test]
async fn an_attempt_ends_with_its_time() {
    for hang in ["", "HTTP/1.1 200", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nx: "] {
        let (result, took) = cut_short(Act::Hang(hang.into())).await;
        assert!(matches!(result, Err(PostError::TimedOut(Step::Answer))), "{hang:?}: {result:?}");
        assert!(took >= SOON && took < 5 * SOON, "{took:?}");
    }
    // A status that came in time counts: the endpoint has the event, however long it talks.
    let (result, took) = cut_short(Act::Hang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".into())).await;
    let answer = result.unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (200, "half"));
    assert!(took >= SOON && took < 5 * SOON, "{took:?}");
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_answer() {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = post(anywhere(), &format!("http://{address}/")).await.unwrap_err();
    assert!(matches!(error, PostError::Connect(_)), "{error:?}");
}
