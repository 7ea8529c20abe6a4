//! Freshness: whether something read from the store may still be believed without asking again.
//!
//! Responsible for: counting the changes that the store's feed announces, and for stamps that tell whether a
//! change came since. Not responsible for reading the store or the feed.
//!
//! A stamp is taken **before** a read begins. A change announced at any time after that, even while the read
//! is under way, makes the stamp stale, so an old answer can never pass for a new one. Keys share counters:
//! a change of one key now and then makes another's entry stale too, which costs one read and no more; in
//! return nothing has to be found and removed, and the memory is constant.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// Number of counters; a change makes on average `entries / COUNTERS` strangers ask again.
const COUNTERS: usize = 16_384;

/// Counters of announced changes.
pub(super) struct Versions {
    counters: Box<[AtomicU64]>,
    everything: AtomicU64,
    listening: AtomicBool,
    hasher: RandomState,
}

/// One key's counter and what it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    counter: usize,
    version: u64,
}

/// When something was read, in terms of announced changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// The feed's epoch; `None` if there was no feed, and then the stamp is stale from the start.
    pub(super) epoch: Option<u64>,
    /// Count of losses of everything.
    pub(super) everything: u64,
    /// Core's record of the session.
    pub(super) session: Mark,
    /// The gateway's own record, if it was involved.
    pub(super) own: Option<Mark>,
}

impl Versions {
    pub(super) fn new() -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            everything: AtomicU64::new(0),
            listening: AtomicBool::new(true),
            hasher: RandomState::new(),
        }
    }

    /// The state of a key's counter now; take it before reading the key.
    pub(super) fn mark(&self, key: &str) -> Mark {
        let counter = self.counter_of(key);
        Mark {
            counter,
            version: self.counters[counter].load(SeqCst),
        }
    }

    /// The count of losses of everything; take it before reading.
    pub(super) fn everything(&self) -> u64 {
        self.everything.load(SeqCst)
    }

    /// The key has changed.
    pub(super) fn changed(&self, key: &str) {
        self.counters[self.counter_of(key)].fetch_add(1, SeqCst);
    }

    /// Anything may have changed.
    pub(super) fn everything_changed(&self) {
        self.everything.fetch_add(1, SeqCst);
    }

    /// Nobody counts changes any more: from now on nothing is fresh.
    pub(super) fn stop(&self) {
        self.listening.store(false, SeqCst);
    }

    /// Whether nothing was announced since the stamp was taken, by a feed that has been alive all the time.
    pub(super) fn is_fresh(&self, stamp: &Stamp, feed_epoch: Option<u64>) -> bool {
        stamp.epoch.is_some()
            && stamp.epoch == feed_epoch
            && self.listening.load(SeqCst)
            && stamp.everything == self.everything()
            && self.are_unchanged(stamp)
    }

    /// Whether no change of the stamp's own keys was announced since, whatever became of the feed.
    pub(super) fn are_unchanged(&self, stamp: &Stamp) -> bool {
        self.is_current(stamp.session) && stamp.own.is_none_or(|own| self.is_current(own))
    }

    fn is_current(&self, mark: Mark) -> bool {
        self.counters[mark.counter].load(SeqCst) == mark.version
    }

    fn counter_of(&self, key: &str) -> usize {
        // The remainder is below COUNTERS, so it fits.
        usize::try_from(self.hasher.hash_one(key) % COUNTERS as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(versions: &Versions, epoch: Option<u64>) -> Stamp {
        Stamp {
            epoch,
            everything: versions.everything(),
            session: versions.mark("session:a"),
            own: Some(versions.mark("hm:session:b")),
        }
    }

    #[test]
    fn a_stamp_is_fresh_until_one_of_its_keys_changes() {
        let versions = Versions::new();
        let before = stamp(&versions, Some(1));
        assert!(versions.is_fresh(&before, Some(1)));
        versions.changed("session:a");
        assert!(!versions.is_fresh(&before, Some(1)));
        let before = stamp(&versions, Some(1));
        versions.changed("hm:session:b");
        assert!(!versions.is_fresh(&before, Some(1)));
        assert!(versions.is_fresh(&stamp(&versions, Some(1)), Some(1)));
    }

    #[test]
    fn without_the_feed_it_was_taken_under_a_stamp_is_stale() {
        let versions = Versions::new();
        assert!(!versions.is_fresh(&stamp(&versions, None), None));
        assert!(!versions.is_fresh(&stamp(&versions, Some(1)), None));
        assert!(!versions.is_fresh(&stamp(&versions, Some(1)), Some(2)));
    }

    #[test]
    fn a_loss_of_everything_makes_every_stamp_stale() {
        let versions = Versions::new();
        let before = stamp(&versions, Some(1));
        versions.everything_changed();
        assert!(!versions.is_fresh(&before, Some(1)));
    }

    #[test]
    fn when_nobody_listens_nothing_is_fresh() {
        let versions = Versions::new();
        let before = stamp(&versions, Some(1));
        versions.stop();
        assert!(!versions.is_fresh(&before, Some(1)));
        assert!(!versions.is_fresh(&stamp(&versions, Some(1)), Some(1)));
    }
}
