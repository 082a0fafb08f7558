//! From a relay's host to a TCP connection, to no address that the settings do not allow.

use std::io;
use std::net::SocketAddr;

use selfmx_domain::Reach;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::error::Phase;
use crate::{RelayError, RelaySettings};

/// Where names are looked up and addresses dialled.
trait Network {
    /// The host's addresses, in the order in which they are to be tried.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// A connection to this very address.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The machine's own.
struct Machine;

impl Network for Machine {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        lookup_host((host, port)).await.map(Iterator::collect)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

/// Tries each address of the host that may be dialled, in the resolver's order; they share the time.
pub(crate) async fn connect(settings: &RelaySettings) -> Result<TcpStream, RelayError> {
    connect_over(&Machine, settings).await
}

/// Refuses a host that is an address which may not be dialled. A name shows that only when it is looked up.
pub(crate) fn check_literal(settings: &RelaySettings) -> Result<(), RelayError> {
    match settings.host.parse() {
        Ok(address) if !settings.reach.admits(address) => Err(RelayError::NoPublicAddress),
        _ => Ok(()),
    }
}

async fn connect_over(network: &impl Network, settings: &RelaySettings) -> Result<TcpStream, RelayError> {
    let resolved = timeout(settings.timeout, network.resolve(&settings.host, settings.port)).await;
    let addresses = allowed(settings.reach, resolved.or(Err(RelayError::TimedOut(Phase::Connect)))?)?;
    let share = settings.timeout / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut failure = RelayError::Connect(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    for address in addresses {
        match timeout(share, network.dial(address)).await {
            Ok(Ok(tcp)) => {
                // A command is smaller than a packet: Nagle's algorithm would hold each back until the last reply's acknowledgement.
                tcp.set_nodelay(true).map_err(RelayError::Connect)?;
                return Ok(tcp);
            }
            Ok(Err(error)) => failure = RelayError::Connect(error),
            Err(_) => failure = RelayError::TimedOut(Phase::Connect),
        }
    }
    Err(failure)
}

/// The addresses that may be dialled, of what the resolver answered.
///
/// Who may reach public addresses only learns no more of the answer than that: whether a name exists in our network is not theirs to know.
fn allowed(reach: Reach, resolved: io::Result<Vec<SocketAddr>>) -> Result<Vec<SocketAddr>, RelayError> {
    if reach == Reach::Anywhere {
        return resolved.map_err(RelayError::Connect);
    }
    let addresses = resolved.unwrap_or_else(|error| {
        tracing::debug!(%error, "the relay's host cannot be looked up");
        Vec::new()
    });
    let allowed: Vec<_> = addresses.into_iter().filter(|address| reach.admits(address.ip())).collect();
    if allowed.is_empty() { Err(RelayError::NoPublicAddress) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A network in which every name has these addresses, and of which we see what is dialled.
    struct Staged {
        addresses: Vec<SocketAddr>,
        looked_up: Mutex<u32>,
        dialled: Mutex<Vec<SocketAddr>>,
    }

    impl Network for Staged {
        async fn resolve(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
            *self.looked_up.lock().unwrap() += 1;
            if host == "unknown.example" {
                return Err(io::Error::other("10.0.0.53 knows no such name"));
            }
            Ok(self.addresses.clone())
        }

        async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
            self.dialled.lock().unwrap().push(address);
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }

    /// What is said to who wants a connection to `host`, and what was dialled.
    async fn tried(reach: Reach, host: &str, addresses: &[&str]) -> (RelayError, Vec<String>) {
        let addresses = addresses.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 25)).collect();
        let network = Staged { addresses, looked_up: Mutex::new(0), dialled: Mutex::new(Vec::new()) };
        let settings = RelaySettings { reach, ..RelaySettings::new(host, 25, "client.example".parse().unwrap()) };
        let error = connect_over(&network, &settings).await.unwrap_err();
        assert_eq!(*network.looked_up.lock().unwrap(), 1, "what was checked is what is dialled");
        let dialled = network.dialled.lock().unwrap().iter().map(|address| address.ip().to_string()).collect();
        (error, dialled)
    }

    #[tokio::test]
    async fn of_a_name_s_addresses_the_public_ones_alone_are_dialled() {
        let mixed = ["127.0.0.1", "9.9.9.9", "::1", "::ffff:9.9.9.9", "10.1.2.3", "2620:fe::fe"];
        let (error, dialled) = tried(Reach::PublicOnly, "mixed.example", &mixed).await;
        assert_eq!(dialled, ["9.9.9.9", "2620:fe::fe"]);
        assert!(matches!(error, RelayError::Connect(_)), "{error}");
        let (_, dialled) = tried(Reach::Anywhere, "mixed.example", &mixed).await;
        assert_eq!(dialled, mixed);
    }

    #[tokio::test]
    async fn who_may_reach_public_addresses_only_learns_nothing_of_the_resolver_s_answer() {
        let mut said = Vec::new();
        for (host, addresses) in [("inside.example", &["127.0.0.1"][..]), ("empty.example", &[]), ("unknown.example", &[])] {
            let (error, dialled) = tried(Reach::PublicOnly, host, addresses).await;
            assert!(matches!(error, RelayError::NoPublicAddress) && dialled.is_empty(), "{host}: {error}, {dialled:?}");
            assert!(!error.is_lasting() && std::error::Error::source(&error).is_none());
            said.push(error.to_string());
        }
        assert!(said.iter().all(|text| *text == said[0] && !text.contains(|c: char| c.is_ascii_digit())), "{said:?}");
        let (error, _) = tried(Reach::Anywhere, "unknown.example", &[]).await;
        assert!(matches!(&error, RelayError::Connect(_)) && error.to_string().contains("10.0.0.53"), "{error}");
    }
}
