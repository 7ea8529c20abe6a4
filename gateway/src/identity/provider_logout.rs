//! A logout that the provider reports (OpenID Connect Back-Channel Logout 1.0): of one of its sessions, or of a
//! person.
//!
//! Responsible for: carrying it out once, in the store, so that every gateway refuses the sessions and cuts their
//! streams; and for leaving a mark, so that a login which is still under way does not begin a session that has ended
//! already. Not responsible for what makes a token genuine (see `logout_token`), nor for HTTP.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{SealingKeys, SessionError, Store, StoreError, unix_now};

use super::live::Ended;
use super::logout_token::{Expected, LogoutRefused, LogoutToken, REMEMBERED, Whose};
use super::marks::{Marks, hashed};
use super::oidc::Oidc;
use super::record::{RecordError, Records};
use super::user_sessions::{UserSession, UserSessions};
use super::view::SessionView;
use crate::config::Origin;

/// Carries out what the provider reports.
pub struct ProviderLogout {
    provider: Arc<Oidc>,
    issuers: Vec<String>,
    store: Arc<dyn Store>,
    view: Arc<SessionView>,
    lists: UserSessions,
    marks: Marks,
}

impl ProviderLogout {
    /// For the sessions that logins begin on these origins.
    pub(super) fn new(
        provider: Arc<Oidc>,
        origins: &[Origin],
        store: Arc<dyn Store>,
        sealing: Arc<SealingKeys>,
        view: Arc<SessionView>,
        lists: UserSessions,
    ) -> Self {
        let mut issuers: Vec<String> = origins.iter().map(|origin| provider.issuer(origin)).collect();
        issuers.sort();
        issuers.dedup();
        Self {
            marks: Marks::new(Records::new(store.clone(), sealing)),
            provider,
            issuers,
            store,
            view,
            lists,
        }
    }

    /// Ends what a logout token names, and says how many sessions that were. When this returns, the store has
    /// it as durably as it promises.
    ///
    /// # Errors
    /// [`LogoutRefused`]. What had ended by then stays ended; after an outage the same token may come again.
    pub async fn receive(&self, token: &str) -> Result<usize, LogoutRefused> {
        let token = self.verified(token).await?;
        let seen = format!("hm:logout:{}", hashed(&token.jti));
        let ttl = Duration::from_secs(REMEMBERED);
        if !self.store.put_new(&seen, b"1", ttl).await? {
            return Err(LogoutRefused::token(
                "logout_token_replayed",
                "this token was used before",
            ));
        }
        let ended = self.carry_out(&token).await;
        if ended.is_err()
            && let Err(error) = self.store.delete(&seen).await
        {
            tracing::warn!(%error, "a logout token whose logout failed cannot come again");
        }
        ended
    }

    async fn verified(&self, token: &str) -> Result<LogoutToken, LogoutRefused> {
        let expected = Expected {
            issuers: &self.issuers,
            client_id: self.provider.client_id(),
            now: unix_now(),
        };
        let keys = self.provider.keys();
        match LogoutToken::verify(token, &keys, &expected) {
            Err(refused) if refused.is_signature() => {
                let fresh = self.provider.newer_keys(&keys).await;
                let fresh = fresh.map_err(LogoutRefused::KeysDown)?;
                LogoutToken::verify(token, &fresh, &expected)
            }
            verified => verified,
        }
    }

    /// First the mark, then the list: a login does it the other way round, so that one sees the other.
    async fn carry_out(&self, token: &LogoutToken) -> Result<usize, LogoutRefused> {
        let mark = self.marks.set(&token.whose, token.at).await?;
        let sessions = match &token.whose {
            Whose::Person(sub) => self.lists.of_person(sub).await?,
            Whose::Session { sid, sub } => {
                let mut sessions = self.lists.of_sid(sid).await?;
                if let Some(sub) = sub {
                    let of_person = self.lists.of_person(sub).await?.into_iter();
                    let known = |session: &UserSession| sessions.contains(session);
                    let more: Vec<_> = of_person
                        .filter(|session| session.sid.as_ref() == Some(sid) && !known(session))
                        .collect();
                    sessions.extend(more);
                }
                sessions
            }
        };
        let mut failed = None;
        for session in &sessions {
            let ended = self
                .view
                .end_by_key(session.jti, &session.own_key, Ended::SignedOut);
            if let Err(error) = ended.await {
                failed = Some(error);
            }
        }
        match failed {
            Some(SessionError::Store(error)) => return Err(error.into()),
            // What cannot be read is removed; nobody enters by it.
            Some(SessionError::Malformed(_) | SessionError::Exists) | None => {}
        }
        // Written once more, the last of all writes: what confirms it confirms those before it.
        self.marks.confirm(&mark).await?;
        Ok(sessions.len())
    }
}

impl From<StoreError> for LogoutRefused {
    fn from(error: StoreError) -> Self {
        Self::StoreDown(error)
    }
}

impl From<RecordError> for LogoutRefused {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Store(error) => Self::StoreDown(error),
            RecordError::Unreadable => Self::StoreDown(StoreError::Refused(error.to_string())),
        }
    }
}
