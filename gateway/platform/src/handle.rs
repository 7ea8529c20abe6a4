//! The opaque handle that a browser holds in place of a session (platform README §4). The store knows it only by its hash, so
//! that whoever reads the store cannot take a session over.

use std::fmt;
use std::hash::{Hash, Hasher};

use rand::TryRngCore as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::encoding::{ENCODED_LEN, decode_32, prefixed};

/// 256 random bits. `Debug` does not show them.
#[derive(Clone, Copy)]
pub struct Handle([u8; 32]);

impl Handle {
    /// Characters of the encoded form.
    pub const LEN: usize = ENCODED_LEN;

    /// A fresh handle from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_32())
    }

    /// Reads the 43 characters of base64url; anything else is no handle. Does not allocate.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode_32(text).map(Self)
    }

    /// The 43 characters that [`Handle::parse`] reads: the cookie's value.
    #[must_use]
    pub fn encode(&self) -> String {
        prefixed("", &self.0)
    }

    /// The store's key of the gateway's session record: `hm:session:` and the base64url SHA-256 of the handle.
    #[must_use]
    pub fn key(&self) -> String {
        self.key_with("hm:session:")
    }

    /// As [`Handle::key`], for another kind of record, for instance `hm:attempt:`.
    #[must_use]
    pub fn key_with(&self, prefix: &str) -> String {
        prefixed(prefix, &Sha256::digest(self.0).into())
    }
}

/// 32 bytes from the operating system.
pub(crate) fn random_32() -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    loop {
        // Linux' getrandom fails only when interrupted early at boot; a weak identifier is never an alternative.
        if rand::rngs::OsRng.try_fill_bytes(&mut bytes).is_ok() {
            return bytes;
        }
        std::thread::yield_now();
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(…)")
    }
}
