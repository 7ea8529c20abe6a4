//! The session view: who is this, and still? One bounded cache in front of the store, kept coherent by the
//! store's feed of changes.
//!
//! Responsible for: answering by handle or by bearer token, refusing for good what was seen revoked, and
//! cutting live streams of sessions that end. Not responsible for what a caller may do, nor for what a
//! refusal means to a browser.
//!
//! Invariants: an answer is believed without asking only while the feed has been alive ever since the read
//! behind it began, and has announced no change of what was read; without a live feed every request asks the
//! store; without the store nobody is recognised (but see `grace`); a session once seen revoked is never good again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hivematrix_platform::{
    Access, Handle, SealingKeys, SessionId, Sessions, Store, TokenError, Verifier, unix_now,
};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::caller::{Identity, Recognised, Refused};
use super::feed;
use super::flight::Flights;
use super::grace::Losses;
use super::live::{Ended, LiveStream, LiveStreams};
use super::notice::{self, Notices};
use super::record::Records;
use super::refusals::Refusals;
use super::versions::Versions;

/// Longest bearer token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// How long a revoked session stays refused, in seconds: longer than any token of it can live (the
/// operators' test tokens live for a day).
const REFUSED_FOR: u64 = 25 * 3600;

/// How many live sessions are checked at the same time after a change.
const CHECKS_AT_ONCE: usize = 64;

/// What an operator decides about the view.
#[derive(Clone, Copy, Debug)]
pub struct ViewSettings {
    /// Most callers remembered. Default 100 000.
    pub cache_entries: usize,
    /// Ask the store on every request, even while the feed is alive. Default false.
    pub strict: bool,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            cache_entries: 100_000,
            strict: false,
        }
    }
}

/// The one place that knows who a request comes from.
pub struct SessionView {
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Sessions,
    pub(super) verifier: Arc<Verifier>,
    pub(super) records: Records,
    pub(super) cache: Cache<Recognised, Arc<Identity>>,
    flights: Flights<Recognised, Result<Arc<Identity>, Refused>>,
    pub(super) versions: Versions,
    pub(super) losses: Losses,
    pub(super) notices: Notices,
    pub(super) refusals: Refusals,
    pub(super) live: LiveStreams,
    pub(super) checks: Semaphore,
    pub(super) writing: AtomicBool,
    strict: bool,
    _stop: DropGuard,
}

impl SessionView {
    /// A view on `store`, which follows the store's feed on the current Tokio runtime until it is dropped.
    pub fn new(
        store: Arc<dyn Store>,
        verifier: Arc<Verifier>,
        sealing: Arc<SealingKeys>,
        settings: ViewSettings,
    ) -> Arc<Self> {
        // The feed comes first: what is read before somebody listens can go stale unnoticed.
        let changes = store.changes();
        let stop = CancellationToken::new();
        let (notices, heard) = Notices::new();
        let view = Arc::new(Self {
            sessions: Sessions::new(store.clone()),
            records: Records::new(store.clone(), sealing),
            store,
            verifier,
            cache: Cache::new(settings.cache_entries),
            flights: Flights::new(),
            versions: Versions::new(),
            losses: Losses::default(),
            notices,
            refusals: Refusals::new(),
            live: LiveStreams::default(),
            checks: Semaphore::new(CHECKS_AT_ONCE),
            writing: AtomicBool::new(false),
            strict: settings.strict,
            _stop: stop.clone().drop_guard(),
        });
        tokio::spawn(feed::follow(Arc::downgrade(&view), changes, stop));
        tokio::spawn(notice::look(Arc::downgrade(&view), heard));
        view
    }

    /// The caller behind a browser's handle.
    ///
    /// # Errors
    /// [`Refused`]; see [`Refused::is_outage`] for "no" against "nobody can tell".
    pub async fn by_handle(&self, handle: &Handle) -> Result<Arc<Identity>, Refused> {
        let key = Recognised::Handle(*handle);
        match self.believed(&key) {
            Some(identity) => in_time(identity),
            // Boxed, so that a hit does not carry the slow way's state around.
            None => Box::pin(self.find_out(key, None)).await,
        }
    }

    /// The caller behind a bearer token from outside. Whether such callers are wanted at all is the
    /// configuration's to say (`legacy_bearer`).
    ///
    /// # Errors
    /// [`Refused`]; a token without a session and a service's token are [`Refused::Token`].
    pub async fn by_bearer(&self, token: &str) -> Result<Arc<Identity>, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::Token(TokenError::Malformed));
        }
        let key = Recognised::Bearer(Sha256::digest(token.as_bytes()).into());
        match self.believed(&key) {
            Some(identity) => in_time(identity),
            None => Box::pin(self.find_out(key, Some(token))).await,
        }
    }

    /// Watches a stream of this caller: when the session ends, so does the stream, and when the caller is none any more
    /// whom `access` lets in. If anything was announced
    /// about the session since the caller was recognised, or there is no feed, the store is asked once more
    /// after registering, so that no end is missed. Otherwise this costs next to nothing.
    ///
    /// # Errors
    /// [`Refused`], if the session has ended, or nobody can tell.
    pub async fn watch(&self, identity: &Arc<Identity>, access: Access) -> Result<LiveStream, Refused> {
        let mut identity = identity.clone();
        loop {
            let stream = self.live.add(&identity.proof.line.behind(access));
            if self.is_fresh(&identity) {
                return Ok(stream);
            }
            let again = Box::pin(self.ask(identity.proof.key, None, Some(identity.clone()))).await?;
            if !access.allows(again.claims().user.permission_level) {
                stream.line.cut(Ended::Forbidden);
                return Ok(stream);
            }
            if Arc::ptr_eq(&again.proof.line, &identity.proof.line) {
                return Ok(stream);
            }
            identity = again;
        }
    }

    /// As [`SessionView::watch`], but the store is asked in the background: for requests whose answer is not
    /// expected to go on, yet may. Never waits; cheap enough for every request.
    pub fn watch_in_background(self: &Arc<Self>, identity: &Arc<Identity>, access: Access) -> LiveStream {
        let line = identity.proof.line.behind(access);
        let stream = self.live.add(&line);
        // Without a feed all streams are looked at every few seconds anyway.
        if self.store.feed_epoch().is_some() && !self.is_fresh(identity) {
            self.check_soon(vec![line]);
        }
        stream
    }

    /// Whether the caller's session still holds; asks the store unless that is known.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn recheck(&self, identity: &Arc<Identity>) -> Result<(), Refused> {
        if !self.strict && self.is_fresh(identity) {
            return in_time(identity.clone()).map(drop);
        }
        self.ask(identity.proof.key, None, Some(identity.clone()))
            .await
            .map(drop)
    }

    /// Refuses a session from now on, whatever the store says, and cuts its streams. The store is told in
    /// the background, again and again until it knows.
    pub fn refuse(&self, session: &SessionId) {
        self.end(*session, Ended::SignedOut, false);
    }

    /// How many live streams there are.
    pub fn live_streams(&self) -> u64 {
        self.live.count()
    }

    /// What was last known of a handle, however old: only good for ending it.
    pub(super) fn remembered(&self, handle: &Handle) -> Option<Arc<Identity>> {
        self.cache.peek(&Recognised::Handle(*handle))
    }

    /// A revocation, from whatever source: the view refuses from now on, and live streams are cut.
    pub(super) fn end(&self, session: SessionId, reason: Ended, written: bool) {
        self.refusals.insert(session, unix_now() + REFUSED_FOR, written);
        let key = session.key();
        self.versions.changed(&key);
        for line in self.live.under(&key) {
            if line.cut(reason) {
                tracing::info!(session = ?session, streams = line.streams(), reason = reason.reason(), "cut");
            }
        }
    }

    /// What is known of a caller and needs no asking.
    fn believed(&self, key: &Recognised) -> Option<Arc<Identity>> {
        if self.strict {
            return None;
        }
        self.cache.get(key).filter(|identity| self.is_fresh(identity))
    }

    /// Whether nothing has happened to the caller since the store was asked.
    fn is_fresh(&self, identity: &Identity) -> bool {
        self.versions
            .is_fresh(&identity.proof.stamp, self.store.feed_epoch())
            && identity.proof.line.ended().is_none()
    }

    async fn find_out(&self, key: Recognised, token: Option<&str>) -> Result<Arc<Identity>, Refused> {
        let known = self.cache.peek(&key);
        if self.strict || self.store.feed_epoch().is_none() {
            return self.ask(key, token, known).await;
        }
        let (answer, mine) = self.flights.join(key, self.ask(key, token, known)).await;
        match answer {
            // The read began before this request came: good only if nothing has happened since.
            Ok(identity) if !mine && !self.is_fresh(&identity) => self.ask(key, token, Some(identity)).await,
            answer => answer,
        }
    }
}

/// The feed does not announce the passing of time.
fn in_time(identity: Arc<Identity>) -> Result<Arc<Identity>, Refused> {
    if identity.expires_at <= unix_now() {
        Err(Refused::Expired)
    } else {
        Ok(identity)
    }
}
