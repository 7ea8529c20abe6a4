//! Cut: ends a request from outside. The exchange runs inside a future that is dropped when the session it
//! rides on ends; an idle stream is cut as fast as a busy one. A WebSocket is told why: a close frame goes out
//! between two frames of the backend's, before the connection ends.
//!
//! It also stands at the door of every connection: how many an address may have, and how long a request's
//! head may take.

mod frames;
mod tap;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use self::frames::close_frame;
use self::tap::{Switch, Tap};
use crate::identity::{self, LiveStream};
use crate::metrics::Metrics;
use crate::proxy::Proxy;

/// How long a frame that a backend has begun may take to be completed before its WebSocket is cut without a word.
const UNFINISHED: Duration = Duration::from_millis(500);

/// How long the client of a WebSocket that was told to close may take to do so.
const GOODBYE: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// What the request now running in this task hangs on.
    static HANGS_ON: RefCell<Slot>;
    /// The connection that this task serves, unless it speaks HTTP/2: there each stream has a task of its own.
    static CONNECTION: Connection;
}

struct Connection {
    /// Whether no request has been read from it yet.
    fresh: Cell<bool>,
    /// The other end of its tap.
    switch: Arc<Switch>,
}

#[derive(Default)]
struct Slot {
    arrived: bool,
    ended: Option<CancellationToken>,
    live: Option<LiveStream>,
    /// When the last piece of a request body came that is not complete yet.
    receiving: Option<Instant>,
}

/// Says that the head has been read: from now on the deadline for heads does not apply.
pub(crate) fn arrived() {
    let _ = HANGS_ON.try_with(|slot| slot.borrow_mut().arrived = true);
}

/// Says that a piece of the request's body has come, or (`complete`) its end: who falls silent in between is cut
/// off. HTTP/2 streams have no timeout of their own.
pub(crate) fn receiving(complete: bool) {
    let _ = HANGS_ON.try_with(|slot| slot.borrow_mut().receiving = (!complete).then(Instant::now));
}

/// Ties the running request to a live session; it is cut when the session ends.
pub(crate) fn tie(live: LiveStream) {
    let _ = HANGS_ON.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        slot.ended = Some(live.ended());
        slot.live = Some(live);
    });
}

/// Says that the answer now going out begins a WebSocket: from here on its frames are followed.
pub(crate) fn switched() {
    let _ = CONNECTION.try_with(|connection| connection.switch.count());
}

/// Why the running request is being cut, if it is.
pub(crate) fn why() -> Option<identity::Ended> {
    HANGS_ON
        .try_with(|slot| slot.try_borrow().ok()?.live.as_ref()?.reason())
        .ok()
        .flatten()
}

/// Limits of connections, in the units of the configuration.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// Connections per client address, an IPv6 /64 being one; 0 for no limit.
    pub(crate) per_address: usize,
    /// Time for a request's head; on a kept connection counted from the end of the idle time.
    pub(crate) head: Duration,
    /// Idle time between two requests.
    pub(crate) keepalive: Duration,
    /// Time between two reads of a request body.
    pub(crate) body: Duration,
    /// Time of one write.
    pub(crate) write: Duration,
}

/// The HTTP application around the proxy.
pub(crate) struct Exchanges {
    proxy: Arc<HttpProxy<Proxy>>,
    options: HttpServerOptions,
    h2: H2Options,
    limits: ConnectionLimits,
    metrics: Arc<Metrics>,
}

impl Exchanges {
    /// Wraps a proxy.
    pub(crate) fn new(
        proxy: HttpProxy<Proxy>,
        h2: H2Options,
        limits: ConnectionLimits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(limits.keepalive);
        Self {
            proxy: Arc::new(proxy),
            options,
            h2,
            limits,
            metrics,
        }
    }
}

#[async_trait]
impl HttpServerApp for Exchanges {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !*shutdown.borrow() {
            session.set_keepalive(Some(self.limits.keepalive.as_secs()));
        }
        session.set_read_timeout(Some(self.limits.body));
        session.set_write_timeout(Some(self.limits.write));
        session.set_total_drain_timeout(Some(self.limits.body));
        let switch = CONNECTION.try_with(|connection| connection.switch.clone()).ok();
        let work = HANGS_ON.scope(RefCell::default(), async {
            let ended = {
                let exchange = pin!(self.proxy.process_new_http(session, shutdown));
                let fresh = CONNECTION
                    .try_with(|connection| connection.fresh.replace(false))
                    .unwrap_or(true);
                let idle = if fresh {
                    Duration::ZERO
                } else {
                    self.limits.keepalive
                };
                let late = pin!(tokio::time::sleep(idle + self.limits.head));
                until_cut(exchange, late, self.limits.body, switch.as_deref()).await
            };
            (ended, why())
        });
        match work.await {
            (Ended::Naturally(stream), _) => stream,
            (Ended::Cut, why) => {
                self.metrics.cut.inc();
                if let (Some(stream), Some(why)) = (switch.and_then(|switch| switch.take()), why) {
                    say_goodbye(stream, why).await;
                }
                None
            }
            (Ended::TooLate, _) => None,
        }
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.h2.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

enum Ended<T> {
    Naturally(T),
    Cut,
    TooLate,
}

/// Polls the exchange; once it has tied itself to a session, polls the session's end as well. A WebSocket may then
/// complete the frame that it is in the middle of.
async fn until_cut<T>(
    mut exchange: Pin<&mut impl Future<Output = T>>,
    mut late: Pin<&mut tokio::time::Sleep>,
    body: Duration,
    switch: Option<&Switch>,
) -> Ended<T> {
    let mut cut: Option<Pin<Box<WaitForCancellationFutureOwned>>> = None;
    let mut ending = false;
    std::future::poll_fn(move |context| {
        if let Poll::Ready(value) = exchange.as_mut().poll(context) {
            return Poll::Ready(Ended::Naturally(value));
        }
        let (arrived, receiving, ended) = HANGS_ON.with(|slot| {
            let mut slot = slot.borrow_mut();
            (slot.arrived, slot.receiving, slot.ended.take())
        });
        if let Some(token) = ended {
            cut = Some(Box::pin(token.cancelled_owned()));
        }
        if !ending
            && let Some(cut) = &mut cut
            && cut.as_mut().poll(context).is_ready()
        {
            if !switch.is_some_and(Switch::end) {
                return Poll::Ready(Ended::Cut);
            }
            ending = true;
            late.as_mut().reset(Instant::now() + UNFINISHED);
        }
        if ending {
            return if switch.is_some_and(Switch::is_between) || late.as_mut().poll(context).is_ready() {
                Poll::Ready(Ended::Cut)
            } else {
                Poll::Pending
            };
        }
        if let Some(since) = receiving
            && late.deadline() != since + body
        {
            late.as_mut().reset(since + body);
        }
        if (!arrived || receiving.is_some()) && late.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ended::TooLate);
        }
        Poll::Pending
    })
    .await
}

/// Tells a WebSocket's client why it ends (RFC 6455 §7.1.2), and waits a moment for it to have heard: a connection
/// that is closed with something unread in it may take the last words with it.
async fn say_goodbye(mut stream: Stream, why: identity::Ended) {
    let goodbye = async {
        stream
            .write_all(&close_frame(why.close_code(), why.sentence()))
            .await?;
        stream.flush().await?;
        AsyncWriteExt::shutdown(&mut stream).await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    match tokio::time::timeout(GOODBYE, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("the client did not hear why its WebSocket ends: {error}"),
        Err(_) => tracing::debug!("the client did not close its WebSocket"),
    }
}

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

#[async_trait]
impl ServerApp for Door {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let address = stream.get_socket_digest().and_then(|digest| {
            digest
                .peer_addr()
                .and_then(|peer| peer.as_inet().map(std::net::SocketAddr::ip))
        });
        let _inside = self.enter(address)?;
        let switch = Arc::new(Switch::default());
        let connection = Connection {
            fresh: Cell::new(true),
            switch: switch.clone(),
        };
        let stream: Stream = Box::new(Tap::new(stream, switch));
        CONNECTION
            .scope(connection, self.exchanges.process_new(stream, shutdown))
            .await
    }

    async fn cleanup(&self) {
        self.exchanges.http_cleanup().await;
    }
}
