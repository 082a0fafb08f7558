//! How long something took, in classes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the classes, in microseconds and as they are written, in seconds. What took longer is in the last one, which has none.
const BOUNDS: [(u64, &str); 14] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
];

/// How long something took, in classes from a millisecond to half a minute.
#[derive(Debug, Default)]
pub struct Histogram {
    classes: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    micros: AtomicU64,
}

/// What a histogram held at a moment.
pub(crate) struct Reading {
    /// Each class's upper bound, and how many took no longer.
    pub(crate) up_to: Vec<(&'static str, u64)>,
    /// How many there were.
    pub(crate) count: u64,
    /// All of them together, in microseconds.
    pub(crate) micros: u64,
}

impl Histogram {
    /// Something took so long.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS.iter().zip(&self.classes).find(|((bound, _), _)| micros <= *bound).map_or(&self.longer, |(_, class)| class);
        class.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many there were by now.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.read().count
    }

    /// What it holds. The count is that of the classes as they were read, so that the two agree.
    pub(crate) fn read(&self) -> Reading {
        let mut count = 0;
        let up_to = BOUNDS.iter().zip(&self.classes).map(|((_, text), class)| {
            count += class.load(Ordering::Relaxed);
            (*text, count)
        });
        let up_to = up_to.collect();
        Reading { up_to, count: count + self.longer.load(Ordering::Relaxed), micros: self.micros.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_counts_what_took_no_longer() {
        let histogram = Histogram::default();
        for micros in [0, 1_000, 1_001, 30_000_000, 30_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let reading = histogram.read();
        assert_eq!((reading.count, reading.micros), (5, 60_002_002));
        assert_eq!(reading.up_to[..2], [("0.001", 2), ("0.0025", 3)]);
        assert_eq!(reading.up_to.last(), Some(&("30", 4)));
    }
}
