//! A bounded table of buckets that owe. A bucket that is whole again needs no place in it.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::{Duration, Instant};

/// How many places a shelf has: as many are looked at for one bucket at most.
pub(crate) const PLACES: usize = 16;

/// Which bucket owes for how long yet.
///
/// The hash of a bucket says on which shelf its place is, and nobody outside can foresee it. Nothing is ever swept: a place is free again as soon as its
/// bucket is whole, and who needs it takes it.
#[derive(Debug)]
pub(crate) struct Table<K> {
    shelves: Box<[Vec<Debtor<K>>]>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Debtor<K> {
    bucket: K,
    whole_at: Instant,
}

impl<K: Copy + Eq + Hash> Table<K> {
    /// An empty table of `shelves` times [`PLACES`].
    pub(crate) fn new(shelves: u16) -> Self {
        Self { shelves: (0..shelves.max(1)).map(|_| Vec::new()).collect(), hasher: RandomState::new() }
    }

    /// How long it takes until the bucket is whole again.
    pub(crate) fn debt(&self, bucket: K, now: Instant) -> Duration {
        let shelf = self.shelf(bucket).and_then(|number| self.shelves.get(number));
        let found = shelf.and_then(|shelf| shelf.iter().find(|debtor| debtor.bucket == bucket));
        found.map_or(Duration::ZERO, |debtor| debtor.whole_at.saturating_duration_since(now))
    }

    /// Whether the bucket has a place, or gets one without taking it from another that owes.
    pub(crate) fn has_place(&self, bucket: K, now: Instant) -> bool {
        let shelf = self.shelf(bucket).and_then(|number| self.shelves.get(number));
        shelf.is_some_and(|shelf| shelf.len() < PLACES || shelf.iter().any(|debtor| debtor.bucket == bucket || debtor.whole_at <= now))
    }

    /// From now on the bucket has this debt. Where its shelf is full, the bucket that owes least is forgotten.
    pub(crate) fn owe(&mut self, bucket: K, debt: Duration, now: Instant) {
        let whole_at = now + debt;
        let Some(shelf) = self.shelf(bucket).and_then(|number| self.shelves.get_mut(number)) else {
            return;
        };
        if let Some(debtor) = shelf.iter_mut().find(|debtor| debtor.bucket == bucket) {
            debtor.whole_at = whole_at;
            return;
        }
        let is_full = shelf.len() == PLACES;
        let least = shelf.iter_mut().min_by_key(|debtor| debtor.whole_at).filter(|least| is_full || least.whole_at <= now);
        match least {
            Some(least) => *least = Debtor { bucket, whole_at },
            None => shelf.push(Debtor { bucket, whole_at }),
        }
    }

    fn shelf(&self, bucket: K) -> Option<usize> {
        let shelves = u64::try_from(self.shelves.len()).ok()?;
        usize::try_from(self.hasher.hash_one(bucket).checked_rem(shelves)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn places<K>(table: &Table<K>) -> usize {
        table.shelves.iter().map(Vec::len).sum()
    }

    #[test]
    fn a_debt_is_kept_until_it_is_over() {
        let (mut table, now) = (Table::new(8), Instant::now());
        table.owe("a", 3 * SECOND, now);
        assert_eq!(table.debt("a", now + SECOND), 2 * SECOND);
        table.owe("a", 5 * SECOND, now + SECOND);
        assert_eq!(table.debt("a", now + 5 * SECOND), SECOND);
        assert_eq!(table.debt("a", now + 7 * SECOND), Duration::ZERO);
        assert_eq!(table.debt("b", now), Duration::ZERO);
        assert_eq!(places(&table), 1);
    }

    #[test]
    fn who_is_whole_again_makes_room() {
        let (mut table, now) = (Table::new(1), Instant::now());
        for bucket in 0..1_000_u32 {
            table.owe(bucket, SECOND, now + bucket * SECOND);
        }
        assert_eq!(places(&table), 1);
    }

    #[test]
    fn a_full_table_forgets_who_owes_least_and_never_grows() {
        let (mut table, now) = (Table::new(1), Instant::now());
        table.owe(0, 60 * SECOND, now);
        for bucket in 1..1_000_u32 {
            table.owe(bucket, SECOND, now);
        }
        assert_eq!(places(&table), PLACES);
        assert_eq!(table.debt(0, now), 60 * SECOND);
        assert_eq!(table.debt(999, now), SECOND);
    }

    #[test]
    fn a_place_is_free_where_nobody_owes() {
        let (mut table, now) = (Table::new(1), Instant::now());
        for bucket in 0..PLACES {
            assert!(table.has_place(bucket, now));
            table.owe(bucket, SECOND, now);
        }
        assert!(table.has_place(0, now));
        assert!(!table.has_place(PLACES, now));
        assert!(table.has_place(PLACES, now + SECOND));
    }

    #[test]
    fn buckets_are_spread_over_the_shelves() {
        let (mut table, now) = (Table::new(1_024), Instant::now());
        for bucket in 0..8_192_u32 {
            table.owe(bucket, SECOND, now);
        }
        // 8 on each shelf on average: on fewer than 1 in 100 are more than 16.
        assert!((8_100..=8_192).contains(&places(&table)), "{}", places(&table));
    }
}
