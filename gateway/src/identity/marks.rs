//! Marks of what has ended at the provider: `hm:ended:<hash>` (platform README §4).
//!
//! Responsible for: leaving them, and whether one forbids a session that is about to begin. Not responsible for
//! ending what exists.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hivematrix_platform::StoreError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::logout_token::{MAX_AGE, Whose};
use super::record::{RecordError, Records};

/// How long a mark stays: longer than a login attempt may take, and a logout token be on its way.
const STAYS: Duration = Duration::from_secs(10 * 60 + MAX_AGE);

/// When something ended, in the provider's Unix seconds.
#[derive(Serialize, Deserialize)]
struct Mark {
    at: u64,
}

/// A mark that was left.
pub(super) struct Left {
    key: String,
    sealed: Vec<u8>,
}

/// The marks in the store.
pub(super) struct Marks {
    records: Records,
}

impl Marks {
    pub(super) fn new(records: Records) -> Self {
        Self { records }
    }

    /// Leaves a mark: what began before `at` (or in that second) has ended.
    pub(super) async fn set(&self, whose: &Whose, at: u64) -> Result<Left, RecordError> {
        let key = match whose {
            Whose::Session { sid, .. } => of_sid(sid),
            Whose::Person(sub) => of_person(sub),
        };
        let earlier = self.records.read::<Mark>(&key).await?;
        let at = earlier.map_or(at, |mark| mark.at.max(at));
        let sealed = self.records.seal(&key, &Mark { at })?;
        self.records.store().put(&key, &sealed, STAYS).await?;
        Ok(Left { key, sealed })
    }

    /// Writes a mark once more, as durably as the store can. Another logout may have moved it on meanwhile; that one
    /// then confirms its own.
    pub(super) async fn confirm(&self, left: &Left) -> Result<(), StoreError> {
        let Left { key, sealed } = left;
        self.records.store().replace(key, sealed, sealed).await.map(drop)
    }

    /// Whether a session may not begin: of the provider's session `sid`, of the person `sub`, by tokens that the
    /// provider issued at `issued_at`.
    pub(super) async fn forbid(
        &self,
        sid: Option<&str>,
        sub: &str,
        issued_at: u64,
    ) -> Result<bool, RecordError> {
        if let Some(sid) = sid
            && self.records.read::<Mark>(&of_sid(sid)).await?.is_some()
        {
            return Ok(true);
        }
        let person = self.records.read::<Mark>(&of_person(sub)).await?;
        // Within one second nobody can tell which was first.
        Ok(person.is_some_and(|mark| issued_at <= mark.at))
    }
}

fn of_sid(sid: &str) -> String {
    format!("hm:ended:{}", hashed(&format!("sid:{sid}")))
}

fn of_person(sub: &str) -> String {
    format!("hm:ended:{}", hashed(&format!("sub:{sub}")))
}

/// What the provider says is of any form; a key of the store is not.
pub(super) fn hashed(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::identity::tests;

    #[tokio::test]
    async fn a_mark_forbids_what_began_before_it() {
        let marks = Marks::new(Records::new(tests::store(), tests::sealing()));
        assert!(!marks.forbid(Some("s"), "alice", 100).await.unwrap());
        let left = marks.set(&Whose::Person("alice".to_owned()), 100).await.unwrap();
        marks.confirm(&left).await.unwrap();
        for (sub, issued_at, forbidden) in [
            ("alice", 99, true),
            ("alice", 100, true),
            ("alice", 101, false),
            ("bob", 99, false),
        ] {
            let forbids = marks.forbid(None, sub, issued_at).await.unwrap();
            assert_eq!(forbids, forbidden, "{sub} at {issued_at}");
        }
        let session = Whose::Session {
            sid: "s".to_owned(),
            sub: None,
        };
        marks.set(&session, 50).await.unwrap();
        assert!(marks.forbid(Some("s"), "bob", 200).await.unwrap());
        assert!(!marks.forbid(Some("t"), "bob", 200).await.unwrap());
    }

    #[tokio::test]
    async fn an_older_logout_does_not_take_a_newer_ones_mark_back() {
        let marks = Marks::new(Records::new(tests::store(), tests::sealing()));
        for at in [100, 90] {
            marks.set(&Whose::Person("alice".to_owned()), at).await.unwrap();
        }
        assert!(marks.forbid(None, "alice", 95).await.unwrap());
    }

    #[tokio::test]
    async fn a_mark_that_cannot_be_read_lets_nobody_in() {
        let store = tests::store();
        let marks = Marks::new(Records::new(store.clone(), tests::sealing()));
        store
            .put(&of_person("alice"), b"x", Duration::from_secs(60))
            .await
            .unwrap();
        assert!(marks.forbid(None, "alice", u64::MAX).await.is_err());
    }
}
