//! A store that counts how often it is read, so that a benchmark of hits cannot measure misses, and the
//! other way round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hivematrix_platform::{Changes, MemoryStore, Store, StoreError};

/// A [`MemoryStore`] and the number of its readings.
#[derive(Debug, Default)]
pub struct CountingStore {
    inner: MemoryStore,
    reads: AtomicU64,
}

impl CountingStore {
    /// How often it was read so far.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for CountingStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.count();
        self.inner.get(key).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.count();
        self.inner.get_many(keys).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.inner.put(key, value, ttl).await
    }

    async fn put_new(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError> {
        self.inner.put_new(key, value, ttl).await
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.count();
        self.inner.take(key).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.delete(key).await
    }

    async fn replace(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        self.inner.replace(key, expected, value).await
    }

    async fn replace_for(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        self.inner.replace_for(key, expected, value, ttl).await
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        self.inner.expire(key, ttl).await
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.inner.keys(prefix, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    fn feed_epoch(&self) -> Option<u64> {
        self.inner.feed_epoch()
    }

    fn changes(&self) -> Changes {
        self.inner.changes()
    }
}
