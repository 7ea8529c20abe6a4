//! Where sessions and other short-lived records are kept: one contract, [`Store`], with a store in memory and one in Redis, and the
//! feed of changes that keeps cached views of them coherent (platform README §4). What the values mean is not known here.

mod address;
mod feed;
mod link;
mod masters;
mod memory;
mod redis;
mod tracking;

use std::time::Duration;

use async_trait::async_trait;

pub use self::address::{InvalidRedisAddress, RedisAddress, RedisTls};
pub use self::feed::{Change, Changes};
pub use self::memory::{MemoryLimits, MemoryStore};
pub use self::redis::{RedisSettings, RedisStore};

/// The prefixes of the keys whose changes are announced. They are the only ones that views may cache.
pub const ANNOUNCED_PREFIXES: [&str; 2] = ["session:", "hm:session:"];

/// Why a store did not do what it was asked. The words are for logs, never for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection to the store, or it broke. A write may or may not have happened.
    #[error("session store unreachable: {0}")]
    Unreachable(String),
    /// The store did not answer in time. A write may or may not have happened.
    #[error("session store timed out")]
    TimedOut,
    /// The store answered, and refused.
    #[error("session store refused: {0}")]
    Refused(String),
    /// There is a server, and it can never be our store; waiting changes nothing.
    #[error("this Redis cannot be used: {0}")]
    Unsupported(String),
}

impl StoreError {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "store_unreachable",
            Self::TimedOut => "store_timed_out",
            Self::Refused(_) => "store_refused",
            Self::Unsupported(_) => "store_unsupported",
        }
    }
}

/// Keys with values that expire, and a feed of what changed.
///
/// Every time to live is at least one millisecond: a shorter one counts as that. Every method is one atomic step of the store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The value, `None` if there is none (any more).
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The values of all keys, in their order, in one round trip and read at one moment.
    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Writes a value that lives for `ttl`, whatever was there before.
    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError>;

    /// Writes a value that lives for `ttl` if there is none; whether it was written.
    async fn put_new(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError>;

    /// Reads and removes: of many that take at once, one gets the value.
    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes; whether there was something.
    async fn delete(&self, key: &str) -> Result<bool, StoreError>;

    /// Writes `value` only where `expected` stands, and keeps the time to live; whether it was written.
    async fn replace(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError>;

    /// As [`Store::replace`], and lets it live for `ttl` from now. What prolongs need not outlive a failover: no replica is waited
    /// for.
    async fn replace_for(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError>;

    /// Lets an existing key live for `ttl` from now; whether there was one.
    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreError>;

    /// The keys that begin with `prefix` (letters, digits, colons), in no order, `limit` at most. Looks through everything there is:
    /// for what people seldom ask for.
    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// A number while the feed of changes is live, `None` while it is not. After every loss the number is a new one. What was read
    /// while the number was `n` may be cached for as long as it is `n`, except for what [`Store::changes`] announces in the meantime.
    /// One atomic load: meant to be asked for every request.
    fn feed_epoch(&self) -> Option<u64>;

    /// A subscription to all changes from now on. Subscribe before the first read that is cached.
    fn changes(&self) -> Changes;
}
