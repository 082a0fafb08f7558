//! A number that only grows.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, from 0 when the process starts.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many by now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows() {
        let counter = Counter::default();
        counter.increment();
        counter.add(2);
        assert_eq!(counter.value(), 3);
    }
}
