//! How many connections there may be at once; fewer for a while where the relay wants no more.

use std::sync::Arc;
use std::time::Duration;

use selfmx_metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As many as there may be connections; first come, first served.
pub(crate) struct Slots {
    all: usize,
    free: Arc<Semaphore>,
    /// For how long one rests.
    rest: Duration,
    resting: Gauge,
}

/// The right to use a connection, or to make one.
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(all: usize, rest: Duration) -> Self {
        Self { all, free: Arc::new(Semaphore::new(all)), rest, resting: Gauge::default() }
    }

    /// Waits for one.
    pub(crate) async fn take(&self) -> Slot {
        // The semaphore is never closed: without a permit there is merely no bound.
        Slot { _permit: Arc::clone(&self.free).acquire_owned().await.ok() }
    }

    /// Nobody gets this one for a while: with it the relay would have more than the connections that are `open`, and it wants no more. For each of these a
    /// slot is left.
    pub(crate) fn rest(&self, slot: Slot, open: u64) {
        if self.resting.value().saturating_add(open.max(1)) >= u64::try_from(self.all).unwrap_or(u64::MAX) {
            return;
        }
        let (rest, resting) = (self.rest, self.resting.hold());
        tokio::spawn(async move {
            tokio::time::sleep(rest).await;
            drop(resting);
            drop(slot);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_is_left_for_each_connection_and_at_least_one() {
        for (open, left) in [(0, 1), (1, 1), (2, 2), (4, 4), (9, 4)] {
            let slots = Slots::new(4, Duration::from_secs(3600));
            for slot in [slots.take().await, slots.take().await, slots.take().await, slots.take().await] {
                slots.rest(slot, open);
            }
            assert_eq!(slots.free.available_permits(), left, "{open}");
        }
    }

    #[tokio::test]
    async fn what_has_rested_comes_back() {
        let slots = Slots::new(4, Duration::from_millis(1));
        for _ in 0..3 {
            slots.rest(slots.take().await, 1);
        }
        let all = slots.free.acquire_many(4).await.unwrap();
        assert_eq!((all.num_permits(), slots.resting.value()), (4, 0));
    }
}
