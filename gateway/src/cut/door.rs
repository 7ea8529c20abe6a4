//! The door of every connection: how many an address may have.
//!
//! Responsible for: counting connections by address before a request is read from them, and tapping their streams. Not
//! responsible for what passes on them.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;
use pingora::apps::{HttpServerApp as _, ServerApp};
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;

use super::tap::Tap;
use super::{CONNECTION, Connection, Exchanges, arrival};
use crate::metrics::Metrics;

/// How many connections each address has open, over all threads.
#[derive(Clone, Default)]
pub(crate) struct OpenConnections(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl OpenConnections {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts connections by address before anything is read from them.
pub(crate) struct Door {
    exchanges: Arc<Exchanges>,
    open: OpenConnections,
    trusted: Vec<IpNet>,
}

impl Door {
    /// A door to the exchanges.
    pub(crate) fn new(exchanges: Exchanges, open: OpenConnections, trusted: Vec<IpNet>) -> Self {
        Self {
            exchanges: Arc::new(exchanges),
            open,
            trusted,
        }
    }

    /// A trusted proxy speaks for many clients and is not limited; one IPv6 client owns a whole /64.
    fn enter(&self, address: Option<IpAddr>) -> Option<Inside> {
        let address = address
            .filter(|address| !self.trusted.iter().any(|network| network.contains(address)))
            .map(network_of);
        if let Some(address) = address {
            let mut open = self.open.lock();
            let count = open.entry(address).or_insert(0);
            let limit = self.exchanges.limits.per_address;
            if limit != 0 && *count >= limit {
                self.exchanges.metrics.connections_refused.inc();
                return None;
            }
            *count += 1;
        }
        self.exchanges.metrics.connections.inc();
        Some(Inside {
            address,
            open: self.open.clone(),
            metrics: self.exchanges.metrics.clone(),
        })
    }
}

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

struct Inside {
    address: Option<IpAddr>,
    open: OpenConnections,
    metrics: Arc<Metrics>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.metrics.connections.dec();
        let Some(address) = self.address else { return };
        let mut open = self.open.lock();
        if let Entry::Occupied(mut entry) = open.entry(address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// Serves a connection until it ends.
async fn converse(exchanges: &Arc<Exchanges>, stream: Stream, shutdown: &ShutdownWatch) {
    let (tap, switch) = Tap::new(stream);
    let connection = Connection {
        fresh: Cell::new(true),
        switch: switch.clone(),
        waits: Cell::default(),
        begun: Cell::default(),
    };
    let mut stream: Stream = Box::new(tap);
    if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
        let preface = arrival::preface(&mut stream, &switch, exchanges.limits.head).await;
        if preface.is_some() {
            exchanges.process_new(stream, shutdown).await;
        }
        return;
    }
    let serving = arrival::serve(exchanges, stream, &switch, shutdown);
    CONNECTION.scope(connection, serving).await;
}

#[async_trait]
impl ServerApp for Door {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let address = stream.get_socket_digest().and_then(|digest| {
            digest
                .peer_addr()
                .and_then(|peer| peer.as_inet().map(std::net::SocketAddr::ip))
        });
        let inside = self.enter(address)?;
        let (exchanges, shutdown) = (self.exchanges.clone(), shutdown.clone());
        // In a task of its own: the one that calls has room for a TLS handshake for as long as it lives.
        tokio::spawn(async move {
            let _inside = inside;
            converse(&exchanges, stream, &shutdown).await;
        });
        None
    }

    async fn cleanup(&self) {
        self.exchanges.http_cleanup().await;
    }
}
