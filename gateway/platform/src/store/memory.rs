//! A [`Store`] in this process' memory: for the demo, for tests, and for a gateway that runs alone. Bounded; expiry by time.
//! Nothing in it survives a restart.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::feed::{Change, Changes, Feed};
use super::{ANNOUNCED_PREFIXES, Store, StoreError};

/// How much a [`MemoryStore`] may hold. Beyond it writes are refused: no session is thrown out for another.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLimits {
    /// Keys; by default one million.
    pub entries: usize,
    /// Bytes of keys and values together; by default 512 MiB.
    pub bytes: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            bytes: 512 * 1024 * 1024,
        }
    }
}

/// The store in memory. Its feed is always live, in epoch 1.
///
/// Made inside a tokio runtime it announces expiry on time; made outside, at the next access.
#[derive(Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    sweeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    entries: Mutex<Entries>,
    feed: Feed,
    limits: MemoryLimits,
    /// Rung when something was written that expires before everything else.
    alarm: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    by_expiry: BTreeSet<(Instant, Arc<str>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    expires: Instant,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        let feed = Feed::new();
        feed.up(1);
        let shared = Arc::new(Shared {
            entries: Mutex::default(),
            feed,
            limits,
            alarm: Notify::new(),
        });
        let sweeper = tokio::runtime::Handle::try_current()
            .ok()
            .map(|runtime| runtime.spawn(sweep(Arc::clone(&shared))));
        Self { shared, sweeper }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

/// Removes and announces what expires, when it expires.
async fn sweep(shared: Arc<Shared>) {
    loop {
        let next = shared.lock().by_expiry.first().map(|(at, _)| *at);
        match next {
            Some(at) => {
                let _ = tokio::time::timeout_at(at, shared.alarm.notified()).await;
            }
            None => shared.alarm.notified().await,
        }
    }
}

impl Shared {
    /// The entries, after removal of all that have expired: nobody ever sees one of those.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while let Some((at, key)) = entries.by_expiry.pop_first() {
            if at > now {
                entries.by_expiry.insert((at, key));
                break;
            }
            entries.forget_value(&key);
            self.announce(&key);
        }
        entries
    }

    fn announce(&self, key: &Arc<str>) {
        if ANNOUNCED_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            self.feed.announce(Change::Key(Arc::clone(key)));
        }
    }

    fn write(
        &self,
        entries: &mut Entries,
        key: &str,
        value: &[u8],
        expires: Instant,
    ) -> Result<(), StoreError> {
        let (old_bytes, is_new) = match entries.by_key.get(key) {
            Some(entry) => (size(key, &entry.value), false),
            None => (0, true),
        };
        let bytes = entries.bytes - old_bytes + size(key, value);
        if bytes > self.limits.bytes || (is_new && entries.by_key.len() >= self.limits.entries) {
            return Err(StoreError::Refused("the memory store is full".to_owned()));
        }
        let key = entries.remove(key).map_or_else(|| Arc::from(key), |(key, _)| key);
        entries.bytes = bytes;
        entries.by_expiry.insert((expires, Arc::clone(&key)));
        entries.by_key.insert(
            Arc::clone(&key),
            Entry {
                value: value.to_vec(),
                expires,
            },
        );
        self.ring_if_first(entries, expires);
        self.announce(&key);
        Ok(())
    }

    fn ring_if_first(&self, entries: &Entries, expires: Instant) {
        if entries
            .by_expiry
            .first()
            .is_some_and(|(first, _)| *first == expires)
        {
            self.alarm.notify_one();
        }
    }
}

impl Entries {
    fn remove(&mut self, key: &str) -> Option<(Arc<str>, Entry)> {
        let (key, entry) = self.by_key.remove_entry(key)?;
        self.bytes -= size(&key, &entry.value);
        self.by_expiry.remove(&(entry.expires, Arc::clone(&key)));
        Some((key, entry))
    }

    /// Removes an entry whose place in the order of expiry is gone already.
    fn forget_value(&mut self, key: &str) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= size(key, &entry.value);
        }
    }
}

fn size(key: &str, value: &[u8]) -> usize {
    key.len() + value.len()
}

/// The moment `ttl` from now; at least a millisecond off, at most some thirty years.
fn expiry(ttl: Duration) -> Instant {
    Instant::now() + ttl.clamp(Duration::from_millis(1), Duration::from_secs(1_000_000_000))
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .shared
            .lock()
            .by_key
            .get(key)
            .map(|entry| entry.value.clone()))
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let entries = self.shared.lock();
        Ok(keys
            .iter()
            .map(|key| entries.by_key.get(*key).map(|entry| entry.value.clone()))
            .collect())
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        let mut entries = self.shared.lock();
        self.shared.write(&mut entries, key, value, expiry(ttl))
    }

    async fn put_new(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError> {
        let mut entries = self.shared.lock();
        if entries.by_key.contains_key(key) {
            return Ok(false);
        }
        self.shared
            .write(&mut entries, key, value, expiry(ttl))
            .map(|()| true)
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut entries = self.shared.lock();
        Ok(entries.remove(key).map(|(key, entry)| {
            self.shared.announce(&key);
            entry.value
        }))
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.take(key).await?.is_some())
    }

    async fn replace(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        let mut entries = self.shared.lock();
        let expires = match entries.by_key.get(key) {
            Some(entry) if entry.value == expected => entry.expires,
            _ => return Ok(false),
        };
        self.shared
            .write(&mut entries, key, value, expires)
            .map(|()| true)
    }

    async fn replace_for(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let mut entries = self.shared.lock();
        if entries
            .by_key
            .get(key)
            .is_none_or(|entry| entry.value != expected)
        {
            return Ok(false);
        }
        self.shared
            .write(&mut entries, key, value, expiry(ttl))
            .map(|()| true)
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        let mut entries = self.shared.lock();
        let expires = expiry(ttl);
        let Some((key, mut entry)) = entries.remove(key) else {
            return Ok(false);
        };
        entry.expires = expires;
        entries.bytes += size(&key, &entry.value);
        entries.by_expiry.insert((expires, Arc::clone(&key)));
        entries.by_key.insert(Arc::clone(&key), entry);
        self.shared.ring_if_first(&entries, expires);
        self.shared.announce(&key);
        Ok(true)
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let entries = self.shared.lock();
        let matching = entries.by_key.keys().filter(|key| key.starts_with(prefix));
        Ok(matching.take(limit).map(|key| key.to_string()).collect())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn feed_epoch(&self) -> Option<u64> {
        self.shared.feed.epoch()
    }

    fn changes(&self) -> Changes {
        self.shared.feed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_full_store_refuses_what_is_new_and_keeps_what_it_has() {
        let store = MemoryStore::new(MemoryLimits {
            entries: 2,
            bytes: 1000,
        });
        store.put("a", b"1", MINUTE).await.unwrap();
        store.put("b", b"1", Duration::from_millis(20)).await.unwrap();
        assert!(matches!(
            store.put("c", b"1", MINUTE).await,
            Err(StoreError::Refused(_))
        ));
        store
            .put("a", b"2", MINUTE)
            .await
            .expect("what is there may be rewritten");
        tokio::time::sleep(Duration::from_millis(40)).await;
        store
            .put("c", b"1", MINUTE)
            .await
            .expect("what has expired makes room");
    }

    #[tokio::test]
    async fn bytes_are_counted_through_every_kind_of_change() {
        let store = MemoryStore::new(MemoryLimits {
            entries: 10,
            bytes: 10,
        });
        store.put("k", b"123456789", MINUTE).await.unwrap();
        assert!(matches!(
            store.put("k", b"1234567890", MINUTE).await,
            Err(StoreError::Refused(_))
        ));
        assert_eq!(store.get("k").await.unwrap().as_deref(), Some(&b"123456789"[..]));
        assert!(store.replace("k", b"123456789", b"1").await.unwrap());
        assert!(store.expire("k", MINUTE).await.unwrap());
        store.put("l", b"1234567", MINUTE).await.unwrap();
        assert!(store.delete("l").await.unwrap());
        assert!(store.delete("k").await.unwrap());
        assert_eq!(store.shared.lock().bytes, 0);
        assert!(store.shared.lock().by_expiry.is_empty());
    }
}
