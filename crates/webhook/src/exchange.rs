//! Requests and their answers over one connection, one after the other.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
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
        .header("traceparent", post.traceparent)
        .header("x-webhook-signature", signatures.plain());
    for [name, timestamp, signature] in NAMES {
        request = request.header(name, &id).header(timestamp, signatures.timestamp()).header(signature, signatures.standard());
    }
    request.body(Full::new(post.body.clone())).map_err(PostError::Request)
}

/// What an endpoint is connected by: TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// A connection to an endpoint. Nothing of it goes on while nobody waits for an answer.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<Bounded>, Full<Bytes>>>>,
    left: Arc<AtomicUsize>,
}

impl Connection {
    /// Speaks HTTP/1.1 over `stream`.
    pub(crate) async fn over(stream: impl Stream + 'static) -> Result<Self, PostError> {
        let left = Arc::new(AtomicUsize::new(Answer::MAX_READ));
        let bounded = Bounded { stream: Box::pin(stream), left: Arc::clone(&left) };
        let (sender, driver) =
            http1::Builder::new().max_buf_size(Answer::MAX_READ).handshake(TokioIo::new(bounded)).await.map_err(no_answer)?;
        Ok(Self { sender, driver: Box::pin(driver), left })
    }

    /// Sends the request and reads its answer, of which no more than [`Answer::MAX_READ`] octets are looked at.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        now: OffsetDateTime,
        deadline: Instant,
    ) -> Result<Answer, PostError> {
        // Whatever comes after that many octets looks like the end of the connection.
        self.left.store(Answer::MAX_READ, Ordering::Relaxed);
        let conversation = async {
            let response = timeout_at(deadline, self.sender.send_request(request)).await.or(Err(PostError::TimedOut(Step::Answer)))?;
            Ok(Answer::read(response.map_err(no_answer)?, now, deadline).await)
        };
        let mut conversation = Box::pin(conversation);
        tokio::select! {
            biased;
            done = &mut conversation => return done,
            // What ends the connection reaches the conversation as well.
            _ = &mut self.driver => {}
        }
        conversation.await
    }

    /// Whether another request may follow: the answer was read to its end, and the endpoint means to go on.
    pub(crate) async fn goes_on(&mut self, deadline: Instant) -> bool {
        if self.left.load(Ordering::Relaxed) == 0 || self.sender.is_closed() {
            return false;
        }
        tokio::select! {
            biased;
            _ = &mut self.driver => false,
            ready = timeout_at(deadline, self.sender.ready()) => matches!(ready, Ok(Ok(()))),
        }
    }
}

/// A stream of which so many octets more are read.
struct Bounded {
    stream: Pin<Box<dyn Stream>>,
    left: Arc<AtomicUsize>,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Ok(()));
        }
        let room = left.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(self.stream.as_mut().poll_read(context, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        self.left.store(left - read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

fn no_answer(error: hyper::Error) -> PostError {
    if error.is_parse() { PostError::NotHttp(error) } else { PostError::Closed(error) }
}
