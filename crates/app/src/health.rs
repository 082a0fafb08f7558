//! How the server is.

use std::time::Duration;

use selfmx_mail::RelayStatus;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::App;

/// Anybody may ask, so the database is asked at most once in this time.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Whoever asks gives up after some seconds, and is to hear of a database that takes connections and does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the database says of itself.
struct Told {
    durable: bool,
    queue_depth: u64,
    queue_lag: Option<Duration>,
    untracked: bool,
}

/// Whether all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// It is.
    Ok,
    /// Something needs an operator.
    Degraded,
}

/// How the server is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether all is well.
    pub status: HealthStatus,
    /// `ok` or `unreachable`.
    pub database: &'static str,
    /// `ok`, `untried` (no mail was handed over yet), `unreachable` (no connection could be made the last time), `held` (the relay refuses our credentials, or is not trusted) or `capture` (there is none).
    pub smtp: &'static str,
    /// How many emails have something left to do.
    pub queue_depth: Option<u64>,
    /// For how long the email has been due that has been so for longest and waits.
    pub queue_lag: Option<Duration>,
    /// How many relays this node has found not to be usable until somebody changes something, those of tenants' own among them.
    pub relays_paused: u64,
    /// What an operator should know.
    pub warnings: Vec<&'static str>,
}

/// Why the server should get no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It is about to stop.
    #[error("the server is shutting down")]
    Draining,
    /// Its store does not answer.
    #[error("the store cannot be reached")]
    StoreUnreachable,
    /// The schema is older than the program.
    #[error("the database is not migrated: run `selfmx migrate`")]
    NotMigrated,
}

/// What was found out last.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<(Instant, Health)>>);

impl App {
    /// How the server is; at most a second old.
    pub async fn health(&self) -> Health {
        let mut cached = self.health.0.lock().await;
        if let Some((at, health)) = &*cached
            && at.elapsed() < FRESH_FOR
        {
            return health.clone();
        }
        let health = self.health_now().await;
        *cached = Some((Instant::now(), health.clone()));
        health
    }

    async fn health_now(&self) -> Health {
        let mut warnings = Vec::new();
        let smtp = match self.relay.as_ref().map(|relay| relay.status()) {
            None => "capture",
            Some(RelayStatus::Untried) => "untried",
            Some(RelayStatus::Ready) => "ok",
            Some(RelayStatus::Unreachable) => {
                warnings.push("the relay cannot be reached: mail is tried again until its attempts run out; POST /v1/test-smtp tells why");
                "unreachable"
            }
            Some(RelayStatus::Held { .. }) => {
                warnings.push("the relay cannot be used: mail waits in the queue; POST /v1/test-smtp tells why");
                "held"
            }
        };
        let told = timeout(PATIENCE, self.told()).await.ok().flatten();
        if told.as_ref().is_some_and(|told| !told.durable) {
            warnings.push("the database runs with fsync or full_page_writes off: accepted mail may be lost in a crash");
        }
        if told.as_ref().is_some_and(|told| told.untracked) {
            warnings.push("a tenant's mail is to be tracked and is not: PUBLIC_URL is not set");
        }
        let database = if told.is_some() { "ok" } else { "unreachable" };
        let status = if told.is_some() && warnings.is_empty() { HealthStatus::Ok } else { HealthStatus::Degraded };
        let (queue_depth, queue_lag) = told.map_or((None, None), |told| (Some(told.queue_depth), told.queue_lag));
        let own = self.relay.as_ref().map_or(0, |relay| relay.counts().paused().value());
        let relays_paused = own + self.terms.counts.paused().value();
        Health { status, database, smtp, queue_depth, queue_lag, relays_paused, warnings }
    }

    /// What the database says; `None` where it does not.
    async fn told(&self) -> Option<Told> {
        let durable = self.store.durability().await.ok()?.holds();
        let queue_depth = self.store.queue_depth().await.ok()?;
        Some(Told { durable, queue_depth, queue_lag: self.store.queue_lag().await.ok(), untracked: self.untracked().await })
    }

    /// Whether the server should get requests.
    ///
    /// # Errors
    ///
    /// [`NotReady`] says why not.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.draining.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(NotReady::Draining);
        }
        match timeout(PATIENCE, self.store.is_migrated()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(NotReady::NotMigrated),
            Err(_slow) => Err(NotReady::StoreUnreachable),
            Ok(Err(error)) if error.is_transient() => Err(NotReady::StoreUnreachable),
            Ok(Err(_)) => Err(NotReady::NotMigrated),
        }
    }
}
