//! The store: one handle on the database, cheap to clone.

use std::sync::Arc;

use selfmx_domain::{Clock, Entropy};

use crate::Error;
use crate::accept::Gatherer;
use crate::address::DatabaseAddress;
use crate::counts::EmailCounts;
use crate::key_use::KeyUses;
use crate::loan::Loan;
use crate::memory::Memory;
use crate::pool::{Pool, PoolSettings};
use crate::request_counts::RequestCounts;
use crate::tracked::TrackedNotes;
use crate::turns::Turns;
use crate::vault::Vault;
use crate::wake::Wake;
use crate::webhook_wake::WebhookWake;

/// Everything that is kept. Its methods are whole business steps, each of them one commit.
///
/// A call that is abandoned (its future is dropped) has either happened or not; what it had begun is ended in the background.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) gatherer: Gatherer,
    pub(crate) wake: Wake,
    pub(crate) webhook_wake: WebhookWake,
    pub(crate) turns: Turns,
    pub(crate) memory: Memory,
    pub(crate) key_uses: KeyUses,
    pub(crate) request_counts: RequestCounts,
    pub(crate) email_counts: Arc<EmailCounts>,
    pub(crate) tracked_notes: TrackedNotes,
    vault: Arc<Vault>,
}

impl Store {
    /// A handle on the database at `address`. Nothing is connected until it is needed.
    ///
    /// `vault` seals what must not lie open in the database. `clock` serves for ids alone: all times that matter are the database's.
    #[must_use]
    pub fn new(address: &DatabaseAddress, settings: PoolSettings, vault: Vault, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            pool: Pool::new(address, settings),
            clock,
            entropy,
            gatherer: Gatherer::default(),
            wake: Wake::default(),
            webhook_wake: WebhookWake::default(),
            turns: Turns::default(),
            memory: Memory::default(),
            key_uses: KeyUses::default(),
            request_counts: RequestCounts::default(),
            email_counts: Arc::default(),
            tracked_notes: TrackedNotes::default(),
            vault: Arc::new(vault),
        }
    }

    /// What seals and opens the secrets that this store keeps.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// A connection of the pool's, when it is our turn.
    pub(crate) async fn borrow(&self) -> Result<Loan, Error> {
        self.pool.take().await
    }
}

/// Runs something that only reads, once more on another connection where the first was lost.
///
/// A macro, since a function that takes an asynchronous closure over a borrowed connection gives a future of which the compiler cannot see that it is `Send`.
macro_rules! read {
    ($store:ident, $connection:ident => $query:expr) => {
        async {
            let mut again = false;
            loop {
                let mut loan = $store.borrow().await?;
                let $connection = loan.begin()?;
                let result: Result<_, diesel::result::Error> = async { $query }.await;
                match loan.end(result).await {
                    Err($crate::Error::Unavailable(_)) if !again => again = true,
                    result => break result,
                }
            }
        }
    };
}

/// Runs something that changes data, once: where the connection is lost, nobody knows whether it was done.
macro_rules! change {
    ($store:ident, $connection:ident => $statements:expr) => {
        async {
            let mut loan = $store.borrow().await?;
            let $connection = loan.begin()?;
            let result = async { $statements }.await;
            loan.end(result).await
        }
    };
}

pub(crate) use {change, read};
