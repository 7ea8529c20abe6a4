//! A service that does as it is told: answers written byte by byte, and a memory of everything it was sent.
//!
//! It speaks HTTP/1.1 on a bare socket, so that cases see the exact head that the gateway sent, and so that
//! it can misbehave in every way. Not responsible for what is asserted about it.

mod script;
mod seen;
mod serve;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use self::script::{Gate, Script};
pub use self::seen::Seen;

/// The service. What it has no script for it answers with an echo of the request: `{"line", "headers":
/// [[name, value], …], "body"}`.
pub struct Backend {
    address: SocketAddr,
    memory: Arc<Memory>,
    task: JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct Memory {
    scripts: Mutex<HashMap<String, Script>>,
    seen: Mutex<Vec<Seen>>,
    open: AtomicUsize,
    accepted: AtomicUsize,
}

impl Memory {
    fn script(&self, path: &str) -> Script {
        lock(&self.scripts)
            .get(path)
            .cloned()
            .unwrap_or_else(Script::echo)
    }

    fn remember(&self, seen: Seen) {
        lock(&self.seen).push(seen);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port can be bound.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let memory = Arc::new(Memory::default());
        let task = tokio::spawn(accept(listener, memory.clone()));
        Self {
            address,
            memory,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers `path` (as the backend sees it, without query) by `script` from now on.
    pub fn on(&self, path: &str, script: Script) -> &Self {
        lock(&self.memory.scripts).insert(path.to_owned(), script);
        self
    }

    /// Every request whose head has arrived, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.memory.seen).clone()
    }

    /// The last request.
    ///
    /// # Panics
    /// If there was none.
    #[must_use]
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the backend was asked something")
    }

    /// The requests for a path, without regard to their query.
    #[must_use]
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.path() == path)
            .collect()
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.memory.open.load(SeqCst)
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.memory.accepted.load(SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, memory: Arc<Memory>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            Ok((stream, _)) = listener.accept() => {
                let _ = stream.set_nodelay(true);
                memory.accepted.fetch_add(1, SeqCst);
                let memory = memory.clone();
                connections.spawn(async move {
                    memory.open.fetch_add(1, SeqCst);
                    let _open = Open(memory.clone());
                    // Whoever asks may go away at any time; that is no failure of the backend's.
                    let _ = serve::connection(stream, &memory).await;
                });
            }
        }
    }
}

struct Open(Arc<Memory>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}
