//! A node that listens, and the way from it to the database, which a test can cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfmx_storage::{DatabaseAddress, Store};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_util::sync::CancellationToken;

use crate::place::{LONG, Place};

/// A node that listens.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) stop: CancellationToken,
    pub(crate) listening: JoinHandle<()>,
}

impl Node {
    /// Returns once it listens: it then looks for what came while it did not.
    pub(crate) async fn listening(place: &Place) -> Self {
        Self::listening_by(place, place.address()).await
    }

    /// The same, where it listens by another way than it asks.
    pub(crate) async fn listening_by(place: &Place, address: DatabaseAddress) -> Self {
        let (store, stop) = (place.other_store(), CancellationToken::new());
        let (listener, token) = (store.clone(), stop.clone());
        let listening = tokio::spawn(async move { listener.listen(&address, token).await });
        let node = Self { store, stop, listening };
        node.wakes().await;
        node
    }

    pub(crate) async fn wakes(&self) {
        timeout(LONG, self.store.work_arrived()).await.expect("the node is woken");
    }
}

/// The server processes of those who listen.
pub(crate) async fn listeners(place: &Place) -> Vec<String> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'selfmx listening'";
    place.database.query_texts(sql).await
}

/// How the way to the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Nothing passes, and nobody is told.
    Silent,
    /// All connections are closed, and new ones too.
    Closed,
}

/// A way to the database by TCP.
pub(crate) struct Road {
    way: watch::Sender<Way>,
    taken: Arc<AtomicUsize>,
    address: String,
    accepting: JoinHandle<()>,
}

impl Road {
    pub(crate) async fn to(place: &Place) -> Self {
        let config: Config = place.database.connection_string().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let password = config.get_password().map(|word| format!("password={}", String::from_utf8_lossy(word))).unwrap_or_default();
        let (user, database) = (config.get_user().unwrap(), config.get_dbname().unwrap());
        let address = format!("host=127.0.0.1 port={port} user={user} dbname={database} sslmode=disable {password}");
        let (way, taken) = (watch::Sender::new(Way::Open), Arc::new(AtomicUsize::new(0)));
        let (seen, counted) = (way.subscribe(), Arc::clone(&taken));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(stream, config.clone(), seen.clone()));
            }
        });
        Self { way, taken, address, accepting }
    }

    pub(crate) fn address(&self) -> DatabaseAddress {
        self.address.parse().unwrap()
    }

    pub(crate) fn is(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How many connections were tried by it.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(near: TcpStream, config: Config, way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Closed {
        return;
    }
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let carrying = async {
        match &config.get_hosts()[0] {
            Host::Unix(folder) => {
                join(near, UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await.unwrap(), way.clone()).await
            }
            Host::Tcp(host) => join(near, TcpStream::connect((host.as_str(), port)).await.unwrap(), way.clone()).await,
        }
    };
    let mut seen = way.clone();
    tokio::select! {
        _ = seen.wait_for(|way| *way == Way::Closed) => {}
        () = carrying => {}
    }
}

/// Carries octets both ways while the way is open. What was silenced is never delivered late: the connection is done for.
async fn join(mut near: impl AsyncRead + AsyncWrite + Unpin, mut far: impl AsyncRead + AsyncWrite + Unpin, mut way: watch::Receiver<Way>) {
    let silenced = async { way.wait_for(|way| *way == Way::Silent).await.map(|_| ()) };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        _ = silenced => {}
    }
    std::future::pending().await
}
