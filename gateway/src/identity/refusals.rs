//! Sessions that this gateway has seen revoked: they stay refused, whatever the store says later.
//!
//! Responsible for: remembering them until no token of theirs can be valid any more, in bounded memory, and
//! for knowing which of them the store still has to be told (again). Not responsible for telling it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

use hivematrix_platform::SessionId;

/// Most sessions remembered; beyond, those whose tokens expire first are forgotten first.
const CAPACITY: usize = 262_144;

/// A bounded set of refused sessions.
pub(super) struct Refusals {
    inner: RwLock<Inner>,
    capacity: usize,
}

#[derive(Default)]
struct Inner {
    by_session: HashMap<SessionId, Refusal>,
    /// By end, then by order of arrival.
    by_end: BTreeMap<(u64, u64), SessionId>,
    arrivals: u64,
}

#[derive(Clone, Copy)]
struct Refusal {
    until: u64,
    arrival: u64,
    written: bool,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self {
            inner: RwLock::default(),
            capacity: CAPACITY,
        }
    }

    /// Whether the session was seen revoked.
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.read(|inner| inner.by_session.contains_key(&session))
    }

    /// Remembers the session until `until` (Unix seconds). `written` says whether the store knows.
    pub(super) fn insert(&self, session: SessionId, until: u64, written: bool) {
        self.write(|inner| {
            let mut refusal = Refusal {
                until,
                arrival: inner.arrivals,
                written,
            };
            if let Some(old) = inner.forget(session) {
                refusal.until = refusal.until.max(old.until);
                refusal.written |= old.written;
            }
            inner.arrivals += 1;
            inner.by_end.insert((refusal.until, refusal.arrival), session);
            inner.by_session.insert(session, refusal);
            while inner.by_session.len() > self.capacity && inner.forget_first() {}
        });
    }

    /// The store says again that the session is good (it has lost a revocation), or knows by now.
    pub(super) fn set_written(&self, session: SessionId, written: bool) {
        self.write(|inner| {
            if let Some(refusal) = inner.by_session.get_mut(&session) {
                refusal.written = written;
            }
        });
    }

    /// The store may have forgotten anything: every refusal has to be written again.
    pub(super) fn unwrite_all(&self) {
        self.write(|inner| {
            inner
                .by_session
                .values_mut()
                .for_each(|refusal| refusal.written = false)
        });
    }

    /// Up to `limit` sessions that the store has to be told about.
    pub(super) fn unwritten(&self, limit: usize) -> Vec<SessionId> {
        self.read(|inner| {
            let waiting = inner.by_session.iter().filter(|(_, refusal)| !refusal.written);
            waiting.take(limit).map(|(session, _)| *session).collect()
        })
    }

    /// Forgets those whose time is over.
    pub(super) fn purge(&self, now: u64) {
        if self.read(|inner| {
            inner
                .by_end
                .first_key_value()
                .is_some_and(|((until, _), _)| *until <= now)
        }) {
            self.write(|inner| {
                while inner
                    .by_end
                    .first_key_value()
                    .is_some_and(|((until, _), _)| *until <= now)
                {
                    inner.forget_first();
                }
            });
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn forget(&mut self, session: SessionId) -> Option<Refusal> {
        let refusal = self.by_session.remove(&session)?;
        self.by_end.remove(&(refusal.until, refusal.arrival));
        Some(refusal)
    }

    fn forget_first(&mut self) -> bool {
        match self.by_end.pop_first() {
            Some((_, session)) => self.by_session.remove(&session).is_some(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_lasts_until_its_end_and_no_longer() {
        let refusals = Refusals::new();
        let session = SessionId::generate();
        assert!(!refusals.contains(session));
        refusals.insert(session, 100, true);
        refusals.purge(99);
        assert!(refusals.contains(session));
        refusals.purge(100);
        assert!(!refusals.contains(session));
    }

    #[test]
    fn a_second_refusal_never_shortens_the_first() {
        let refusals = Refusals::new();
        let session = SessionId::generate();
        refusals.insert(session, 100, true);
        refusals.insert(session, 50, false);
        refusals.purge(99);
        assert!(refusals.contains(session));
        assert!(refusals.unwritten(9).is_empty());
    }

    #[test]
    fn in_bounded_memory_the_first_to_expire_are_forgotten_first() {
        let refusals = Refusals {
            inner: RwLock::default(),
            capacity: 2,
        };
        let sessions: Vec<_> = (0..3).map(|_| SessionId::generate()).collect();
        for (session, until) in sessions.iter().zip([30, 10, 20]) {
            refusals.insert(*session, until, true);
        }
        assert!(refusals.contains(sessions[0]));
        assert!(!refusals.contains(sessions[1]));
        assert!(refusals.contains(sessions[2]));
    }

    #[test]
    fn after_a_failover_every_refusal_waits_to_be_written_again() {
        let refusals = Refusals::new();
        let (one, two) = (SessionId::generate(), SessionId::generate());
        refusals.insert(one, 100, true);
        refusals.insert(two, 100, false);
        assert!(refusals.unwritten(9) == [two]);
        refusals.set_written(two, true);
        assert!(refusals.unwritten(9).is_empty());
        refusals.unwrite_all();
        assert_eq!(refusals.unwritten(9).len(), 2);
        assert_eq!(refusals.unwritten(1).len(), 1);
    }
}
