//! The store: one handle on the database, cheap to clone.

use std::sync::Arc;

use selfmx_domain::{Clock, Entropy};

use crate::Error;
use crate::address::DatabaseAddress;
use crate::key_use::KeyUse;
use crate::pool::{Pool, PoolSettings, Pooled};
use crate::wake::Wake;

/// Everything that is kept. Its methods are whole business steps, each of them one commit.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) wake: Wake,
    pub(crate) key_use: KeyUse,
}

impl Store {
    /// A handle on the database at `address`. Nothing is connected until it is needed.
    ///
    /// `clock` and `entropy` serve for ids alone: all times that matter are the database's.
    #[must_use]
    pub fn new(address: &DatabaseAddress, settings: PoolSettings, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { pool: Pool::new(address, settings), clock, entropy, wake: Wake::default(), key_use: KeyUse::default() }
    }

    pub(crate) async fn connection(&self) -> Result<Pooled<'_>, Error> {
        self.pool.take().await
    }
}

/// Runs something that only reads, once more on another connection where the first turned out to be closed.
///
/// A macro, since a function that takes an asynchronous closure over a borrowed connection gives a future of which the compiler cannot see that it is `Send`.
macro_rules! read {
    ($store:ident, $connection:ident => $query:expr) => {
        async {
            let mut again = false;
            loop {
                let mut pooled = $store.connection().await?;
                let $connection = &mut *pooled;
                let result: Result<_, diesel::result::Error> = async { $query }.await;
                match result {
                    Err(error) if !again && $crate::error::is_disconnect(&error) => again = true,
                    result => break Ok::<_, $crate::Error>(result?),
                }
            }
        }
    };
}

pub(crate) use read;
