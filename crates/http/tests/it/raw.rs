//! HTTP/1.1 by hand: what is sent is what the test says, octet by octet.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes; whoever waits so long waits in vain.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl RawAnswer {
    /// A header field's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.split("\r\n").skip(1);
        lines.filter_map(|line| line.split_once(": ")).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The error's code.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Raw {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Sends octets as they are.
    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    /// Sends as much as the server takes.
    pub(crate) async fn try_send(&mut self, octets: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(octets.as_ref()).await
    }

    /// Sends no more, but reads on.
    pub(crate) async fn finish_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads one answer with a body.
    pub(crate) async fn answer(&mut self) -> RawAnswer {
        self.answer_to("GET").await.unwrap()
    }

    /// Reads one answer, without a body where the method was `HEAD`; `None` at the connection's end.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<RawAnswer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if self.more().await == 0 {
                assert!(self.read.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&self.read));
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).take(end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = RawAnswer { status, head, body: Vec::new() };
        if status == 100 || method == "HEAD" {
            return Some(answer);
        }
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        while self.read.len() < length {
            assert_ne!(self.more().await, 0, "half a body");
        }
        answer.body = self.read.drain(..length).collect();
        Some(answer)
    }

    /// Reads no more of the next answer than its status.
    pub(crate) async fn status(&mut self) -> u16 {
        while self.read.len() < 12 {
            assert_ne!(self.up_to(12).await, 0, "no answer");
        }
        String::from_utf8_lossy(&self.read[9..12]).parse().unwrap()
    }

    /// Waits for the connection's end; what comes before is an error.
    pub(crate) async fn closed(&mut self) {
        assert!(self.answer_to("GET").await.is_none());
    }

    /// Reads whatever comes until the connection's end.
    pub(crate) async fn ended(&mut self) -> &[u8] {
        while self.more().await > 0 {}
        &self.read
    }

    async fn more(&mut self) -> usize {
        self.up_to(64 * 1024).await
    }

    async fn up_to(&mut self, octets: usize) -> usize {
        self.read.reserve(octets);
        let mut limited = (&mut self.stream).take(octets as u64);
        let read = timeout(PATIENCE, limited.read_buf(&mut self.read)).await;
        // A reset is an end as well.
        read.expect("the server does nothing").unwrap_or(0)
    }
}

/// Sends a request on a connection of its own and reads the answer.
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = Raw::connect(address).await;
    raw.send(request).await;
    raw.answer().await
}

/// A request for `target` with these further header lines, each ended by CRLF.
pub(crate) fn request(method: &str, target: &str, lines: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: x.example\r\n{lines}\r\n")
}

/// A request with a key and a JSON body.
pub(crate) fn with_body(target: &str, key: &str, body: &str) -> String {
    let lines = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    request("POST", target, &lines) + body
}
