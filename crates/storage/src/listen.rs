//! The connection on which a node hears of the others: of work, and of changed keys and tenants. It is none of the pool's.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Config, Notification};
use tokio_util::sync::CancellationToken;

use crate::address::{DatabaseAddress, reason};
use crate::changes;
use crate::memory::{Changed, Listening};
use crate::{Error, Store, wake};

/// Follows the connection's application name, by which an operator tells it from the pool's.
const NAME: &str = "listening";
const BETWEEN_ANNOUNCEMENTS: Duration = Duration::from_millis(5);
const BETWEEN_PULSES: Duration = Duration::from_millis(250);
const BEFORE_RECONNECTING: Duration = Duration::from_secs(1);

/// How long the server has to let us in, and to answer what we sent, before the connection is given up.
const SILENCE: Duration = Duration::from_secs(5);

/// One connection's own channel. Its name is also in what it announces: that needs not be heard here.
struct Channel(String);

impl Store {
    /// Listens until `stop` for what other nodes do, and tells them of this node's work. A lost connection is made again.
    ///
    /// While it lasts, this node remembers the keys that it has recognised, and forgets each when it or its tenant changes. Called once for a store.
    pub async fn listen(&self, address: &DatabaseAddress, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let listening = tokio::select! {
                () = stop.cancelled() => return,
                listening = self.listen_once(address) => listening,
            };
            if let Err(error) = listening {
                tracing::warn!(error = %error, "the connection that hears of other nodes is lost: until it is back, workers look for work every second and each request asks the database for its key");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(BEFORE_RECONNECTING) => {}
            }
        }
    }

    /// Serves one connection until it breaks.
    async fn listen_once(&self, address: &DatabaseAddress) -> Result<(), Error> {
        let channel = Channel::new(self);
        let config = named(address.config());
        let opening = timeout(SILENCE, config.connect(address.tls()));
        let (client, mut connection) = opening.await.or(Err(silent()))?.map_err(unavailable)?;
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        let reading = async {
            while let Some(message) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message.map_err(unavailable)? {
                    self.hear(&notification, &channel);
                }
            }
            Err(Error::Unavailable("the server closed the connection".to_owned()))
        };
        let speaking = async {
            answered(&client, &channel.subscribe()).await?;
            let listening = self.memory.listen();
            // What came while nobody listened.
            self.wake.work_came();
            tokio::try_join!(self.announce_work(&client, &channel), pulse(&client, &channel, &listening)).map(|_| ())
        };
        tokio::select! {
            ended = reading => ended,
            ended = speaking => ended,
        }
    }

    fn hear(&self, notification: &Notification, own: &Channel) {
        match (notification.channel(), notification.payload()) {
            (wake::CHANNEL, from) if from == own.0 => {}
            (wake::CHANNEL, _) => self.wake.work_came(),
            (changes::CHANNEL, changed) => self.memory.forget(Changed::announced(changed)),
            (_, pulse) => self.memory.pulse_heard(pulse),
        }
    }

    async fn announce_work(&self, client: &Client, own: &Channel) -> Result<(), Error> {
        let announcement = format!("NOTIFY {}, '{}'", wake::CHANNEL, own.0);
        loop {
            self.wake.announcement_wanted().await;
            answered(client, &announcement).await?;
            tokio::time::sleep(BETWEEN_ANNOUNCEMENTS).await;
        }
    }
}

/// Sends pulses while they are wanted.
async fn pulse(client: &Client, own: &Channel, listening: &Listening<'_>) -> Result<(), Error> {
    loop {
        listening.pulse_wanted().await;
        let number = listening.pulse_sent(Instant::now());
        answered(client, &own.pulse(number)).await?;
        timeout(SILENCE, listening.pulse_back()).await.or(Err(silent()))?;
        tokio::time::sleep(BETWEEN_PULSES).await;
    }
}

impl Channel {
    fn new(store: &Store) -> Self {
        let mut octets = [0; 8];
        store.entropy.fill(&mut octets);
        Self(format!("selfmx_node_{:016x}", u64::from_be_bytes(octets)))
    }

    /// Neither an announcement of work nor a pulse has to be durable.
    fn subscribe(&self) -> String {
        format!("SET synchronous_commit = off; LISTEN {}; LISTEN {}; LISTEN {}", wake::CHANNEL, changes::CHANNEL, self.0)
    }

    /// A pulse tells its number and the database's time.
    fn pulse(&self, number: u64) -> String {
        format!("SELECT pg_notify('{}', '{number} ' || (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)", self.0)
    }
}

fn named(config: &Config) -> Config {
    let mut config = config.clone();
    let name = format!("{} {NAME}", config.get_application_name().unwrap_or_default());
    config.application_name(name);
    config
}

/// Runs what the server answers at once, or not at all.
async fn answered(client: &Client, statements: &str) -> Result<(), Error> {
    timeout(SILENCE, client.batch_execute(statements)).await.or(Err(silent()))?.map_err(unavailable)
}

fn unavailable(error: tokio_postgres::Error) -> Error {
    Error::Unavailable(reason(&error))
}

fn silent() -> Error {
    Error::Unavailable("the server says nothing".to_owned())
}
