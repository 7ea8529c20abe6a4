//! Following the store's feed: what a change, the passing of time, or the loss of the feed means for what
//! the view believes and for live streams.
//!
//! Responsible for: counting changes, checking live streams when their session may have ended, and telling
//! the store about refusals that it does not know (any more). Not responsible for receiving the feed itself
//! (see the platform's stores).

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hivematrix_platform::{Change, Changes, SessionError, unix_now};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::caller::{Recognised, Refused};
use super::live::{Ended, Line};
use super::view::SessionView;

/// Resolution of the expiry of live streams.
const TICK: Duration = Duration::from_millis(250);

/// Without a feed, live sessions are checked every so many ticks (2 s).
const TICKS_PER_POLL: u64 = 8;

/// The registry is swept and unknown refusals are written every so many ticks (5 s).
const TICKS_PER_SWEEP: u64 = 20;

/// How long a live stream may go on while the store cannot be asked about it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many refusals are written before looking again.
const REFUSALS_AT_ONCE: usize = 256;

/// Follows the feed until the view is dropped.
pub(super) async fn follow(view: Weak<SessionView>, mut changes: Changes, stop: CancellationToken) {
    let _listening = Listening(view.clone());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = 0_u64;
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            change = changes.next() => Some(change),
            _ = tick.tick() => None,
        };
        let Some(view) = view.upgrade() else { return };
        match change {
            Some(change) => view.changed(&change),
            None => {
                ticks += 1;
                view.time_passed(ticks);
            }
        }
    }
}

/// Should following ever end while the view lives, nothing may be believed any more.
struct Listening(Weak<SessionView>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(view) = self.0.upgrade() {
            view.versions.stop();
        }
    }
}

impl SessionView {
    /// First nothing older is believed, then live streams are looked at: a stream that registers in between
    /// looks for itself.
    fn changed(self: &Arc<Self>, change: &Change) {
        match change {
            Change::Key(key) => {
                self.versions.changed(key);
                self.notices.heard(key);
                self.check_soon(self.live.under(key));
            }
            Change::Everything => {
                if self.store.feed_epoch().is_none() {
                    self.losses.note(self.versions.everything());
                }
                self.versions.everything_changed();
                self.refusals.unwrite_all();
                self.check_soon(self.live.all());
                if self.store.feed_epoch().is_some() {
                    // Perhaps another server, which may not know of the latest revocations.
                    self.write_refusals_soon();
                }
            }
        }
    }

    fn time_passed(self: &Arc<Self>, ticks: u64) {
        let now = unix_now();
        self.check_soon(self.live.due(now));
        if ticks.is_multiple_of(TICKS_PER_POLL) && self.store.feed_epoch().is_none() {
            self.check_soon(self.live.all());
        }
        if ticks.is_multiple_of(TICKS_PER_SWEEP) {
            self.live.sweep();
            self.refusals.purge(now);
            self.write_refusals_soon();
        }
    }

    fn write_refusals_soon(self: &Arc<Self>) {
        if !self.refusals.unwritten(1).is_empty() && !self.writing.swap(true, SeqCst) {
            tokio::spawn(write_refusals(self.clone()));
        }
    }

    pub(super) fn check_soon(self: &Arc<Self>, lines: Vec<Arc<Line>>) {
        for line in lines {
            if line.streams() > 0 && line.ended().is_none() && line.wants_check() {
                tokio::spawn(check(Arc::downgrade(self), line));
            }
        }
    }

    /// Why the streams of a line must end, if they must.
    async fn confirm(&self, line: &Arc<Line>) -> Result<Option<Ended>, Refused> {
        let _permit = self.checks.acquire().await;
        match (line.key, self.cache.peek(&line.key)) {
            (Recognised::Bearer(_), None) => {
                let record = self.store.get(&line.session_key()).await?;
                let now = unix_now();
                let record = self.judge_record(line.session(), record.as_deref(), now)?;
                let expires_at = record.expires_at.min(line.expires_at());
                if expires_at <= now {
                    return Err(Refused::Expired);
                }
                let allowed = line.access.allows(record.user_data.permission_level);
                Ok((!allowed).then_some(Ended::Forbidden))
            }
            (key, known) => {
                let mut identity = self.ask(key, None, known).await?;
                // A handle stands for one login: another session behind it is the same one, exchanged. It is looked
                // at again now that its end would be noticed.
                while identity.session != line.session() {
                    self.live.follow(line, identity.session);
                    identity = self.ask(key, None, Some(identity)).await?;
                }
                line.confirmed(identity.expires_at, identity.proof.checked_at);
                let allowed = line.access.allows(identity.claims().user.permission_level);
                Ok((!allowed).then_some(Ended::Forbidden))
            }
        }
    }
}

/// Checks a line until nobody wishes for another check. An announced change may be harmless, so the store is
/// asked before anything is cut; while it does not answer, streams go on for a while, but not beyond their
/// session's time.
async fn check(view: Weak<SessionView>, line: Arc<Line>) {
    let mut answered = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let seen = line.checks();
        if line.streams() == 0 || line.ended().is_some() {
            // Should a stream come again, so may a check; one that was wished for just now is not lost.
            if line.checked(seen) {
                return;
            }
            continue;
        }
        let Some(view) = view.upgrade() else { return };
        let answer = view.confirm(&line).await;
        drop(view);
        let reason = match answer {
            Ok(Some(reason)) => reason,
            Ok(None) if line.checked(seen) => return,
            Ok(None) => {
                answered = Instant::now();
                continue;
            }
            Err(refused) if !refused.is_outage() => reason_of(&refused),
            Err(_) if line.expires_at() <= unix_now() => Ended::Expired,
            Err(_) if answered.elapsed() >= PATIENCE => Ended::Unchecked,
            Err(_) => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
                continue;
            }
        };
        if line.cut(reason) {
            let (session, streams) = (line.session(), line.streams());
            tracing::info!(?session, streams, reason = reason.reason(), "live streams cut");
        }
    }
}

fn reason_of(refused: &Refused) -> Ended {
    match refused {
        Refused::Expired => Ended::Expired,
        Refused::Unknown
        | Refused::Unreadable
        | Refused::Revoked
        | Refused::Mismatch
        | Refused::Token(_)
        | Refused::StoreDown(_)
        | Refused::KeysDown(_) => Ended::Revoked,
    }
}

/// Tells the store about revocations that it does not know, until it knows all or does not answer.
async fn write_refusals(view: Arc<SessionView>) {
    'writing: loop {
        let sessions = view.refusals.unwritten(REFUSALS_AT_ONCE);
        if sessions.is_empty() {
            break;
        }
        for session in sessions {
            match view.sessions.revoke(&session).await {
                Err(SessionError::Store(error)) => {
                    tracing::warn!(%error, "revocations wait to be written");
                    break 'writing;
                }
                Ok(_) | Err(SessionError::Malformed(_) | SessionError::Exists) => {
                    view.refusals.set_written(session, true);
                }
            }
        }
    }
    view.writing.store(false, SeqCst);
}
