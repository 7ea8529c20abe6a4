//! Core's session records (platform README §4): their identifier, their JSON, and the typed layer over a store. Shared with
//! the Python Core, so neither key nor format may change. The gateway's own record is keyed by `handle.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::claims::UserData;
use crate::encoding::{ENCODED_LEN, decode_32, encode_32};
use crate::handle::random_32;
use crate::store::{Store, StoreError};

/// Lifetime of Core's session record in seconds: that of the token it stands for.
pub const SESSION_SECONDS: u64 = 3600;

/// A session's identifier, the `jti` of its token: 43 characters of base64url, which spell 32 random bytes. Copied, never
/// allocated. `Debug` shows the first characters only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; ENCODED_LEN]);

/// The text is no session identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a session id is 43 characters of base64url")]
pub struct InvalidSessionId;

impl SessionId {
    /// A fresh identifier from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(encode_32(&random_32()))
    }

    /// Reads an identifier. Does not allocate.
    ///
    /// # Errors
    /// If the text is not the base64url (no padding, canonical) of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionId> {
        // Spelling and value are one to one, so keeping the text is enough once it has decoded.
        decode_32(text)
            .and_then(|_| text.as_bytes().try_into().ok())
            .map(Self)
            .ok_or(InvalidSessionId)
    }

    /// The 43 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The store's key: `session:<id>`.
    #[must_use]
    pub fn key(&self) -> String {
        ["session:", self.as_str()].concat()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.as_str().get(..6).unwrap_or_default())
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = SessionId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a session id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SessionId, E> {
                SessionId::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The value under `session:<id>`. The order of the fields is that of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The person.
    pub user_data: UserData,
    /// Seconds since the epoch.
    pub created_at: u64,
    /// Seconds since the epoch.
    pub expires_at: u64,
    /// Once true, never false again.
    pub revoked: bool,
}

impl SessionRecord {
    /// Reads the JSON of either Core.
    ///
    /// # Errors
    /// If the bytes are not such a record.
    pub fn from_json(json: &[u8]) -> Result<Self, SessionError> {
        serde_json::from_slice(json).map_err(|error| SessionError::Malformed(error.to_string()))
    }

    /// The JSON, compact, fields in the order of the contract.
    ///
    /// # Errors
    /// Never in practice: nothing in a record can fail to serialize.
    pub fn to_json(&self) -> Result<Vec<u8>, SessionError> {
        serde_json::to_vec(self).map_err(|error| SessionError::Malformed(error.to_string()))
    }
}

/// Why a record could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds is no session record.
    #[error("malformed session record: {0}")]
    Malformed(String),
    /// [`Sessions::create`] met a session of the same identifier.
    #[error("a session of this id exists already")]
    Exists,
}

/// What [`Sessions::revoke`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It was alive and is revoked now.
    Revoked,
    /// Somebody was faster.
    AlreadyRevoked,
    /// There is no such session (any more).
    Absent,
}

/// Core's sessions in a store.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<dyn Store>,
}

impl Sessions {
    /// Sessions kept in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Writes a new record that lives for `ttl`.
    ///
    /// # Errors
    /// If the store fails, or the identifier is taken (so that nothing revoked can be resurrected).
    pub async fn create(
        &self,
        id: &SessionId,
        record: &SessionRecord,
        ttl: Duration,
    ) -> Result<(), SessionError> {
        if self.store.put_new(&id.key(), &record.to_json()?, ttl).await? {
            Ok(())
        } else {
            Err(SessionError::Exists)
        }
    }

    /// The record, revoked or not; `None` if there is none (any more).
    ///
    /// # Errors
    /// If the store fails or holds something else under the key.
    pub async fn get(&self, id: &SessionId) -> Result<Option<SessionRecord>, SessionError> {
        self.store
            .get(&id.key())
            .await?
            .map(|json| SessionRecord::from_json(&json))
            .transpose()
    }

    /// Gives a session a new end, and what is known of its user by now: one step that fails on a session that is revoked, over or
    /// gone by the time it is taken, and on one of somebody else. Whether it was taken.
    ///
    /// # Errors
    /// If the store fails or holds something else under the key. The session may then have its new end.
    pub async fn renew(
        &self,
        id: &SessionId,
        user: &UserData,
        now: u64,
        expires_at: u64,
    ) -> Result<bool, SessionError> {
        let key = id.key();
        loop {
            let Some(found) = self.store.get(&key).await? else {
                return Ok(false);
            };
            let mut record = SessionRecord::from_json(&found)?;
            if record.revoked || record.expires_at <= now || record.user_data.sub != user.sub {
                return Ok(false);
            }
            record.user_data = user.clone();
            record.expires_at = expires_at;
            let ttl = Duration::from_secs(expires_at.saturating_sub(now));
            let json = record.to_json()?;
            if self.store.replace_for(&key, &found, &json, ttl).await? {
                return Ok(true);
            }
        }
    }

    /// Rewrites the record with `revoked: true`, keeping its time to live. Compare-and-set, so that neither a concurrent write is
    /// lost nor an expired session comes back. A record that cannot be read is removed: nobody may enter by it either way.
    ///
    /// # Errors
    /// If the store fails. The session may then be alive still.
    pub async fn revoke(&self, id: &SessionId) -> Result<Revocation, SessionError> {
        let key = id.key();
        loop {
            let Some(found) = self.store.get(&key).await? else {
                return Ok(Revocation::Absent);
            };
            let Ok(mut record) = SessionRecord::from_json(&found) else {
                self.store.delete(&key).await?;
                return Ok(Revocation::Revoked);
            };
            if record.revoked {
                // Written once more, for the first write may not have been as durable as the store promises.
                self.store.replace(&key, &found, &found).await?;
                return Ok(Revocation::AlreadyRevoked);
            }
            record.revoked = true;
            if self.store.replace(&key, &found, &record.to_json()?).await? {
                return Ok(Revocation::Revoked);
            }
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}
