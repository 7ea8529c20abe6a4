//! Verification: is this token one of Core's, in force, and of the kind that is wanted (platform README §3)? Whether its session is
//! alive is the caller's next question.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::jwks::{KeySource, KeysUnavailable};
use crate::claims::{Claims, ServiceClaims, UserClaims, UserData, absent_is_empty};
use crate::permission::PermissionLevel;
use crate::session::SessionId;

/// Characters of a token. Groups make tokens long; a request head could carry no longer one.
const MAX_TOKEN: usize = 16 * 1024;
/// Characters of a token's header part.
const MAX_HEADER: usize = 512;
/// Seconds that the minting machine's clock may be ahead of ours.
const CLOCK_SKEW: u64 = 60;

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or not one with the claims that Core writes.
    #[error("malformed token")]
    Malformed,
    /// Signed by another algorithm than RS256.
    #[error("algorithm not accepted")]
    Algorithm,
    /// Names no key, or none of Core's.
    #[error("unknown signing key")]
    UnknownKey,
    /// The signature is not that key's.
    #[error("signature does not match")]
    Signature,
    /// Its time is over.
    #[error("token expired")]
    Expired,
    /// Its time has not come: minted more than a minute in the future.
    #[error("token not valid yet")]
    NotYetValid,
    /// Minted by somebody else.
    #[error("wrong issuer")]
    WrongIssuer,
    /// A user's token without a session: it could never be revoked.
    #[error("token has no session id")]
    NoSession,
    /// A service's token where a user's is wanted.
    #[error("a service token is not a user's")]
    ServiceToken,
    /// A user's token where a service's is wanted.
    #[error("not a service token")]
    NotServiceToken,
    /// A token for somebody else.
    #[error("token is meant for another service")]
    WrongTarget,
    /// Core's keys could not be had; says nothing about the token.
    #[error(transparent)]
    KeysUnavailable(#[from] KeysUnavailable),
}

impl TokenError {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::WrongIssuer => "token_issuer",
            Self::NoSession => "token_without_session",
            Self::ServiceToken => "token_of_a_service",
            Self::NotServiceToken => "token_not_of_a_service",
            Self::WrongTarget => "token_target",
            Self::KeysUnavailable(_) => "keys_unavailable",
        }
    }
}

/// Verifies tokens of one issuer. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<dyn KeySource>,
    issuer: Arc<str>,
}

/// The header's members that matter (RFC 7515 §4.1).
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
    /// Extensions that must be understood: we understand none.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

/// Every claim of either kind; which must be there is decided afterwards.
#[derive(Deserialize)]
struct Raw {
    iss: String,
    sub: String,
    iat: u64,
    exp: u64,
    #[serde(default)]
    nbf: Option<u64>,
    #[serde(default)]
    aud: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    jti: Option<SessionId>,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    calling_service: Option<String>,
    #[serde(default)]
    target_service: Option<String>,
    #[serde(default, deserialize_with = "absent_is_empty")]
    name: String,
    #[serde(default, deserialize_with = "absent_is_empty")]
    email: String,
    #[serde(default, deserialize_with = "absent_is_empty")]
    preferred_username: String,
    #[serde(default)]
    permission_level: Option<PermissionLevel>,
    #[serde(default, deserialize_with = "absent_is_empty")]
    groups: Vec<String>,
}

impl Verifier {
    /// Accepts what was signed by one of `keys` in the name of `issuer`.
    #[must_use]
    pub fn new(keys: Arc<dyn KeySource>, issuer: impl Into<String>) -> Self {
        Self {
            keys,
            issuer: issuer.into().into(),
        }
    }

    /// What the token says, a user's or a service's, at `now` (seconds since the epoch). Expiry is exact, without leeway.
    ///
    /// # Errors
    /// If it is not to be believed.
    pub async fn verify(&self, token: &str, now: u64) -> Result<Claims, TokenError> {
        self.check(token, Some(now)).await?.into_claims()
    }

    /// A user's claims.
    ///
    /// # Errors
    /// If the token is not to be believed, or is a service's.
    pub async fn user(&self, token: &str, now: u64) -> Result<UserClaims, TokenError> {
        user_only(self.verify(token, now).await?)
    }

    /// A user's claims, whether or not the token's time is over: for ending its session.
    ///
    /// # Errors
    /// If the token is not to be believed for any other reason, or is a service's.
    pub async fn user_even_if_expired(&self, token: &str) -> Result<UserClaims, TokenError> {
        user_only(self.check(token, None).await?.into_claims()?)
    }

    /// The claims of a service that calls `target`.
    ///
    /// # Errors
    /// If the token is not to be believed, is a user's, or is meant for another service.
    pub async fn service(&self, token: &str, target: &str, now: u64) -> Result<ServiceClaims, TokenError> {
        match self.verify(token, now).await? {
            Claims::Service(claims) if claims.target_service == target => Ok(claims),
            Claims::Service(_) => Err(TokenError::WrongTarget),
            Claims::User(_) => Err(TokenError::NotServiceToken),
        }
    }

    /// Signature first, then what was signed. Without `now` the times do not matter.
    async fn check(&self, token: &str, now: Option<u64>) -> Result<Raw, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let key = self.key(header).await?;
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256) {
            Ok(true) => {}
            Ok(false) => return Err(TokenError::Signature),
            Err(_) => return Err(TokenError::Malformed),
        }
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| TokenError::Malformed)?;
        let raw: Raw = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
        if *raw.iss != *self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        // Core's tokens have no audience; who gets one that has is not who it was made for (RFC 7519 §4.1.3).
        if raw.aud.is_some() {
            return Err(TokenError::WrongTarget);
        }
        let Some(now) = now else { return Ok(raw) };
        if raw.exp <= now {
            return Err(TokenError::Expired);
        }
        if raw.iat.max(raw.nbf.unwrap_or(0)) > now.saturating_add(CLOCK_SKEW) {
            return Err(TokenError::NotYetValid);
        }
        Ok(raw)
    }

    /// The key that the header names, if the algorithm is the one we pin.
    async fn key(&self, header: &str) -> Result<Arc<DecodingKey>, TokenError> {
        let mut buffer = [0_u8; MAX_HEADER];
        let length = URL_SAFE_NO_PAD
            .decode_slice(header, &mut buffer)
            .map_err(|_| TokenError::Malformed)?;
        let head: Head<'_> = serde_json::from_slice(buffer.get(..length).unwrap_or_default())
            .map_err(|_| TokenError::Malformed)?;
        if head.alg != "RS256" {
            return Err(TokenError::Algorithm);
        }
        if head.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let kid = head.kid.ok_or(TokenError::UnknownKey)?;
        match self.keys.at_hand(&kid) {
            Some(key) => Ok(key),
            None => self.keys.key(&kid).await?.ok_or(TokenError::UnknownKey),
        }
    }
}

impl Raw {
    fn into_claims(self) -> Result<Claims, TokenError> {
        match self.r#type.as_deref() {
            Some("service") => self.into_service().map(Claims::Service),
            None => self.into_user().map(Claims::User),
            // Whatever this kind is good for one day, it is neither of ours.
            Some(_) => Err(TokenError::Malformed),
        }
    }

    fn into_service(self) -> Result<ServiceClaims, TokenError> {
        let (Some(calling_service), Some(target_service), Some(r#type)) =
            (self.calling_service, self.target_service, self.r#type)
        else {
            return Err(TokenError::Malformed);
        };
        Ok(ServiceClaims {
            iss: self.iss,
            sub: self.sub,
            calling_service,
            target_service,
            r#type,
            iat: self.iat,
            exp: self.exp,
        })
    }

    fn into_user(self) -> Result<UserClaims, TokenError> {
        let jti = self.jti.ok_or(TokenError::NoSession)?;
        let user = UserData {
            sub: self.sub,
            name: self.name,
            email: self.email,
            preferred_username: self.preferred_username,
            permission_level: self.permission_level.ok_or(TokenError::Malformed)?,
            groups: self.groups,
        };
        Ok(UserClaims {
            iss: self.iss,
            jti,
            iat: self.iat,
            exp: self.exp,
            user,
        })
    }
}

fn user_only(claims: Claims) -> Result<UserClaims, TokenError> {
    match claims {
        Claims::User(claims) => Ok(claims),
        Claims::Service(_) => Err(TokenError::ServiceToken),
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
