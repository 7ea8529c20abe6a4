//! What is known of a browser's handle beyond its session: whose it was, since when, from where, with which browser.
//! `hm:was:<hash of handle>` (platform README §4).
//!
//! Responsible for: telling the handle of an ended session from an invented one, and what people recognise their
//! sessions by. Not responsible for whether the session still is one (see `view`).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Handle, SealingKeys, Store, StoreError, unix_now};
use serde::{Deserialize, Serialize};

use super::record::{RecordError, Records};

/// How long after a session's latest end its handle is still known to have been one.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// Longest `User-Agent` that is kept, in characters.
const LONGEST_AGENT: usize = 400;

/// What was known when a session began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownHandle {
    /// The user.
    pub sub: String,
    /// What the browser called itself; empty if it did not.
    pub agent: String,
    /// From where the person signed in.
    pub address: Option<IpAddr>,
    /// When, in Unix seconds.
    pub since: u64,
}

/// All of them.
pub struct Handles {
    store: Arc<dyn Store>,
    records: Records,
    lifetime: Duration,
}

impl Handles {
    /// What the keys begin with; a hash of the handle follows.
    pub(super) const PREFIX: &'static str = "hm:was:";

    /// Handles of sessions that last at most `lifetime`.
    pub fn new(store: Arc<dyn Store>, sealing: Arc<SealingKeys>, lifetime: Duration) -> Self {
        Self {
            records: Records::new(store.clone(), sealing),
            store,
            lifetime,
        }
    }

    /// Remembers a session that has just begun, until some time after its end.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn remember(
        &self,
        handle: &Handle,
        sub: &str,
        agent: &str,
        address: Option<IpAddr>,
    ) -> Result<(), StoreError> {
        let key = handle.key_with(Self::PREFIX);
        let known = KnownHandle {
            sub: sub.to_owned(),
            agent: agent.chars().take(LONGEST_AGENT).collect(),
            address,
            since: unix_now(),
        };
        match self.records.seal(&key, &known) {
            Ok(sealed) => self.store.put(&key, &sealed, self.lifetime + KNOWN_FOR).await,
            Err(RecordError::Store(error)) => Err(error),
            // Text, a number and an address: nothing in it can fail to serialize.
            Err(RecordError::Unreadable) => Ok(()),
        }
    }

    /// What is known of a handle; `None` for one that never was a session, or long ago.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn known(&self, handle: &Handle) -> Result<Option<KnownHandle>, StoreError> {
        let key = handle.key_with(Self::PREFIX);
        let sealed = self.store.get(&key).await?;
        Ok(sealed.and_then(|sealed| self.records.open(&key, &sealed)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::identity::tests;

    #[tokio::test]
    async fn only_a_handle_that_was_a_session_is_known() {
        let handles = Handles::new(tests::store(), tests::sealing(), Duration::from_secs(60));
        let (mine, invented) = (Handle::generate(), Handle::generate());
        let address = "192.0.2.1".parse().ok();
        let agent = "x".repeat(1000);
        handles.remember(&mine, "alice", &agent, address).await.unwrap();
        let known = handles.known(&mine).await.unwrap().unwrap();
        assert_eq!((known.sub.as_str(), known.address), ("alice", address));
        assert_eq!(known.agent.len(), LONGEST_AGENT);
        assert_eq!(handles.known(&invented).await.unwrap(), None);
    }
}
