//! End: a task that waits for the end of streams, one after the other, without a lock for each.
//!
//! Not responsible for why they end, nor for finding out (see `live`).

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio_util::sync::WaitForCancellationFutureOwned;

use super::live::{Line, LiveStream};

/// Waits for the end of one caller's streams: for all that a task serves one after the other, because to wait anew for
/// each costs a lock and an allocation.
pub struct End {
    line: Arc<Line>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Who is woken.
    waker: Option<Waker>,
}

impl End {
    pub(super) fn of(stream: &LiveStream) -> Self {
        Self {
            line: stream.line.clone(),
            cancelled: Box::pin(stream.line.token.clone().cancelled_owned()),
            waker: None,
        }
    }

    /// Whether it is this stream's end as well.
    pub fn is_of(&self, stream: &LiveStream) -> bool {
        Arc::ptr_eq(&self.line, &stream.line)
    }

    /// Whether the streams must end.
    pub fn has_come(&self) -> bool {
        self.line.ended().is_some()
    }

    /// Ready when the streams must end, and from then on. While nothing has happened this is one look at an atomic.
    pub fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_come() {
            return Poll::Ready(());
        }
        let wakes = |waker: &Waker| waker.will_wake(context.waker());
        if self.waker.as_ref().is_some_and(wakes) {
            return Poll::Pending;
        }
        self.waker = Some(context.waker().clone());
        self.cancelled.as_mut().poll(context)
    }
}
