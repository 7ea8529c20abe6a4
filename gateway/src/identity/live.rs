//! Live streams: exchanges that go on after their request was checked (WebSockets, event streams, long
//! downloads), and how they end when their session does.
//!
//! Responsible for: knowing them, by session and by handle, and cutting them with a reason. Not responsible
//! for finding out that a session has ended (see `feed`) nor for closing the socket: whoever holds the
//! [`LiveStream`] waits for [`LiveStream::ended`].
//!
//! All streams of one recognised caller hang on one [`Line`], but for those behind doors that not everybody may pass:
//! these have a line for each kind of door, so that a change of permission ends no more than it must. A line enters the registry with its first
//! stream and stays there for a while after its last, so that a stream costs two atomic operations and not
//! several locks: every request may be one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use hivematrix_platform::{Access, Handle, SessionId};
use tokio_util::sync::CancellationToken;

use super::caller::Recognised;
use super::end::End;

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
    /// Its user may not be there any more.
    Forbidden = 5,
}

impl Ended {
    /// A stable word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::SignedOut => "signed_out",
            Self::Unchecked => "unchecked",
            Self::Forbidden => "permission",
        }
    }

    /// What a WebSocket's client reads.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Revoked => "session revoked",
            Self::Expired => "session expired",
            Self::SignedOut => "signed out",
            Self::Unchecked => "session can't be checked at the moment",
            Self::Forbidden => "permission withdrawn",
        }
    }

    /// The code of a WebSocket's close frame (RFC 6455 §7.4): a policy stands in the way (1008), or it is worth
    /// trying again later (1013).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Revoked | Self::Expired | Self::SignedOut | Self::Forbidden => 1008,
            Self::Unchecked => 1013,
        }
    }
}

/// A stream that is watched for as long as this value lives.
#[must_use = "a stream that is dropped is no longer watched"]
pub struct LiveStream {
    pub(super) line: Arc<Line>,
}

impl LiveStream {
    /// Waits until the stream must end.
    pub fn end(&self) -> End {
        End::of(self)
    }

    /// Cancelled when the stream must end.
    pub fn ended(&self) -> CancellationToken {
        self.line.token.clone()
    }

    /// How many streams end with it, itself included.
    pub fn siblings(&self) -> u64 {
        self.line.streams()
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

/// What all live streams of one recognised caller hang on that are behind doors of one kind.
pub(super) struct Line {
    pub(super) key: Recognised,
    /// Who may be where its streams lead.
    pub(super) access: Access,
    /// The session, and the store's key of Core's record; another one after an exchange.
    session: ArcSwap<(SessionId, Arc<str>)>,
    /// The store's key of the gateway's own record, with a handle.
    own_key: Option<Arc<str>>,
    expires_at: AtomicU64,
    /// Unix seconds; 0 where the provider cannot be asked again.
    checked_at: AtomicU64,
    pub(super) token: CancellationToken,
    reason: AtomicU8,
    /// How many streams there are, and [`REGISTERED`].
    streams: AtomicU64,
    /// Held while the line enters, moves in or leaves the registry.
    registering: Mutex<()>,
    /// How many checks were asked for and not yet done.
    checks: AtomicU32,
    /// The same caller's lines behind doors that not everybody may pass.
    doors: Mutex<Vec<Arc<Line>>>,
    /// When a request of the caller was noted last, in Unix seconds.
    seen: AtomicU64,
}

impl Line {
    /// A line for a caller, not yet in the registry and not yet confirmed.
    pub(super) fn new(session: SessionId, key: Recognised, access: Access) -> Arc<Self> {
        let own_key = match key {
            Recognised::Handle(handle) => Some(handle.key().into()),
            Recognised::Bearer(_) => None,
        };
        Arc::new(Self {
            key,
            access,
            session: ArcSwap::from_pointee((session, session.key().into())),
            own_key,
            expires_at: AtomicU64::new(0),
            checked_at: AtomicU64::new(0),
            token: CancellationToken::new(),
            reason: AtomicU8::new(0),
            streams: AtomicU64::new(0),
            registering: Mutex::default(),
            checks: AtomicU32::new(0),
            doors: Mutex::default(),
            seen: AtomicU64::new(0),
        })
    }

    /// The caller's line behind a door: this one, if everybody may pass.
    pub(super) fn behind(self: &Arc<Self>, access: Access) -> Arc<Self> {
        if access == self.access {
            return self.clone();
        }
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|line| line.ended().is_none());
        if let Some(line) = doors.iter().find(|line| line.access == access) {
            return line.clone();
        }
        let line = Self::new(self.session(), self.key, access);
        line.expires_at.store(self.expires_at(), SeqCst);
        line.checked_at.store(self.checked_at.load(SeqCst), SeqCst);
        doors.push(line.clone());
        line
    }

    /// Core's session.
    pub(super) fn session(&self) -> SessionId {
        self.session.load().0
    }

    /// The store's key of Core's record.
    pub(super) fn session_key(&self) -> Arc<str> {
        self.session.load().1.clone()
    }

    /// The store's key of the gateway's own record, if there is one.
    pub(super) fn own_key(&self) -> Option<&Arc<str>> {
        self.own_key.as_ref()
    }

    /// The store's keys it depends on.
    fn keys(&self) -> impl Iterator<Item = Arc<str>> {
        std::iter::once(self.session_key()).chain(self.own_key.clone())
    }

    /// Whether a request at `now` is to be noted: the first one, and from then on one every so many seconds.
    pub(super) fn is_seen_again(&self, now: u64, every: u64) -> bool {
        let last = self.seen.load(SeqCst);
        now >= last.saturating_add(every) && self.seen.compare_exchange(last, now, SeqCst, SeqCst).is_ok()
    }

    /// Unix seconds, as last confirmed.
    pub(super) fn expires_at(&self) -> u64 {
        self.expires_at.load(SeqCst)
    }

    /// The session was confirmed, perhaps with another end, and the provider asked at some time.
    pub(super) fn confirmed(&self, expires_at: u64, checked_at: Option<u64>) {
        self.expires_at.store(expires_at, SeqCst);
        self.checked_at.store(checked_at.unwrap_or(0), SeqCst);
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
            5 => Some(Ended::Forbidden),
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
            for key in line.keys() {
                self.by_key.entry(key).or_default().push(line.clone());
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
                for key in line.keys() {
                    self.forget(&key, &line);
                }
            }
        }
    }

    fn forget(&self, key: &str, line: &Arc<Line>) {
        self.by_key.remove_if_mut(key, |_, lines| {
            lines.retain(|other| !Arc::ptr_eq(other, line));
            lines.is_empty()
        });
    }

    /// A line's session has been exchanged for another. Whoever calls this looks at that one once more afterwards.
    pub(super) fn follow(&self, line: &Arc<Line>, session: SessionId) {
        let _held = line.registering.lock().unwrap_or_else(PoisonError::into_inner);
        let old = line.session.swap(Arc::new((session, session.key().into())));
        if line.streams.load(SeqCst) & REGISTERED != 0 {
            self.by_key
                .entry(line.session_key())
                .or_default()
                .push(line.clone());
            self.forget(&old.1, line);
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
        self.those(|_| true)
    }

    /// The lines with streams whose session's time, as far as known, is over at `now`.
    pub(super) fn due(&self, now: u64) -> Vec<Arc<Line>> {
        self.those(|line| line.expires_at() <= now && line.streams() > 0 && line.ended().is_none())
    }

    /// The handles with streams whose user the provider was not asked about since `before`, and when it was.
    pub(super) fn checked_before(&self, before: u64) -> HashMap<Handle, u64> {
        let late = self.those(|line| {
            (1..=before).contains(&line.checked_at.load(SeqCst))
                && line.streams() > 0
                && line.ended().is_none()
        });
        let handles = late.iter().filter_map(|line| match line.key {
            Recognised::Handle(handle) => Some((handle, line.checked_at.load(SeqCst))),
            Recognised::Bearer(_) => None,
        });
        handles.collect()
    }

    fn those(&self, wanted: impl Fn(&Line) -> bool) -> Vec<Arc<Line>> {
        let mut found = Vec::new();
        for entry in &self.by_key {
            // Each is registered under two keys; this one is Core's.
            let of_session = entry
                .value()
                .iter()
                .filter(|line| line.session.load().1 == *entry.key());
            found.extend(of_session.filter(|line| wanted(line)).cloned());
        }
        found
    }
}

#[cfg(test)]
#[path = "tests/lines.rs"]
mod lines;
