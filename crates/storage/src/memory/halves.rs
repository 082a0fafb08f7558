//! A bounded map that forgets what was not looked up for longest, roughly.

use std::collections::HashMap;
use std::mem;

type Key = [u8; 32];

/// Two halves. What is put in or found goes to the younger one; when that is full it becomes the older one, and what was left there is dropped.
pub(crate) struct Halves<V> {
    younger: HashMap<Key, V>,
    older: HashMap<Key, V>,
    half: usize,
}

impl<V> Halves<V> {
    /// A map of at most `most` values.
    pub(crate) fn new(most: usize) -> Self {
        Self { younger: HashMap::new(), older: HashMap::new(), half: most / 2 }
    }

    pub(crate) fn find(&mut self, key: &Key) -> Option<&V> {
        if !self.younger.contains_key(key) {
            let value = self.older.remove(key)?;
            self.put(*key, value);
        }
        self.younger.get(key)
    }

    pub(crate) fn put(&mut self, key: Key, value: V) {
        if self.younger.len() >= self.half {
            self.older = mem::take(&mut self.younger);
        }
        self.older.remove(&key);
        self.younger.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        self.younger.remove(key);
        self.older.remove(key);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }

    pub(crate) fn retain(&mut self, holds: impl Fn(&V) -> bool) {
        self.younger.retain(|_, value| holds(value));
        self.older.retain(|_, value| holds(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut halves = Halves::new(100);
        for number in 0..1000 {
            halves.put(key(number), number);
            halves.find(&key(number / 2));
            assert!(halves.len() <= 100, "{number}");
        }
        assert!(halves.len() >= 50);
        assert_eq!(halves.find(&key(0)), None);
    }

    #[test]
    fn what_is_looked_up_stays() {
        let mut halves = Halves::new(100);
        halves.put(key(0), 0);
        for number in 1..1000 {
            halves.put(key(number), number);
            assert_eq!(halves.find(&key(0)), Some(&0), "{number}");
        }
    }

    #[test]
    fn what_is_removed_is_in_neither_half_and_what_is_replaced_is_there_once() {
        let mut halves = Halves::new(4);
        for number in 0..4 {
            halves.put(key(number), number);
        }
        halves.put(key(1), 11);
        assert_eq!(halves.find(&key(1)), Some(&11));
        halves.remove(&key(1));
        assert_eq!(halves.find(&key(1)), None);
        for number in 0..4 {
            halves.put(key(number), number);
        }
        halves.retain(|number| number % 2 == 0);
        assert_eq!((0..4).map(|number| halves.find(&key(number)).is_some()).collect::<Vec<_>>(), [true, false, true, false]);
    }
}
