//! The keys that Core works with at this moment.
//!
//! Responsible for: one value that mints, verifies and is published, exchanged whole while Core runs. Not
//! responsible for: where keys are kept and when they change (`ring`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use hivematrix_platform::{Jwks, Minter, StaticKeys, Verifier};

/// What mints and verifies now.
pub(super) struct Current {
    pub(super) minter: Minter,
    pub(super) verifier: Verifier,
    pub(super) jwks: Jwks,
}

/// Core's keys. Requests take one look and keep what they saw; an exchange disturbs none of them.
pub struct Keys(ArcSwap<Current>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kids: Vec<_> = self.now().jwks.keys.iter().map(|key| key.kid.clone()).collect();
        formatter.debug_tuple("Keys").field(&kids).finish()
    }
}

impl Keys {
    /// Keys that mint as `minter` does, and verify what it publishes.
    #[must_use]
    pub fn new(minter: Minter) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(Current::of(minter))))
    }

    /// Goes on with other keys, from the next request on. Tokens of keys that `minter` does not publish are refused.
    pub fn exchange(&self, minter: Minter) {
        self.0.store(Arc::new(Current::of(minter)));
    }

    pub(super) fn now(&self) -> Arc<Current> {
        self.0.load_full()
    }
}

impl Current {
    fn of(minter: Minter) -> Self {
        let jwks = minter.jwks();
        let verifier = Verifier::new(Arc::new(StaticKeys::new(&jwks)), minter.issuer());
        Self {
            minter,
            verifier,
            jwks,
        }
    }
}
