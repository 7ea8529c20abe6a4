//! The switch of a connection: what the exchange on it and its stream know of each other.
//!
//! Responsible for: what is done with bytes that are written, by what the exchange is at; sending what was gathered when that
//! is due; and handing the stream over when an exchange is to end, while the exchange that had it still exists. Not
//! responsible for when an exchange ends, nor for what is said.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::{fmt, io};

use pingora::protocols::Stream;

use super::held::Held;

/// Bytes pass and nobody looks.
pub(super) const PASSING: u8 = 0;
/// An exchange is running that will soon be over: what it writes is gathered.
pub(super) const GATHERING: u8 = 1;
/// The exchange may go on for long, and end before it has come to its end: the stream can be taken away from the tap.
pub(super) const LASTING: u8 = 2;
/// A WebSocket has begun: frames are counted.
pub(super) const COUNTING: u8 = 3;
/// The frame that is being sent may be completed; nothing else passes, in either direction.
pub(super) const ENDING: u8 = 4;

/// The stream was handed on to who goes on with the WebSocket: for the exchange, its client has closed.
pub(super) const GONE: u8 = 5;

/// What the exchange on a connection and the connection's stream know of each other. One task uses both, so that nobody
/// ever waits for the lock.
pub(super) struct Switch {
    pub(super) mode: AtomicU8,
    /// Whether the last byte that was sent was the last of a frame.
    pub(super) between: AtomicBool,
    /// Whether the service has said goodbye itself.
    pub(super) closed: AtomicBool,
    /// Whether something is held.
    pub(super) holds: AtomicBool,
    behind: Mutex<Behind>,
}

/// The stream behind a tap.
pub(super) struct Behind {
    /// Until it is taken.
    pub(super) stream: Option<Stream>,
    /// Written, not sent.
    pub(super) held: Held,
    /// Bytes that were read before there was an exchange.
    pub(super) kept: Vec<u8>,
    /// How many bytes the exchange has read.
    pub(super) read: u64,
    /// How many bytes a WebSocket's client was sent after the head.
    pub(super) sent: u64,
}

/// Not what was kept or held: it may be a secret.
impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// What there is to do with the stream of an exchange that has been cut.
pub(super) enum Left {
    /// A WebSocket's, between two frames: its client can be told why it ends.
    Speak(Stream),
    /// Nothing may be said on it.
    Close(Stream),
    /// It is the exchange's alone.
    Nothing,
}

impl Switch {
    /// Of a connection on which nothing has happened yet.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            mode: AtomicU8::new(PASSING),
            between: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            holds: AtomicBool::new(false),
            behind: Mutex::new(Behind {
                stream: Some(stream),
                held: Held::default(),
                kept: Vec::new(),
                read: 0,
                sent: 0,
            }),
        }
    }

    /// An exchange begins: from now on what it writes is gathered, and somebody calls [`Switch::poll_send_due`] whenever
    /// it comes to a halt, and [`Switch::poll_send_all`] when it is over.
    pub(super) fn begin(&self) {
        self.mode.store(GATHERING, Relaxed);
    }

    /// The exchange that begins may go on for long.
    pub(super) fn last(&self) {
        if matches!(self.mode.load(Relaxed), PASSING | GATHERING) {
            self.mode.store(LASTING, Relaxed);
        }
    }

    /// There is no exchange any more. False if something of it could not be sent: then there can be no other.
    pub(super) fn rest(&self) -> bool {
        self.mode.store(PASSING, Relaxed);
        !self.holds() && self.lock().stream.is_some()
    }

    /// Nothing more is sent, and the connection closed: whoever still has to do with it is told so at once.
    pub(super) fn give_up(&self) {
        let mut behind = self.lock();
        self.forget(&mut behind);
        drop(behind.stream.take());
    }

    /// Bytes that came before there was an exchange: it reads them first.
    pub(super) fn keep(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut behind = self.lock();
            behind.kept.extend_from_slice(bytes);
            behind.read = 0;
        }
    }

    /// The next bytes are the head of an answer that begins a WebSocket.
    pub(super) fn count(&self) {
        self.between.store(false, Relaxed);
        self.mode.store(COUNTING, Relaxed);
    }

    /// Whether a WebSocket is running.
    pub(super) fn is_counting(&self) -> bool {
        self.mode.load(Relaxed) == COUNTING
    }

    /// How many bytes a WebSocket's client has sent after a head of this length, and was sent after the answer's; `None` if
    /// none is running, or its service is in the middle of a frame or has said goodbye.
    pub(super) fn passed(&self, head: u64) -> Option<(u64, u64)> {
        let steady = self.is_counting() && self.is_between() && !self.closed.load(Relaxed);
        if !steady || self.holds() {
            return None;
        }
        let behind = self.lock();
        Some((behind.read.checked_sub(head)?, behind.sent))
    }

    /// Hands the stream on to who goes on with the WebSocket. For the exchange, the client has closed.
    pub(super) fn hand_on(&self) -> Option<Stream> {
        let stream = self.lock().stream.take()?;
        self.mode.store(GONE, Relaxed);
        Some(stream)
    }

    /// The exchange is to end. False if no WebSocket is running on it: then there is nothing to wait for.
    pub(super) fn end(&self) -> bool {
        self.mode
            .compare_exchange(COUNTING, ENDING, Relaxed, Relaxed)
            .is_ok()
    }

    /// Whether something was written that could not be sent.
    pub(super) fn holds(&self) -> bool {
        self.holds.load(Relaxed)
    }

    /// Whether something may be said now: the last byte that was sent was the last of a frame.
    pub(super) fn is_between(&self) -> bool {
        self.between.load(Relaxed)
    }

    /// Takes the stream away from the exchange, which must not be used any more. Nothing is to be said in the middle of
    /// a frame, or if the backend has closed by itself. What was held is not sent: its session has ended.
    pub(super) fn take(&self) -> Left {
        let mode = self.mode.load(Relaxed);
        let mut behind = self.lock();
        self.forget(&mut behind);
        if matches!(mode, PASSING | GATHERING) {
            return Left::Nothing;
        }
        let silent = mode != ENDING || !self.is_between() || self.closed.load(Relaxed);
        match behind.stream.take() {
            Some(stream) if silent => Left::Close(stream),
            Some(stream) => Left::Speak(stream),
            None => Left::Nothing,
        }
    }

    /// Sends what is held and should not wait for more. An error is told to whoever writes next.
    pub(super) fn poll_send_due(&self, context: &mut Context<'_>) {
        if self.holds() && self.lock().held.is_due() {
            let _ = self.poll_send_all(context);
        }
    }

    /// Sends all that is held; an error also if something that was held before could not be sent.
    pub(super) fn poll_send_all(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let behind = &mut *self.lock();
        match &mut behind.stream {
            Some(stream) => self.poll_send(&mut behind.held, stream, context),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Sends what is held on the stream behind.
    pub(super) fn poll_send(
        &self,
        held: &mut Held,
        stream: &mut Stream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let sent = held.poll_send(stream, context);
        self.holds.store(!held.is_empty(), Relaxed);
        sent
    }

    fn forget(&self, behind: &mut Behind) {
        behind.held.forget();
        self.holds.store(false, Relaxed);
    }

    /// What is behind the tap. For a moment: whoever calls holds it over no call of its own.
    pub(super) fn lock(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
