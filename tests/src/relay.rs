//! A TCP relay in front of a part, which can break the way to it as networks and processes do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::ports::free_port;

/// What happens to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They pass.
    Open,
    /// Connections are closed, new ones refused: the process is gone.
    Cut,
    /// Connections stay and are accepted, and nothing moves: the process hangs, or the network swallows.
    Stalled,
}

/// The relay; ends with its value.
pub struct Relay {
    address: SocketAddr,
    way: watch::Sender<Way>,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Relay {
    /// A relay on a free port to `target`.
    ///
    /// # Panics
    /// If no port can be bound.
    pub async fn to(target: SocketAddr) -> Self {
        let (listener, address) = loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            if let Ok(listener) = TcpListener::bind(address).await {
                break (listener, address);
            }
        };
        let (way, changes) = watch::channel(Way::Open);
        let (accepted, open) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let line = Line {
            target,
            changes,
            accepted: accepted.clone(),
            open: open.clone(),
        };
        let task = tokio::spawn(line.run(listener, address));
        Self {
            address,
            way,
            accepted,
            open,
            task,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and refuses new ones, as when the process has died. Returns when it is so.
    ///
    /// # Panics
    /// If connections do not close.
    pub async fn cut(&self) {
        self.way.send_replace(Way::Cut);
        let closed = async || {
            let refused = TcpStream::connect(self.address).await.is_err();
            (refused && self.open.load(SeqCst) == 0).then_some(())
        };
        crate::eventually("a cut relay refuses connections", closed).await;
    }

    /// Holds all bytes back in both directions; connections stay open and new ones are accepted.
    pub fn stall(&self) {
        self.way.send_replace(Way::Stalled);
    }

    /// Ends a cut or a stall. Returns when connections are accepted again; what a stall held back flows now.
    ///
    /// # Panics
    /// If they are not.
    pub async fn heal(&self) {
        self.way.send_replace(Way::Open);
        let accepts = async || TcpStream::connect(self.address).await.ok().map(drop);
        crate::eventually("a healed relay accepts connections", accepts).await;
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.load(SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Line {
    target: SocketAddr,
    changes: watch::Receiver<Way>,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Line {
    async fn run(mut self, mut listener: TcpListener, address: SocketAddr) {
        loop {
            self.serve(&listener).await;
            // Gone as a dead process is: with the listener.
            drop(listener);
            if self.changes.wait_for(|way| *way != Way::Cut).await.is_err() {
                return;
            }
            listener = loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                }
            };
        }
    }

    /// Serves connections until the way is cut; they end with it.
    async fn serve(&self, listener: &TcpListener) {
        let mut connections = JoinSet::new();
        let mut changes = self.changes.clone();
        loop {
            tokio::select! {
                biased;
                cut = changes.wait_for(|way| *way == Way::Cut) => {
                    let _ = cut;
                    return;
                }
                Some(_) = connections.join_next() => {}
                Ok((near, _)) = listener.accept() => {
                    self.accepted.fetch_add(1, SeqCst);
                    connections.spawn(relay(near, self.target, self.changes.clone(), Counted::new(&self.open)));
                }
            }
        }
    }
}

/// Counts one while it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, SeqCst);
        Self(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

async fn relay(near: TcpStream, target: SocketAddr, mut changes: watch::Receiver<Way>, _count: Counted) {
    if changes.wait_for(|way| *way == Way::Open).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = pump(near_read, far_write, changes.clone());
    let back = pump(far_read, near_write, changes);
    // A side that broke off (not: has ended) takes the other with it.
    let _ = tokio::try_join!(there, back);
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut changes: watch::Receiver<Way>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if changes.wait_for(|way| *way == Way::Open).await.is_err() {
            return Ok(());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
