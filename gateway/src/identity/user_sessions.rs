//! Which sessions a user has, and how many that may be.
//!
//! Responsible for: a list per user of the sessions that gateways have begun, `hm:user:<hash of sub>`, one per
//! session of the provider's, `hm:sid:<hash of sid>`, and which sessions must end when a user has too many. Not
//! responsible for ending them.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{SessionId, Store, StoreError, unix_now};
use serde::{Deserialize, Serialize};

use super::marks::hashed;
use super::record::{RecordError, Records};

/// How often a list that others write at the same time is tried.
const TRIES: u32 = 16;

/// One session of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UserSession {
    /// The store's key of the gateway's record.
    pub(super) own_key: String,
    /// Core's session.
    pub(super) jti: SessionId,
    /// The provider's session, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
    /// When it ends at the latest, however often it is renewed; Unix seconds.
    pub(super) expires_at: u64,
}

/// The lists of all users.
#[derive(Clone)]
pub(super) struct UserSessions {
    store: Arc<dyn Store>,
    records: Records,
    limit: usize,
    lifetime: Duration,
}

impl UserSessions {
    /// At most `limit` sessions per user (at least one), each of at most `lifetime`.
    pub(super) fn new(store: Arc<dyn Store>, records: Records, limit: usize, lifetime: Duration) -> Self {
        Self {
            store,
            records,
            limit: limit.max(1),
            lifetime,
        }
    }

    /// Adds a session to the lists it belongs to, and says which older ones are too many now. The provider may then
    /// end it, so this comes before anybody can use it.
    pub(super) async fn add(
        &self,
        sub: &str,
        session: &UserSession,
    ) -> Result<Vec<UserSession>, RecordError> {
        if let Some(sid) = &session.sid {
            self.append(&key_of_sid(sid), session).await?;
        }
        self.append(&key_of_person(sub), session).await
    }

    /// The sessions of a person, those included that have ended by themselves.
    pub(super) async fn of_person(&self, sub: &str) -> Result<Vec<UserSession>, RecordError> {
        Ok(self.records.read(&key_of_person(sub)).await?.unwrap_or_default())
    }

    /// The sessions that were begun in a session of the provider's, those included that have ended by themselves.
    pub(super) async fn of_sid(&self, sid: &str) -> Result<Vec<UserSession>, RecordError> {
        Ok(self.records.read(&key_of_sid(sid)).await?.unwrap_or_default())
    }

    async fn append(&self, key: &str, session: &UserSession) -> Result<Vec<UserSession>, RecordError> {
        for attempt in 1..=TRIES {
            let written = self.store.get(key).await?;
            let mut list: Vec<UserSession> = written
                .as_deref()
                .and_then(|sealed| self.records.open(key, sealed))
                .unwrap_or_default();
            let now = unix_now();
            // One that was exchanged takes its predecessor's place.
            list.retain(|other| other.expires_at > now && other.own_key != session.own_key);
            if list.len() >= self.limit {
                list = self.still_there(list).await?;
            }
            list.push(session.clone());
            let surplus = list.drain(..list.len().saturating_sub(self.limit)).collect();
            if self.write(key, written.as_deref(), &list).await? {
                return Ok(surplus);
            }
            // Others are writing: not all of them try again at the same moment.
            let pause = rand::random_range(0..=attempt * 2);
            tokio::time::sleep(Duration::from_millis(pause.into())).await;
        }
        Err(StoreError::Refused("a list of sessions is written by too many at once".to_owned()).into())
    }

    /// Those that have not ended by themselves.
    async fn still_there(&self, list: Vec<UserSession>) -> Result<Vec<UserSession>, StoreError> {
        let keys: Vec<&str> = list.iter().map(|session| session.own_key.as_str()).collect();
        let found = self.store.get_many(&keys).await?;
        Ok(list
            .into_iter()
            .zip(found)
            .filter(|(_, found)| found.is_some())
            .map(|(session, _)| session)
            .collect())
    }

    async fn write(&self, key: &str, old: Option<&[u8]>, list: &[UserSession]) -> Result<bool, RecordError> {
        let sealed = self.records.seal(key, &list)?;
        let Some(old) = old else {
            return Ok(self.store.put_new(key, &sealed, self.lifetime).await?);
        };
        let written = self.store.replace(key, old, &sealed).await?;
        if written {
            self.store.expire(key, self.lifetime).await?;
        }
        Ok(written)
    }
}

fn key_of_person(sub: &str) -> String {
    format!("hm:user:{}", hashed(sub))
}

fn key_of_sid(sid: &str) -> String {
    format!("hm:sid:{}", hashed(sid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::identity::tests;

    const HOUR: Duration = Duration::from_secs(3600);

    async fn session(store: &Arc<dyn Store>) -> UserSession {
        let own_key = hivematrix_platform::Handle::generate().key();
        store.put(&own_key, b"x", HOUR).await.unwrap();
        UserSession {
            own_key,
            jti: SessionId::generate(),
            sid: None,
            expires_at: unix_now() + 60,
        }
    }

    fn lists(store: &Arc<dyn Store>, limit: usize) -> UserSessions {
        UserSessions::new(
            store.clone(),
            Records::new(store.clone(), tests::sealing()),
            limit,
            HOUR,
        )
    }

    #[tokio::test]
    async fn a_user_with_too_many_sessions_loses_the_oldest() {
        let store = tests::store();
        let lists = lists(&store, 2);
        let (one, two, three) = (
            session(&store).await,
            session(&store).await,
            session(&store).await,
        );
        assert_eq!(lists.add("alice", &one).await.unwrap(), []);
        assert_eq!(lists.add("bob", &two).await.unwrap(), []);
        assert_eq!(lists.add("alice", &two).await.unwrap(), []);
        assert_eq!(lists.add("alice", &three).await.unwrap(), [one]);
    }

    #[tokio::test]
    async fn sessions_that_have_ended_do_not_count() {
        let store = tests::store();
        let lists = lists(&store, 2);
        let (one, two, three) = (
            session(&store).await,
            session(&store).await,
            session(&store).await,
        );
        let over = UserSession {
            expires_at: 1,
            ..session(&store).await
        };
        for each in [&one, &over, &two] {
            lists.add("alice", each).await.unwrap();
        }
        store.delete(&two.own_key).await.unwrap();
        assert_eq!(lists.add("alice", &three).await.unwrap(), []);
    }

    #[tokio::test]
    async fn logins_at_the_same_time_are_all_counted() {
        let store = tests::store();
        let lists = Arc::new(lists(&store, 3));
        let mut adding = Vec::new();
        for _ in 0..6 {
            let (lists, session) = (lists.clone(), session(&store).await);
            adding.push(tokio::spawn(async move {
                lists.add("alice", &session).await.unwrap().len()
            }));
        }
        let mut ended = 0;
        for each in adding {
            ended += each.await.unwrap();
        }
        assert_eq!(ended, 3);
    }

    #[tokio::test]
    async fn sessions_are_found_by_their_user_and_by_the_providers_session() {
        let store = tests::store();
        let lists = lists(&store, 9);
        let mut one = session(&store).await;
        one.sid = Some("s".to_owned());
        let mut two = session(&store).await;
        two.sid = Some("t".to_owned());
        for each in [&one, &two] {
            lists.add("alice", each).await.unwrap();
        }
        assert_eq!(lists.of_person("alice").await.unwrap(), [one.clone(), two]);
        assert_eq!(lists.of_sid("s").await.unwrap(), [one]);
        assert!(lists.of_person("bob").await.unwrap().is_empty());
        assert!(lists.of_sid("u").await.unwrap().is_empty());
    }
}
