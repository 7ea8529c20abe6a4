//! Keys, a signed-in user and that user's browsers, in a store in memory.
//!
//! The gateway's own record is written here by its documented form (platform README §4), because no login
//! takes place. If the form changes, nobody is recognised and the benchmarks stop.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_gateway::identity::{SessionView, ViewSettings};
use hivematrix_platform::{
    Handle, Minter, PermissionLevel, SealingKeys, ServiceName, SessionId, SessionRecord, Sessions,
    SigningKey, StaticKeys, Store, UserData, Verifier, unix_now,
};

use crate::counting::CountingStore;

const ISSUER: &str = "hivematrix-core";
const HOUR: Duration = Duration::from_secs(3600);

/// Core's side: who may sign, who is known.
pub struct Authority {
    minter: Minter,
    /// Verifies what the minter signs.
    pub verifier: Arc<Verifier>,
}

impl Authority {
    /// With a fresh key.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    pub fn new() -> Self {
        let key = SigningKey::generate("hivematrix-signing-key-1").expect("a key");
        let minter = Minter::new(key, ISSUER);
        let keys = StaticKeys::new(&minter.jwks());
        Self {
            minter,
            verifier: Arc::new(Verifier::new(Arc::new(keys), ISSUER)),
        }
    }

    /// What Core answers those who ask for its keys, and a service that asks for a token.
    ///
    /// # Panics
    /// If the token cannot be signed.
    pub(crate) fn answers(&self) -> (String, String) {
        let name = |name| ServiceName::parse(name).expect("a name");
        let token = self.minter.service(&name("nexus"), &name("codex"), unix_now());
        let (token, _) = token.expect("a token");
        (
            serde_json::to_string(&self.minter.jwks()).expect("JSON"),
            serde_json::json!({ "token": token }).to_string(),
        )
    }

    /// A token of this user, valid for an hour.
    ///
    /// # Panics
    /// If it cannot be signed.
    #[must_use]
    pub fn token(&self, session: &SessionId) -> String {
        self.minter.user(&user(), session, unix_now()).expect("a token").0
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A user with as many groups as somebody has who has been there for some years.
fn user() -> UserData {
    let groups = [
        "technicians",
        "vpn-users",
        "office-vienna",
        "on-call",
        "release-managers",
        "first-aid",
    ];
    UserData {
        sub: "3f1c9f5e-6a52-4f0c-9a53-0f4f6a9d7c11".to_owned(),
        name: "Alice Example".to_owned(),
        email: "alice.example@hivematrix.example".to_owned(),
        preferred_username: "alice.example".to_owned(),
        permission_level: PermissionLevel::Technician,
        groups: groups.map(|group| format!("/{group}")).to_vec(),
    }
}

/// One session at Core, and the store that knows of it.
pub struct World {
    /// The store.
    pub store: Arc<CountingStore>,
    /// The session's token.
    pub token: String,
    session: SessionId,
    pub(crate) authority: Authority,
    pub(crate) sealing: Arc<SealingKeys>,
}

impl World {
    /// A user has signed in. Wants a Tokio runtime.
    ///
    /// # Panics
    /// If the store does not take it.
    pub async fn new() -> Self {
        let authority = Authority::new();
        let store = Arc::new(CountingStore::default());
        let session = SessionId::generate();
        let now = unix_now();
        let record = SessionRecord {
            user_data: user(),
            created_at: now,
            expires_at: now + HOUR.as_secs(),
            revoked: false,
        };
        Sessions::new(store.clone())
            .create(&session, &record, HOUR)
            .await
            .expect("a session");
        Self {
            store,
            token: authority.token(&session),
            session,
            authority,
            sealing: Arc::new(SealingKeys::generate()),
        }
    }

    /// So many browsers, each with a handle and a record of its own.
    ///
    /// # Panics
    /// If the store does not take them.
    pub async fn browsers(&self, count: usize) -> Vec<Handle> {
        let now = unix_now();
        let record = serde_json::json!({
            "jwt": self.token,
            "refresh_token": "r".repeat(700),
            "id_token": "i".repeat(1100),
            "sub": user().sub,
            "jti": self.session,
            "created_at": now,
            "expires_at": now + HOUR.as_secs(),
        });
        let plain = serde_json::to_vec(&record).expect("JSON");
        let handles: Vec<_> = std::iter::repeat_with(Handle::generate).take(count).collect();
        for handle in &handles {
            let key = handle.key();
            let sealed = self.sealing.seal(key.as_bytes(), &plain);
            self.store.put(&key, &sealed, HOUR).await.expect("a record");
        }
        handles
    }

    /// A view on the store. Wants a Tokio runtime.
    #[must_use]
    pub fn view(&self, settings: ViewSettings) -> Arc<SessionView> {
        SessionView::new(
            self.store.clone(),
            self.authority.verifier.clone(),
            self.sealing.clone(),
            settings,
        )
    }

    /// Asks the view for all handles and the token until that costs no reading: from then on all are hits.
    ///
    /// # Panics
    /// If somebody is refused, or answers are still being read after a hundred rounds.
    pub async fn settle(&self, view: &SessionView, handles: &[Handle]) {
        for _ in 0..100 {
            let before = self.store.reads();
            for handle in handles {
                view.by_handle(handle).await.expect("a session");
            }
            view.by_bearer(&self.token).await.expect("a session");
            if self.store.reads() == before {
                return;
            }
            // The view's follower of changes runs on the same thread.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("what was asked for is asked for again and again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hits_cost_no_reading_and_a_view_without_memory_always_reads() {
        let world = World::new().await;
        let handles = world.browsers(3).await;
        let view = world.view(ViewSettings::default());
        world.settle(&view, &handles).await;
        let forgetful = world.view(ViewSettings {
            cache_entries: 0,
            strict: false,
        });
        for _ in 0..3 {
            let before = world.store.reads();
            forgetful.by_handle(&handles[0]).await.unwrap();
            assert_eq!(world.store.reads() - before, 2, "the gateway's record and Core's");
        }
    }
}
