//! A [`Store`] in Redis (6.2 or later): the one that gateway, our Core and the Python Core share. Commands go over `link.rs`, the
//! announcements of changes come over `tracking.rs`, which also follows the master where Sentinels name it (`masters.rs`). Keys and formats are the callers'.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::address::RedisAddress;
use super::feed::{Changes, Feed};
use super::link::{Link, ends_connection, store_error};
use super::masters::Masters;
use super::{Store, StoreError, tracking};

/// Writes where the expected value stands; the time to live stays.
const REPLACE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL') return 1 end return 0";

/// The same, with another time to live.
const REPLACE_FOR: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0";

/// Keys that Redis looks at in one step of a search.
const SCANNED: usize = 1000;

/// Pause between two looks at a Redis that is just starting.
const PATIENCE: Duration = Duration::from_millis(50);

/// How patient a [`RedisStore`] is.
#[derive(Debug, Clone, Copy)]
pub struct RedisSettings {
    /// For one command, with or without waiting for a connection. Default 500 ms.
    pub command_timeout: Duration,
    /// For one attempt to connect. Default 2 s.
    pub connect_timeout: Duration,
    /// Between two checks of the feed of changes. Default 1 s. A check may take as long as a command: a feed that went silent is
    /// noticed after the sum of both at the latest.
    pub heartbeat: Duration,
    /// Replicas that must have a [`Store::replace`] (a revocation, say) before it counts as done. Default 0: the master's word is
    /// enough, and a failover in that very moment may lose it. Waiting for replicas takes at most half the command timeout.
    pub replicas: u32,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            command_timeout: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(2),
            heartbeat: Duration::from_secs(1),
            replicas: 0,
        }
    }
}

/// The store in Redis. Fails quickly while Redis is gone and recovers by itself.
pub struct RedisStore {
    link: Arc<Link>,
    feed: Arc<Feed>,
    settings: RedisSettings,
    /// Ends the feed's task with the store.
    _tracking: DropGuard,
}

impl RedisStore {
    /// A store in the Redis at `url` (see [`RedisAddress`]), once it has answered and its feed is live. Where the feed
    /// cannot be had the store works all the same, only slower; that is logged.
    ///
    /// # Errors
    /// If the URL is none, Redis does not answer within the connect timeout, or refuses (password, database, rights, a replica).
    pub async fn connect(url: &str, settings: RedisSettings) -> Result<Self, StoreError> {
        let store = Self::lazy(url, settings)?;
        let mut changes = store.changes();
        let answers = async {
            loop {
                match store.ping().await {
                    // Patience while it starts; a refusal will not change by waiting.
                    Err(StoreError::Unreachable(_) | StoreError::TimedOut) => {
                        tokio::time::sleep(PATIENCE).await
                    }
                    answer => return answer,
                }
            }
        };
        match tokio::time::timeout(settings.connect_timeout, answers).await {
            Ok(answer) => answer?,
            // One more time, for the reason.
            Err(_) => store.ping().await?,
        }
        let live = async {
            while store.feed_epoch().is_none() {
                changes.next().await;
            }
        };
        if tokio::time::timeout(settings.connect_timeout, live)
            .await
            .is_err()
        {
            tracing::warn!("Redis answers, but announces no changes: every request will ask it");
        }
        Ok(store)
    }

    /// As [`RedisStore::connect`], without waiting for Redis: until it is there, commands fail quickly and `feed_epoch` is `None`.
    ///
    /// # Errors
    /// If the URL is none, or the caller is outside a tokio runtime.
    pub fn lazy(url: &str, settings: RedisSettings) -> Result<Self, StoreError> {
        let address = RedisAddress::parse(url).map_err(|error| StoreError::Refused(error.to_string()))?;
        Self::open(&address, settings)
    }

    /// As [`RedisStore::lazy`], for an address that has been read, perhaps with certificates.
    ///
    /// # Errors
    /// If the caller is outside a tokio runtime.
    pub fn open(address: &RedisAddress, settings: RedisSettings) -> Result<Self, StoreError> {
        let runtime =
            tokio::runtime::Handle::try_current().map_err(|error| StoreError::Refused(error.to_string()))?;
        let masters = Masters::new(address, settings.command_timeout)
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        let link = Link::new(masters.fixed().cloned(), settings);
        let feed = Arc::new(Feed::new());
        let stop = CancellationToken::new();
        runtime.spawn(tracking::run(
            masters,
            settings,
            Arc::clone(&feed),
            Arc::clone(&link),
            stop.clone(),
        ));
        Ok(Self {
            link,
            feed,
            settings,
            _tracking: stop.drop_guard(),
        })
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.on_link(async |mut connection| command.query_async(&mut connection).await)
            .await
    }

    /// A command that changes nothing: where the connection ends under it, it is sent once more over another one. Redis may
    /// close a connection at any time, and nobody who only asks should be told of that.
    async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.settings.command_timeout;
        let ask = async |mut connection: MultiplexedConnection| command.query_async(&mut connection).await;
        match self.attempt(deadline, ask).await {
            Err(Failed::Connection(_)) => {
                let again = tokio::time::timeout_at(deadline, self.attempt(deadline, ask)).await;
                again.unwrap_or(Err(Failed::Command(StoreError::TimedOut)))
            }
            outcome => outcome,
        }
        .map_err(Failed::into_error)
    }

    /// Does one thing over the connection.
    async fn on_link<T>(
        &self,
        work: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.settings.command_timeout;
        self.attempt(deadline, work).await.map_err(Failed::into_error)
    }

    /// Does one thing over the connection, and gives the connection up where that shows that it is of no use.
    async fn attempt<T>(
        &self,
        deadline: Instant,
        work: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, Failed> {
        let (connection, number) = self.link.connection().await.map_err(Failed::Command)?;
        match tokio::time::timeout_at(deadline, work(connection)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if ends_connection(&error) => {
                self.link.broken(number);
                let gone = error.is_unrecoverable_error() && !error.is_timeout();
                let error = store_error(&error);
                Err(if gone {
                    Failed::Connection(error)
                } else {
                    Failed::Command(error)
                })
            }
            Ok(Err(error)) => Err(Failed::Command(store_error(&error))),
            Err(_) => {
                // Perhaps only slow, perhaps gone without a word: a fresh connection finds out.
                self.link.broken(number);
                Err(Failed::Command(StoreError::TimedOut))
            }
        }
    }
}

/// Why something that was to be done over the connection was not.
enum Failed {
    /// The connection ended in the middle.
    Connection(StoreError),
    /// Anything else: it was refused, took too long, or there was no connection to be had.
    Command(StoreError),
}

impl Failed {
    fn into_error(self) -> StoreError {
        match self {
            Self::Connection(error) | Self::Command(error) => error,
        }
    }
}

/// Redis counts in whole milliseconds and refuses zero.
fn millis(ttl: Duration) -> u64 {
    ttl.clamp(Duration::from_millis(1), Duration::from_secs(1_000_000_000))
        .as_millis()
        .try_into()
        .unwrap_or(u64::MAX)
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(redis::cmd("GET").arg(key)).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(redis::cmd("MGET").arg(keys)).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        self.query(redis::cmd("SET").arg(key).arg(value).arg("PX").arg(millis(ttl)))
            .await
    }

    async fn put_new(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, StoreError> {
        let written: Option<String> = self
            .query(
                redis::cmd("SET")
                    .arg(key)
                    .arg(value)
                    .arg("NX")
                    .arg("PX")
                    .arg(millis(ttl)),
            )
            .await?;
        Ok(written.is_some())
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.query(redis::cmd("GETDEL").arg(key)).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.query(redis::cmd("DEL").arg(key)).await
    }

    async fn replace(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        let mut script = redis::cmd("EVAL");
        script.arg(REPLACE).arg(1).arg(key).arg(expected).arg(value);
        let replicas = self.settings.replicas;
        if replicas == 0 {
            return self.query(&script).await;
        }
        // On one connection, one after the other: WAIT speaks of the writes of its own connection.
        let mut both = redis::pipe();
        both.add_command(script);
        both.cmd("WAIT")
            .arg(replicas)
            .arg(millis(self.settings.command_timeout / 2));
        let outcome: Result<(bool, u32), StoreError> = self
            .on_link(async |mut connection| both.query_async(&mut connection).await)
            .await;
        match outcome? {
            (true, confirmed) if confirmed < replicas => Err(StoreError::Refused(format!(
                "written, but {confirmed} of {replicas} replicas have confirmed it"
            ))),
            (written, _) => Ok(written),
        }
    }

    async fn replace_for(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let mut script = redis::cmd("EVAL");
        script.arg(REPLACE_FOR).arg(1).arg(key);
        self.query(script.arg(expected).arg(value).arg(millis(ttl))).await
    }

    async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, StoreError> {
        self.query(redis::cmd("PEXPIRE").arg(key).arg(millis(ttl))).await
    }

    async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let pattern = format!("{prefix}*");
        // The same key may come more than once (SCAN's guarantees).
        let mut found = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SCANNED);
            let (next, keys): (u64, Vec<String>) = self.read(&scan).await?;
            found.extend(keys);
            cursor = next;
            if cursor == 0 || found.len() >= limit {
                return Ok(found.into_iter().take(limit).collect());
            }
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let pong: String = self.query(&redis::cmd("PING")).await?;
        if pong == "PONG" {
            Ok(())
        } else {
            Err(StoreError::Refused(format!("answered PING with {pong:?}")))
        }
    }

    fn feed_epoch(&self) -> Option<u64> {
        self.feed.epoch()
    }

    fn changes(&self) -> Changes {
        self.feed.subscribe()
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore")
            .field("feed_epoch", &self.feed.epoch())
            .finish_non_exhaustive()
    }
}
