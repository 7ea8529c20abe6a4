//! Core's private key: made, read, written. It signs nothing by itself (that is `mint.rs`) and never reaches a store.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use secrecy::{ExposeSecret as _, SecretString};

use super::jwks::Jwk;

/// An RSA private key with its key id.
#[derive(Clone)]
pub struct SigningKey {
    pem: SecretString,
    encoding: EncodingKey,
    jwk: Jwk,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The text is not the PEM of an unencrypted RSA private key (PKCS#8 or PKCS#1).
    #[error("not the PEM of an unencrypted RSA private key")]
    Pem,
    /// The key is an RSA key, but of no use: too short (less than 2048 bits), too long (more than 8192) or inconsistent.
    #[error("unusable RSA key: {0}")]
    Rsa(String),
    /// No key could be made.
    #[error("the cryptography library could not make a key")]
    Generate,
    /// The key id is empty or longer than 200 characters.
    #[error("a key id is 1 to 200 characters")]
    KeyId,
}

impl SigningKey {
    /// A fresh RSA key of 2048 bits. Takes a noticeable part of a second.
    ///
    /// # Errors
    /// If the key id is unusable or the library fails.
    pub fn generate(kid: &str) -> Result<Self, InvalidKey> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| InvalidKey::Generate)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| InvalidKey::Generate)?;
        Self::from_pem(kid, pem(der.as_ref()).expose_secret())
    }

    /// Reads a PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`), 2048 to 8192 bits.
    ///
    /// # Errors
    /// If it is anything else, or the key id is unusable.
    pub fn from_pem(kid: &str, text: &str) -> Result<Self, InvalidKey> {
        if !(1..=200).contains(&kid.len()) {
            return Err(InvalidKey::KeyId);
        }
        let encoding = EncodingKey::from_rsa_pem(text.as_bytes()).map_err(|_| InvalidKey::Pem)?;
        let pair =
            RsaKeyPair::from_der(encoding.as_bytes()).map_err(|error| InvalidKey::Rsa(error.to_string()))?;
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let jwk = Jwk {
            kty: "RSA".to_owned(),
            alg: Some("RS256".to_owned()),
            r#use: Some("sig".to_owned()),
            kid: kid.to_owned(),
            n: URL_SAFE_NO_PAD.encode(public.n),
            e: URL_SAFE_NO_PAD.encode(public.e),
        };
        Ok(Self {
            pem: text.to_owned().into(),
            encoding,
            jwk,
        })
    }

    /// The PEM that was read; PKCS#8 for a generated key.
    #[must_use]
    pub fn to_pem(&self) -> SecretString {
        self.pem.clone()
    }

    /// The key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// The public half, as Core publishes it.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

fn pem(der: &[u8]) -> SecretString {
    let body = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    text.into()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.jwk.kid)
    }
}
