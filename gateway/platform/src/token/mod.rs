//! Tokens: signing keys, minting, key sets and verification (platform README §3). Which sessions are alive is not known here.

mod jwks;
mod key;
mod mint;
mod remote;
mod ring;
mod verify;

pub use jsonwebtoken::DecodingKey;

pub use self::jwks::{Jwk, Jwks, KeySource, KeysUnavailable, StaticKeys};
pub use self::key::{InvalidKey, SigningKey};
pub use self::mint::{MintError, Minter};
pub use self::remote::RemoteKeys;
pub use self::ring::{Duty, KeyRing, LEAD_SECONDS, OVERLAP_SECONDS, RingEntry, RingError};
pub use self::verify::{TokenError, Verifier};

/// The issuer that Core writes unless it is configured otherwise.
pub const DEFAULT_ISSUER: &str = "hivematrix-core";

/// The key id of the original Core.
pub const DEFAULT_KEY_ID: &str = "hivematrix-signing-key-1";
