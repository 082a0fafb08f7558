//! Connections kept between messages: the last one used goes first, the unused ones are closed after a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;

/// The idle connections of a relay.
pub(crate) struct Pool {
    idle_timeout: Duration,
    messages_per_connection: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Idle connections and since when, the oldest first.
    idle: Vec<(Instant, Connection)>,
    /// Whether a task waits to close those that are not used.
    watched: bool,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(idle_timeout: Duration, messages_per_connection: u32) -> Arc<Self> {
        Arc::new(Self { idle_timeout, messages_per_connection, state: Mutex::default() })
    }

    /// The connection that was used last, if one is there that the relay has not closed meanwhile.
    pub(crate) fn take(&self) -> Option<Connection> {
        loop {
            let (_, mut connection) = self.state().idle.pop()?;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next message, or says goodbye where it has served long enough.
    pub(crate) async fn put(self: &Arc<Self>, connection: Connection) {
        if let Some(unwanted) = self.keep(connection) {
            unwanted.quit().await;
        }
    }

    /// Says goodbye on all idle connections, and from now on on each that comes back.
    pub(crate) async fn close(&self) {
        let idle = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        for (_, connection) in idle {
            connection.quit().await;
        }
    }

    /// Gives the connection back where it is not to be kept.
    fn keep(self: &Arc<Self>, connection: Connection) -> Option<Connection> {
        let mut state = self.state();
        if state.closed || connection.served >= self.messages_per_connection {
            return Some(connection);
        }
        state.idle.push((Instant::now(), connection));
        if !std::mem::replace(&mut state.watched, true) {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
        None
    }

    /// Those that were idle for too long, and when to look again; never where nothing is left to watch.
    fn expired(&self, now: Instant) -> (Vec<Connection>, Option<Instant>) {
        let mut state = self.state();
        let count = state.idle.partition_point(|(since, _)| *since + self.idle_timeout <= now);
        let expired = state.idle.drain(..count).map(|(_, connection)| connection).collect();
        let next = state.idle.first().map(|(since, _)| *since + self.idle_timeout);
        state.watched = next.is_some();
        (expired, next)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that nobody uses, for as long as there are any.
async fn watch(pool: Weak<Pool>) {
    loop {
        let Some((expired, next)) = pool.upgrade().map(|pool| pool.expired(Instant::now())) else { return };
        for connection in expired {
            connection.quit().await;
        }
        let Some(next) = next else { return };
        sleep_until(next).await;
    }
}
