//! One clock for all ledgers of a run: it never goes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Microseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// So much later.
    pub(crate) fn and(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; nothing where it is not.
    pub(crate) fn after(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The run's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    /// A clock that begins now.
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Now.
    pub(crate) fn now(self) -> Moment {
        self.of(Instant::now())
    }

    /// An instant, on this clock.
    pub(crate) fn of(self, instant: Instant) -> Moment {
        let since = instant.saturating_duration_since(self.0).as_micros();
        Moment(u64::try_from(since).unwrap_or(u64::MAX))
    }
}
