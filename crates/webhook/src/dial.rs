//! From a URL's host to a TCP connection, to no address that may not be reached.

use std::io;
use std::net::SocketAddr;

use selfmx_domain::{Reach, WebhookUrl};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::PostError;
use crate::error::Step;

/// How many of a host's addresses are tried.
const MOST_ADDRESSES: usize = 4;

/// Where names are looked up and addresses dialled.
pub(crate) trait Network {
    /// The host's addresses, in the order in which they are to be tried.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// A connection to this very address.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The machine's own.
pub(crate) struct Machine;

impl Network for Machine {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        lookup_host((host, port)).await.map(Iterator::collect)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

/// Looks the host up once, and tries each address that may be reached; they share the time that is left.
pub(crate) async fn connect(network: &impl Network, reach: Reach, url: &WebhookUrl, deadline: Instant) -> Result<TcpStream, PostError> {
    let resolved = timeout_at(deadline, network.resolve(url.host(), url.port())).await;
    let addresses = reached(reach, resolved.or(Err(PostError::TimedOut(Step::Connect)))?)?;
    let mut failure = PostError::Connect(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    for (index, address) in addresses.iter().enumerate() {
        match timeout_at(share(deadline, addresses.len() - index), dial(network, reach, *address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = PostError::TimedOut(Step::Connect),
        }
    }
    Err(failure)
}

/// The one place where a connection is made: the address is checked, and is the one that is connected to.
async fn dial(network: &impl Network, reach: Reach, address: SocketAddr) -> Result<TcpStream, PostError> {
    if !reach.admits(address.ip()) {
        return Err(PostError::NoPublicAddress);
    }
    let tcp = network.dial(address).await.map_err(PostError::Connect)?;
    tcp.set_nodelay(true).map_err(PostError::Connect)?;
    Ok(tcp)
}

/// The addresses that may be reached, of what the resolver answered.
///
/// Who may reach public addresses only learns no more of the answer than that: whether a name exists in our network is not theirs to know.
fn reached(reach: Reach, resolved: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, PostError> {
    if reach == Reach::Anywhere {
        return resolved.map(first_few).map_err(PostError::Connect);
    }
    let addresses = resolved.unwrap_or_else(|error| {
        tracing::debug!(%error, "a webhook's host cannot be looked up");
        Vec::new()
    });
    let public: Vec<_> = first_few(addresses.into_iter().filter(|address| reach.admits(address.ip())).collect());
    if public.is_empty() { Err(PostError::NoPublicAddress) } else { Ok(public) }
}

fn first_few(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.truncate(MOST_ADDRESSES);
    addresses
}

/// Until when the next of `left` addresses may take.
fn share(deadline: Instant, left: usize) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / u32::try_from(left).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
