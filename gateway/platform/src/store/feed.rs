//! The feed of changes: an epoch that says whether it is live, and a broadcast of what changed. Who feeds it is the store's matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Changes that a subscriber may lag behind before it is told to forget everything.
const CAPACITY: usize = 8192;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// The value under this key: written, removed or expired.
    Key(Arc<str>),
    /// Possibly everything: the feed was lost or has come back, the store was emptied, or this subscriber did not keep up.
    Everything,
}

/// A subscription to a store's changes.
#[derive(Debug)]
pub struct Changes {
    receiver: broadcast::Receiver<Change>,
    closed: bool,
}

impl Changes {
    /// The next change. Waits for ever once the store is gone (after one last [`Change::Everything`]). Cancel safe.
    pub async fn next(&mut self) -> Change {
        if self.closed {
            return std::future::pending().await;
        }
        match self.receiver.recv().await {
            Ok(change) => change,
            Err(RecvError::Lagged(_)) => Change::Everything,
            Err(RecvError::Closed) => {
                self.closed = true;
                Change::Everything
            }
        }
    }
}

/// The publishing side, one per store.
#[derive(Debug)]
pub(crate) struct Feed {
    /// 0 while the feed is down.
    epoch: AtomicU64,
    sender: broadcast::Sender<Change>,
}

impl Feed {
    /// A feed that is down.
    pub(crate) fn new() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            sender: broadcast::Sender::new(CAPACITY),
        }
    }

    /// The epoch while the feed is live.
    pub(crate) fn epoch(&self) -> Option<u64> {
        match self.epoch.load(Ordering::SeqCst) {
            0 => None,
            epoch => Some(epoch),
        }
    }

    /// A subscription from now on.
    pub(crate) fn subscribe(&self) -> Changes {
        Changes {
            receiver: self.sender.subscribe(),
            closed: false,
        }
    }

    /// Tells all subscribers; nobody listening is no error.
    pub(crate) fn announce(&self, change: Change) {
        let _ = self.sender.send(change);
    }

    /// The feed is live from here on, under a number that was never used before.
    pub(crate) fn up(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::SeqCst);
        self.announce(Change::Everything);
    }

    /// The feed of this epoch is lost. The number goes first: whoever hears the announcement finds the feed down. Does nothing if
    /// another epoch has begun since. Returns whether this call ended it.
    pub(crate) fn down(&self, epoch: u64) -> bool {
        let ended = self
            .epoch
            .compare_exchange(epoch, 0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        if ended {
            self.announce(Change::Everything);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscriber_that_lags_forgets_everything_and_goes_on() {
        let feed = Feed::new();
        let mut changes = feed.subscribe();
        for number in 0..=CAPACITY {
            feed.announce(Change::Key(format!("session:{number}").into()));
        }
        assert_eq!(changes.next().await, Change::Everything);
        assert_eq!(changes.next().await, Change::Key("session:1".into()));
    }

    #[tokio::test]
    async fn an_epoch_is_ended_by_its_own_loss_only() {
        let feed = Feed::new();
        assert_eq!(feed.epoch(), None);
        feed.up(1);
        feed.up(2);
        assert!(!feed.down(1), "the loss of a connection that was replaced");
        assert_eq!(feed.epoch(), Some(2));
        assert!(feed.down(2));
        assert_eq!(feed.epoch(), None);
    }

    #[tokio::test]
    async fn after_the_store_is_gone_everything_is_announced_once_and_then_nothing() {
        let feed = Feed::new();
        let mut changes = feed.subscribe();
        drop(feed);
        assert_eq!(changes.next().await, Change::Everything);
        let silence = tokio::time::timeout(std::time::Duration::from_millis(20), changes.next()).await;
        assert!(silence.is_err());
    }
}
