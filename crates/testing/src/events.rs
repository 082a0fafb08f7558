//! A reader of server-sent events (WHATWG HTML, `text/event-stream`), over HTTP/1.1 or HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{HttpAnswer, NoAnswer};

/// A stream of events, read over a connection of its own.
#[derive(Debug)]
pub struct EventReader {
    body: Incoming,
    /// What has come and was not looked at.
    rest: Vec<u8>,
    last_id: Option<String>,
    comments: usize,
    retry: Option<u64>,
    is_broken: bool,
    /// While this lives the connection does.
    _sender: Sender,
}

/// A stream that is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct EventRequest<'a> {
    /// Where the server listens.
    pub address: SocketAddr,
    /// [`Version::HTTP_11`] or [`Version::HTTP_2`].
    pub version: Version,
    /// The path with its query.
    pub path: &'a str,
    /// The key.
    pub key: &'a str,
    /// The id after which the reader goes on.
    pub after: Option<&'a str>,
}

#[derive(Debug)]
enum Sender {
    One { _held: http1::SendRequest<Empty<Bytes>> },
    Two { _held: http2::SendRequest<Empty<Bytes>> },
}

impl EventReader {
    /// Opens a stream; what is answered instead is given back whole.
    ///
    /// # Errors
    ///
    /// Where there is no answer.
    pub async fn open(wanted: EventRequest<'_>) -> Result<Result<Self, HttpAnswer>, NoAnswer> {
        let EventRequest { address, version, path, key, after } = wanted;
        let mut request = Request::get(format!("http://{address}{path}"));
        if version == Version::HTTP_11 {
            request = Request::get(path).header("host", address.to_string());
        }
        request = request.header("authorization", format!("Bearer {key}")).header("accept", "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let request = request.body(Empty::new()).map_err(no_answer)?;
        let (response, sender) = exchange(address, version, request).await?;
        let (head, body) = response.into_parts();
        if head.status == 200 {
            return Ok(Ok(Self { body, rest: Vec::new(), last_id: None, comments: 0, retry: None, is_broken: false, _sender: sender }));
        }
        let body = body.collect().await.map_err(no_answer)?.to_bytes();
        Ok(Err(HttpAnswer { status: head.status.as_u16(), headers: head.headers, body }))
    }

    /// The next event, or `None` at the stream's end, however that came.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let block = self.block().await?;
            if let Some(event) = self.event(&block) {
                return Some(event);
            }
        }
    }

    /// The next block, whatever is in it, as it came; `None` at the stream's end.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.rest.drain(..end + 2).collect();
                return String::from_utf8(block).ok();
            }
            let frame = self.body.frame().await?;
            self.is_broken |= frame.is_err();
            self.rest.extend_from_slice(frame.ok()?.data_ref()?);
        }
    }

    /// The id after which a new stream would go on.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Whether the stream was broken off, instead of ended.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// How many comments have come.
    #[must_use]
    pub const fn comments(&self) -> usize {
        self.comments
    }

    /// How many milliseconds to wait before another stream is opened, where that was said.
    #[must_use]
    pub const fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// What a block says: its data, where it has some.
    pub fn event(&mut self, block: &str) -> Option<Value> {
        let mut data = String::new();
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "id" => self.last_id = Some(value.to_owned()),
                "retry" => self.retry = value.parse().ok(),
                "data" => data.push_str(value),
                _ => {}
            }
        }
        serde_json::from_str(&data).ok()
    }
}

async fn exchange(address: SocketAddr, version: Version, request: Request<Empty<Bytes>>) -> Result<(Response<Incoming>, Sender), NoAnswer> {
    let stream = TcpStream::connect(address).await.map_err(no_answer)?;
    if version == Version::HTTP_2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(no_answer)?;
        tokio::spawn(connection);
        return Ok((sender.send_request(request).await.map_err(no_answer)?, Sender::Two { _held: sender }));
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_answer)?;
    tokio::spawn(connection);
    Ok((sender.send_request(request).await.map_err(no_answer)?, Sender::One { _held: sender }))
}

fn no_answer(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer(error.to_string())
}
