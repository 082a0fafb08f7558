//! An endpoint that answers what the test says, octet by octet, and keeps what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selfmx_domain::{EventId, Reach, WebhookId, WebhookSecret};
use selfmx_testing::Certificate;
use selfmx_webhook::{Answer, Post, PostError, Poster, PosterSettings};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// When all posts are made.
pub(crate) const AT: OffsetDateTime = datetime!(2026-11-23 22:00:00.5 UTC);

/// What all posts say.
pub(crate) const BODY: &str = r#"{"id":"evt_01h455vb4pex5vsknk084sn02q","type":"delivered","data":{"subject":"Grüße"}}"#;

/// What an endpoint does once it has a whole request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Says this and closes.
    Say(Vec<u8>),
    /// Says the first, then the second again and again, until nobody listens or it has said so many of them.
    Repeat(Vec<u8>, Vec<u8>, usize),
    /// Says this and then nothing more, without closing.
    Hang(Vec<u8>),
    /// Says this to each request that comes over a connection.
    Keep(Vec<u8>),
    /// Says the first to a connection's first request, and the second to the next one, and closes.
    Then(Vec<u8>, Vec<u8>),
}

impl Act {
    /// An answer with this status line's end, fields and text.
    pub(crate) fn answer(status: &str, fields: &str, text: &str) -> Self {
        Self::Say(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}\r\n{text}", text.len()).into_bytes())
    }
}

/// What an endpoint has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// How many connections there were.
    pub(crate) connections: usize,
    /// How many of them are open.
    pub(crate) open: usize,
    /// Each whole request, as it came.
    pub(crate) requests: Vec<String>,
    /// How many octets it could say.
    pub(crate) said: usize,
}

/// An endpoint on a free port of this machine.
pub(crate) struct Endpoint {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Endpoint {
    /// One that speaks plain HTTP.
    pub(crate) async fn start(act: Act) -> Self {
        Self::listening(act, None).await
    }

    /// One that speaks TLS.
    pub(crate) async fn with_tls(act: Act, certificate: &Certificate) -> Self {
        Self::listening(act, Some(TlsAcceptor::from(certificate.server_config()))).await
    }

    async fn listening(act: Act, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Seen>>::default());
        let for_task = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                {
                    let mut seen = for_task.lock().unwrap();
                    seen.connections += 1;
                    seen.open += 1;
                }
                let (act, tls, seen) = (act.clone(), tls.clone(), Arc::clone(&for_task));
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                serve(stream, act, &seen).await;
                            }
                        }
                        None => serve(tcp, act, &seen).await,
                    }
                    seen.lock().unwrap().open -= 1;
                });
            }
        });
        Self { address, seen }
    }

    /// Its URL, by this scheme and host.
    pub(crate) fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/hook?x=1", self.address.port())
    }

    /// Waits until so many connections, and no fewer, are closed.
    pub(crate) async fn closed(&self, count: usize) {
        let closed = async {
            while self.seen(|seen| seen.connections - seen.open) < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    }

    /// What it has seen so far.
    pub(crate) fn seen<T>(&self, look: impl Fn(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, act: Act, seen: &Mutex<Seen>) {
    let mut act = act;
    while served(&mut stream, &act, seen).await {
        if let Act::Then(_, second) = act {
            act = Act::Say(second);
        }
    }
}

/// Serves one request, and tells whether another may follow.
async fn served(mut stream: impl AsyncRead + AsyncWrite + Unpin, act: &Act, seen: &Mutex<Seen>) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(BODY.as_bytes()) {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => request.extend(buffer.iter().take(read)),
            _ => return false,
        }
    }
    seen.lock().unwrap().requests.push(String::from_utf8(request).unwrap());
    let (first, again, times) = match act {
        Act::Say(octets) | Act::Hang(octets) | Act::Keep(octets) | Act::Then(octets, _) => (octets.clone(), Vec::new(), 0),
        Act::Repeat(first, again, times) => (first.clone(), again.clone(), *times),
    };
    let _ = stream.write_all(&first).await;
    for _ in 0..times {
        if stream.write_all(&again).await.is_err() {
            break;
        }
        seen.lock().unwrap().said += again.len();
    }
    let _ = stream.flush().await;
    if matches!(act, Act::Hang(_)) {
        // Until the other side has had enough.
        let _ = stream.read(&mut buffer).await;
        return false;
    }
    if matches!(act, Act::Keep(_) | Act::Then(..)) {
        return true;
    }
    let _ = stream.shutdown().await;
    false
}

/// Settings that reach any address, within two seconds.
pub(crate) fn anywhere() -> PosterSettings {
    PosterSettings { reach: Reach::Anywhere, timeout: Duration::from_secs(2), ..PosterSettings::default() }
}

/// The secrets that all posts are signed with.
pub(crate) fn secrets() -> [WebhookSecret; 2] {
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="].map(|text| text.parse().unwrap())
}

/// The trace of all posts.
pub(crate) const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The webhook of all posts that say no other.
pub(crate) const WEBHOOK: &str = "wh_01h455vb4pex5vsknk084sn02q";

/// Posts once, signed with both secrets.
pub(crate) async fn post(settings: PosterSettings, url: &str) -> Result<Answer, PostError> {
    let [secret, previous] = secrets();
    post_by(&Poster::new(&settings).unwrap(), WEBHOOK, url, (&secret, Some(&previous))).await
}

/// Posts once for this webhook.
pub(crate) async fn post_by(
    poster: &Poster,
    webhook: &str,
    url: &str,
    (secret, previous_secret): (&WebhookSecret, Option<&WebhookSecret>),
) -> Result<Answer, PostError> {
    let (webhook, event): (WebhookId, EventId) = (webhook.parse().unwrap(), "evt_01h455vb4pex5vsknk084sn02q".parse().unwrap());
    let url = url.parse().unwrap();
    poster.post(&Post { webhook, url: &url, event, at: AT, body: BODY.into(), secret, previous_secret, traceparent: TRACE }).await
}
