//! Waits: an exchange runs until it ends by itself, its session ends, or its head or body is late.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::switch::Switch;
use super::{HANGS_ON, tunnel};
use crate::identity::{self, LiveStream};

/// How long a frame that a backend has begun may take to be completed before its WebSocket is cut without a word.
const UNFINISHED: Duration = Duration::from_millis(500);

/// What exchanges wait for besides their own progress. A connection's exchanges share it one after the other: most of
/// them wait for the same, and setting up a timer and a place in a queue for each would cost more than the check of
/// the session that they are for.
pub(super) struct Waits {
    late: Pin<Box<tokio::time::Sleep>>,
    end: Option<identity::End>,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            late: Box::pin(tokio::time::sleep(Duration::ZERO)),
            end: None,
        }
    }
}

impl Waits {
    /// Another deadline.
    pub(super) fn until(&mut self, deadline: Instant) {
        self.late.as_mut().reset(deadline);
    }

    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.late.as_mut().poll(context)
    }

    /// The deadline that there is.
    pub(super) fn deadline(&self) -> Instant {
        self.late.deadline()
    }

    /// From now on a frame that was begun has some time to be completed.
    pub(super) fn allow_for_frame(&mut self) {
        self.until(Instant::now() + UNFINISHED);
    }

    /// One look at an atomic.
    fn has_ended(&self) -> bool {
        self.end.as_ref().is_some_and(identity::End::has_come)
    }

    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.end {
            Some(end) => end.poll_ended(context),
            None => Poll::Pending,
        }
    }

    /// The session has ended. False while a WebSocket is in the middle of a frame, which has some time from now on.
    fn ends_now(&mut self, switch: Option<&Switch>) -> bool {
        let Some(switch) = switch.filter(|switch| switch.end()) else {
            return true;
        };
        self.allow_for_frame();
        switch.is_between()
    }

    /// Waits for the end of this stream's session from here on.
    pub(super) fn hang_on(&mut self, live: &LiveStream) {
        if !self.end.as_ref().is_some_and(|end| end.is_of(live)) {
            self.end = Some(live.end());
        }
    }
}

/// How an exchange ended.
pub(super) enum Ended<T, C = ()> {
    /// By itself.
    Naturally(T),
    /// With its session.
    Cut(C),
    /// Its head, or a piece of its body, did not come in time.
    TooLate,
}

/// Polls the exchange; once it has tied itself to a session, polls the session's end as well. A WebSocket may then
/// complete the frame that it is in the middle of. A WebSocket that can be taken over ends here, for the exchange. `head`: how long from now on the rest of the head may take; `None`
/// leaves the deadline that there is.
pub(super) async fn until_cut<T>(
    mut exchange: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    waits: &mut Waits,
    mut head: Option<Duration>,
    body: Duration,
    switch: Option<&Switch>,
) -> Ended<T> {
    let mut hanging = false;
    let mut ending = false;
    let mut over = false;
    std::future::poll_fn(move |context| {
        if over {
            return exchange.as_mut().poll(context).map(Ended::Naturally);
        }
        // Looked at first: where many end at once, the last waits for what is done to all others.
        if !ending && hanging && waits.has_ended() {
            ending = true;
            if waits.ends_now(switch) {
                return Poll::Ready(Ended::Cut(()));
            }
        }
        if let Poll::Ready(value) = exchange.as_mut().poll(context) {
            return Poll::Ready(Ended::Naturally(value));
        }
        if let Some(switch) = switch {
            if !ending && switch.is_counting() && tunnel::take_over(switch) {
                over = true;
                return exchange.as_mut().poll(context).map(Ended::Naturally);
            }
            switch.poll_send_due(context);
        }
        let (arrived, receiving) = HANGS_ON.with(|slot| {
            let mut slot = slot.borrow_mut();
            if std::mem::take(&mut slot.tied)
                && let Some(live) = &slot.live
            {
                waits.hang_on(live);
                hanging = true;
            }
            (slot.arrived, slot.receiving)
        });
        if !ending && hanging && waits.poll_ended(context).is_ready() {
            ending = true;
            if waits.ends_now(switch) {
                return Poll::Ready(Ended::Cut(()));
            }
        }
        if ending {
            return if switch.is_some_and(Switch::is_between) || waits.poll_late(context).is_ready() {
                Poll::Ready(Ended::Cut(()))
            } else {
                Poll::Pending
            };
        }
        // Nearly every head comes whole: the timer is only moved for those that do not.
        if !arrived && let Some(head) = head.take() {
            waits.until(Instant::now() + head);
        }
        if let Some(since) = receiving
            && waits.late.deadline() != since + body
        {
            waits.until(since + body);
        }
        if (!arrived || receiving.is_some()) && waits.poll_late(context).is_ready() {
            return Poll::Ready(Ended::TooLate);
        }
        Poll::Pending
    })
    .await
}
