//! A store, a view on it, and people with sessions.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Handle, SessionId, SessionRecord, Sessions, Store, unix_now};

use super::store::Disturbed;
use super::{minter, person, sealing, verifier};
use crate::identity::record::{GatewaySession, Records};
use crate::identity::{Identity, Refused, SessionView, ViewSettings};

pub(super) struct World {
    pub(super) store: Arc<Disturbed>,
    pub(super) view: Arc<SessionView>,
    pub(super) sessions: Sessions,
    pub(super) records: Records,
}

/// A session as a browser and a backend know it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) handle: Handle,
    pub(super) session: SessionId,
    pub(super) jwt: String,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(ViewSettings::default())
    }

    pub(super) fn with(settings: ViewSettings) -> Self {
        let store = Arc::new(Disturbed::default());
        let view = SessionView::new(store.clone(), verifier(), sealing(), settings);
        let sessions = Sessions::new(store.clone());
        let records = Records::new(store.clone(), sealing());
        Self {
            store,
            view,
            sessions,
            records,
        }
    }

    /// A session of an hour.
    pub(super) async fn session(&self, sub: &str) -> Known {
        self.session_until(sub, unix_now() + 3600).await
    }

    pub(super) async fn session_until(&self, sub: &str, expires_at: u64) -> Known {
        let now = unix_now();
        let session = SessionId::generate();
        let record = SessionRecord {
            user_data: person(sub),
            created_at: now,
            expires_at,
            revoked: false,
        };
        let (jwt, _) = minter()
            .user_until(&person(sub), &session, now, now + 3600)
            .unwrap();
        let handle = Handle::generate();
        self.sessions
            .create(&session, &record, Duration::from_secs(3600))
            .await
            .unwrap();
        self.give(&handle, session, sub, &jwt).await;
        Known { handle, session, jwt }
    }

    /// Writes the gateway's own record.
    pub(super) async fn give(&self, handle: &Handle, jti: SessionId, sub: &str, jwt: &str) {
        let session = GatewaySession {
            jwt: jwt.to_owned(),
            refresh_token: None,
            id_token: "id.token.x".to_owned(),
            sub: sub.to_owned(),
            jti,
            sid: None,
            origin: super::outside::ORIGIN.to_owned(),
            created_at: unix_now(),
            checked_at: unix_now(),
            expires_at: unix_now() + 3600,
            auth_time: None,
        };
        self.records
            .put_session(handle, &session, Duration::from_secs(3600))
            .await
            .unwrap();
    }

    pub(super) async fn ask(&self, known: &Known) -> Result<Arc<Identity>, Refused> {
        self.view.by_handle(&known.handle).await
    }

    /// Takes in what was announced so far and asks once more: from then on asking needs no reading.
    pub(super) async fn settle(&self, known: &Known) {
        self.feed_is_read().await;
        self.ask(known).await.unwrap();
    }

    /// Lets the view take in what has been announced so far: a change that is announced last is taken in
    /// last.
    pub(super) async fn feed_is_read(&self) {
        let marker = format!("session:marker{}", self.store.reads());
        let before = self.view.versions.mark(&marker);
        self.store.announce(&marker).await;
        super::eventually("the feed is read", async || {
            self.view.versions.mark(&marker) != before
        })
        .await;
    }

    /// What the store holds of Core's record.
    pub(super) async fn is_revoked_in_store(&self, session: SessionId) -> bool {
        self.sessions
            .get(&session)
            .await
            .is_ok_and(|record| record.is_some_and(|record| record.revoked))
    }

    /// Writes Core's record back as if it had never been revoked, as a failover may.
    pub(super) async fn resurrect(&self, session: SessionId) {
        let mut record = self.sessions.get(&session).await.unwrap().unwrap();
        record.revoked = false;
        self.store
            .put(
                &session.key(),
                &record.to_json().unwrap(),
                Duration::from_secs(3600),
            )
            .await
            .unwrap();
    }
}
