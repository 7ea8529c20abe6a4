//! The stream of a connection, tapped: what a WebSocket's client is sent is followed frame by frame, so that the
//! gateway can say goodbye between two of them, whatever the backend is in the middle of.
//!
//! Responsible for: passing everything on unchanged, counting frames once a WebSocket has begun, holding back what
//! comes after the frame that is being sent once the exchange is to end, and handing the stream over then. Not
//! responsible for when an exchange ends, nor for what is said.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// Bytes pass and nobody looks.
const PASSING: u8 = 0;
/// A WebSocket has begun: frames are counted.
const COUNTING: u8 = 1;
/// The frame that is being sent may be completed; nothing else passes, in either direction.
const ENDING: u8 = 2;

/// What the exchange on a connection and the connection's stream know of each other. One task uses both.
#[derive(Debug, Default)]
pub(super) struct Switch {
    mode: AtomicU8,
    between: AtomicBool,
    closed: AtomicBool,
    left: Mutex<Option<Stream>>,
}

impl Switch {
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

    /// The stream, once the exchange that was to end is dropped; `None` in the middle of a frame, or if the
    /// backend has closed by itself.
    pub(super) fn take(&self) -> Option<Stream> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        left.filter(|_| self.is_between() && !self.closed.load(Relaxed))
    }
}

/// A stream that is followed.
#[derive(Debug)]
pub(super) struct Tap {
    /// There until the drop.
    inner: Option<Stream>,
    frames: Frames,
    switch: Arc<Switch>,
}

impl Tap {
    /// Taps a stream.
    pub(super) fn new(inner: Stream, switch: Arc<Switch>) -> Self {
        Self {
            inner: Some(inner),
            frames: Frames::new(),
            switch,
        }
    }

    fn inner(&mut self) -> io::Result<Pin<&mut Stream>> {
        match &mut self.inner {
            Some(inner) => Ok(Pin::new(inner)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.frames.pass(bytes);
        self.switch.between.store(self.frames.is_between(), Relaxed);
        self.switch.closed.store(self.frames.is_closed(), Relaxed);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if self.switch.mode.load(Relaxed) == ENDING {
            let mut left = self.switch.left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = self.inner.take();
        }
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = match self.switch.mode.load(Relaxed) {
            PASSING => return self.inner()?.poll_write(context, bytes),
            ENDING => match self.frames.unfinished(bytes) {
                // Never woken: who ends the exchange sees that the frame is complete, and drops it.
                0 => return Poll::Pending,
                rest => bytes.get(..rest).unwrap_or_default(),
            },
            _ => bytes,
        };
        let written = ready!(self.inner()?.poll_write(context, bytes))?;
        self.sent(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.switch.mode.load(Relaxed) == PASSING {
            return self.inner()?.poll_write_vectored(context, bytes);
        }
        let first = bytes.iter().find(|slice| !slice.is_empty());
        self.poll_write(context, first.map_or(&[], |slice| &**slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_shutdown(context)
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
        self.inner()?.poll_read(context, buffer)
    }
}

#[async_trait]
impl Shutdown for Tap {
    async fn shutdown(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.shutdown().await;
        }
    }
}

#[async_trait]
impl Peek for Tap {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match &mut self.inner {
            Some(inner) => inner.try_peek(buffer).await,
            None => Ok(false),
        }
    }
}

impl UniqueID for Tap {
    fn id(&self) -> UniqueIDType {
        self.inner.as_ref().map_or(-1, |inner| inner.id())
    }
}

impl Ssl for Tap {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.as_ref().and_then(|inner| inner.get_ssl())
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.as_ref().and_then(|inner| inner.get_ssl_digest())
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.as_ref().and_then(|inner| inner.selected_alpn_proto())
    }
}

impl GetTimingDigest for Tap {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        let inner = self.inner.as_ref();
        inner.map(|inner| inner.get_timing_digest()).unwrap_or_default()
    }

    fn get_read_pending_time(&self) -> Duration {
        let inner = self.inner.as_ref();
        inner.map_or(Duration::ZERO, |inner| inner.get_read_pending_time())
    }

    fn get_write_pending_time(&self) -> Duration {
        let inner = self.inner.as_ref();
        inner.map_or(Duration::ZERO, |inner| inner.get_write_pending_time())
    }
}

impl GetProxyDigest for Tap {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.as_ref().and_then(|inner| inner.get_proxy_digest())
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        if let Some(inner) = &mut self.inner {
            inner.set_proxy_digest(digest);
        }
    }
}

impl GetSocketDigest for Tap {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.as_ref().and_then(|inner| inner.get_socket_digest())
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        if let Some(inner) = &mut self.inner {
            inner.set_socket_digest(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

    fn tapped() -> (Tap, Arc<Switch>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let switch = Arc::new(Switch::default());
        (Tap::new(Box::new(ours), switch.clone()), switch, theirs)
    }

    #[tokio::test]
    async fn what_is_no_websocket_passes_and_has_nothing_to_wait_for() {
        let (mut tap, switch, mut client) = tapped();
        tap.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut got = [0; 19];
        client.read_exact(&mut got).await.unwrap();
        assert!(!switch.end());
        drop(tap);
        assert!(switch.take().is_none());
    }

    #[tokio::test]
    async fn in_the_middle_of_a_frame_its_rest_passes_and_no_more() {
        let (mut tap, switch, mut client) = tapped();
        switch.count();
        tap.write_all(&[HEAD, &[0x82, 4, 1, 2]].concat()).await.unwrap();
        assert!(switch.end() && !switch.is_between());
        let next = [3, 4, 0x82, 1, 9];
        let write = tokio::time::timeout(Duration::from_millis(20), tap.write_all(&next));
        assert!(write.await.is_err(), "the next frame is held back");
        assert!(switch.is_between());
        drop(tap);
        let mut stream = switch.take().unwrap();
        stream.write_all(b"!").await.unwrap();
        drop(stream);
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, [HEAD, &[0x82, 4, 1, 2, 3, 4, b'!']].concat());
    }

    #[tokio::test]
    async fn a_frame_that_is_never_completed_leaves_nothing_to_say() {
        let (mut tap, switch, _client) = tapped();
        switch.count();
        tap.write_all(&[HEAD, &[0x82, 4, 1, 2]].concat()).await.unwrap();
        assert!(switch.end());
        drop(tap);
        assert!(switch.take().is_none());
    }

    #[tokio::test]
    async fn who_has_closed_already_is_not_spoken_for() {
        let (mut tap, switch, _client) = tapped();
        switch.count();
        tap.write_all(&[HEAD, &[0x88, 2, 3, 0xe8]].concat())
            .await
            .unwrap();
        assert!(switch.end() && switch.is_between());
        drop(tap);
        assert!(switch.take().is_none());
    }
}
