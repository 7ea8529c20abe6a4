//! A map that forgets.
//!
//! Responsible for: entries with an end, and a bound on their number: when it is reached, the one that would end
//! first goes. Not responsible for: what is in it.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bounded map of entries that expire. Times are seconds since 1970.
pub(super) struct Expiring<K, V> {
    capacity: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    entries: HashMap<K, (u64, V)>,
    ends: BTreeSet<(u64, K)>,
}

impl<K: Clone + Eq + Hash + Ord, V: Clone> Expiring<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::new(Inner {
                entries: HashMap::new(),
                ends: BTreeSet::new(),
            }),
        }
    }

    /// Adds or replaces.
    pub(super) fn insert(&self, key: K, value: V, expires: u64, now: u64) {
        self.lock().insert(key, value, expires, now, self.capacity);
    }

    pub(super) fn get(&self, key: &K, now: u64) -> Option<V> {
        self.lock()
            .entries
            .get(key)
            .filter(|(expires, _)| now < *expires)
            .map(|(_, value)| value.clone())
    }

    /// Gets and removes, in one step: of several callers one gets it.
    pub(super) fn take(&self, key: &K, now: u64) -> Option<V> {
        self.lock()
            .remove(key)
            .filter(|(expires, _)| now < *expires)
            .map(|(_, value)| value)
    }

    /// Everything that has not ended.
    pub(super) fn values(&self, now: u64) -> Vec<V> {
        let inner = self.lock();
        let living = inner.entries.values().filter(|(expires, _)| now < *expires);
        living.map(|(_, value)| value.clone()).collect()
    }

    /// Changes an entry, or adds `fresh` which expires at `expires`, in one step; returns what is there then.
    pub(super) fn update(&self, key: K, fresh: V, expires: u64, now: u64, change: impl FnOnce(&mut V)) -> V {
        let mut inner = self.lock();
        if let Some((end, value)) = inner.entries.get_mut(&key)
            && now < *end
        {
            change(value);
            return value.clone();
        }
        inner.insert(key, fresh.clone(), expires, now, self.capacity);
        fresh
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        // Every change is complete before anything can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

impl<K: Clone + Eq + Hash + Ord, V> Inner<K, V> {
    fn insert(&mut self, key: K, value: V, expires: u64, now: u64, capacity: usize) {
        self.remove(&key);
        while let Some((end, first)) = self.ends.first().cloned() {
            if end > now && self.entries.len() < capacity {
                break;
            }
            self.remove(&first);
        }
        self.ends.insert((expires, key.clone()));
        self.entries.insert(key, (expires, value));
    }

    fn remove(&mut self, key: &K) -> Option<(u64, V)> {
        let (expires, value) = self.entries.remove(key)?;
        self.ends.remove(&(expires, key.clone()));
        Some((expires, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_ends_on_its_second() {
        let map = Expiring::new(10);
        map.insert("a", 1, 100, 50);
        assert_eq!((map.get(&"a", 99), map.get(&"a", 100)), (Some(1), None));
        assert_eq!(map.take(&"a", 100), None);
    }

    #[test]
    fn an_entry_is_taken_once() {
        let map = Expiring::new(10);
        map.insert("a", 1, 100, 50);
        assert_eq!((map.take(&"a", 50), map.take(&"a", 50)), (Some(1), None));
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn the_map_never_holds_more_than_its_capacity_and_drops_what_ends_first() {
        let map = Expiring::new(3);
        for key in 0..1000_u64 {
            map.insert(key, (), 5000 - key, 50);
            assert!(map.len() <= 3);
        }
        // The newest end first here, so each newcomer displaced its predecessor.
        assert_eq!(
            (map.get(&0, 50), map.get(&1, 50), map.get(&999, 50)),
            (Some(()), Some(()), Some(()))
        );
    }

    #[test]
    fn inserting_sweeps_what_has_ended() {
        let map = Expiring::new(100);
        for key in 0..50 {
            map.insert(key, (), 100, 50);
        }
        map.insert(99, (), 300, 200);
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn a_replaced_entry_lives_as_long_as_the_new_one() {
        let map = Expiring::new(10);
        map.insert("a", 1, 100, 50);
        map.insert("a", 2, 200, 50);
        map.insert("b", 3, 200, 150);
        assert_eq!(map.get(&"a", 150), Some(2));
    }
}
