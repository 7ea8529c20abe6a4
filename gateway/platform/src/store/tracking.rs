//! Keeps the feed of changes of a Redis live: a connection of its own, on which Redis broadcasts every change under the announced
//! prefixes (`CLIENT TRACKING ON BCAST`), a heartbeat that also asks whether the server is still the master, and a new connection,
//! under a new epoch, after every doubt.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::feed::{Change, Feed};
use super::link::{Link, ensure_master, store_error};
use super::redis::RedisSettings;
use super::{ANNOUNCED_PREFIXES, StoreError};

/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Runs until `stop`.
pub(crate) async fn run(
    client: Client,
    settings: RedisSettings,
    feed: Arc<Feed>,
    link: Arc<Link>,
    stop: CancellationToken,
) {
    let keep = async {
        let mut pause = PAUSES.0;
        // One line in the log per outage, not one per attempt.
        let mut quiet = false;
        for epoch in 1.. {
            let ended = follow(&client, settings, &feed, epoch).await;
            feed.down(epoch);
            if ended.demoted {
                link.mistrust();
            }
            let error = ended.error;
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
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = keep => {}
    }
}

/// How a connection of the feed ended.
struct Ended {
    /// Whether the feed was live over it.
    was_live: bool,
    /// The server is not the master (any more): commands must not go there either.
    demoted: bool,
    error: StoreError,
}

impl Ended {
    fn after(was_live: bool, error: &RedisError) -> Self {
        let demoted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
        Self {
            was_live,
            demoted,
            error: store_error(error),
        }
    }

    fn silent(was_live: bool) -> Self {
        Self {
            was_live,
            demoted: false,
            error: StoreError::TimedOut,
        }
    }
}

/// Follows one connection to its end.
async fn follow(client: &Client, settings: RedisSettings, feed: &Arc<Feed>, epoch: u64) -> Ended {
    let lost = CancellationToken::new();
    let opened = tokio::time::timeout(
        settings.connect_timeout,
        open(client, settings, feed, epoch, &lost),
    )
    .await;
    let mut connection = match opened {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Ended::after(false, &error),
        Err(_) => return Ended::silent(false),
    };
    feed.up(epoch);
    // The connection may have broken before the epoch began, when there was nothing to end yet.
    if !lost.is_cancelled() {
        tracing::info!(epoch, "the feed of session changes is live");
    }
    let mut beat = tokio::time::interval(settings.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = lost.cancelled() => {
                let error = StoreError::Unreachable("connection lost".to_owned());
                return Ended { was_live: true, demoted: false, error };
            }
            _ = beat.tick() => {}
        }
        // The answer also proves that everything announced before it has been heard: it comes over the same connection.
        match tokio::time::timeout(settings.command_timeout, ensure_master(&mut connection)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Ended::after(true, &error),
            Err(_) => return Ended::silent(true),
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
    ensure_master(&mut connection).await?;
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
