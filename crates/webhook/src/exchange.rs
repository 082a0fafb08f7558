//! One request and its answer over one connection, which is then closed.

use std::pin::pin;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join, split};
use tokio::time::{Instant, timeout_at};

use crate::error::Step;
use crate::{Answer, Post, PostError, Signatures};

const AGENT: &str = concat!("SelfMX/", env!("CARGO_PKG_VERSION"));

/// The names of the id, the time and the signature: those of Standard Webhooks, and those that its receivers had before.
const NAMES: [[&str; 3]; 2] = [["webhook-id", "webhook-timestamp", "webhook-signature"], ["svix-id", "svix-timestamp", "svix-signature"]];

/// The request, signed.
pub(crate) fn request(post: &Post<'_>) -> Result<Request<Full<Bytes>>, PostError> {
    let id = post.event.to_string();
    let signatures = Signatures::new(&id, post.at, &post.body, post.secret, post.previous_secret);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(post.url.target())
        .header(HOST, post.url.authority())
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .header("x-webhook-signature", signatures.plain());
    for [name, timestamp, signature] in NAMES {
        request = request.header(name, &id).header(timestamp, signatures.timestamp()).header(signature, signatures.standard());
    }
    request.body(Full::new(post.body.clone())).map_err(PostError::Request)
}

/// Sends the request and reads its answer, of which no more than [`Answer::MAX_READ`] octets are looked at.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    request: Request<Full<Bytes>>,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<Answer, PostError> {
    let (read, write) = split(stream);
    // Whatever comes after that many octets looks like the end of the connection.
    let bounded = Box::pin(join(read.take(Answer::MAX_READ), write));
    let (mut sender, connection) = http1::Builder::new().max_buf_size(size()).handshake(TokioIo::new(bounded)).await.map_err(no_answer)?;
    let mut conversation = pin!(async {
        let response = timeout_at(deadline, sender.send_request(request)).await.or(Err(PostError::TimedOut(Step::Answer)))?;
        Ok(Answer::read(response.map_err(no_answer)?, now, deadline).await)
    });
    tokio::select! {
        biased;
        done = &mut conversation => return done,
        // What ends the connection reaches the conversation as well.
        _ = connection => {}
    }
    conversation.await
}

fn size() -> usize {
    usize::try_from(Answer::MAX_READ).unwrap_or(usize::MAX)
}

fn no_answer(error: hyper::Error) -> PostError {
    if error.is_parse() { PostError::NotHttp(error) } else { PostError::Closed(error) }
}
