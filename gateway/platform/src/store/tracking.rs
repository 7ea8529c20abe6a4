//! Keeps the feed of changes of a Redis live: a connection of its own, on which Redis broadcasts every change under the announced
//! prefixes (`CLIENT TRACKING ON BCAST`), a heartbeat that also asks whether the server is still the master (the server itself, and
//! the Sentinels where there are some), and a new connection, under a new epoch, after every doubt.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::feed::{Change, Feed};
use super::link::{Link, ensure_master, ensure_usable, store_error};
use super::masters::{Masters, is_same};
use super::redis::RedisSettings;
use super::{ANNOUNCED_PREFIXES, StoreError};

/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often in a row the Sentinels may be at a loss while the master answers: one bad moment is no reason to stop.
const SENTINEL_LAPSES: u32 = 1;

/// Runs until `stop`.
pub(crate) async fn run(
    masters: Masters,
    settings: RedisSettings,
    feed: Arc<Feed>,
    link: Arc<Link>,
    stop: CancellationToken,
) {
    let follower = Follower {
        masters,
        settings,
        feed,
        link,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = follower.keep() => {}
    }
}

/// Follows the master, and points the link to it: both must lead to the same server, or what is read over one could change
/// without being announced over the other.
struct Follower {
    masters: Masters,
    settings: RedisSettings,
    feed: Arc<Feed>,
    link: Arc<Link>,
}

/// How a connection of the feed ended.
struct Ended {
    /// Whether the feed was live over it.
    was_live: bool,
    /// Commands must not go to the server any more: it is not the master, or nobody knows whether it is.
    mistrusted: bool,
    error: StoreError,
}

impl Ended {
    fn after(was_live: bool, error: &RedisError) -> Self {
        let mistrusted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
        Self {
            was_live,
            mistrusted,
            error: store_error(error),
        }
    }

    fn silent(was_live: bool) -> Self {
        Self {
            was_live,
            mistrusted: false,
            error: StoreError::TimedOut,
        }
    }
}

impl Follower {
    async fn keep(&self) {
        let mut pause = PAUSES.0;
        // One line in the log per outage, not one per attempt.
        let mut quiet = false;
        for epoch in 1.. {
            let ended = self.follow(epoch).await;
            self.feed.down(epoch);
            let error = ended.error;
            match (ended.mistrusted, self.masters.fixed()) {
                (true, Some(_)) => self.link.mistrust(),
                (true, None) => self.link.point_nowhere(error.clone()),
                (false, _) => {}
            }
            if ended.was_live {
                (pause, quiet) = (PAUSES.0, false);
            }
            if !quiet {
                tracing::warn!(reason = error.reason(), %error, "the feed of session changes is down; every request asks Redis");
            }
            quiet = true;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Finds the master and follows one connection to its end.
    async fn follow(&self, epoch: u64) -> Ended {
        let server = match self.masters.find().await {
            Ok(server) => server,
            Err(error) => {
                return Ended {
                    was_live: false,
                    mistrusted: true,
                    error: store_error(&error),
                };
            }
        };
        // Before the epoch begins: whatever is read within it is read from this server.
        self.link.point_to(&server);
        let lost = CancellationToken::new();
        let opened = tokio::time::timeout(
            self.settings.connect_timeout,
            open(&server, self.settings, &self.feed, epoch, &lost),
        )
        .await;
        let mut connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Ended::after(false, &error),
            Err(_) => return Ended::silent(false),
        };
        self.feed.up(epoch);
        // The connection may have broken before the epoch began, when there was nothing to end yet.
        if !lost.is_cancelled() {
            let at = server.get_connection_info().addr();
            tracing::info!(epoch, %at, "the feed of session changes is live");
        }
        self.watch(&server, &mut connection, &lost).await
    }

    /// Looks at the server, and asks who the master is, until there is a doubt.
    async fn watch(
        &self,
        server: &Client,
        connection: &mut MultiplexedConnection,
        lost: &CancellationToken,
    ) -> Ended {
        let mut beat = tokio::time::interval(self.settings.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lapses = 0;
        loop {
            tokio::select! {
                () = lost.cancelled() => {
                    let error = StoreError::Unreachable("connection lost".to_owned());
                    return Ended { was_live: true, mistrusted: false, error };
                }
                _ = beat.tick() => {}
            }
            // The server's answer also proves that everything announced before it has been heard: it comes over the same
            // connection.
            let answers = tokio::time::timeout(self.settings.command_timeout, ensure_master(connection));
            let (answered, found) = tokio::join!(answers, self.masters.find());
            match answered {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Ended::after(true, &error),
                Err(_) => return Ended::silent(true),
            }
            match found {
                Ok(found) if is_same(&found, server) => lapses = 0,
                Ok(found) => {
                    let at = found.get_connection_info().addr();
                    tracing::warn!(%at, "the Sentinels name another master");
                    let error = StoreError::Unreachable("the master has changed".to_owned());
                    return Ended {
                        was_live: true,
                        mistrusted: true,
                        error,
                    };
                }
                Err(_) if lapses < SENTINEL_LAPSES => lapses += 1,
                Err(error) => {
                    let error = store_error(&error);
                    return Ended {
                        was_live: true,
                        mistrusted: true,
                        error,
                    };
                }
            }
        }
    }
}

/// A connection over which Redis has begun to announce changes.
async fn open(
    client: &Client,
    settings: RedisSettings,
    feed: &Arc<Feed>,
    epoch: u64,
    lost: &CancellationToken,
) -> Result<MultiplexedConnection, RedisError> {
    let (on_push_feed, on_push_lost) = (Arc::clone(feed), lost.clone());
    // Runs in the connection's own task, in the order in which Redis speaks.
    let on_push = move |push: PushInfo| -> Result<(), redis::aio::SendError> {
        match push.kind {
            PushKind::Invalidate => announce(&on_push_feed, &push.data),
            PushKind::Disconnection => {
                on_push_lost.cancel();
                on_push_feed.down(epoch);
            }
            _ => {}
        }
        Ok(())
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.connect_timeout))
        .set_push_sender(on_push);
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    ensure_usable(&mut connection).await?;
    let mut tracking = redis::cmd("CLIENT");
    tracking.arg("TRACKING").arg("ON").arg("BCAST");
    for prefix in ANNOUNCED_PREFIXES {
        tracking.arg("PREFIX").arg(prefix);
    }
    tracking.query_async::<()>(&mut connection).await?;
    Ok(connection)
}

/// `invalidate` carries a list of keys, or null after FLUSHDB and FLUSHALL. Whatever else it may carry one day means everything.
fn announce(feed: &Feed, data: &[Value]) {
    let [Value::Array(keys)] = data else {
        return feed.announce(Change::Everything);
    };
    for key in keys {
        let change = match key {
            Value::BulkString(bytes) => {
                std::str::from_utf8(bytes).map_or(Change::Everything, |key| Change::Key(key.into()))
            }
            Value::SimpleString(key) => Change::Key(key.as_str().into()),
            _ => Change::Everything,
        };
        feed.announce(change);
    }
}
