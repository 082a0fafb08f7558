//! Taking connections, and stopping without breaking off what is open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use selfmx_app::App;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::client_address::is_trusted;
use crate::places::{Full, Place, Places};
use crate::router::TableError;
use crate::shared::Shared;
use crate::{Doorkeeper, HttpSettings, Router, connection, table};

/// How long to wait where the system has no more file descriptors: sooner, the next attempt would fail as well.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// How often refused connections are logged at most.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every open request was answered.
    Completely,
    /// The time was up; so many connections and requests were broken off.
    BrokenOff(usize),
}

/// Serves the API on `listener` until `drain` is cancelled; then no connection is taken any more, open requests are finished within
/// [`drain_timeout`](HttpSettings::drain_timeout), and the rest is broken off. Dropping the future breaks off all connections at once.
///
/// # Errors
///
/// [`TableError`] where the route table contradicts itself.
pub async fn serve(listener: TcpListener, app: Arc<App>, settings: HttpSettings, drain: CancellationToken) -> Result<Drained, TableError> {
    Ok(serve_routes(listener, app, Router::new(table::table())?, settings, drain).await)
}

/// The same with another state and other routes.
pub async fn serve_routes<S: Doorkeeper>(
    listener: TcpListener,
    state: Arc<S>,
    router: Router<S>,
    settings: HttpSettings,
    drain: CancellationToken,
) -> Drained {
    let shared = Shared::new(state, router, settings, drain);
    let places = Places::new(shared.settings.max_connections, shared.settings.max_connections_per_address);
    let mut connections = JoinSet::new();
    let mut refused = Refused::default();
    loop {
        let accepted = tokio::select! {
            () = shared.drain.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => admit(accepted, &shared, &places, &mut connections, &mut refused),
            Err(error) => wait_after(&error).await,
        }
    }
    drop(listener);
    finish(connections, &shared).await
}

fn admit<S: Doorkeeper>(
    (socket, peer): (TcpStream, SocketAddr),
    shared: &Arc<Shared<S>>,
    places: &Arc<Places>,
    connections: &mut JoinSet<()>,
    refused: &mut Refused,
) {
    let address = (!is_trusted(peer.ip(), &shared.settings.trusted_proxies)).then_some(peer.ip());
    match places.take(address.map(|address| address.to_canonical())) {
        Ok(place) => {
            connections.spawn(hold(place, connection::run(socket, peer, Arc::clone(shared))));
        }
        Err(Full::All) => refused.note("too many connections in all", peer),
        Err(Full::Address) => refused.note("too many connections from one address", peer),
    }
}

/// Connections that got no place, logged together: a flood of them is not to become a flood of lines.
#[derive(Default)]
struct Refused {
    count: u64,
    logged: Option<Instant>,
}

impl Refused {
    fn note(&mut self, reason: &str, peer: SocketAddr) {
        self.count += 1;
        if self.logged.is_none_or(|logged| logged.elapsed() >= BETWEEN_LINES) {
            tracing::warn!(reason, client = %peer.ip(), count = self.count, "connections refused");
            *self = Self { count: 0, logged: Some(Instant::now()) };
        }
    }
}

async fn hold(place: Place, connection: impl Future<Output = ()>) {
    connection.await;
    drop(place);
}

/// A connection that broke before it was taken is nobody's matter; anything else is the system's, and lasts.
async fn wait_after(error: &io::Error) {
    let fleeting = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !fleeting.contains(&error.kind()) {
        tracing::error!(%error, "no connection can be taken");
        sleep(OUT_OF_DESCRIPTORS).await;
    }
}

async fn finish<S>(mut connections: JoinSet<()>, shared: &Shared<S>) -> Drained {
    let deadline = Instant::now() + shared.settings.drain_timeout;
    shared.tasks.close();
    let closed = async {
        while connections.join_next().await.is_some() {}
        shared.tasks.wait().await;
    };
    if timeout_at(deadline, closed).await.is_ok() {
        return Drained::Completely;
    }
    let left = connections.len().max(shared.tasks.len());
    connections.shutdown().await;
    Drained::BrokenOff(left)
}
