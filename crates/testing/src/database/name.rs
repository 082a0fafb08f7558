//! Names of databases, which tell when they were made: what a killed test left behind is known by its age.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use selfmx_domain::Clock;

use crate::SystemClock;

/// Finds what is older than a day.
pub(super) const STALE: &str = "SELECT datname FROM pg_database WHERE datname ~ '^selfmx_test_[0-9]+_' \
     AND split_part(datname, '_', 3)::bigint < extract(epoch FROM now()) - 86400";

/// A name that nobody else has.
pub(super) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    dated(&format!("{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// A name that ends with `rest`.
pub(super) fn dated(rest: &str) -> String {
    format!("selfmx_test_{}_{rest}", SystemClock.now().unix_timestamp())
}

/// A pattern for SQL's `LIKE` that finds the names of [`dated`].
pub(super) fn pattern(rest: &str) -> String {
    format!("selfmx\\_test\\_%\\_{}", rest.replace('_', "\\_"))
}
