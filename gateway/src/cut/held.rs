//! Held: what an exchange has written and has not been sent yet. An answer without a length is flushed with its head, with
//! each piece and with its end mark; each is a system call, and two of three say nothing that the next could not say with
//! them.
//!
//! Responsible for: holding small writes, and sending them in order, before and with what follows. Not responsible for when
//! they are due; that is when the exchange has come to a halt.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pingora::protocols::Stream;
use tokio::io::AsyncWrite as _;

/// Bytes that are held at most. Beyond, copying them costs as much as what it saves.
const AT_MOST: usize = 32 * 1024;

/// What is not flushed and shorter waits for more: the head of an answer whose length is known and whose body has not come.
const AT_LEAST: usize = 4096;

/// Parts that leave with what is held; the rest follows.
const PARTS: usize = 8;

thread_local! {
    /// What bytes are held in, for all connections of the thread: nearly all hold something for a moment only.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes on their way to a stream.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// So many of them have been sent.
    sent: usize,
    /// They are not to wait for more.
    due: bool,
    /// They have all been sent, but the stream may hold them as well (TLS).
    flushing: bool,
    /// Why nothing can be sent any more.
    failed: Option<io::ErrorKind>,
}

impl Held {
    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.flushing
    }

    /// Takes these bytes; false if they are too many.
    pub(super) fn take(&mut self, parts: &[io::IoSlice<'_>], len: usize) -> bool {
        if len > AT_MOST - self.bytes.len().min(AT_MOST) || self.failed.is_some() {
            return false;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        true
    }

    /// What is held is not to wait for more.
    pub(super) fn flush(&mut self) {
        self.due = true;
    }

    /// Whether it is to be sent although nothing else is.
    pub(super) fn is_due(&self) -> bool {
        self.due || self.flushing || self.bytes.len() >= AT_LEAST
    }

    /// Nothing of it is sent any more.
    pub(super) fn forget(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() > 0 {
            bytes.clear();
            SPARE.set(bytes);
        }
        (self.sent, self.due, self.flushing) = (0, false, false);
    }

    /// Sends it all.
    pub(super) fn poll_send(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.bytes.is_empty() {
            let rest = self.bytes.get(self.sent..).unwrap_or_default();
            let written = ready!(Pin::new(&mut *stream).poll_write(context, rest));
            self.advance(written)?;
            self.flushing = true;
        }
        if self.flushing {
            let flushed = ready!(Pin::new(stream).poll_flush(context));
            self.flushing = false;
            self.fail_with(flushed)?;
        }
        Poll::Ready(self.failed.map_or(Ok(()), |kind| Err(kind.into())))
    }

    /// Sends it, and these bytes after it: how many of them.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.failed {
            return Poll::Ready(Err(kind.into()));
        }
        while !self.bytes.is_empty() {
            let mut together = [io::IoSlice::new(&[]); PARTS];
            let held = io::IoSlice::new(self.bytes.get(self.sent..).unwrap_or_default());
            for (place, part) in together.iter_mut().zip([&held].into_iter().chain(parts)) {
                *place = *part;
            }
            let written = ready!(Pin::new(&mut *stream).poll_write_vectored(context, &together));
            let beyond = self.advance(written)?;
            if beyond > 0 {
                return Poll::Ready(Ok(beyond));
            }
        }
        match parts {
            [part] => Pin::new(stream).poll_write(context, part),
            parts => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    /// Takes note that so many bytes were sent: how many of those were not held.
    fn advance(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        let written = self.fail_with(written)?;
        if written == 0 {
            return self.fail_with(Err(io::ErrorKind::WriteZero.into()));
        }
        let rest = self.bytes.len() - self.sent;
        if written < rest {
            self.sent += written;
            return Ok(0);
        }
        self.forget();
        Ok(written - rest)
    }

    /// Keeps an error for whoever writes next: nobody may be there to be told.
    fn fail_with<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.failed = Some(error.kind());
            self.forget();
        }
        result
    }
}
