//! The arguments that say where Redis is, and the store that is opened by them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{RedisAddress, RedisSettings, RedisStore, RedisTls, Store, StoreError};
use secrecy::{ExposeSecret as _, SecretString};

use crate::failure::Failure;
use crate::private_file;

/// Where Redis is, and how to speak with it.
#[derive(Debug, clap::Args)]
pub(crate) struct RedisArgs {
    /// The Redis that Core and the gateway share: redis://, rediss:// (TLS), unix:///, or Sentinels:
    /// redis+sentinel://host,host,host/name.
    #[arg(
        long,
        value_name = "URL",
        env = "HIVEMATRIX_REDIS_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379/0"
    )]
    redis: SecretString,
    /// Replicas of that Redis that must have a revocation before Core confirms it (`WAIT`): with Sentinel as many as
    /// may become the master.
    #[arg(
        long,
        value_name = "N",
        env = "HIVEMATRIX_REDIS_REPLICAS",
        default_value_t = 0
    )]
    redis_replicas: u32,
    /// Milliseconds that one command may take.
    #[arg(long, value_name = "MS", env = "HIVEMATRIX_REDIS_TIMEOUT", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    redis_timeout: u64,
    /// The authorities to trust for rediss://, instead of the public ones: a PEM file.
    #[arg(long, value_name = "FILE", env = "HIVEMATRIX_REDIS_CA")]
    redis_ca: Option<PathBuf>,
    /// Core's own certificate chain, where Redis asks for one: a PEM file.
    #[arg(
        long,
        value_name = "FILE",
        env = "HIVEMATRIX_REDIS_CERTIFICATE",
        requires = "redis_key"
    )]
    redis_certificate: Option<PathBuf>,
    /// The key of that certificate: a PEM file that only its owner may read.
    #[arg(
        long,
        value_name = "FILE",
        env = "HIVEMATRIX_REDIS_KEY",
        requires = "redis_certificate"
    )]
    redis_key: Option<PathBuf>,
}

impl RedisArgs {
    /// The store. Redis may be down: then Core answers what it can, and recovers by itself.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("--redis: {error}"));
        let mut address = RedisAddress::parse(self.redis.expose_secret()).map_err(|error| usage(&error))?;
        if let Some(tls) = self.tls()? {
            address = address.with_tls(tls).map_err(|error| usage(&error))?;
        }
        let settings = RedisSettings {
            replicas: self.redis_replicas,
            command_timeout: Duration::from_millis(self.redis_timeout),
            ..RedisSettings::default()
        };
        let store = RedisStore::open(&address, settings).map_err(|error| usage(&error))?;
        match store.ping().await {
            Err(error @ StoreError::Unsupported(_)) => Err(Failure::outside("--redis", error)),
            Ok(()) | Err(_) => Ok(Arc::new(store)),
        }
    }

    fn tls(&self) -> Result<Option<RedisTls>, Failure> {
        let authorities = self.redis_ca.as_deref().map(read).transpose()?;
        let identity = match (&self.redis_certificate, &self.redis_key) {
            (Some(certificate), Some(key)) => {
                let secret = private_file::read(key)
                    .map_err(|error| Failure::Usage(format!("{}: {error}", key.display())))?;
                Some((read(certificate)?, SecretString::from(secret)))
            }
            _ => None,
        };
        Ok((authorities.is_some() || identity.is_some()).then_some(RedisTls {
            authorities,
            identity,
        }))
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}
