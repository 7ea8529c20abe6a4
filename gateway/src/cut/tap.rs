//! The stream of a connection, tapped: what an exchange writes is gathered until it comes to a halt, and what a WebSocket's
//! client is sent is followed frame by frame, so that the gateway can say goodbye between two of them, whatever the backend
//! is in the middle of.
//!
//! Responsible for: passing everything on in order, counting frames once a WebSocket has begun, and holding back what comes
//! after the frame that is being sent once the exchange is to end. Not responsible for when an exchange ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker, ready};
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
use super::switch::{ENDING, GATHERING, GONE, LASTING, PASSING, Switch};

/// A stream that is followed.
#[derive(Debug)]
pub(super) struct Tap {
    frames: Frames,
    switch: Arc<Switch>,
}

impl Tap {
    /// Taps a stream.
    pub(super) fn new(stream: Stream) -> (Self, Arc<Switch>) {
        let switch = Arc::new(Switch::new(stream));
        let tap = Self {
            frames: Frames::new(),
            switch: switch.clone(),
        };
        (tap, switch)
    }

    /// Works on the stream when all that was held has been sent; an error once it was taken.
    fn on<T>(
        &self,
        context: &mut Context<'_>,
        work: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let behind = &mut *self.switch.lock();
        let Some(stream) = &mut behind.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        if !behind.held.is_empty() {
            ready!(self.switch.poll_send(&mut behind.held, stream, context))?;
        }
        work(Pin::new(stream), context)
    }

    /// Holds the bytes, or sends them with what is held.
    fn gather(
        &self,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let behind = &mut *self.switch.lock();
        let Some(stream) = &mut behind.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let written = if behind.held.take(parts, len) {
            Poll::Ready(Ok(len))
        } else {
            behind.held.poll_write(stream, context, parts)
        };
        self.switch.holds.store(!behind.held.is_empty(), Relaxed);
        written
    }

    /// What the stream says of itself; nothing once it was taken.
    fn ask<T: Default>(&self, question: impl FnOnce(&Stream) -> T) -> T {
        self.switch
            .lock()
            .stream
            .as_ref()
            .map(question)
            .unwrap_or_default()
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.frames.pass(bytes);
        self.switch.between.store(self.frames.is_between(), Relaxed);
        self.switch.closed.store(self.frames.is_closed(), Relaxed);
        self.switch.lock().sent = self.frames.after_head();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // An exchange that failed on its way: what the system takes at once, as if it had been written at once.
        let _ = self.switch.poll_send_all(&mut Context::from_waker(Waker::noop()));
        // With it, or the connection would stay open for as long as somebody has the switch.
        drop(self.switch.lock().stream.take());
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = match self.switch.mode.load(Relaxed) {
            GATHERING => return self.gather(context, &[io::IoSlice::new(bytes)], bytes.len()),
            PASSING | LASTING => {
                return self.on(context, |stream, context| stream.poll_write(context, bytes));
            }
            ENDING => match self.frames.unfinished(bytes) {
                // Never woken: who ends the exchange sees that the frame is complete, and drops it.
                0 => return Poll::Pending,
                rest => bytes.get(..rest).unwrap_or_default(),
            },
            _ => bytes,
        };
        let written = ready!(self.on(context, |stream, context| stream.poll_write(context, bytes)))?;
        self.sent(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.switch.mode.load(Relaxed) {
            GATHERING => self.gather(context, parts, parts.iter().map(|part| part.len()).sum()),
            PASSING | LASTING => self.on(context, |stream, context| {
                stream.poll_write_vectored(context, parts)
            }),
            _ => {
                let first = parts.iter().find(|part| !part.is_empty());
                self.poll_write(context, first.map_or(&[], |part| &**part))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.ask(|stream| stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.switch.mode.load(Relaxed) {
            GATHERING if self.switch.holds() => {
                self.switch.lock().held.flush();
                return Poll::Ready(Ok(()));
            }
            GONE => return Poll::Ready(Ok(())),
            _ => {}
        }
        self.on(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.switch.mode.load(Relaxed) == GONE {
            return Poll::Ready(Ok(()));
        }
        self.on(context, |stream, context| stream.poll_shutdown(context))
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.switch.mode.load(Relaxed) {
            ENDING => return Poll::Pending,
            GONE => return Poll::Ready(Ok(())),
            _ => {}
        }
        let behind = &mut *self.switch.lock();
        if !behind.kept.is_empty() {
            let now = behind.kept.len().min(buffer.remaining());
            buffer.put_slice(behind.kept.get(..now).unwrap_or_default());
            if now == behind.kept.len() {
                behind.kept = Vec::new();
            } else {
                behind.kept.drain(..now);
            }
            behind.read += now as u64;
            return Poll::Ready(Ok(()));
        }
        let Some(stream) = &mut behind.stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let before = buffer.filled().len();
        ready!(Pin::new(stream).poll_read(context, buffer))?;
        behind.read += (buffer.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Shutdown for Tap {
    async fn shutdown(&mut self) {
        let stream = self.switch.lock().stream.take();
        if let Some(mut stream) = stream {
            stream.shutdown().await;
            self.switch.lock().stream = Some(stream);
        }
    }
}

#[async_trait]
impl Peek for Tap {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let stream = self.switch.lock().stream.take();
        let Some(mut stream) = stream else {
            return Ok(false);
        };
        let peeked = stream.try_peek(buffer).await;
        self.switch.lock().stream = Some(stream);
        peeked
    }
}

impl UniqueID for Tap {
    fn id(&self) -> UniqueIDType {
        self.ask(|stream| Some(stream.id())).unwrap_or(-1)
    }
}

impl Ssl for Tap {
    /// Not to be had: a reference cannot outlive the lock. Its digest says all that is asked for.
    fn get_ssl(&self) -> Option<&TlsRef> {
        None
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
        if let Some(stream) = &mut self.switch.lock().stream {
            stream.set_proxy_digest(digest);
        }
    }
}

impl GetSocketDigest for Tap {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.ask(|stream| stream.get_socket_digest())
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        if let Some(stream) = &mut self.switch.lock().stream {
            stream.set_socket_digest(digest);
        }
    }
}

#[cfg(test)]
mod tests;
