//! How many requests a key may make, and how many wrong keys an address may present. Both are counted on this node alone; a daily quota is the database's.

use std::net::IpAddr;
use std::time::Instant;

use selfmx_auth::Principal;
use selfmx_domain::{RateLimit, TenantId};

use crate::{App, Bucket, Error, Limited, QuotaStanding, Standing, TooManyFailures};

impl App {
    /// Takes one request out of what the key and its tenant may make, and tells what is left; nothing where neither is limited.
    ///
    /// # Errors
    ///
    /// [`Limited`] where it is one too many. Then it does not count.
    pub fn spend(&self, principal: &Principal) -> Result<Option<Standing>, Limited> {
        self.rates.spend(&buckets(principal), Instant::now())
    }

    /// What is left of the key's requests; nothing where they are not limited.
    #[must_use]
    pub fn standing(&self, principal: &Principal) -> Option<Standing> {
        self.rates.standing(&buckets(principal), Instant::now())
    }

    /// What is left of the daily quota of the tenant that `principal` acts for, on all nodes together; nothing where it has none, and then nothing is
    /// asked of the database.
    ///
    /// # Errors
    ///
    /// Where the store cannot.
    pub async fn quota_left(&self, principal: &Principal) -> Result<Option<QuotaStanding>, Error> {
        Ok(self.store.quota_left(principal).await?)
    }

    /// Counts a failed authentication from `client`.
    ///
    /// # Errors
    ///
    /// [`TooManyFailures`] where it is one too many.
    pub fn sign_in_failed(&self, client: IpAddr) -> Result<(), TooManyFailures> {
        self.failures.count(client, Instant::now())
    }
}

/// The key's own requests, and those of all keys of its tenant where that has a limit.
fn buckets(principal: &Principal) -> [(Bucket, RateLimit); 2] {
    let key = principal.key();
    let tenant = key.authority.tenant.unwrap_or(TenantId::DEFAULT);
    let shared = principal.key_tenant().profile.rate_limit.unwrap_or(RateLimit::Unlimited);
    [(Bucket::Key(key.id), principal.rate_limit()), (Bucket::Tenant(tenant), shared)]
}
