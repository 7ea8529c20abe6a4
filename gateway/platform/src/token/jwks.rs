//! Key sets (RFC 7517) and where verifying keys come from. Keys fetched from Core are `remote.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};

/// A public RSA key as `/.well-known/jwks.json` carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type; only `RSA` is used.
    pub kty: String,
    /// Algorithm; a key for another one than `RS256` is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Purpose; a key for another one than `sig` is not used.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub r#use: Option<String>,
    /// Key id.
    #[serde(default)]
    pub kid: String,
    /// Modulus, base64url.
    #[serde(default)]
    pub n: String,
    /// Public exponent, base64url.
    #[serde(default)]
    pub e: String,
}

impl Jwk {
    /// The key, if it is one for verifying RS256.
    fn decoding(&self) -> Option<DecodingKey> {
        let suits = self.kty == "RSA"
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && !self.kid.is_empty();
        if suits {
            DecodingKey::from_rsa_components(&self.n, &self.e).ok()
        } else {
            None
        }
    }
}

/// A key set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// The keys could not be had. Says nothing about the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Core's keys are unavailable: {0}")]
pub struct KeysUnavailable(pub String);

/// Where verifying keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The key if it is at hand; never waits. [`KeySource::key`] is asked where this knows none.
    fn at_hand(&self, _kid: &str) -> Option<Arc<DecodingKey>> {
        None
    }

    /// The key of this id, `None` if there is no such key.
    async fn key(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, KeysUnavailable>;
}

/// Keys that do not change: Core's own, or those of a file.
#[derive(Debug, Clone, Default)]
pub struct StaticKeys(HashMap<String, Arc<DecodingKey>>);

impl StaticKeys {
    /// The keys of the set that can verify RS256; others are left out.
    #[must_use]
    pub fn new(jwks: &Jwks) -> Self {
        let usable = jwks
            .keys
            .iter()
            .filter_map(|jwk| Some((jwk.kid.clone(), Arc::new(jwk.decoding()?))));
        Self(usable.collect())
    }

    /// Whether there is no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[async_trait]
impl KeySource for StaticKeys {
    fn at_hand(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        self.0.get(kid).cloned()
    }

    async fn key(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, KeysUnavailable> {
        Ok(self.at_hand(kid))
    }
}
