//! An SMTP server of our own that keeps what it was sent and what it answered, and that misbehaves on request.
//!
//! Postfix's `smtp-sink` keeps a message even when it answered 450 or hung up: only a server that writes down its own replies can be counted on.

#![expect(clippy::unwrap_used, reason = "a test without its sink has failed")]

mod gate;
mod ledger;
mod misdeeds;
mod script;
mod session;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Certificate;

pub use gate::Gate;
pub use ledger::{Ledger, Transaction};
pub use script::{Act, Fault, Phase};

/// What TLS a [`Sink`] has.
#[derive(Clone, Debug, Default)]
pub enum SinkTls {
    /// None.
    #[default]
    None,
    /// By STARTTLS.
    StartTls(Certificate),
    /// From the first octet.
    Implicit(Certificate),
}

/// How a [`Sink`] behaves.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// What EHLO offers, besides STARTTLS and AUTH.
    pub capabilities: Vec<String>,
    /// What EHLO offers within TLS, where that differs.
    pub capabilities_within_tls: Option<Vec<String>>,
    /// Its TLS.
    pub tls: SinkTls,
    /// The user and password that AUTH PLAIN and AUTH LOGIN accept; MAIL is refused without. AUTH is offered within TLS, or in clear where there is none.
    pub credentials: Option<(String, String)>,
    /// The mechanisms that are offered with credentials.
    pub mechanisms: Vec<String>,
    /// What is sent in one write with the 220 after STARTTLS, as an attacker would.
    pub injected: String,
    /// The most connections at once; more are greeted with a 421.
    pub most_connections: Option<usize>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Default for SinkSettings {
    /// A well-behaved server that offers what Postfix offers, without TLS and AUTH.
    fn default() -> Self {
        Self {
            capabilities: ["PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"].map(str::to_owned).to_vec(),
            capabilities_within_tls: None,
            tls: SinkTls::None,
            credentials: None,
            mechanisms: vec!["PLAIN".to_owned(), "LOGIN".to_owned()],
            injected: String::new(),
            most_connections: None,
            faults: Vec::new(),
        }
    }
}

/// An SMTP server on a free loopback port, stopped when it is dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    accepting: JoinHandle<()>,
}

impl Sink {
    /// Starts one. Needs a tokio runtime.
    pub async fn start(settings: SinkSettings) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), settings).await
    }

    /// Starts one that has no faults.
    pub async fn well_behaved() -> Self {
        Self::start(SinkSettings::default()).await
    }

    /// Starts one where another was before.
    pub async fn start_at(address: SocketAddr, settings: SinkSettings) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = Arc::new(Ledger::default());
        let accepting = tokio::spawn(session::accept(listener, Arc::new(settings), Arc::clone(&ledger)));
        Self { address, ledger, accepting }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was told, and what it answered.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The transactions that it answered with 2yz, once there are `count` of them.
    ///
    /// # Panics
    ///
    /// Where they are not there within 60 s.
    pub async fn wait_for(&self, count: usize) -> Vec<Transaction> {
        self.ledger.until(&format!("{count} deliveries"), |ledger| ledger.delivered().len() >= count).await;
        self.ledger.delivered()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
