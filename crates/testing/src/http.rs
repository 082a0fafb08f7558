//! An HTTP client that does what it is told and follows nothing.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct HttpClient {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, read to its end.
    pub body: Bytes,
}

impl HttpAnswer {
    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header field's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// No whole answer came back: whether the request was carried out is not known.
#[derive(Clone, Debug)]
pub struct NoAnswer(pub String);

impl HttpClient {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Where nothing listens.
    pub async fn connect(address: SocketAddr) -> Result<Self, NoAnswer> {
        let stream = TcpStream::connect(address).await.map_err(no_answer)?;
        stream.set_nodelay(true).map_err(no_answer)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_answer)?;
        tokio::spawn(connection);
        Ok(Self { address, sender })
    }

    /// Sends a request with a key and a JSON body, each where given.
    ///
    /// # Errors
    ///
    /// Where no whole answer came back.
    pub async fn send(&mut self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Result<HttpAnswer, NoAnswer> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(no_answer)?)
            .uri(path)
            .header(HOST, self.address.to_string());
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default()));
        self.exchange(request.body(body).map_err(no_answer)?).await
    }

    /// Sends a request with just these header fields beside `Host`, and these octets.
    ///
    /// # Errors
    ///
    /// Where the request cannot be written, or no whole answer came back.
    pub async fn send_octets(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<HttpAnswer, NoAnswer> {
        let request = Request::builder().method(Method::from_bytes(method.as_bytes()).map_err(no_answer)?).uri(path);
        let request =
            headers.iter().fold(request.header(HOST, self.address.to_string()), |request, (name, value)| request.header(*name, *value));
        self.exchange(request.body(Full::new(Bytes::from(body))).map_err(no_answer)?).await
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    ///
    /// Where no whole answer came back.
    pub async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, NoAnswer> {
        self.sender.ready().await.map_err(no_answer)?;
        let (head, body) = self.sender.send_request(request).await.map_err(no_answer)?.into_parts();
        let body = body.collect().await.map_err(no_answer)?.to_bytes();
        Ok(HttpAnswer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

fn no_answer(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer(error.to_string())
}
