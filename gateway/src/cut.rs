//! Cut: ends a request from outside. The exchange runs inside a future that is dropped when the session it
//! rides on ends; an idle stream is cut as fast as a busy one. A WebSocket is told why: a close frame goes out
//! between two frames of the backend's, before the connection ends.
//!
//! It also limits how long a request's head may take. How many connections an address may have is the `door`'s business.

mod arrival;
mod door;
mod frames;
mod held;
mod loan;
mod switch;
mod tap;
mod tunnel;
mod waits;
mod way;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt};
use tokio::time::Instant;

pub(crate) use self::door::{Door, OpenConnections};
use self::frames::close_frame;
use self::switch::{Left, Switch};
use self::tunnel::{Begun, Prospect};
pub(crate) use self::tunnel::{is_taken_over, leave, lend};
use self::waits::{Ended, Waits, until_cut};
use crate::identity::{self, LiveStream};
use crate::metrics::Metrics;
use crate::proxy::Proxy;

/// How long the client of a WebSocket that was told to close may take to do so.
const GOODBYE: Duration = Duration::from_secs(1);

/// Of so many streams that end together each is cleared away a moment later.
const MANY: u32 = 16;

/// How long a stream of many waits for each of them to have been told: many times what that takes, for a machine that is
/// busy with something else.
const AFTER_EACH: Duration = Duration::from_micros(500);

/// But no longer than that.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// The last words to a WebSocket's client.
type Goodbye = Pin<Box<dyn Future<Output = ()> + Send>>;

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
    /// For its next exchange.
    waits: Cell<Option<Box<Waits>>>,
    /// A WebSocket that was taken over from the exchange that has just ended.
    begun: Cell<Option<(Box<Begun>, LiveStream)>>,
}

#[derive(Default)]
struct Slot {
    arrived: bool,
    live: Option<LiveStream>,
    /// It was tied to its session since somebody last looked.
    tied: bool,
    /// When the last piece of a request body came that is not complete yet.
    receiving: Option<Instant>,
    /// The WebSocket that was asked for.
    websocket: Option<Box<Prospect>>,
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
        slot.tied = true;
        slot.live = Some(live);
    });
}

/// Says that the running request's exchange may go on for long: when it is cut, its client hears of it before anything
/// else is done.
pub(crate) fn lasts() {
    let _ = CONNECTION.try_with(|connection| connection.switch.last());
}

/// Says that the answer now going out begins a WebSocket: from here on its frames are followed.
pub(crate) fn switched() {
    let _ = CONNECTION.try_with(|connection| connection.switch.count());
}

/// Sends what the exchange has written, now that it has written all; false if it cannot be sent, or not in time. Then it is
/// given up: nobody else would see to it that its connection ends.
pub(crate) async fn all_sent(limit: Duration) -> bool {
    let Ok(switch) = CONNECTION.try_with(|connection| connection.switch.clone()) else {
        return true;
    };
    let mut all = pin!(std::future::poll_fn(|context| switch.poll_send_all(context)));
    // Nearly always it leaves at once, and no timer is set up.
    let at_once = std::future::poll_fn(|context| Poll::Ready(all.as_mut().poll(context))).await;
    let sent = match at_once {
        Poll::Ready(sent) => sent.is_ok(),
        Poll::Pending => matches!(tokio::time::timeout(limit, all).await, Ok(Ok(()))),
    };
    if !sent {
        switch.give_up();
    }
    sent
}

/// Whoever the running exchange is with takes nothing any more.
pub(crate) fn give_up() {
    let _ = CONNECTION.try_with(|connection| connection.switch.give_up());
}

/// How many streams end together with the running request's.
fn siblings() -> u64 {
    HANGS_ON
        .try_with(|slot| slot.try_borrow().ok()?.live.as_ref().map(LiveStream::siblings))
        .ok()
        .flatten()
        .unwrap_or(0)
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

    /// What an exchange waits with, and until when for the rest of its head; `None` on a fresh connection, whose time runs
    /// since the connection was made.
    fn begin(&self) -> (Box<Waits>, Option<Duration>) {
        let of_connection = CONNECTION.try_with(|connection| {
            let waits = connection.waits.take()?;
            Some((waits, connection.fresh.replace(false)))
        });
        let (waits, fresh) = of_connection.ok().flatten().unwrap_or_default();
        (waits, (!fresh).then_some(self.limits.head))
    }

    /// One exchange, up to its end or its cut. What it has, the session above all, is moved to where it stays before anything
    /// is waited for: it is large.
    fn exchange<'a>(
        &'a self,
        mut session: ServerSession,
        shutdown: &'a ShutdownWatch,
    ) -> impl Future<Output = Option<ReusedHttpStream>> + Send + 'a {
        if !*shutdown.borrow() {
            session.set_keepalive(Some(self.limits.keepalive.as_secs()));
        }
        session.set_read_timeout(Some(self.limits.body));
        session.set_write_timeout(Some(self.limits.write));
        session.set_total_drain_timeout(Some(self.limits.body));
        let switch = CONNECTION.try_with(|connection| connection.switch.clone()).ok();
        if let Some(switch) = &switch {
            switch.begin();
        }
        let (mut waits, head) = self.begin();
        let mut exchange = self.proxy.process_new_http(session, shutdown);
        async move {
            let (waiting, tapped) = (&mut waits, switch.as_deref());
            // It ends in there as well: what it says last depends on why.
            let work = HANGS_ON.scope(RefCell::default(), async move {
                match until_cut(exchange.as_mut(), waiting, head, self.limits.body, tapped).await {
                    Ended::Naturally(stream) => {
                        if let Some(begun) = tunnel::begun() {
                            let _ = CONNECTION.try_with(|connection| connection.begun.set(Some(begun)));
                        }
                        Ended::Naturally(stream)
                    }
                    Ended::TooLate => Ended::TooLate,
                    // The exchange is still there: what it has is cleared away when its client has been told.
                    Ended::Cut(()) => {
                        self.metrics.cut.inc();
                        Ended::Cut(tell(tapped.map_or(Left::Nothing, Switch::take)).await)
                    }
                }
            });
            match work.await {
                Ended::Naturally(stream) => {
                    let _ = CONNECTION.try_with(|connection| connection.waits.set(Some(waits)));
                    stream.filter(|_| switch.is_none_or(|switch| switch.rest()))
                }
                Ended::Cut(goodbye) => {
                    hear_out(goodbye).await;
                    None
                }
                Ended::TooLate => None,
            }
        }
    }
}

#[async_trait]
impl HttpServerApp for Exchanges {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        self.exchange(session, shutdown).await
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

/// Ends what the client sees of an exchange that has been cut. Where many are, what is behind them is cleared away a
/// moment later: closing a service's connection and writing a line takes longer than the word to the client, and the
/// last of them would wait for all. Returns what is left to do of a goodbye.
async fn tell(left: Left) -> Option<Goodbye> {
    let goodbye = match (left, why()) {
        (Left::Speak(stream), Some(why)) => {
            let mut goodbye: Goodbye = Box::pin(say_goodbye(stream, why));
            // A few bytes: nearly always they leave at once.
            let said = std::future::poll_fn(|context| Poll::Ready(goodbye.as_mut().poll(context))).await;
            said.is_pending().then_some(goodbye)
        }
        (Left::Speak(stream) | Left::Close(stream), _) => {
            drop(stream);
            None
        }
        (Left::Nothing, _) => return None,
    };
    let others = u32::try_from(siblings()).unwrap_or(u32::MAX);
    if others > MANY {
        tokio::time::sleep(AFTER_EACH.saturating_mul(others).min(AFTERWARDS)).await;
    }
    goodbye
}

/// Waits for a client to have heard the last words.
async fn hear_out(goodbye: Option<Goodbye>) {
    if let Some(goodbye) = goodbye
        && tokio::time::timeout(GOODBYE, goodbye).await.is_err()
    {
        tracing::debug!("the client did not close its WebSocket");
    }
}

/// Tells a WebSocket's client why it ends (RFC 6455 §7.1.2), and waits for it to have heard: a connection that is closed
/// with something unread in it may take the last words with it.
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
    if let Err(error) = goodbye.await {
        tracing::debug!("the client did not hear why its WebSocket ends: {error}");
    }
}
