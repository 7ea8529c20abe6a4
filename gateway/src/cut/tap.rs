//! The stream of a connection, tapped: what a WebSocket's client is sent is followed frame by frame, so that the
//! gateway can say goodbye between two of them, whatever the backend is in the middle of.
//!
//! Responsible for: passing everything on unchanged, counting frames once a WebSocket has begun, holding back what
//! comes after the frame that is being sent once the exchange is to end, and handing the stream over then, while the
//! exchange that had it still exists. Not responsible for when an exchange ends, nor for what is said.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// Bytes pass and nobody looks. The stream is the tap's alone: most requests need no more.
const PASSING: u8 = 0;
/// The exchange may go on for long, and end before it has come to its end: the stream can be taken away from the tap.
const LASTING: u8 = 1;
/// A WebSocket has begun: frames are counted.
const COUNTING: u8 = 2;
/// The frame that is being sent may be completed; nothing else passes, in either direction.
const ENDING: u8 = 3;

/// What the exchange on a connection and the connection's stream know of each other. One task uses both.
#[derive(Default)]
pub(super) struct Switch {
    mode: AtomicU8,
    between: AtomicBool,
    closed: AtomicBool,
    /// The stream, from the first use after [`Switch::last`] on.
    stream: Mutex<Option<Stream>>,
    /// Whether there are bytes that were read before there was an exchange.
    any_kept: AtomicBool,
    kept: Mutex<Vec<u8>>,
}

/// Not what was kept: it may hold a cookie.
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
    /// The exchange that begins may go on for long.
    pub(super) fn last(&self) {
        let _ = self.mode.compare_exchange(PASSING, LASTING, Relaxed, Relaxed);
    }

    /// Bytes that came before there was an exchange: it reads them first.
    pub(super) fn keep(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes);
            self.any_kept.store(true, Relaxed);
        }
    }

    /// Hands over what was kept; false if there is nothing.
    fn hand_over(&self, buffer: &mut ReadBuf<'_>) -> bool {
        if !self.any_kept.load(Relaxed) {
            return false;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = kept.len().min(buffer.remaining());
        buffer.put_slice(kept.get(..now).unwrap_or_default());
        if now == kept.len() {
            *kept = Vec::new();
            self.any_kept.store(false, Relaxed);
        } else {
            kept.drain(..now);
        }
        true
    }

    /// The next bytes are the head of an answer that begins a WebSocket.
    pub(super) fn count(&self) {
        self.between.store(false, Relaxed);
        self.mode.store(COUNTING, Relaxed);
    }

    /// The exchange is to end. False if no WebSocket is running on it: then there is nothing to wait for.
    pub(super) fn end(&self) -> bool {
        self.mode
            .compare_exchange(COUNTING, ENDING, Relaxed, Relaxed)
            .is_ok()
    }

    /// Whether something may be said now: the last byte that was sent was the last of a frame.
    pub(super) fn is_between(&self) -> bool {
        self.between.load(Relaxed)
    }

    /// Takes the stream away from the exchange, which must not be used any more. Nothing is to be said in the middle of
    /// a frame, or if the backend has closed by itself.
    pub(super) fn take(&self) -> Left {
        let silent = self.mode.load(Relaxed) != ENDING || !self.is_between() || self.closed.load(Relaxed);
        match self.lock().take() {
            Some(stream) if silent => Left::Close(stream),
            Some(stream) => Left::Speak(stream),
            None => Left::Nothing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is followed.
#[derive(Debug)]
pub(super) struct Tap {
    /// The stream, while nobody else may take it.
    own: Option<Stream>,
    frames: Frames,
    switch: Arc<Switch>,
}

impl Tap {
    /// Taps a stream.
    pub(super) fn new(own: Stream, switch: Arc<Switch>) -> Self {
        Self {
            own: Some(own),
            frames: Frames::new(),
            switch,
        }
    }

    /// Works on the stream, wherever it is; an error once it was taken.
    fn on<T>(&mut self, work: impl FnOnce(Pin<&mut Stream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.switch.mode.load(Relaxed) != PASSING
            && let Some(own) = self.own.take()
        {
            *self.switch.lock() = Some(own);
        }
        if let Some(own) = &mut self.own {
            return work(Pin::new(own));
        }
        match self.switch.lock().as_mut() {
            Some(stream) => work(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// What the stream says of itself; nothing once it was taken.
    fn ask<T: Default>(&self, question: impl FnOnce(&Stream) -> T) -> T {
        match &self.own {
            Some(own) => question(own),
            None => self.switch.lock().as_ref().map(question).unwrap_or_default(),
        }
    }

    /// The stream for a while, to be given back as `own`.
    fn borrow(&mut self) -> Option<Stream> {
        self.own.take().or_else(|| self.switch.lock().take())
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.frames.pass(bytes);
        self.switch.between.store(self.frames.is_between(), Relaxed);
        self.switch.closed.store(self.frames.is_closed(), Relaxed);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // With it, or the connection would stay open for as long as somebody has the switch.
        drop(self.switch.lock().take());
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = match self.switch.mode.load(Relaxed) {
            PASSING | LASTING => return self.on(|stream| stream.poll_write(context, bytes)),
            ENDING => match self.frames.unfinished(bytes) {
                // Never woken: who ends the exchange sees that the frame is complete, and drops it.
                0 => return Poll::Pending,
                rest => bytes.get(..rest).unwrap_or_default(),
            },
            _ => bytes,
        };
        let written = ready!(self.on(|stream| stream.poll_write(context, bytes)))?;
        self.sent(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.switch.mode.load(Relaxed), PASSING | LASTING) {
            return self.on(|stream| stream.poll_write_vectored(context, bytes));
        }
        let first = bytes.iter().find(|slice| !slice.is_empty());
        self.poll_write(context, first.map_or(&[], |slice| &**slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.ask(|stream| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.on(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.on(|stream| stream.poll_shutdown(context))
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.switch.mode.load(Relaxed) == ENDING {
            return Poll::Pending;
        }
        if self.switch.hand_over(buffer) {
            return Poll::Ready(Ok(()));
        }
        self.on(|stream| stream.poll_read(context, buffer))
    }
}

#[async_trait]
impl Shutdown for Tap {
    async fn shutdown(&mut self) {
        if let Some(mut stream) = self.borrow() {
            stream.shutdown().await;
            self.own = Some(stream);
        }
    }
}

#[async_trait]
impl Peek for Tap {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let Some(mut stream) = self.borrow() else {
            return Ok(false);
        };
        let peeked = stream.try_peek(buffer).await;
        self.own = Some(stream);
        peeked
    }
}

impl UniqueID for Tap {
    fn id(&self) -> UniqueIDType {
        self.ask(|stream| Some(stream.id())).unwrap_or(-1)
    }
}

impl Ssl for Tap {
    /// While it is the tap's alone: a reference cannot outlive the lock.
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.own.as_ref().and_then(|own| own.get_ssl())
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.ask(|stream| stream.get_ssl_digest())
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.ask(|stream| stream.selected_alpn_proto())
    }
}

impl GetTimingDigest for Tap {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.ask(|stream| stream.get_timing_digest())
    }

    fn get_read_pending_time(&self) -> Duration {
        self.ask(|stream| stream.get_read_pending_time())
    }

    fn get_write_pending_time(&self) -> Duration {
        self.ask(|stream| stream.get_write_pending_time())
    }
}

impl GetProxyDigest for Tap {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.ask(|stream| stream.get_proxy_digest())
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        if let Some(own) = &mut self.own {
            own.set_proxy_digest(digest);
        } else if let Some(stream) = self.switch.lock().as_mut() {
            stream.set_proxy_digest(digest);
        }
    }
}

impl GetSocketDigest for Tap {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.ask(|stream| stream.get_socket_digest())
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        if let Some(own) = &mut self.own {
            own.set_socket_digest(digest);
        } else if let Some(stream) = self.switch.lock().as_mut() {
            stream.set_socket_digest(digest);
        }
    }
}

#[cfg(test)]
mod tests;
