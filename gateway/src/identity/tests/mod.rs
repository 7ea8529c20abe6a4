//! Tests of identity as a whole, and what they share: keys, people, a store that can be disturbed, and an
//! identity provider with a Core on a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod grace;
mod login;
mod logout;
mod outside;
mod password;
mod provider_logout;
mod refusals;
mod site;
mod store;
mod streams;
mod tokens;
mod view;
mod world;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hivematrix_platform::{
    MemoryLimits, MemoryStore, Minter, PermissionLevel, SealingKeys, SigningKey, StaticKeys, Store, UserData,
    Verifier, unix_now,
};

pub(super) const ISSUER: &str = "hivematrix-core";

/// An empty store in memory.
pub(super) fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(MemoryLimits::default()))
}

/// The gateway's sealing keys.
pub(super) fn sealing() -> Arc<SealingKeys> {
    static KEYS: OnceLock<Arc<SealingKeys>> = OnceLock::new();
    KEYS.get_or_init(|| Arc::new(SealingKeys::generate())).clone()
}

/// Core's key; one for all tests, since making one takes long.
fn core_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("core").unwrap())
}

fn minter() -> Minter {
    Minter::new(core_key().clone(), ISSUER)
}

fn verifier() -> Arc<Verifier> {
    Arc::new(Verifier::new(Arc::new(StaticKeys::new(&minter().jwks())), ISSUER))
}

fn person(sub: &str) -> UserData {
    UserData {
        sub: sub.to_owned(),
        name: sub.to_owned(),
        email: format!("{sub}@example.com"),
        preferred_username: sub.to_owned(),
        permission_level: PermissionLevel::Technician,
        groups: vec!["technicians".to_owned()],
    }
}

/// Waits for a moment in Unix seconds.
async fn passed(moment: u64) {
    while unix_now() < moment {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until something has happened; panics after ten seconds.
async fn eventually(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if happened().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within ten seconds");
}
