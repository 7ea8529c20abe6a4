//! The connection that commands go over: opened when first needed, shared by all, replaced when it breaks. While Redis is gone
//! callers are told at once, not after a timeout each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::redis::RedisSettings;

/// Pause between a failed attempt to connect and the next one.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection and its number.
type Connected = (MultiplexedConnection, u64);

/// When an attempt began, and what is cancelled when it has ended.
type Attempt = (Instant, CancellationToken);

/// One shared connection, or the reason why there is none.
pub(crate) struct Link {
    client: Client,
    settings: RedisSettings,
    state: Mutex<State>,
    /// Numbers the connections.
    attempts: AtomicU64,
}

enum State {
    /// Nobody has asked yet, or the last connection broke: the next caller connects.
    Idle,
    /// An attempt is under way; `done` is cancelled when it has ended.
    Connecting {
        since: Instant,
        number: u64,
        done: CancellationToken,
    },
    /// Connected. `number` tells this connection from its successors.
    Up {
        connection: MultiplexedConnection,
        number: u64,
    },
    /// The last attempt failed; no other before `until`.
    Down { until: Instant, error: StoreError },
}

impl Link {
    pub(crate) fn new(client: Client, settings: RedisSettings) -> Arc<Self> {
        Arc::new(Self {
            client,
            settings,
            state: Mutex::new(State::Idle),
            attempts: AtomicU64::new(0),
        })
    }

    /// The connection and its number. Connects where there is none; fails at once where that failed just now, or where an attempt
    /// that others wait for has taken as long as a command may.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Connected, StoreError> {
        let (since, done) = match self.connected_or_connecting(false) {
            Ok(known) => return known,
            Err(attempt) => attempt,
        };
        let deadline = since + self.settings.command_timeout;
        if tokio::time::timeout_at(deadline, done.cancelled()).await.is_err() {
            return Err(StoreError::Unreachable("still connecting".to_owned()));
        }
        // Who has waited for an attempt shares its outcome, however long ago that was.
        self.connected_or_connecting(true).unwrap_or_else(|_| {
            Err(StoreError::Unreachable(
                "the connection was lost at once".to_owned(),
            ))
        })
    }

    /// The answer to [`Link::connection`] if it is known, else the attempt to wait for (begun here, if need be).
    fn connected_or_connecting(
        self: &Arc<Self>,
        waited: bool,
    ) -> Result<Result<Connected, StoreError>, Attempt> {
        let now = Instant::now();
        let mut state = self.lock();
        match &*state {
            State::Up { connection, number } => return Ok(Ok((connection.clone(), *number))),
            State::Down { until, error } if waited || now < *until => return Ok(Err(error.clone())),
            // An attempt that outlived its own limit died with its runtime; begin another.
            State::Connecting { since, done, .. } if now < *since + self.settings.connect_timeout * 2 => {
                return Err((*since, done.clone()));
            }
            State::Idle | State::Down { .. } | State::Connecting { .. } => {}
        }
        let done = CancellationToken::new();
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        *state = State::Connecting {
            since: now,
            number,
            done: done.clone(),
        };
        tokio::spawn(Arc::clone(self).connect(number, done.clone()));
        Err((now, done))
    }

    /// One attempt, in a task of its own, so that no caller's patience decides about it.
    async fn connect(self: Arc<Self>, number: u64, done: CancellationToken) {
        let weak = Arc::downgrade(&self);
        let on_push = move |push: PushInfo| -> Result<(), redis::aio::SendError> {
            if push.kind == PushKind::Disconnection
                && let Some(link) = weak.upgrade()
            {
                link.broken(number);
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.connect_timeout))
            .set_response_timeout(Some(self.settings.command_timeout))
            .set_pipeline_buffer_size(1024)
            .set_push_sender(on_push);
        let attempt = async {
            let mut connection = self
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            ensure_master(&mut connection).await?;
            Ok(connection)
        };
        let outcome = match tokio::time::timeout(self.settings.connect_timeout, attempt).await {
            Ok(Ok(connection)) => State::Up { connection, number },
            Ok(Err(error)) => State::Down {
                until: Instant::now() + PAUSE,
                error: store_error(&error),
            },
            Err(_) => State::Down {
                until: Instant::now() + PAUSE,
                error: StoreError::TimedOut,
            },
        };
        let mut state = self.lock();
        if matches!(&*state, State::Connecting { number: current, .. } if *current == number) {
            *state = outcome;
        }
        drop(state);
        done.cancel();
    }

    /// Whatever connection there is, it leads to the wrong server.
    pub(crate) fn mistrust(&self) {
        let mut state = self.lock();
        if matches!(&*state, State::Up { .. }) {
            *state = State::Idle;
        }
    }

    /// The connection of this number is of no more use: the next command opens another. Commands under way on it run to their end.
    pub(crate) fn broken(&self, number: u64) {
        let mut state = self.lock();
        if matches!(&*state, State::Up { number: current, .. } if *current == number) {
            *state = State::Idle;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a server that is not the master: a replica, or a master that was demoted, answers from the past.
pub(crate) async fn ensure_master(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let role: Value = redis::cmd("ROLE").query_async(connection).await?;
    let is_master = match &role {
        Value::Array(items) => match items.first() {
            Some(Value::BulkString(word)) => word == b"master",
            Some(Value::SimpleString(word)) => word == "master",
            _ => false,
        },
        _ => false,
    };
    if is_master {
        Ok(())
    } else {
        Err(RedisError::from((
            ErrorKind::Server(ServerErrorKind::ReadOnly),
            "the server is not the master",
        )))
    }
}

/// The library's error in the store's words.
pub(crate) fn store_error(error: &RedisError) -> StoreError {
    if error.is_timeout() {
        return StoreError::TimedOut;
    }
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::ClusterDown,
        ) => StoreError::Unreachable(error.to_string()),
        _ => StoreError::Refused(error.to_string()),
    }
}

/// Whether the connection on which this error came should be given up.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    error.is_timeout()
        || error.is_unrecoverable_error()
        || error.is_io_error()
        || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
