//! How many there are of something at present.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many there are of something at present: as many as are [held](Self::hold).
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

/// One of those that are counted, until it is dropped.
#[derive(Debug)]
pub struct Held(Gauge);

impl Gauge {
    /// One more, until what is given back is dropped.
    #[must_use]
    pub fn hold(&self) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }

    /// How many there are.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_counts_no_more() {
        let gauge = Gauge::default();
        let (first, second) = (gauge.hold(), gauge.clone().hold());
        assert_eq!(gauge.value(), 2);
        drop(first);
        assert_eq!(gauge.value(), 1);
        drop(second);
        assert_eq!(gauge.value(), 0);
    }
}
