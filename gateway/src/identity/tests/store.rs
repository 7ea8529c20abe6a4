//! A store that can be disturbed: it can go down, lose its feed, and hold an answer back.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hivematrix_platform::{Changes, MemoryStore, Store, StoreError};
use tokio::sync::Notify;

const HOUR: Duration = Duration::from_secs(3600);

/// Its feed is that of a second store, so that what is announced can differ from what is there.
#[derive(Default)]
pub(super) struct Disturbed {
    values: MemoryStore,
    feed: MemoryStore,
    down: AtomicBool,
    unconfirmed: AtomicBool,
    deaf: AtomicBool,
    epoch: AtomicU64,
    /// How many values were read.
    reads: AtomicUsize,
    hold: Mutex<Option<Hold>>,
}

/// An answer that is held back: the value has been read, nobody has it yet.
#[derive(Clone)]
pub(super) struct Hold {
    prefix: String,
    reached: Arc<Notify>,
    release: Arc<Notify>,
}

impl Hold {
    /// Waits until an answer is being held back.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets the answer go.
    pub(super) fn release(&self) {
        self.release.notify_one();
    }
}

impl Disturbed {
    /// The store does not answer (true), or does again.
    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, SeqCst);
        self.set_deaf(down);
    }

    /// Replacements happen, but no replica confirms them (true), or all do again.
    pub(super) fn set_unconfirmed(&self, unconfirmed: bool) {
        self.unconfirmed.store(unconfirmed, SeqCst);
    }

    /// Changes are not announced and the feed is known to be lost (true), or it is back, in a new epoch.
    pub(super) fn set_deaf(&self, deaf: bool) {
        self.deaf.store(deaf, SeqCst);
        self.epoch.fetch_add(1, SeqCst);
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    /// Holds back the next answer about a key of this prefix.
    pub(super) fn hold_next(&self, prefix: &str) -> Hold {
        let hold = Hold {
            prefix: prefix.to_owned(),
            reached: Arc::default(),
            release: Arc::default(),
        };
        *self.hold.lock().unwrap() = Some(hold.clone());
        hold
    }

    /// Announces a change of a key, whether it changed or not.
    pub(super) async fn announce(&self, key: &str) {
        if !self.deaf.load(SeqCst) {
            self.feed.put(key, b"", HOUR).await.unwrap();
        }
    }

    /// Announces so much that whoever listens has lost count.
    pub(super) async fn announce_everything(&self) {
        for _ in 0..20_000 {
            self.feed.put("session:x", b"", HOUR).await.unwrap();
        }
    }

    fn answer(&self) -> Result<(), StoreError> {
        if self.down.load(SeqCst) {
            Err(StoreError::Unreachable("cut".to_owned()))
        } else {
            Ok(())
        }
    }

    async fn held(&self, keys: &[&str]) {
        let hold = {
            let mut hold = self.hold.lock().unwrap();
            let matches = hold
                .as_ref()
                .is_some_and(|hold| keys.iter().any(|key| key.starts_with(&hold.prefix)));
            if matches { hold.take() } else { None }
        };
        if let Some(hold) = hold {
            hold.reached.notify_one();
            hold.release.notified().await;
        }
    }
}

#[async_trait]
impl Store for Disturbed {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.answer()?;
        self.reads.fetch_add(1, SeqCst);
        let value = self.values.get(key).await;
        self.held(&[key]).await;
        value
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.answer()?;
        self.reads.fetch_add(keys.len(), SeqCst);
        let values = self.values.get_many(keys).await;
        self.held(keys).await;
        values
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.answer()?;
        self.values.put(key, value, ttl).await?;
        self.announce(key).await;
        Ok(())
    }

    async fn put_new(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError> {
        self.answer()?;
        let written = self.values.put_new(key, value, ttl).await?;
        self.announce(key).await;
        Ok(written)
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.answer()?;
        let value = self.values.take(key).await?;
        self.announce(key).await;
        Ok(value)
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.take(key).await?.is_some())
    }

    async fn replace(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        self.answer()?;
        let written = self.values.replace(key, expected, value).await?;
        self.announce(key).await;
        if written && self.unconfirmed.load(SeqCst) {
            return Err(StoreError::Refused("written, but not confirmed".to_owned()));
        }
        Ok(written)
    }

    async fn replace_for(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        self.answer()?;
        let written = self.values.replace_for(key, expected, value, ttl).await?;
        self.announce(key).await;
        Ok(written)
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        self.answer()?;
        let found = self.values.expire(key, ttl).await?;
        self.announce(key).await;
        Ok(found)
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.answer()?;
        self.values.keys(prefix, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.answer()
    }

    fn feed_epoch(&self) -> Option<u64> {
        (!self.deaf.load(SeqCst)).then(|| self.epoch.load(SeqCst))
    }

    fn changes(&self) -> Changes {
        self.feed.changes()
    }
}
