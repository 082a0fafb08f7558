//! A load of mails over HTTP, with a ledger of what the client saw.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{HttpClient, NoAnswer};

/// How long the load goes on trying to reach a server that is down.
const PATIENCE: Duration = Duration::from_secs(60);
const BEFORE_RECONNECTING: Duration = Duration::from_millis(20);

/// So many mails, over so many connections, to a server that may be killed meanwhile.
#[derive(Clone, Debug)]
pub struct Load {
    /// The API key.
    pub key: String,
    /// How many mails are sent in all.
    pub mails: usize,
    /// Over how many connections.
    pub connections: usize,
    /// How many octets the text of each has.
    pub octets: usize,
}

/// What the client saw. Words as they are meant: *accepted* is a whole 2xx that was read.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The numbers of the mails that were accepted; mail `n` goes to `n@load.example`.
    pub accepted: Vec<usize>,
    /// Those to which no whole answer came: they may or may not have been accepted.
    pub unknown: Vec<usize>,
    /// Those that were refused, with the status.
    pub refused: Vec<(usize, u16)>,
}

impl Load {
    /// Sends them all. `server` tells where the server is, and may change when it is started again; `progress` counts accepted mails.
    ///
    /// # Panics
    ///
    /// Where the server cannot be reached for a minute.
    pub async fn run(self, server: watch::Receiver<SocketAddr>, progress: watch::Sender<usize>) -> Sent {
        let (load, next, progress) = (Arc::new(self), Arc::new(AtomicUsize::new(0)), Arc::new(progress));
        let mut clients = JoinSet::new();
        for _ in 0..load.connections {
            clients.spawn(client(Arc::clone(&load), server.clone(), Arc::clone(&next), Arc::clone(&progress)));
        }
        clients.join_all().await.into_iter().fold(Sent::default(), |mut all, sent| {
            all.accepted.extend(sent.accepted);
            all.unknown.extend(sent.unknown);
            all.refused.extend(sent.refused);
            all
        })
    }
}

async fn client(load: Arc<Load>, server: watch::Receiver<SocketAddr>, next: Arc<AtomicUsize>, progress: Arc<watch::Sender<usize>>) -> Sent {
    let mut sent = Sent::default();
    let mut connection = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.mails {
            return sent;
        }
        let mut http = match connection.take() {
            Some(http) => http,
            None => connect(&server).await,
        };
        let body = json!({"from": "load@sender.example", "to": format!("{number}@load.example"), "subject": format!("Load {number}"), "text": "x".repeat(load.octets)});
        match http.send("POST", "/v1/send", Some(&load.key), Some(&body)).await {
            Ok(answer) if answer.status == 202 => {
                sent.accepted.push(number);
                progress.send_modify(|accepted| *accepted += 1);
                connection = Some(http);
            }
            Ok(answer) => sent.refused.push((number, answer.status)),
            Err(NoAnswer(_)) => sent.unknown.push(number),
        }
    }
}

async fn connect(server: &watch::Receiver<SocketAddr>) -> HttpClient {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let address = *server.borrow();
        match HttpClient::connect(address).await {
            Ok(http) => return http,
            Err(NoAnswer(reason)) => assert!(Instant::now() < deadline, "the server at {address} cannot be reached: {reason}"),
        }
        tokio::time::sleep(BEFORE_RECONNECTING).await;
    }
}
