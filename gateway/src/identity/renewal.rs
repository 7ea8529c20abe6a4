//! Renewal: a session that is used goes on, and the provider is asked again who its user is.
//!
//! Responsible for: when a session is due, that one gateway of all asks for it, and what becomes of it: renewed with a
//! new token, ended because the provider says so, or left as it is because nobody can tell. Not responsible for how
//! the provider is asked (see `refresh`, `password`), nor for Core's part (see `renewed_token`).
//!
//! Nothing of this stands in a request's way while its session was looked at recently: that is one comparison.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hivematrix_platform::{CoreClient, CoreError, Handle, Verifier, unix_now};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::caller::{Identity, Refused};
use super::flight::Flights;
use super::live::Ended;
use super::oidc::Oidc;
use super::password::Questions;
use super::record::{GatewaySession, RecordError, Records};
use super::refresh::{RefreshError, Refreshed};
use super::user_sessions::UserSessions;
use super::view::SessionView;
use crate::config::{Origin, Renewal as How};

/// How long one gateway may take for one renewal; then another may try.
const LOCK: Duration = Duration::from_secs(30);

/// For the whole of one renewal, within the lock's time.
const PATIENCE: Duration = Duration::from_secs(25);

/// How long a request waits for a renewal that is overdue; beyond, it goes on with what is known.
const WAITS: Duration = Duration::from_secs(5);

/// After an attempt that came to nothing, a session is left alone for so long.
const PAUSE: Duration = Duration::from_secs(5);

/// How often live streams are looked at for sessions that are due.
const TICK: Duration = Duration::from_secs(1);

/// Sessions whose last attempt came to nothing that are remembered at most.
const PAUSED: usize = 10_000;

/// Renewals at the same time, of all sessions together.
const AT_ONCE: usize = 32;

/// How often a gateway looks whether another has done it.
const LOOK: Duration = Duration::from_millis(50);

/// A session is not renewed in the last seconds before its limit.
const LAST: u64 = 30;

/// What an operator decides about renewal.
#[derive(Clone, Copy, Debug)]
pub struct RenewalSettings {
    /// By what.
    pub how: How,
    /// How late a change at the provider may be.
    pub recheck_within: Duration,
    /// How long after its login a session ends at the latest.
    pub lifetime: Duration,
}

impl RenewalSettings {
    /// The age in seconds at which a session is renewed in the background.
    fn due(&self) -> u64 {
        match self.how {
            How::Core | How::Exchange => self.recheck_within.as_secs() * 2 / 3,
            How::Off => u64::MAX,
        }
    }
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The session has a new token, by us or by another gateway.
    Renewed,
    /// The session has ended.
    Over,
    /// Nobody can tell at the moment; the session is as it was.
    Later,
}

/// Renews sessions.
pub struct Renewal {
    pub(super) parts: Parts,
    pub(super) settings: RenewalSettings,
    flights: Flights<Handle, Outcome>,
    /// Until when a session is left alone.
    paused: Cache<Handle, Instant>,
    at_once: Semaphore,
    /// Unix seconds until which Core need not be asked.
    pub(super) unsupported_until: AtomicU64,
    pub(super) questions: Questions,
    _stop: DropGuard,
}

/// Why a renewal came to nothing. The words are for logs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("{0}")]
    Provider(String),
    #[error("{0}")]
    Core(#[from] CoreError),
    #[error("Core's new token: {0}")]
    Token(String),
}

impl From<hivematrix_platform::StoreError> for Failed {
    fn from(error: hivematrix_platform::StoreError) -> Self {
        Self::Record(error.into())
    }
}

/// The gateway's own record, as it was read.
pub(super) struct Own {
    pub(super) key: String,
    pub(super) sealed: Vec<u8>,
    pub(super) session: GatewaySession,
}

/// What renewals are made of.
pub(super) struct Parts {
    pub(super) provider: Arc<Oidc>,
    pub(super) core: Arc<CoreClient>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) view: Arc<SessionView>,
    pub(super) records: Records,
    pub(super) lists: UserSessions,
}

impl Renewal {
    /// Renewals, those of live streams included, until the value is dropped.
    pub(super) fn new(parts: Parts, settings: RenewalSettings) -> Arc<Self> {
        let stop = CancellationToken::new();
        let renewal = Arc::new(Self {
            parts,
            settings,
            flights: Flights::new(),
            paused: Cache::new(PAUSED),
            at_once: Semaphore::new(AT_ONCE),
            unsupported_until: AtomicU64::new(0),
            questions: Questions::default(),
            _stop: stop.clone().drop_guard(),
        });
        if settings.how != How::Off {
            tokio::spawn(follow_streams(Arc::downgrade(&renewal), stop));
        }
        renewal
    }

    /// The caller of a request, once what is due for the session has been done: nearly always nothing. A session that
    /// is due soon is renewed in the background; only one that was not looked at for longer than a change may be late
    /// is waited for.
    ///
    /// # Errors
    /// [`Refused::Revoked`], if the provider says that the session has ended, and what [`SessionView::by_handle`] says
    /// afterwards.
    pub async fn fresh(self: &Arc<Self>, identity: Arc<Identity>) -> Result<Arc<Identity>, Refused> {
        match identity.proof.checked_at {
            Some(checked) if unix_now().saturating_sub(checked) >= self.settings.due() => {
                Box::pin(self.due(identity, checked)).await
            }
            Some(_) | None => Ok(identity),
        }
    }

    async fn due(self: &Arc<Self>, identity: Arc<Identity>, checked: u64) -> Result<Arc<Identity>, Refused> {
        let Some(handle) = identity.handle().filter(|handle| self.may_try(handle)) else {
            return Ok(identity);
        };
        // In a task of its own: what has begun is brought to its end, or a refresh token would be lost.
        let renewing = tokio::spawn(self.clone().renew(handle, checked));
        let overdue = unix_now().saturating_sub(checked) >= self.settings.recheck_within.as_secs();
        if !overdue {
            return Ok(identity);
        }
        match timeout(WAITS, renewing).await {
            Ok(Ok(Outcome::Renewed)) => self.parts.view.by_handle(&handle).await,
            Ok(Ok(Outcome::Over)) => Err(Refused::Revoked),
            Ok(Ok(Outcome::Later) | Err(_)) | Err(_) => Ok(identity),
        }
    }

    fn may_try(&self, handle: &Handle) -> bool {
        self.settings.how != How::Off
            && unix_now() >= self.unsupported_until.load(Relaxed)
            && self
                .paused
                .get(handle)
                .is_none_or(|until| until <= Instant::now())
    }

    async fn renew(self: Arc<Self>, handle: Handle, seen: u64) -> Outcome {
        let work = async {
            let _permit = self.at_once.acquire().await;
            match timeout(PATIENCE, self.locked(&handle, seen)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Later,
            }
        };
        let (outcome, _) = self.flights.join(handle, work).await;
        if outcome == Outcome::Later {
            self.paused.insert(handle, Instant::now() + PAUSE);
        }
        outcome
    }

    /// One gateway of all renews; the others wait for what it writes.
    async fn locked(&self, handle: &Handle, seen: u64) -> Outcome {
        let (store, lock) = (self.parts.records.store(), handle.key_with("hm:renewal:"));
        match store.put_new(&lock, b"1", LOCK).await {
            Ok(true) => {}
            Ok(false) => return self.by_another(handle, seen, &lock).await,
            Err(error) => {
                tracing::debug!(%error, "a session could not be renewed");
                return Outcome::Later;
            }
        }
        let outcome = match self.attempt(handle, seen).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(%error, "a session could not be renewed; it stays as it is for now");
                Outcome::Later
            }
        };
        if let Err(error) = store.delete(&lock).await {
            tracing::debug!(%error, "a session cannot be renewed again before its lock has ended");
        }
        outcome
    }

    async fn by_another(&self, handle: &Handle, seen: u64, lock: &str) -> Outcome {
        loop {
            sleep(LOOK).await;
            let locked = self.parts.records.store().get(lock).await;
            // Read after the lock: what its holder has written by then is seen.
            match self.parts.records.session(handle).await {
                Ok(None) => return Outcome::Over,
                Ok(Some(session)) if session.checked_at > seen => return Outcome::Renewed,
                Ok(Some(_)) if matches!(locked, Ok(Some(_))) => {}
                Ok(Some(_)) | Err(_) => return Outcome::Later,
            }
        }
    }

    async fn attempt(&self, handle: &Handle, seen: u64) -> Result<Outcome, Failed> {
        let Parts {
            records, core, view, ..
        } = &self.parts;
        let key = handle.key();
        let Some(sealed) = records.store().get(&key).await? else {
            return Ok(Outcome::Over);
        };
        let session: GatewaySession = records.open(&key, &sealed).ok_or(RecordError::Unreadable)?;
        let now = unix_now();
        let until = session.created_at + self.settings.lifetime.as_secs();
        if session.checked_at > seen {
            return Ok(Outcome::Renewed);
        }
        let Some(refresh_token) = session.refresh_token.clone().filter(|_| now + LAST < until) else {
            return Ok(Outcome::Later);
        };
        let origin: Origin = session
            .origin
            .parse()
            .map_err(|_| Failed::Provider("the origin of its login is not known".to_owned()))?;
        let tokens = match self
            .parts
            .provider
            .refresh(&origin, refresh_token, &session.sub)
            .await
        {
            Ok(tokens) => tokens,
            Err(RefreshError::Ended(why)) => {
                tracing::info!(session = ?session.jti, why, "the provider has ended a session");
                view.end_session(core, session.jti, &session.jwt, Some(*handle), Ended::Revoked)
                    .await;
                return Ok(Outcome::Over);
            }
            Err(RefreshError::Unknown(error)) => return Err(Failed::Provider(error.to_string())),
        };
        // The old refresh token may be worth nothing any more: the new one is kept before anything else can fail.
        let Refreshed {
            access_token,
            refresh_token,
            id_token,
            auth_time,
        } = tokens;
        let kept = records.change(&key, sealed, None, |session| {
            session.refresh_token = refresh_token.clone().or(session.refresh_token.take());
            session.id_token = id_token.clone().unwrap_or_else(|| session.id_token.clone());
        });
        let Some((sealed, session)) = kept.await? else {
            return Ok(Outcome::Over);
        };
        if self
            .has_newer_password(&origin, &access_token, session.auth_time.max(auth_time))
            .await
        {
            self.end_for_newer_password(handle, &origin, &session).await;
            return Ok(Outcome::Over);
        }
        let own = Own { key, sealed, session };
        self.at_core(own, &access_token, now, until).await
    }
}

/// Renews the sessions that have live streams, whose requests are long past.
async fn follow_streams(renewal: Weak<Renewal>, stop: CancellationToken) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Some(renewal) = renewal.upgrade() else { return };
        let before = unix_now().saturating_sub(renewal.settings.due());
        for (handle, checked) in renewal.parts.view.live.checked_before(before) {
            if renewal.may_try(&handle) {
                tokio::spawn(renewal.clone().renew(handle, checked));
            }
        }
    }
}
