//! How workers hear of new work: at once on the node that accepted it, by `NOTIFY` on the others.
//!
//! A `NOTIFY` within the accepting transaction would hold a lock on the whole database while it commits, so that no two commits could share a
//! flush. A mail is announced after its commit instead, at most every few milliseconds for all of them; a poll finds what an announcement missed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client};
use tokio_util::sync::CancellationToken;

use crate::address::{DatabaseAddress, reason};
use crate::{Error, Store};

const SUBSCRIBE: &str = "SET synchronous_commit = off; LISTEN selfmx_work";
const ANNOUNCE: &str = "NOTIFY selfmx_work";
const BETWEEN_ANNOUNCEMENTS: Duration = Duration::from_millis(5);
const BEFORE_RECONNECTING: Duration = Duration::from_secs(1);

/// The two signals of one node.
#[derive(Clone, Default)]
pub(crate) struct Wake {
    work: Arc<Notify>,
    announce: Arc<Notify>,
}

impl Wake {
    /// New work was committed on this node.
    pub(crate) fn accepted(&self) {
        self.work.notify_one();
        self.announce.notify_one();
    }
}

impl Store {
    /// Returns when there may be work. One of those who wait is woken for each signal.
    pub async fn work_arrived(&self) {
        self.wake.work.notified().await;
    }

    /// Wakes one of those who wait in [`work_arrived`](Self::work_arrived).
    pub fn work_suspected(&self) {
        self.wake.work.notify_one();
    }

    /// Listens for work that other nodes accept and tells them of this node's, until `stop`. A lost connection is made again.
    pub async fn listen(&self, address: &DatabaseAddress, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let listening = tokio::select! {
                () = stop.cancelled() => return,
                listening = self.listen_once(address) => listening,
            };
            if let Err(error) = listening {
                tracing::warn!(error = %error, "the connection that hears of new work is lost: workers look for work every second until it is back");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(BEFORE_RECONNECTING) => {}
            }
        }
    }

    /// Serves one connection until it breaks.
    async fn listen_once(&self, address: &DatabaseAddress) -> Result<(), Error> {
        let unavailable = |error: tokio_postgres::Error| Error::Unavailable(reason(&error));
        let (client, mut connection) = address.config().connect(address.tls()).await.map_err(unavailable)?;
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let reading = async {
            while let Some(message) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message.map_err(unavailable)? {
                    // Nobody is left to tell only when the other half has ended, which ends this one too.
                    let _ = sender.send(notification.process_id());
                }
            }
            Err(Error::Unavailable("the server closed the connection".to_owned()))
        };
        let serving = async {
            let own = subscribe(&client).await.map_err(unavailable)?;
            // What came while nobody listened.
            self.wake.work.notify_one();
            loop {
                tokio::select! {
                    Some(from) = receiver.recv() => if from != own { self.wake.work.notify_one() },
                    () = self.wake.announce.notified() => {
                        client.batch_execute(ANNOUNCE).await.map_err(unavailable)?;
                        tokio::time::sleep(BETWEEN_ANNOUNCEMENTS).await;
                    }
                }
            }
        };
        tokio::select! {
            ended = reading => ended,
            ended = serving => ended,
        }
    }
}

/// Starts to listen and tells the connection's own process id, by which it knows its own announcements.
async fn subscribe(client: &Client) -> Result<i32, tokio_postgres::Error> {
    // An announcement is a hint: its commit need not be durable.
    client.batch_execute(SUBSCRIBE).await?;
    client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)
}
