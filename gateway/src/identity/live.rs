//! Live streams: exchanges that go on after their request was checked (WebSockets, event streams, long
//! downloads), and how they end when their session does.
//!
//! Responsible for: knowing them, by session and by handle, and cutting them with a reason. Not responsible
//! for finding out that a session has ended (see `feed`) nor for closing the socket: whoever holds the
//! [`LiveStream`] waits for [`LiveStream::ended`].
//!
//! All streams of one recognised caller hang on one [`Line`]. A line enters the registry with its first
//! stream and stays there for a while after its last, so that a stream costs two atomic operations and not
//! several locks: every request may be one.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use hivematrix_platform::SessionId;
use tokio_util::sync::CancellationToken;

use super::caller::Recognised;

/// Why a live stream was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ended {
    /// Its session was revoked, or is gone.
    Revoked = 1,
    /// Its session's time is over.
    Expired = 2,
    /// Its user signed out at this gateway.
    SignedOut = 3,
    /// The store could not be asked for so long that nobody knows whether the session still holds.
    Unchecked = 4,
}

impl Ended {
    /// A stable word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::SignedOut => "signed_out",
            Self::Unchecked => "unchecked",
        }
    }

    /// What a WebSocket's client reads.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Revoked => "session revoked",
            Self::Expired => "session expired",
            Self::SignedOut => "signed out",
            Self::Unchecked => "session can't be checked at the moment",
        }
    }

    /// The code of a WebSocket's close frame (RFC 6455 §7.4): a policy stands in the way (1008), or it is worth
    /// trying again later (1013).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Revoked | Self::Expired | Self::SignedOut => 1008,
            Self::Unchecked => 1013,
        }
    }
}

/// A stream that is watched for as long as this value lives.
#[must_use = "a stream that is dropped is no longer watched"]
pub struct LiveStream {
    line: Arc<Line>,
}

impl LiveStream {
    /// Cancelled when the stream must end.
    pub fn ended(&self) -> CancellationToken {
        self.line.token.clone()
    }

    /// Why it must end; `None` while it may go on.
    pub fn reason(&self) -> Option<Ended> {
        self.line.ended()
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.line.streams.fetch_sub(1, SeqCst);
    }
}

/// Set in [`Line::streams`] while the line is in the registry.
const REGISTERED: u64 = 1 << 63;

/// What all live streams of one recognised caller hang on.
pub(super) struct Line {
    pub(super) session: SessionId,
    pub(super) key: Recognised,
    /// The store's keys it depends on: the session's and, with a handle, the gateway's own.
    keys: Box<[Arc<str>]>,
    expires_at: AtomicU64,
    token: CancellationToken,
    reason: AtomicU8,
    /// How many streams there are, and [`REGISTERED`].
    streams: AtomicU64,
    /// Held while the line enters or leaves the registry.
    registering: Mutex<()>,
    /// How many checks were asked for and not yet done.
    checks: AtomicU32,
}

impl Line {
    /// A line for a caller, not yet in the registry.
    pub(super) fn new(session: SessionId, key: Recognised, expires_at: u64) -> Arc<Self> {
        let mut keys: Vec<Arc<str>> = vec![session.key().into()];
        if let Recognised::Handle(handle) = key {
            keys.push(handle.key().into());
        }
        Arc::new(Self {
            session,
            key,
            keys: keys.into(),
            expires_at: AtomicU64::new(expires_at),
            token: CancellationToken::new(),
            reason: AtomicU8::new(0),
            streams: AtomicU64::new(0),
            registering: Mutex::default(),
            checks: AtomicU32::new(0),
        })
    }

    /// The store's key of Core's record.
    pub(super) fn session_key(&self) -> &Arc<str> {
        &self.keys[0]
    }

    /// The store's key of the gateway's own record, if there is one.
    pub(super) fn own_key(&self) -> Option<&Arc<str>> {
        self.keys.get(1)
    }

    /// Unix seconds, as last confirmed.
    pub(super) fn expires_at(&self) -> u64 {
        self.expires_at.load(SeqCst)
    }

    /// The session was confirmed, perhaps with another end.
    pub(super) fn set_expires_at(&self, expires_at: u64) {
        self.expires_at.store(expires_at, SeqCst);
    }

    /// Ends all streams, now and to come; the first reason stands. True if this call did it.
    pub(super) fn cut(&self, reason: Ended) -> bool {
        let first = self
            .reason
            .compare_exchange(0, reason as u8, SeqCst, SeqCst)
            .is_ok();
        self.token.cancel();
        first
    }

    /// Why it was cut, if it was.
    pub(super) fn ended(&self) -> Option<Ended> {
        match self.reason.load(SeqCst) {
            1 => Some(Ended::Revoked),
            2 => Some(Ended::Expired),
            3 => Some(Ended::SignedOut),
            4 => Some(Ended::Unchecked),
            _ => None,
        }
    }

    /// How many streams hang on it.
    pub(super) fn streams(&self) -> u64 {
        self.streams.load(SeqCst) & !REGISTERED
    }

    /// Asks for a check. True for the one caller who has to do it; the others' wish is seen by that one.
    pub(super) fn wants_check(&self) -> bool {
        self.checks.fetch_add(1, SeqCst) == 0
    }

    /// How many checks are asked for; read it before checking.
    pub(super) fn checks(&self) -> u32 {
        self.checks.load(SeqCst)
    }

    /// A check is done that covers `seen` wishes; false if more came meanwhile.
    pub(super) fn checked(&self, seen: u32) -> bool {
        self.checks.compare_exchange(seen, 0, SeqCst, SeqCst).is_ok()
    }
}

/// All lines of this process that have live streams, or had some a moment ago.
#[derive(Default)]
pub(super) struct LiveStreams {
    by_key: DashMap<Arc<str>, Vec<Arc<Line>>>,
}

impl LiveStreams {
    /// Adds a stream to a line. From now on a change of the session finds it.
    pub(super) fn add(&self, line: &Arc<Line>) -> LiveStream {
        if line.streams.fetch_add(1, SeqCst) & REGISTERED == 0 {
            self.register(line);
        }
        LiveStream { line: line.clone() }
    }

    fn register(&self, line: &Arc<Line>) {
        let _held = line.registering.lock().unwrap_or_else(PoisonError::into_inner);
        if line.streams.load(SeqCst) & REGISTERED == 0 {
            for key in &line.keys {
                self.by_key.entry(key.clone()).or_default().push(line.clone());
            }
            line.streams.fetch_or(REGISTERED, SeqCst);
        }
    }

    /// Takes lines without streams out of the registry.
    pub(super) fn sweep(&self) {
        for line in self.all() {
            let _held = line.registering.lock().unwrap_or_else(PoisonError::into_inner);
            // A stream that comes after this exchange sees the line unregistered, and waits for the lock.
            if line
                .streams
                .compare_exchange(REGISTERED, 0, SeqCst, SeqCst)
                .is_ok()
            {
                for key in &line.keys {
                    self.by_key.remove_if_mut(key, |_, lines| {
                        lines.retain(|other| !Arc::ptr_eq(other, &line));
                        lines.is_empty()
                    });
                }
            }
        }
    }

    /// How many streams there are.
    pub(super) fn count(&self) -> u64 {
        self.all().iter().map(|line| line.streams()).sum()
    }

    /// The lines that depend on a key of the store.
    pub(super) fn under(&self, key: &str) -> Vec<Arc<Line>> {
        self.by_key
            .get(key)
            .map(|lines| lines.clone())
            .unwrap_or_default()
    }

    /// Every registered line once.
    pub(super) fn all(&self) -> Vec<Arc<Line>> {
        let of_session =
            |entry: &dashmap::mapref::multiple::RefMulti<'_, Arc<str>, Vec<Arc<Line>>>| -> Vec<_> {
                entry
                    .value()
                    .iter()
                    .filter(|line| line.session_key() == entry.key())
                    .cloned()
                    .collect()
            };
        self.by_key.iter().flat_map(|entry| of_session(&entry)).collect()
    }

    /// The lines with streams whose session's time, as far as known, is over at `now`.
    pub(super) fn due(&self, now: u64) -> Vec<Arc<Line>> {
        let mut lines = self.all();
        lines.retain(|line| line.expires_at() <= now && line.streams() > 0 && line.ended().is_none());
        lines
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use hivematrix_platform::Handle;

    fn line() -> Arc<Line> {
        Line::new(SessionId::generate(), Recognised::Handle(Handle::generate()), 100)
    }

    #[test]
    fn a_line_is_known_by_its_session_and_its_handle_while_it_has_streams() {
        let streams = LiveStreams::default();
        let line = line();
        let one = streams.add(&line);
        let two = streams.add(&line);
        assert_eq!(streams.count(), 2);
        let keys = [line.session_key(), line.own_key().unwrap()];
        assert!(keys.iter().all(|key| streams.under(key).len() == 1));
        drop(one);
        streams.sweep();
        assert_eq!(streams.count(), 1);
        assert!(keys.iter().all(|key| streams.under(key).len() == 1));
        drop(two);
        streams.sweep();
        assert_eq!(streams.count(), 0);
        assert!(streams.by_key.is_empty());
        let _three = streams.add(&line);
        assert!(keys.iter().all(|key| streams.under(key).len() == 1));
    }

    #[test]
    fn a_stream_that_comes_while_the_registry_is_swept_is_found_again() {
        let streams = LiveStreams::default();
        let line = line();
        std::thread::scope(|scope| {
            let sweeper = scope.spawn(|| (0..2_000).for_each(|_| streams.sweep()));
            let adder = || {
                for _ in 0..2_000 {
                    let stream = streams.add(&line);
                    assert!(!streams.under(line.session_key()).is_empty());
                    assert!(!streams.under(line.own_key().unwrap()).is_empty());
                    drop(stream);
                }
            };
            let adders = [scope.spawn(adder), scope.spawn(adder)];
            for adder in adders {
                adder.join().unwrap();
            }
            sweeper.join().unwrap();
        });
        streams.sweep();
        assert!(streams.by_key.is_empty());
    }

    #[test]
    fn the_first_reason_for_ending_stands() {
        let streams = LiveStreams::default();
        let line = line();
        let stream = streams.add(&line);
        assert_eq!(stream.reason(), None);
        assert!(!stream.ended().is_cancelled());
        assert!(line.cut(Ended::SignedOut));
        assert!(!line.cut(Ended::Revoked));
        assert_eq!(stream.reason(), Some(Ended::SignedOut));
        assert!(stream.ended().is_cancelled());
        assert_eq!(streams.add(&line).reason(), Some(Ended::SignedOut));
    }

    #[test]
    fn streams_are_due_when_their_time_is_over() {
        let streams = LiveStreams::default();
        let line = line();
        let stream = streams.add(&line);
        assert_eq!(streams.due(99).len(), 0);
        assert_eq!(streams.due(100).len(), 1);
        line.set_expires_at(200);
        assert_eq!(streams.due(100).len(), 0);
        drop(stream);
        assert_eq!(streams.due(300).len(), 0);
    }

    #[test]
    fn a_wish_that_comes_during_a_check_is_not_lost() {
        let line = line();
        assert!(line.wants_check());
        let seen = line.checks();
        assert!(!line.wants_check());
        assert!(!line.checked(seen));
        assert!(line.checked(line.checks()));
        assert!(line.wants_check());
    }
}
