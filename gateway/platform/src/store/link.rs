//! The connection that commands go over: opened when first needed, shared by all, replaced when it breaks. While Redis is gone
//! callers are told at once, not after a timeout each.

use std::collections::HashMap;
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
use super::masters::is_same;
use super::redis::RedisSettings;

/// Pause between a failed attempt to connect and the next one.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a Cluster is of no use to us (platform README §4).
const CLUSTER: &str = "it runs as a Cluster, which is not supported: a session's two records lie on different nodes there, and cannot be \
                       read at one moment. Use one server, or several with Sentinel: redis+sentinel://host,host,host/name";

const SENTINEL: &str = "it is a Sentinel and keeps no data: write redis+sentinel://host,host,host/name, with the name of the master";

/// A connection and its number.
type Connected = (MultiplexedConnection, u64);

/// When an attempt began, and what is cancelled when it has ended.
type Attempt = (Instant, CancellationToken);

/// One shared connection, or the reason why there is none.
pub(crate) struct Link {
    settings: RedisSettings,
    inner: Mutex<Inner>,
    /// Numbers the connections.
    attempts: AtomicU64,
}

struct Inner {
    /// The server that is meant; `None` while nobody knows which of several it is.
    target: Option<Client>,
    state: State,
}

enum State {
    /// Nobody has asked yet, or the last connection broke: the next caller connects.
    Idle,
    /// An attempt is under way, or the server is being looked for; `done` is cancelled when that has ended.
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
    /// A link to this server, or to the one that [`Link::point_to`] will name soon.
    pub(crate) fn new(target: Option<Client>, settings: RedisSettings) -> Arc<Self> {
        let state = match target {
            Some(_) => State::Idle,
            None => State::Connecting {
                since: Instant::now(),
                number: 0,
                done: CancellationToken::new(),
            },
        };
        Arc::new(Self {
            settings,
            inner: Mutex::new(Inner { target, state }),
            attempts: AtomicU64::new(1),
        })
    }

    /// From now on commands go to this server. A connection to another one is given up, also one that is being opened.
    pub(crate) fn point_to(&self, server: &Client) {
        let mut inner = self.lock();
        if !inner
            .target
            .as_ref()
            .is_some_and(|target| is_same(target, server))
        {
            inner.target = Some(server.clone());
            inner.give_up(State::Idle);
        }
    }

    /// Nobody can say which server is meant: callers are told at once, until [`Link::point_to`].
    pub(crate) fn point_nowhere(&self, error: StoreError) {
        let mut inner = self.lock();
        inner.target = None;
        inner.give_up(State::Down {
            until: Instant::now(),
            error,
        });
    }

    /// The connection and its number. Connects where there is none; fails at once where that failed just now, or where an attempt
    /// that others wait for has taken as long as a command may.
    pub(crate) async fn connection(self: &Arc<Self>) -> Result<Connected, StoreError> {
        let mut deadline = None;
        loop {
            // Who has waited for an attempt shares its outcome, however long ago that was.
            let (since, done) = match self.connected_or_connecting(deadline.is_some()) {
                Ok(known) => return known,
                Err(attempt) => attempt,
            };
            let deadline = *deadline.get_or_insert(since + self.settings.command_timeout);
            if tokio::time::timeout_at(deadline, done.cancelled()).await.is_err() {
                return Err(StoreError::Unreachable("still connecting".to_owned()));
            }
        }
    }

    /// The answer to [`Link::connection`] if it is known, else the attempt to wait for (begun here, if need be).
    fn connected_or_connecting(
        self: &Arc<Self>,
        waited: bool,
    ) -> Result<Result<Connected, StoreError>, Attempt> {
        let now = Instant::now();
        let mut inner = self.lock();
        match &inner.state {
            State::Up { connection, number } => return Ok(Ok((connection.clone(), *number))),
            State::Down { until, error } if waited || now < *until || inner.target.is_none() => {
                return Ok(Err(error.clone()));
            }
            // An attempt that outlived its own limit died with its runtime; begin another.
            State::Connecting { since, done, .. }
                if now < *since + self.settings.connect_timeout * 2 || inner.target.is_none() =>
            {
                return Err((*since, done.clone()));
            }
            State::Idle | State::Down { .. } | State::Connecting { .. } => {}
        }
        let Some(server) = inner.target.clone() else {
            return Ok(Err(StoreError::Unreachable("no server is known".to_owned())));
        };
        let done = CancellationToken::new();
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        inner.state = State::Connecting {
            since: now,
            number,
            done: done.clone(),
        };
        tokio::spawn(Arc::clone(self).connect(server, number, done.clone()));
        Err((now, done))
    }

    /// One attempt, in a task of its own, so that no caller's patience decides about it.
    async fn connect(self: Arc<Self>, server: Client, number: u64, done: CancellationToken) {
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
            let mut connection = server
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            ensure_usable(&mut connection).await?;
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
        let mut inner = self.lock();
        if matches!(&inner.state, State::Connecting { number: current, .. } if *current == number) {
            inner.state = outcome;
        }
        drop(inner);
        done.cancel();
    }

    /// Whatever connection there is, it leads to the wrong server.
    pub(crate) fn mistrust(&self) {
        self.lock().give_up(State::Idle);
    }

    /// The connection of this number is of no more use: the next command opens another. Commands under way on it run to their end.
    pub(crate) fn broken(&self, number: u64) {
        let mut inner = self.lock();
        if matches!(&inner.state, State::Up { number: current, .. } if *current == number) {
            inner.state = State::Idle;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What was known of the connection is void. Whoever waits for an attempt looks again.
    fn give_up(&mut self, next: State) {
        if let State::Connecting { done, .. } = std::mem::replace(&mut self.state, next) {
            done.cancel();
        }
    }
}

/// Refuses a server that can never be our store, or is not the master.
pub(crate) async fn ensure_usable(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let about: HashMap<String, Value> = redis::cmd("HELLO").query_async(connection).await?;
    let mode = match about.get("mode") {
        Some(Value::BulkString(mode)) => std::str::from_utf8(mode).unwrap_or_default(),
        Some(Value::SimpleString(mode)) => mode,
        _ => "",
    };
    match mode {
        "cluster" => Err(unsupported(CLUSTER)),
        "sentinel" => Err(unsupported(SENTINEL)),
        _ => ensure_master(connection).await,
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

fn unsupported(why: &str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "unsupported", why.to_owned()))
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
        ErrorKind::InvalidClientConfig => {
            StoreError::Unsupported(error.detail().map_or_else(|| error.to_string(), str::to_owned))
        }
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
