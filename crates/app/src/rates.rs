//! How many requests a key and a tenant may make.

pub(crate) mod gcra;
mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use selfmx_domain::{ApiKeyId, Rate, RateLimit, TenantId};

pub(crate) use table::Table;

/// 131,072 buckets at most, 5 MiB.
const SHELVES: u16 = 8_192;

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Those of one key.
    Key(ApiKeyId),
    /// Those of all keys of one tenant.
    Tenant(TenantId),
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many requests fit when it is whole.
    pub limit: u32,
    /// How many fit at once now.
    pub remaining: u32,
    /// How long it takes until it is whole again.
    pub whole_in: Duration,
}

/// A request too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests: the limit is {}; try again after the seconds that `Retry-After` tells", standing.limit)]
pub struct Limited {
    /// How the bucket stands that makes it wait longest.
    pub standing: Standing,
    /// How long to wait until it fits, if nobody else spends meanwhile.
    pub retry_after: Duration,
}

/// What the buckets of this node have left.
///
/// A rate is given with each request and may be another each time. A bucket keeps what it owes as a time, so what was used stays used: a bucket of which half
/// is spent is half spent under another rate of the same window, and whatever the order of such rates, in no time do more requests fit than the largest of them
/// allows. A shorter window does not forgive either: what was borrowed from a long one is paid back first, which may take as long as the long one.
///
/// Where more than 100,000 buckets owe at once, those are forgotten that owe least.
///
/// ```
/// use std::time::{Duration, Instant};
/// use selfmx_app::{Bucket, Rates};
/// use selfmx_domain::{ApiKeyId, RateLimit, TenantId};
///
/// let (rates, now) = (Rates::new(), Instant::now());
/// let buckets =
///     [(Bucket::Key(ApiKeyId::DEFAULT), RateLimit::per_minute(2)), (Bucket::Tenant(TenantId::DEFAULT), RateLimit::per_minute(100))];
/// assert_eq!(rates.spend(&buckets, now)?.map(|standing| standing.remaining), Some(1));
/// rates.spend(&buckets, now)?;
/// assert_eq!(rates.spend(&buckets, now).unwrap_err().retry_after, Duration::from_secs(30));
/// # Ok::<(), selfmx_app::Limited>(())
/// ```
#[derive(Debug)]
pub struct Rates {
    buckets: Mutex<Table<Bucket>>,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new()
    }
}

impl Rates {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self { buckets: Mutex::new(Table::new(SHELVES)) }
    }

    /// One request out of each of the `buckets`, each of which is there once; the tightest's standing after it. Where none is limited there is none.
    ///
    /// All are looked at and charged under one lock: at no time does more fit than the rates say. `now` that is some microseconds older than another
    /// caller's errs to the strict side.
    ///
    /// # Errors
    ///
    /// [`Limited`] where it does not fit one of them; then none is charged.
    pub fn spend(&self, buckets: &[(Bucket, RateLimit)], now: Instant) -> Result<Option<Standing>, Limited> {
        let mut table = self.lock();
        let standing = tightest(limited(buckets).map(|(bucket, rate)| after_one(rate, table.debt(bucket, now))))?;
        for (bucket, rate) in limited(buckets) {
            if let Ok(spent) = gcra::spend(rate, table.debt(bucket, now)) {
                table.owe(bucket, spent.debt, now);
            }
        }
        Ok(standing)
    }

    /// How the tightest of the `buckets` stands, without a request.
    #[must_use]
    pub fn standing(&self, buckets: &[(Bucket, RateLimit)], now: Instant) -> Option<Standing> {
        let table = self.lock();
        limited(buckets).map(|(bucket, rate)| before_one(rate, table.debt(bucket, now))).min_by_key(Standing::room)
    }

    fn lock(&self) -> MutexGuard<'_, Table<Bucket>> {
        // Each change of the table is whole, whoever panicked.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// The less, the tighter.
    fn room(&self) -> (u32, std::cmp::Reverse<Duration>) {
        (self.remaining, std::cmp::Reverse(self.whole_in))
    }
}

fn limited(buckets: &[(Bucket, RateLimit)]) -> impl Iterator<Item = (Bucket, Rate)> {
    buckets.iter().filter_map(|(bucket, limit)| match limit {
        RateLimit::AtMost(rate) => Some((*bucket, *rate)),
        RateLimit::Unlimited => None,
    })
}

/// The tightest of several, or the refusal with the longest wait.
fn tightest(each: impl Iterator<Item = Result<Standing, Limited>>) -> Result<Option<Standing>, Limited> {
    let (mut tightest, mut refusal) = (None::<Standing>, None::<Limited>);
    for decision in each {
        match decision {
            Ok(standing) if tightest.is_none_or(|known| standing.room() < known.room()) => tightest = Some(standing),
            Err(limited) if refusal.is_none_or(|known| limited.retry_after > known.retry_after) => refusal = Some(limited),
            Ok(_) | Err(_) => {}
        }
    }
    refusal.map_or(Ok(tightest), Err)
}

fn after_one(rate: Rate, debt: Duration) -> Result<Standing, Limited> {
    let limit = rate.requests().get();
    match gcra::spend(rate, debt) {
        Ok(spent) => Ok(Standing { limit, remaining: spent.remaining, whole_in: spent.debt }),
        Err(retry_after) => Err(Limited { standing: Standing { limit, remaining: 0, whole_in: debt }, retry_after }),
    }
}

fn before_one(rate: Rate, debt: Duration) -> Standing {
    let remaining = gcra::spend(rate, debt).map_or(0, |spent| spent.remaining + 1);
    Standing { limit: rate.requests().get(), remaining, whole_in: debt }
}

#[cfg(test)]
mod tests;
