//! Secrets that the provider hands out: codes, refresh tokens, cookies.
//!
//! Responsible for: making them, and the digest under which they are kept, so that neither a look into memory nor
//! the time of a look-up gives one away. Not responsible for: what they stand for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The key under which a secret is kept.
pub(super) type Digest = [u8; 32];

/// 256 random bits in 43 characters.
pub(super) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// The digest of a secret.
pub(super) fn digest(secret: &str) -> Digest {
    Sha256::digest(secret).into()
}
