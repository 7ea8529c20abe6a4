//! Which Redis keeps the sessions: its address as written, and as it is used.

use std::time::Duration;

use hivematrix_platform::{InvalidRedisAddress, RedisAddress, RedisTls};
use secrecy::{ExposeSecret as _, SecretString};
use toml::de::DeValue;

use super::file::Secret;
use super::read::Leaf;

/// A Redis. `redis_url`, `redis_replicas`, `redis_tls` of `[sessions]`
#[derive(Clone, Debug)]
pub struct Redis {
    /// Its URL, in a form of [`RedisAddress`]; may hold a password.
    pub url: SecretString,
    /// Certificates beyond those that everybody knows. Default none.
    pub tls: Option<RedisCertificates>,
    /// Replicas that must have a revocation before it counts as written. Default 0.
    pub replicas: u32,
    /// How long one command may take: beyond, Redis counts as out of reach. Default 500 ms.
    pub timeout: Duration,
}

/// For one command unless told otherwise.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);

/// PEM files of `[sessions.redis_tls]`, as they were read.
#[derive(Clone, Debug, Default)]
pub struct RedisCertificates {
    /// The authorities that are trusted instead of the public ones.
    pub authorities: Option<String>,
    /// The gateway's certificate chain and private key.
    pub identity: Option<(String, SecretString)>,
}

impl Redis {
    /// The Redis at this URL, with defaults for the rest.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            tls: None,
            replicas: 0,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Its address, certificates included.
    ///
    /// # Errors
    /// If the URL is none, or does not fit the certificates.
    pub fn address(&self) -> Result<RedisAddress, InvalidRedisAddress> {
        let address = RedisAddress::parse(self.url.expose_secret())?;
        match self.tls.clone() {
            None => Ok(address),
            Some(RedisCertificates {
                authorities,
                identity,
            }) => address.with_tls(RedisTls {
                authorities,
                identity,
            }),
        }
    }

    /// Everything, to compare with another.
    pub(super) fn content(&self) -> impl PartialEq + use<> {
        let tls = self.tls.clone().map(|tls| {
            let identity = tls.identity;
            let identity = identity.map(|(certificate, key)| (certificate, key.expose_secret().to_owned()));
            (tls.authorities, identity)
        });
        (
            self.url.expose_secret().to_owned(),
            tls,
            self.replicas,
            self.timeout,
        )
    }
}

/// Where Redis is: plain as long as there is no password in it.
#[derive(Clone, Debug)]
pub(super) enum RedisUrl {
    Plain(String),
    Secret(Secret),
}

impl Leaf for RedisUrl {
    const EXPECTED: &'static str = "the address of a Redis: \"redis://127.0.0.1:6379/0\", \"rediss://…\", \"unix:///run/redis.sock\" or \"redis+sentinel://host,host,host/name\"";

    fn hides(_: &DeValue<'_>) -> bool {
        true
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match RedisAddress::parse(text) {
            Ok(address) if address.has_password() => Err(format!(
                "a password may not stand in this file: expected {}",
                Secret::EXPECTED
            )),
            Ok(_) => Ok(Self::Plain(text.to_owned())),
            Err(_) => Err(String::new()),
        }
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Self::from_text(text),
            value => Secret::from_value(value).map(Self::Secret),
        }
    }
}
