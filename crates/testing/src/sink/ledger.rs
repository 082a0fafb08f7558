//! What a sink was told, and what it answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Longer than anything that a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One message that came in whole, to its final dot.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// Whether that had TLS.
    pub tls: bool,
    /// Who had authenticated.
    pub user: Option<String>,
    /// The address in MAIL.
    pub sender: String,
    /// What stood after it.
    pub parameters: String,
    /// The addresses of those RCPTs that were accepted.
    pub recipients: Vec<String>,
    /// The message, without the dots that the transport added.
    pub octets: Vec<u8>,
    /// The reply that was written; none where the connection was closed or left silent.
    pub reply: Option<String>,
    /// Whether the sink took responsibility, be it that its reply could not be written any more.
    pub taken: bool,
    /// When the final dot was read.
    pub came: Instant,
    /// When the reply was about to be written.
    pub answered: Instant,
}

impl Transaction {
    /// Whether the sink took responsibility for the message.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.starts_with('2'))
    }
}

/// Everything that happened, in order.
#[derive(Debug)]
pub struct Ledger {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    closed: usize,
    commands: Vec<(usize, String)>,
    transactions: Vec<Transaction>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Ledger {
    /// All messages that came in whole, whatever was answered.
    #[must_use]
    pub fn transactions(&self) -> Vec<Transaction> {
        self.state().transactions.clone()
    }

    /// The messages that were answered with 2yz.
    #[must_use]
    pub fn delivered(&self) -> Vec<Transaction> {
        self.state().transactions.iter().filter(|transaction| transaction.is_delivered()).cloned().collect()
    }

    /// How many messages were answered with 2yz.
    #[must_use]
    pub fn delivered_count(&self) -> usize {
        self.state().transactions.iter().filter(|transaction| transaction.is_delivered()).count()
    }

    /// Every command, with the number of its connection; AUTH's secrets are left out.
    #[must_use]
    pub fn commands(&self) -> Vec<(usize, String)> {
        self.state().commands.clone()
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// How many of them are over.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.state().closed
    }

    /// Waits until something holds.
    ///
    /// # Panics
    ///
    /// Where it does not within 60 s.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !holds(self) {
                changes.changed().await.unwrap();
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "waited in vain for {what}; the sink has {:?}", self.commands());
    }

    pub(super) fn connected(&self) -> usize {
        let number = {
            let mut state = self.state();
            state.connections += 1;
            state.connections - 1
        };
        self.changed.send_replace(());
        number
    }

    pub(super) fn disconnected(&self) {
        self.state().closed += 1;
        self.changed.send_replace(());
    }

    pub(super) fn heard(&self, connection: usize, command: &str) {
        self.state().commands.push((connection, command.to_owned()));
        self.changed.send_replace(());
    }

    /// Keeps a transaction, and tells where.
    pub(super) fn keep(&self, transaction: Transaction) -> usize {
        let place = {
            let mut state = self.state();
            state.transactions.push(transaction);
            state.transactions.len() - 1
        };
        self.changed.send_replace(());
        place
    }

    /// The reply could not be written after all.
    pub(super) fn unanswered(&self, place: usize) {
        if let Some(transaction) = self.state().transactions.get_mut(place) {
            transaction.reply = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
