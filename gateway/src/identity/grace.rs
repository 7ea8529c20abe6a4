//! Grace: whom a route may still admit while nobody can tell whether sessions hold.
//!
//! Responsible for: when this gateway last knew a session to be valid, and for never believing in one that it has
//! seen end, or whose record has changed since it looked. Not responsible for which routes admit anybody by grace,
//! nor to do what (see `phases::authenticate`).
//!
//! A session is known to be valid when the store says so, and from then on for as long as the feed of changes is
//! live and announces no change of it. So what counts is the later of two moments: the answer of the store, and
//! the loss of the feed that has vouched for the answer until then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hivematrix_platform::{Access, Handle, unix_now};
use sha2::{Digest, Sha256};

use super::caller::{Identity, Proof, Recognised};
use super::live::{Ended, Line};
use super::versions::Stamp;
use super::view::SessionView;

/// Losses of the feed that are remembered: more within the longest grace are not believed in.
const CAPACITY: usize = 16;

/// Somebody who is admitted without a look at the store.
pub struct Graced {
    /// Who, as last seen.
    pub identity: Arc<Identity>,
    /// How long ago the session was known to be valid.
    pub age: Duration,
}

/// When the feed was lost, lately.
#[derive(Default)]
pub(super) struct Losses {
    lately: Mutex<VecDeque<Loss>>,
}

#[derive(Clone, Copy)]
struct Loss {
    /// What [`Stamp::everything`] was in what the feed vouched for until then.
    everything: u64,
    at: Instant,
}

impl Losses {
    /// The feed is lost now; `everything` as counted before.
    pub(super) fn note(&self, everything: u64) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() == CAPACITY {
            lately.pop_front();
        }
        let at = Instant::now();
        lately.push_back(Loss { everything, at });
    }

    /// When it was lost last.
    fn last(&self) -> Option<Instant> {
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.back().map(|loss| loss.at)
    }

    /// When the feed was lost that vouched for what was read under this stamp.
    fn of(&self, stamp: &Stamp) -> Option<Instant> {
        stamp.epoch?;
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately
            .iter()
            .find(|loss| loss.everything == stamp.everything)
            .map(|loss| loss.at)
    }
}

impl SessionView {
    /// The caller behind a browser's handle, if the session was known to be valid at most `grace` ago and nothing
    /// speaks against it. For when [`SessionView::by_handle`] could not tell.
    pub fn graced_handle(&self, handle: &Handle, grace: Duration) -> Option<Graced> {
        self.graced(Recognised::Handle(*handle), grace)
    }

    /// The same for a bearer token. For when [`SessionView::by_bearer`] could not tell.
    pub fn graced_bearer(&self, token: &str, grace: Duration) -> Option<Graced> {
        self.graced(Recognised::Bearer(Sha256::digest(token.as_bytes()).into()), grace)
    }

    /// How long there has been no feed; `None` while there is one, and before there ever was.
    pub fn without_feed_for(&self) -> Option<Duration> {
        let lost = self.losses.last()?;
        self.store.feed_epoch().is_none().then(|| lost.elapsed())
    }

    fn graced(&self, key: Recognised, grace: Duration) -> Option<Graced> {
        let known = self.cache.peek(&key)?;
        let proof = &known.proof;
        let age = self
            .losses
            .of(&proof.stamp)
            .map_or(proof.seen, |lost| lost.max(proof.seen))
            .elapsed();
        // A change that was announced, and that nobody could look at, may have been the end.
        let speaks_against = age > grace
            || known.expires_at <= unix_now()
            || self.refusals.contains(known.session)
            || !self.versions.are_unchanged(&proof.stamp);
        if speaks_against {
            return None;
        }
        match proof.line.ended() {
            None => Some(Graced { identity: known, age }),
            // Streams are cut when they could not be checked for long; that says nothing against the session.
            Some(Ended::Unchecked) => Some(Graced {
                identity: Arc::new(on_a_new_line(&known)),
                age,
            }),
            Some(_) => None,
        }
    }
}

fn on_a_new_line(known: &Identity) -> Identity {
    let Proof {
        key,
        stamp,
        digest,
        checked_at,
        limit,
        seen,
        ..
    } = known.proof;
    let line = Line::new(known.session, key, Access::AnyUser);
    line.confirmed(known.expires_at, checked_at);
    Identity {
        caller: known.caller.clone(),
        authorization: known.authorization.clone(),
        session: known.session,
        expires_at: known.expires_at,
        proof: Proof {
            key,
            stamp,
            digest,
            checked_at,
            limit,
            seen,
            line,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::versions::Versions;

    #[test]
    fn a_loss_is_that_of_what_was_read_before_it_and_after_the_one_before() {
        let (losses, versions) = (Losses::default(), Versions::new());
        let stamp = |epoch| Stamp {
            epoch,
            everything: versions.everything(),
            session: versions.mark("session:a"),
            own: None,
        };
        let (vouched_for, alone) = (stamp(Some(1)), stamp(None));
        assert!(losses.of(&vouched_for).is_none(), "the feed is live");
        losses.note(versions.everything());
        versions.everything_changed();
        assert!(losses.of(&vouched_for).is_some());
        assert!(losses.of(&alone).is_none(), "no feed has vouched for it");
        assert!(losses.of(&stamp(Some(2))).is_none());
        for _ in 0..CAPACITY {
            versions.everything_changed();
            losses.note(versions.everything());
        }
        assert!(losses.of(&vouched_for).is_none(), "too many since");
    }
}
