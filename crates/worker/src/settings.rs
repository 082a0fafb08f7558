//! How much is done at once, and how failures are treated.

use std::time::Duration;

use selfmx_domain::RetryPolicy;

/// How a [`Worker`](crate::Worker) works.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How many runners lease work.
    pub runners: u16,
    /// How many messages are handed over at once, by all runners together.
    pub sending: u16,
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How often a runner looks for work of which it did not hear.
    pub poll: Duration,
    /// When a failed attempt is made again.
    pub policy: RetryPolicy,
}

impl Default for WorkerSettings {
    /// Four runners, ten messages at once, leases of 60 s, a look every second.
    fn default() -> Self {
        Self { runners: 4, sending: 10, lease: Duration::from_secs(60), poll: Duration::from_secs(1), policy: RetryPolicy::default() }
    }
}
