//! A TCP balancer in front of several gateways: connections go round, and past those that refuse them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::ports::free_port;

/// The balancer; ends with its value, and its connections with it.
pub struct Balancer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Balancer {
    /// A balancer on a free port, which knows its targets once it has been told.
    ///
    /// # Panics
    /// If no port can be bound.
    pub async fn on_a_free_port() -> (Self, BalancerOf) {
        let (listener, address) = loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            if let Ok(listener) = TcpListener::bind(address).await {
                break (listener, address);
            }
        };
        let (tell, told) = tokio::sync::oneshot::channel::<Vec<SocketAddr>>();
        let task = tokio::spawn(async move {
            if let Ok(targets) = told.await {
                run(listener, targets).await;
            }
        });
        (Self { address, task }, BalancerOf(tell))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A balancer that does not know its targets yet: they are told the address before they exist.
pub struct BalancerOf(tokio::sync::oneshot::Sender<Vec<SocketAddr>>);

impl BalancerOf {
    /// Begins to serve.
    pub fn serve(self, targets: Vec<SocketAddr>) {
        let _ = self.0.send(targets);
    }
}

async fn run(listener: TcpListener, targets: Vec<SocketAddr>) {
    let (targets, turn) = (Arc::new(targets), Arc::new(AtomicUsize::new(0)));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            Ok((mut near, _)) = listener.accept() => {
                let (targets, first) = (targets.clone(), turn.fetch_add(1, Relaxed));
                connections.spawn(async move {
                    let count = targets.len();
                    for target in targets.iter().cycle().skip(first % count).take(count) {
                        if let Ok(mut far) = TcpStream::connect(target).await {
                            let _ = (near.set_nodelay(true), far.set_nodelay(true));
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                            return;
                        }
                    }
                });
            }
        }
    }
}
