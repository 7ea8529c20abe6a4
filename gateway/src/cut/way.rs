//! Way: one direction of a WebSocket. Bytes are read to where all WebSockets of the thread read to and leave at once; only
//! what does not leave is kept, and nothing more is read until it has. A silent WebSocket has no buffer.
//!
//! Responsible for: passing bytes on in order. Not responsible for time limits, nor for frames.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Bytes that are read at once.
const AT_ONCE: usize = 64 * 1024;

thread_local! {
    /// Where they are read to.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One direction.
#[derive(Default)]
pub(super) struct Way {
    /// Read, not written.
    rest: Vec<u8>,
    /// Whether something was written that may not have been sent.
    unflushed: bool,
    /// Since when the other side has taken nothing of what there is for it.
    stuck: Option<Instant>,
    /// Bytes that have been written.
    passed: u64,
}

/// Why nothing more passes.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Who is read from has nothing more to say.
    Finished,
    /// Who is read from has broken off.
    Reading(io::Error),
    /// Who is written to has broken off.
    Writing(io::Error),
}

/// Who follows what passes.
pub(super) trait Follower {
    /// How many of these bytes may pass now. Of none, nothing is kept.
    fn may_pass(&self, bytes: &[u8]) -> usize {
        bytes.len()
    }

    /// These have.
    fn passed(&mut self, bytes: &[u8]);
}

/// Nobody does.
impl Follower for () {
    fn passed(&mut self, _bytes: &[u8]) {}
}

impl Way {
    /// On from where somebody else has stopped, who may not have sent all that was written (TLS).
    pub(super) fn after_another() -> Self {
        Self {
            unflushed: true,
            ..Self::default()
        }
    }

    /// Bytes that have been written.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Since when the other side takes nothing.
    pub(super) fn stuck(&self) -> Option<Instant> {
        self.stuck
    }

    /// Passes on what there is; ready when there will be no more.
    pub(super) fn poll_pass(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
        follower: &mut impl Follower,
    ) -> Poll<Stopped> {
        let mut scratch = SCRATCH.take();
        scratch.resize(AT_ONCE, 0);
        let stopped = self.poll_through(&mut scratch, from, to, context, follower);
        SCRATCH.set(scratch);
        stopped
    }

    fn poll_through(
        &mut self,
        scratch: &mut [u8],
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
        follower: &mut impl Follower,
    ) -> Poll<Stopped> {
        let rest = std::mem::take(&mut self.rest);
        let mut written = self.poll_write(&rest, to, context, follower);
        drop(rest);
        loop {
            if let Err(error) = ready!(written) {
                return Poll::Ready(Stopped::Writing(error));
            }
            let mut bytes = ReadBuf::new(scratch);
            let read = Pin::new(&mut *from).poll_read(context, &mut bytes);
            if let Poll::Ready(Err(error)) = read {
                return Poll::Ready(Stopped::Reading(error));
            }
            if read.is_pending() || bytes.filled().is_empty() {
                // What was written together leaves together.
                return match ready!(self.poll_flush(to, context)) {
                    Err(error) => Poll::Ready(Stopped::Writing(error)),
                    Ok(()) => read.map(|_| Stopped::Finished),
                };
            }
            written = self.poll_write(bytes.filled(), to, context, follower);
        }
    }

    /// Writes all of it, or keeps the rest.
    fn poll_write(
        &mut self,
        mut bytes: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
        follower: &mut impl Follower,
    ) -> Poll<io::Result<()>> {
        while !bytes.is_empty() {
            let may = bytes.get(..follower.may_pass(bytes)).unwrap_or_default();
            if may.is_empty() {
                return Poll::Pending;
            }
            match Pin::new(&mut *to).poll_write(context, may) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    let (passed, rest) = bytes.split_at_checked(written).unwrap_or((bytes, &[]));
                    follower.passed(passed);
                    self.passed += passed.len() as u64;
                    (self.unflushed, self.stuck) = (true, None);
                    bytes = rest;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.stuck.get_or_insert_with(Instant::now);
                    self.rest = bytes.to_vec();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(to).poll_flush(context);
        if flushed.is_pending() {
            self.stuck.get_or_insert_with(Instant::now);
        } else {
            (self.unflushed, self.stuck) = (false, None);
        }
        flushed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    async fn once(way: &mut Way, from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
        let passed = poll_fn(|context| Poll::Ready(way.poll_pass(from, to, context, &mut ()))).await;
        assert!(passed.is_pending());
    }

    #[tokio::test]
    async fn what_is_not_taken_is_kept_and_nothing_more_is_read() {
        let (mut source, mut from) = duplex(100);
        let (mut to, mut sink) = duplex(10);
        let mut way = Way::default();
        source.write_all(&[1; 30]).await.unwrap();
        once(&mut way, &mut from, &mut to).await;
        assert_eq!((way.passed(), way.rest.len()), (10, 20));
        let since = way.stuck().unwrap();
        source.write_all(&[2; 100]).await.unwrap();
        once(&mut way, &mut from, &mut to).await;
        assert_eq!(
            (way.passed(), way.rest.len()),
            (10, 20),
            "a full pipe of more waits where it is"
        );
        assert_eq!(way.stuck(), Some(since));
        drop(source);
        let (finished, got) = tokio::join!(
            async {
                let finished = poll_fn(|context| way.poll_pass(&mut from, &mut to, context, &mut ())).await;
                to.shutdown().await.unwrap();
                finished
            },
            async {
                let mut got = Vec::new();
                sink.read_to_end(&mut got).await.unwrap();
                got
            }
        );
        assert!(matches!(finished, Stopped::Finished));
        assert_eq!(got, [vec![1; 30], vec![2; 100]].concat());
        assert_eq!((way.passed(), way.rest.capacity(), way.stuck()), (130, 0, None));
    }

    /// Sends when it is flushed.
    struct Lazy(Vec<u8>, DuplexStream);

    impl AsyncWrite for Lazy {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.0.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            while !self.0.is_empty() {
                let Self(kept, to) = &mut *self;
                let sent = ready!(Pin::new(to).poll_write(context, kept))?;
                kept.drain(..sent);
            }
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_another_has_written_and_not_sent_leaves_without_anything_that_follows_it() {
        let (_source, mut from) = duplex(10);
        let (to, mut sink) = duplex(3);
        let mut lazy = Lazy(b"kept".to_vec(), to);
        let mut way = Way::after_another();
        once(&mut way, &mut from, &mut lazy).await;
        assert!(way.stuck().is_some(), "its time runs");
        let mut got = [0; 4];
        let passing = poll_fn(|context| way.poll_pass(&mut from, &mut lazy, context, &mut ()));
        tokio::select! {
            _ = passing => panic!("nothing has ended"),
            read = sink.read_exact(&mut got) => assert_eq!(read.unwrap(), 4),
        }
        assert_eq!(&got, b"kept");
    }

    #[tokio::test]
    async fn who_breaks_off_is_named() {
        let (source, mut from) = duplex(10);
        let (mut to, sink) = duplex(10);
        let mut way = Way::default();
        drop(source);
        let stopped = poll_fn(|context| way.poll_pass(&mut from, &mut to, context, &mut ())).await;
        assert!(matches!(stopped, Stopped::Finished));
        let (mut source, mut from) = duplex(10);
        drop(sink);
        source.write_all(b"x").await.unwrap();
        let stopped = poll_fn(|context| way.poll_pass(&mut from, &mut to, context, &mut ())).await;
        assert!(matches!(stopped, Stopped::Writing(_)));
    }
}
