//! What tokens say about their bearer (platform README §3). Whether a token may be believed is decided in `token::verify`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use crate::permission::PermissionLevel;
use crate::session::SessionId;

/// Lifetime of a user's token in seconds.
pub const USER_TOKEN_SECONDS: u64 = 3600;

/// Lifetime of a service token in seconds.
pub const SERVICE_TOKEN_SECONDS: u64 = 300;

/// A person, as Core learnt them from the identity provider. The same six fields stand in a session record and in a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserData {
    /// The provider's identifier of the person; never changes.
    pub sub: String,
    /// Full name; empty if the provider knows none.
    #[serde(default, deserialize_with = "absent_is_empty")]
    pub name: String,
    /// E-mail address; empty if the provider knows none.
    #[serde(default, deserialize_with = "absent_is_empty")]
    pub email: String,
    /// Login name; empty if the provider knows none.
    #[serde(default, deserialize_with = "absent_is_empty")]
    pub preferred_username: String,
    /// What the person may do.
    pub permission_level: PermissionLevel,
    /// The provider's groups, as it spells them.
    #[serde(default, deserialize_with = "absent_is_empty")]
    pub groups: Vec<String>,
}

impl UserData {
    /// Stands for the person where a browser's pages compare notes about who is signed in (platform README §6): 16
    /// characters of base64url, the same on every gateway. It names nobody and opens nothing.
    #[must_use]
    pub fn tag(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"hivematrix person ")
            .chain_update(&self.sub)
            .finalize();
        BASE64_URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default())
    }
}

/// The Python Core writes `null` for what the provider did not tell; that is no reason to refuse somebody.
pub(crate) fn absent_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A user's token (RS256, `exp` = `iat` + 3600).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserClaims {
    /// Who minted it: Core's issuer, by default `hivematrix-core`.
    pub iss: String,
    /// The session. The token is worth nothing once that is revoked.
    pub jti: SessionId,
    /// Minted at, seconds since the epoch.
    pub iat: u64,
    /// Expires at, seconds since the epoch.
    pub exp: u64,
    /// The person.
    #[serde(flatten)]
    pub user: UserData,
}

/// A service's token (RS256, `exp` = `iat` + 300, no session).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    /// Who minted it: Core's issuer.
    pub iss: String,
    /// `service:<calling service>`.
    pub sub: String,
    /// Who calls.
    pub calling_service: String,
    /// Who is called. Receivers refuse a token that names another.
    pub target_service: String,
    /// Always `service`. A user's token never carries it.
    pub r#type: String,
    /// Minted at, seconds since the epoch.
    pub iat: u64,
    /// Expires at, seconds since the epoch.
    pub exp: u64,
}

/// What a valid token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claims {
    /// A person's.
    User(UserClaims),
    /// A service's.
    Service(ServiceClaims),
}
