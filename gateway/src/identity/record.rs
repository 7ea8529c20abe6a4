//! What the gateway itself keeps in the store, always encrypted: its side of a session and of a login
//! attempt.
//!
//! Responsible for: the form of these records, their keys, and that a record can be opened only under the
//! key it was written for (the key's name is authenticated with it). Not responsible for Core's session
//! records, nor for what the records mean.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Handle, SealingKeys, SessionId, Store, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::return_path::ReturnPath;

/// How often a record that others write at the same time is tried.
const TRIES: usize = 8;

/// The gateway's side of a session: `hm:session:<hash of the handle>` (platform README §4).
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct GatewaySession {
    /// The HiveMatrix JWT that backends get.
    pub jwt: String,
    /// The provider's refresh token, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The provider's ID token, the hint for its end-session endpoint.
    pub id_token: String,
    /// The user, as in the JWT and in the ID token.
    pub sub: String,
    /// Core's session.
    pub jti: SessionId,
    /// The provider's session, where the ID token names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The public origin on which the login was.
    #[serde(default)]
    pub origin: String,
    /// Unix seconds.
    pub created_at: u64,
    /// When the provider was last asked about the user, in Unix seconds.
    #[serde(default)]
    pub checked_at: u64,
    /// Unix seconds; at most the configured lifetime after `created_at`.
    pub expires_at: u64,
    /// When the person proved who they are, in Unix seconds, if the provider said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
}

impl fmt::Debug for GatewaySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewaySession")
            .field("sub", &self.sub)
            .finish_non_exhaustive()
    }
}

/// A login attempt: `hm:attempt:<hash of its id>`.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AttemptRecord {
    /// Where the person wanted to go.
    pub(super) next: ReturnPath,
    /// What only an attempt that is still open has.
    pub(super) open: Option<OpenAttempt>,
}

/// The secrets of an attempt that has not come back yet.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OpenAttempt {
    /// Hash of the secret in the attempt's cookie.
    pub(super) secret_hash: String,
    /// PKCE code verifier (RFC 7636).
    pub(super) verifier: String,
    /// Nonce that the ID token must repeat.
    pub(super) nonce: String,
    /// The public origin on which it began.
    pub(super) origin: String,
    /// How long ago the person may have proved who they are, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u64>,
}

/// A record could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be opened with any of our keys, or holds something else.
    #[error("a record of the gateway's own cannot be opened")]
    Unreadable,
}

/// The store, seen through the gateway's keys.
#[derive(Clone)]
pub(super) struct Records {
    store: Arc<dyn Store>,
    keys: Arc<SealingKeys>,
}

impl Records {
    pub(super) fn new(store: Arc<dyn Store>, keys: Arc<SealingKeys>) -> Self {
        Self { store, keys }
    }

    /// The store itself.
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Reads and opens what is under `key`; `None` if there is nothing.
    pub(super) async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, RecordError> {
        match self.store.get(key).await? {
            Some(sealed) => self.open(key, &sealed).map(Some).ok_or(RecordError::Unreadable),
            None => Ok(None),
        }
    }

    /// Opens what was read under `key`; `None` if it is not what we wrote there.
    pub(super) fn open<T: DeserializeOwned>(&self, key: &str, sealed: &[u8]) -> Option<T> {
        let plain = self.keys.open(key.as_bytes(), sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Seals what is to be written under `key`.
    pub(super) fn seal<T: Serialize>(&self, key: &str, record: &T) -> Result<Vec<u8>, RecordError> {
        let plain = serde_json::to_vec(record).map_err(|_| RecordError::Unreadable)?;
        Ok(self.keys.seal(key.as_bytes(), &plain))
    }

    /// Writes the gateway's side of a session.
    pub(super) async fn put_session(
        &self,
        handle: &Handle,
        session: &GatewaySession,
        ttl: Duration,
    ) -> Result<(), RecordError> {
        let key = handle.key();
        let sealed = self.seal(&key, session)?;
        Ok(self.store.put(&key, &sealed, ttl).await?)
    }

    /// Changes the gateway's side of a session that was read as `sealed`, and gives it `ttl` to live, where that is
    /// given; returns it as it is then. `None` if it is gone: it is never brought back. `change` may be called several
    /// times, each time on what is there by then.
    pub(super) async fn change(
        &self,
        key: &str,
        mut sealed: Vec<u8>,
        ttl: Option<Duration>,
        change: impl Fn(&mut GatewaySession),
    ) -> Result<Option<(Vec<u8>, GatewaySession)>, RecordError> {
        for _ in 0..TRIES {
            let mut session = self.open(key, &sealed).ok_or(RecordError::Unreadable)?;
            change(&mut session);
            let fresh = self.seal(key, &session)?;
            let written = match ttl {
                Some(ttl) => self.store.replace_for(key, &sealed, &fresh, ttl).await?,
                None => self.store.replace(key, &sealed, &fresh).await?,
            };
            if written {
                return Ok(Some((fresh, session)));
            }
            match self.store.get(key).await? {
                Some(now) => sealed = now,
                None => return Ok(None),
            }
        }
        Err(StoreError::Refused("a session is written by too many at once".to_owned()).into())
    }

    /// The gateway's side of a session.
    pub(super) async fn session(&self, handle: &Handle) -> Result<Option<GatewaySession>, RecordError> {
        self.read(&handle.key()).await
    }

    /// Removes the gateway's side of a session; false if there was none.
    pub(super) async fn delete_session(&self, handle: &Handle) -> Result<bool, StoreError> {
        self.store.delete(&handle.key()).await
    }

    /// Lets the gateway's side of a session end by itself after `grace`, even if this process does not live
    /// that long.
    pub(super) async fn let_expire(&self, handle: &Handle, grace: Duration) -> Result<bool, StoreError> {
        self.store.expire(&handle.key(), grace).await
    }

    /// Writes a new attempt.
    pub(super) async fn put_attempt(
        &self,
        id: Handle,
        attempt: &AttemptRecord,
        ttl: Duration,
    ) -> Result<(), RecordError> {
        let key = attempt_key(id);
        let sealed = self.seal(&key, attempt)?;
        match self.store.put_new(&key, &sealed, ttl).await? {
            true => Ok(()),
            // 256 random bits came up twice: whatever this is, it is no new attempt.
            false => Err(RecordError::Unreadable),
        }
    }

    /// An attempt, with the bytes it was read from.
    pub(super) async fn attempt(&self, id: Handle) -> Result<Option<(AttemptRecord, Vec<u8>)>, RecordError> {
        let key = attempt_key(id);
        match self.store.get(&key).await? {
            Some(sealed) => {
                let record = self.open(&key, &sealed).ok_or(RecordError::Unreadable)?;
                Ok(Some((record, sealed)))
            }
            None => Ok(None),
        }
    }

    /// Closes an attempt that was read as `sealed`: its secrets go, its target stays until its time is over.
    /// True for exactly one caller.
    pub(super) async fn close_attempt(
        &self,
        id: Handle,
        next: ReturnPath,
        sealed: &[u8],
    ) -> Result<bool, RecordError> {
        let key = attempt_key(id);
        let closed = self.seal(&key, &AttemptRecord { next, open: None })?;
        Ok(self.store.replace(&key, sealed, &closed).await?)
    }
}

fn attempt_key(id: Handle) -> String {
    id.key_with("hm:attempt:")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::identity::tests;

    const TTL: Duration = Duration::from_secs(60);

    fn session() -> GatewaySession {
        GatewaySession {
            jwt: "the.jwt.itself".into(),
            refresh_token: Some("refresh".into()),
            id_token: "id.token.itself".into(),
            sub: "alice".into(),
            jti: SessionId::generate(),
            sid: Some("provider-session".into()),
            origin: "https://hive.example".into(),
            created_at: 1,
            checked_at: 1,
            expires_at: 2,
            auth_time: None,
        }
    }

    fn attempt() -> AttemptRecord {
        let open = OpenAttempt {
            secret_hash: "hash".into(),
            verifier: "verifier".into(),
            nonce: "nonce".into(),
            origin: "http://localhost:8000".into(),
            max_age: None,
        };
        AttemptRecord {
            next: ReturnPath::parse("/codex/").unwrap(),
            open: Some(open),
        }
    }

    #[tokio::test]
    async fn nothing_readable_of_a_session_is_in_the_store() {
        let store = tests::store();
        let records = Records::new(store.clone(), tests::sealing());
        let handle = Handle::generate();
        records.put_session(&handle, &session(), TTL).await.unwrap();
        let stored = store.get(&handle.key()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&stored).into_owned();
        for secret in ["the.jwt", "refresh", "id.token", "alice"] {
            assert!(!text.contains(secret));
        }
        assert!(!handle.key().contains(&handle.encode()));
        let back = records.session(&handle).await.unwrap().unwrap();
        assert_eq!(back.jwt, session().jwt);
        assert!(!format!("{back:?}").contains("jwt.itself"));
    }

    #[tokio::test]
    async fn a_session_moved_to_another_handle_cannot_be_opened() {
        let store = tests::store();
        let records = Records::new(store.clone(), tests::sealing());
        let (mine, other) = (Handle::generate(), Handle::generate());
        records.put_session(&mine, &session(), TTL).await.unwrap();
        let stored = store.get(&mine.key()).await.unwrap().unwrap();
        store.put(&other.key(), &stored, TTL).await.unwrap();
        assert!(matches!(
            records.session(&other).await,
            Err(RecordError::Unreadable)
        ));
    }

    #[tokio::test]
    async fn an_attempt_is_closed_by_exactly_one_of_many() {
        let store = tests::store();
        let records = Records::new(store, tests::sealing());
        let id = Handle::generate();
        records.put_attempt(id, &attempt(), TTL).await.unwrap();
        let (read, sealed) = records.attempt(id).await.unwrap().unwrap();
        assert_eq!(read.open.unwrap().nonce, "nonce");
        let mut winners = 0;
        for _ in 0..5 {
            let won = records
                .close_attempt(id, read.next.clone(), &sealed)
                .await
                .unwrap();
            winners += usize::from(won);
        }
        assert_eq!(winners, 1);
        let (closed, _) = records.attempt(id).await.unwrap().unwrap();
        assert!(closed.open.is_none());
        assert_eq!(closed.next.as_str(), "/codex/");
    }

    #[tokio::test]
    async fn an_attempts_id_is_taken_once() {
        let records = Records::new(tests::store(), tests::sealing());
        let id = Handle::generate();
        records.put_attempt(id, &attempt(), TTL).await.unwrap();
        assert!(records.put_attempt(id, &attempt(), TTL).await.is_err());
    }
}
