//! Minting: Core's side of a token. Who may have one is decided by Core.

use jsonwebtoken::{Algorithm, Header, encode};
use serde::Serialize;

use super::jwks::Jwks;
use super::key::SigningKey;
use crate::claims::{SERVICE_TOKEN_SECONDS, ServiceClaims, USER_TOKEN_SECONDS, UserClaims, UserData};
use crate::service_name::ServiceName;
use crate::session::SessionId;

/// A token could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign a token: {0}")]
pub struct MintError(String);

/// Mints tokens with one key and one issuer. Publishes further keys, so that tokens of an older key stay valid after a rotation.
#[derive(Debug, Clone)]
pub struct Minter {
    key: SigningKey,
    issuer: String,
    published: Jwks,
}

impl Minter {
    /// Signs with `key`, as `issuer`.
    #[must_use]
    pub fn new(key: SigningKey, issuer: impl Into<String>) -> Self {
        let published = Jwks {
            keys: vec![key.jwk()],
        };
        Self {
            key,
            issuer: issuer.into(),
            published,
        }
    }

    /// Publishes the public half of another key as well: the previous one after a rotation, or the next one before it.
    #[must_use]
    pub fn publishing(mut self, key: &SigningKey) -> Self {
        self.published.keys.push(key.jwk());
        self
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A user's token for `session`, valid for an hour from `now` (seconds since the epoch), and its claims.
    ///
    /// # Errors
    /// If signing fails.
    pub fn user(
        &self,
        user: &UserData,
        session: &SessionId,
        now: u64,
    ) -> Result<(String, UserClaims), MintError> {
        self.user_until(user, session, now, now + USER_TOKEN_SECONDS)
    }

    /// As [`Minter::user`], with an expiry of the caller's choice: for test tokens of operators.
    ///
    /// # Errors
    /// If signing fails.
    pub fn user_until(
        &self,
        user: &UserData,
        session: &SessionId,
        now: u64,
        exp: u64,
    ) -> Result<(String, UserClaims), MintError> {
        let claims = UserClaims {
            iss: self.issuer.clone(),
            jti: *session,
            iat: now,
            exp,
            user: user.clone(),
        };
        Ok((self.sign(&claims)?, claims))
    }

    /// A token with which `calling` may call `target`, valid for five minutes from `now`, and its claims.
    ///
    /// # Errors
    /// If signing fails.
    pub fn service(
        &self,
        calling: &ServiceName,
        target: &ServiceName,
        now: u64,
    ) -> Result<(String, ServiceClaims), MintError> {
        let claims = ServiceClaims {
            iss: self.issuer.clone(),
            sub: format!("service:{calling}"),
            calling_service: calling.to_string(),
            target_service: target.to_string(),
            r#type: "service".to_owned(),
            iat: now,
            exp: now + SERVICE_TOKEN_SECONDS,
        };
        Ok((self.sign(&claims)?, claims))
    }

    /// The key set that Core publishes.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.published.clone()
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, MintError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key.kid().to_owned());
        encode(&header, claims, self.key.encoding()).map_err(|error| MintError(error.to_string()))
    }
}
