//! An endpoint of a webhook: it reads each post, over connections that are kept, and answers as it is told to.

#![expect(clippy::expect_used, reason = "a test without a socket has failed")]

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What decides how a post is answered: with this status, or never.
type Answer = dyn Fn(&Value) -> Option<u16> + Send + Sync;

/// An endpoint on a free port of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    address: SocketAddr,
}

impl Receiver {
    /// One that answers each post as `answer` has it, by the post's JSON; `None`: it takes the post and never says a word.
    ///
    /// # Panics
    ///
    /// Where no port is free.
    pub async fn start(answer: impl Fn(&Value) -> Option<u16> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let answer: Arc<Answer> = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move { serve(tcp, &*answer).await });
            }
        });
        Self { address }
    }

    /// Where it is to be told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}

/// Serves a connection until its other end has had enough.
async fn serve(tcp: TcpStream, answer: &Answer) {
    let mut stream = BufReader::new(tcp);
    while let Some(post) = post(&mut stream).await {
        let Some(status) = answer(&post) else {
            // Until the other end gives up.
            let _ = stream.read_u8().await;
            return;
        };
        let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nhi");
        if stream.get_mut().write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn post(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    serde_json::from_slice(&body).ok()
}
