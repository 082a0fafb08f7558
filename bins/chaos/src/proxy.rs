//! A TCP proxy on the loopback that delays, swallows, refuses, cuts and holds what goes through it.

mod hold;
mod pipe;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

use self::hold::{Fate, Side};

pub(crate) use self::hold::Hold;

/// Where a proxy leads.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// To a port of this machine.
    Tcp(SocketAddr),
    /// To a socket in a folder.
    Unix(PathBuf),
}

/// What the way through a proxy is like, for all connections at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Everything passes.
    Clear,
    /// Everything passes so much later, in both directions.
    Slow(Duration),
    /// Half open: connections stand and are taken, and nothing passes; what was said is gone.
    Swallows,
    /// Connections are taken and closed at once.
    Refuses,
    /// Each connection is cut once so many octets have gone through it towards the target.
    CutsAfter(usize),
}

/// A proxy on a free loopback port, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
    accepting: JoinHandle<()>,
}

/// What all connections of a proxy share.
#[derive(Debug)]
struct Way {
    target: Target,
    weather: watch::Sender<Weather>,
    hold: watch::Sender<Option<Hold>>,
    /// Ends all connections that there are at present.
    present: Mutex<CancellationToken>,
}

impl Proxy {
    /// A proxy that leads to `target`.
    pub(crate) async fn start(target: Target) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Failure::Socket)?;
        let address = listener.local_addr().map_err(Failure::Socket)?;
        let (weather, hold) = (watch::Sender::new(Weather::Clear), watch::Sender::new(None));
        let way = Arc::new(Way { target, weather, hold, present: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&way)));
        Ok(Self { address, way, accepting })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the way, for the connections that there are as well.
    pub(crate) fn set(&self, weather: Weather) {
        self.way.weather.send_replace(weather);
    }

    /// Cuts all connections that there are (RST).
    pub(crate) fn cut(&self) {
        let mut present = self.way.present.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *present).cancel();
    }

    /// From now on holds what `hold` looks for, and no longer what another one did.
    pub(crate) fn hold(&self, hold: Hold) {
        self.decide(Some(hold), Fate::Passes);
    }

    /// Cuts all connections, so that what is held in them never arrives, and holds nothing any more.
    pub(crate) fn drop_held(&self) {
        self.decide(None, Fate::Dropped);
        self.cut();
    }

    fn decide(&self, next: Option<Hold>, fate: Fate) {
        if let Some(present) = self.way.hold.send_replace(next) {
            present.decide(fate);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, way: Arc<Way>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let way = Arc::clone(&way);
        let until = way.present.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tokio::spawn(async move {
            if client.set_nodelay(true).is_err() || *way.weather.borrow() == Weather::Refuses {
                return;
            }
            match &way.target {
                Target::Tcp(address) => carry(client, TcpStream::connect(address).await, &way, until).await,
                Target::Unix(path) => carry(client, UnixStream::connect(path).await, &way, until).await,
            }
        });
    }
}

/// Carries both directions until either side closes or the connection is cut. Where the target is not there, the client is closed.
async fn carry(mut client: TcpStream, target: std::io::Result<impl AsyncRead + AsyncWrite>, way: &Way, until: CancellationToken) {
    let Ok(target) = target else { return };
    let (from_target, to_target) = tokio::io::split(target);
    let held = hold::Held::default();
    let ended = {
        let (from_client, to_client) = client.split();
        let there = pipe::carry(from_client, to_target, Side::Client, way, &held);
        let back = pipe::carry(from_target, to_client, Side::Target, way, &held);
        until.run_until_cancelled(async { tokio::join!(there, back) }).await
    };
    if ended.is_none() {
        // Whoever was cut hears of it at once. A connection that is gone already needs no cutting.
        drop(client.set_zero_linger());
    }
}
