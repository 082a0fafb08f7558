//! An endpoint of a webhook's, and what it takes for a signature.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use selfmx_testing::standard_webhooks::Signed;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Takes posts, and gives these statuses one after the other, the last again and again.
pub(crate) struct Endpoint {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<()>,
}

#[derive(Default)]
struct State {
    connections: usize,
    posts: Vec<Post>,
}

impl Endpoint {
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, state, (sender, changed)) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default(), watch::channel(()));
        let (seen, statuses, sender) = (Arc::clone(&state), statuses.to_vec(), Arc::new(sender));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                seen.lock().unwrap().connections += 1;
                let (seen, statuses, sender) = (Arc::clone(&seen), statuses.clone(), Arc::clone(&sender));
                tokio::spawn(async move { serve(tcp, &seen, &statuses, &sender).await });
            }
        });
        Self { address, state, changed }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// All posts, once there are so many.
    pub(crate) async fn posts(&self, count: usize) -> Vec<Post> {
        let mut changed = self.changed.clone();
        let enough = async {
            loop {
                let posts = self.state.lock().unwrap().posts.clone();
                if posts.len() >= count {
                    return posts;
                }
                changed.changed().await.unwrap();
            }
        };
        timeout(Duration::from_secs(60), enough).await.unwrap_or_else(|_| panic!("waited in vain for {count} posts"))
    }
}

async fn serve(tcp: TcpStream, seen: &Mutex<State>, statuses: &[u16], changed: &watch::Sender<()>) {
    let mut stream = BufReader::new(tcp);
    let (mut headers, mut line) = (Vec::new(), String::new());
    while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        line.clear();
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() || length == 0 {
        return;
    }
    let status = {
        let mut state = seen.lock().unwrap();
        state.posts.push(Post { headers, body });
        statuses.get(state.posts.len() - 1).or(statuses.last()).copied().unwrap()
    };
    let asked = if status == 429 { "retry-after: 600\r\n" } else { "" };
    let answer = format!("HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\n{asked}content-length: 2\r\nconnection: close\r\n\r\nhi");
    let _ = stream.get_mut().write_all(answer.as_bytes()).await;
    changed.send_replace(());
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The post as a verifier takes it, with the names that Standard Webhooks has.
    pub(crate) fn signed<'a>(&'a self, secret: &'a str) -> Signed<'a> {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        Signed { secret, headers: names.map(|name| (name, self.header(name).unwrap())).to_vec(), body: &self.body }
    }

    pub(crate) fn plain_signature(&self) -> &str {
        self.header("x-webhook-signature").unwrap()
    }

    /// Whether one of its signatures is this secret's, as Standard Webhooks has it; those of the older names have to be the same.
    pub(crate) fn is_signed(&self, secret: &str) -> bool {
        let (id, at, signatures) =
            (self.header("webhook-id").unwrap(), self.header("webhook-timestamp").unwrap(), self.header("webhook-signature").unwrap());
        assert_eq!(
            (self.header("svix-id"), self.header("svix-timestamp"), self.header("svix-signature")),
            (Some(id), Some(at), Some(signatures))
        );
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &self.body].concat();
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac(secret, &signed)));
        signatures.split(' ').any(|signature| signature == expected)
    }
}

/// The plain signature that this secret gives a body.
pub(crate) fn plain(secret: &str, body: &[u8]) -> String {
    let hex: String = mac_of(secret.as_bytes(), body).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("sha256={hex}")
}

fn mac(secret: &str, signed: &[u8]) -> Vec<u8> {
    mac_of(&BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap(), signed)
}

fn mac_of(key: &[u8], signed: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed).as_ref().to_vec()
}
