//! Tunnel: a WebSocket that has begun, without the exchange that began it. What an exchange keeps (its heads, its buffers,
//! its own state and the proxy's) is ten times what is needed to pass bytes on, and WebSockets are idle nearly always.
//!
//! Responsible for: taking a WebSocket over once nothing is on its way through its exchange, passing its bytes on, its time
//! limits, its end and its line in the log. Not responsible for WebSockets whose service is reached over TLS: the exchange
//! has their keys, and keeps them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pingora::connectors::l4::Connect;
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use prometheus::IntGauge;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::frames::Frames;
use super::loan::Loan;
use super::switch::{Left, Switch};
use super::waits::Waits;
use super::way::{Follower, Stopped, Way};
use super::{CONNECTION, Exchanges, Goodbye, HANGS_ON, Slot, hear_out, tell};
use crate::conclude::Conclusion;
use crate::error::Refusal;
use crate::identity::LiveStream;

/// How long either side may take to hear that it is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// What an exchange knows of the WebSocket that it is asked for.
pub(super) struct Prospect {
    /// The connection to its service.
    loan: Loan,
    /// How long the head of its request is.
    head: u64,
    /// How long both sides may be silent.
    silence: Duration,
    /// Once it has been taken over.
    sides: Option<Sides>,
    /// Once its exchange has ended.
    conclusion: Option<Conclusion>,
}

/// Both sides of a WebSocket.
struct Sides {
    client: Stream,
    service: TcpStream,
}

/// A WebSocket that was taken over, and whose exchange has ended.
pub(super) struct Begun {
    tunnel: Tunnel,
    conclusion: Conclusion,
}

/// How to connect to the service of the WebSocket that the running exchange is asked for, so that it can be taken over:
/// within `limit`. `head` is how long its request's head is, `silence` how long both sides may be silent. `None` where
/// nobody would take it over.
pub(crate) fn lend(
    head: usize,
    limit: Duration,
    silence: Duration,
) -> Option<Arc<dyn Connect + Send + Sync>> {
    CONNECTION.try_with(|_| ()).ok()?;
    let loan = Loan::new(limit);
    let prospect = Prospect {
        loan: loan.clone(),
        head: head as u64,
        silence,
        sides: None,
        conclusion: None,
    };
    HANGS_ON
        .try_with(|slot| slot.borrow_mut().websocket = Some(Box::new(prospect)))
        .ok()?;
    Some(Arc::new(loan))
}

/// Whether the running exchange is over because its WebSocket goes on without it.
pub(crate) fn is_taken_over() -> bool {
    let taken = |slot: &RefCell<Slot>| {
        slot.borrow()
            .websocket
            .as_ref()
            .is_some_and(|w| w.sides.is_some())
    };
    HANGS_ON.try_with(taken).unwrap_or(false)
}

/// Leaves to a WebSocket that was taken over what there is to do at its end.
pub(crate) fn leave(conclusion: Conclusion) {
    let _ = HANGS_ON.try_with(|slot| {
        if let Some(websocket) = &mut slot.borrow_mut().websocket {
            websocket.conclusion = Some(conclusion);
        }
    });
}

/// Takes the running exchange's WebSocket over, if there is one and nothing is on its way through the exchange. For that,
/// both sides have closed from now on: it has to be polled until it has ended.
pub(super) fn take_over(switch: &Switch) -> bool {
    HANGS_ON.with(|slot| {
        let mut slot = slot.borrow_mut();
        let Some(websocket) = &mut slot.websocket else {
            return false;
        };
        let sides = switch
            .passed(websocket.head)
            .and_then(|(from_client, to_client)| {
                let service = websocket.loan.take_back(from_client, to_client)?;
                let client = switch.hand_on()?;
                Some(Sides { client, service })
            });
        websocket.sides = sides;
        websocket.sides.is_some()
    })
}

/// What was taken over from the exchange that has just ended, and what it hangs on.
pub(super) fn begun() -> Option<(Box<Begun>, LiveStream)> {
    let (websocket, live) = HANGS_ON.with(|slot| {
        let mut slot = slot.borrow_mut();
        slot.websocket.as_ref()?.sides.as_ref()?;
        Some((slot.websocket.take()?, slot.live.take()?))
    })?;
    let begun = Begun {
        tunnel: Tunnel::new(websocket.sides?, websocket.silence),
        conclusion: websocket.conclusion?,
    };
    Some((Box::new(begun), live))
}

/// Serves it until it ends. It stays where it is: what is moved into a future has room in it twice.
pub(super) async fn run(
    mut begun: Box<Begun>,
    live: LiveStream,
    exchanges: &Exchanges,
    shutdown: &ShutdownWatch,
) {
    let kept = CONNECTION.try_with(|connection| connection.waits.take());
    let mut waits = kept.ok().flatten().unwrap_or_default();
    waits.hang_on(&live);
    let slot = Slot {
        live: Some(live),
        ..Slot::default()
    };
    let _open = Open::new(&exchanges.metrics.tunnels);
    let goodbye = HANGS_ON.scope(RefCell::new(slot), async {
        let write = exchanges.limits.write;
        let end = poll_fn(|context| begun.tunnel.poll(context, &mut waits, write)).await;
        let shutting_down = *shutdown.borrow();
        Box::pin(conclude(*begun, end, exchanges, shutting_down)).await
    });
    hear_out(goodbye.await).await;
}

/// Does what there is to do at its end.
async fn conclude(begun: Begun, end: End, exchanges: &Exchanges, shutting_down: bool) -> Option<Goodbye> {
    let Begun { tunnel, conclusion } = begun;
    let sent = tunnel.to_client.passed();
    match end {
        End::Closed => {
            conclusion.settle(sent, None);
            let mut client = tunnel.sides.client;
            let _ = tokio::time::timeout(FAREWELL, client.shutdown()).await;
            None
        }
        // What is still open when the gateway ends is broken off by its end: nobody's fault.
        End::Broken(_) if shutting_down => {
            conclusion.shut_down(sent);
            None
        }
        End::Broken(refusal) => {
            conclusion.settle(sent, Some(&refusal));
            None
        }
        End::Cut => {
            exchanges.metrics.cut.inc();
            let goodbye = tell(tunnel.left()).await;
            conclusion.cut(sent);
            goodbye
        }
    }
}

/// Counted while it is open.
struct Open(IntGauge);

impl Open {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A WebSocket that passes.
struct Tunnel {
    sides: Sides,
    silence: Duration,
    to_client: Way,
    to_service: Way,
    follower: Following,
    /// When something passed last.
    last: Instant,
}

/// What its client is sent, frame by frame.
struct Following {
    frames: Frames,
    /// Its session has ended: what it is in the middle of may be completed.
    ending: bool,
}

impl Follower for Following {
    fn may_pass(&self, bytes: &[u8]) -> usize {
        if self.ending {
            self.frames.unfinished(bytes)
        } else {
            bytes.len()
        }
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.frames.pass(bytes);
    }
}

/// How a WebSocket ends.
enum End {
    /// By itself: either side has closed.
    Closed,
    /// With its session.
    Cut,
    /// One side broke off, or both were silent for too long.
    Broken(Refusal),
}

impl End {
    /// Where bytes have stopped to pass: `from` is at fault if they could not be read, `to` if they could not be written.
    fn of(stopped: &Stopped, from: Refusal, to: Refusal) -> Self {
        match stopped {
            Stopped::Finished => Self::Closed,
            Stopped::Reading(error) => {
                tracing::debug!("a WebSocket could not be read: {error}");
                Self::Broken(from)
            }
            Stopped::Writing(error) => {
                tracing::debug!("a WebSocket could not be written: {error}");
                Self::Broken(to)
            }
        }
    }
}

impl Tunnel {
    /// Goes on where the exchange has stopped: between two frames.
    fn new(sides: Sides, silence: Duration) -> Self {
        Self {
            sides,
            silence,
            to_client: Way::after_another(),
            to_service: Way::default(),
            follower: Following {
                frames: Frames::between(),
                ending: false,
            },
            last: Instant::now(),
        }
    }

    /// Passes on what comes; ready when the WebSocket is over.
    fn poll(&mut self, context: &mut Context<'_>, waits: &mut Waits, write: Duration) -> Poll<End> {
        if !self.follower.ending && waits.poll_ended(context).is_ready() {
            self.follower.ending = true;
            waits.allow_for_frame();
        }
        if self.follower.ending {
            return self.poll_end(context, waits);
        }
        let Sides { client, service } = &mut self.sides;
        let before = self.to_client.passed() + self.to_service.passed();
        if let Poll::Ready(stopped) = self.to_service.poll_pass(client, service, context, &mut ()) {
            return Poll::Ready(End::of(&stopped, Refusal::ClientGone, Refusal::UpstreamFailed));
        }
        let stopped = self
            .to_client
            .poll_pass(service, client, context, &mut self.follower);
        if let Poll::Ready(stopped) = stopped {
            return Poll::Ready(End::of(&stopped, Refusal::UpstreamFailed, Refusal::ClientGone));
        }
        if self.to_client.passed() + self.to_service.passed() != before {
            self.last = Instant::now();
        }
        self.poll_limits(context, waits, write)
    }

    /// The session has ended: ready between two frames, or when the one that was begun takes too long.
    fn poll_end(&mut self, context: &mut Context<'_>, waits: &mut Waits) -> Poll<End> {
        let Sides { client, service } = &mut self.sides;
        if !self.follower.frames.is_between() {
            let stopped = self
                .to_client
                .poll_pass(service, client, context, &mut self.follower);
            if stopped.is_pending()
                && !self.follower.frames.is_between()
                && waits.poll_late(context).is_pending()
            {
                return Poll::Pending;
            }
        }
        Poll::Ready(End::Cut)
    }

    /// Who takes nothing for as long as one write may take has gone; both may be silent for longer. The timer is moved
    /// when it has run down, not with each message.
    fn poll_limits(&mut self, context: &mut Context<'_>, waits: &mut Waits, write: Duration) -> Poll<End> {
        loop {
            let silent = (self.last + self.silence, Refusal::ClientTooSlow);
            let stuck = |way: &Way, refusal| way.stuck().map(|since| (since + write, refusal));
            let limits = [
                Some(silent),
                stuck(&self.to_client, Refusal::ClientGone),
                stuck(&self.to_service, Refusal::UpstreamTimedOut),
            ];
            let Some((next, refusal)) = limits.into_iter().flatten().min_by_key(|limit| limit.0) else {
                return Poll::Pending;
            };
            if next <= Instant::now() {
                return Poll::Ready(End::Broken(refusal));
            }
            if waits.deadline() > next || waits.poll_late(context).is_ready() {
                waits.until(next);
            } else {
                return Poll::Pending;
            }
        }
    }

    /// The client's side, and whether something may be said on it.
    fn left(self) -> Left {
        let frames = &self.follower.frames;
        if frames.is_between() && !frames.is_closed() {
            Left::Speak(self.sides.client)
        } else {
            Left::Close(self.sides.client)
        }
    }
}
