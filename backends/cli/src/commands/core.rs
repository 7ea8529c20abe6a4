//! `hivematrix core`: the authentication service alone.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hivematrix_backends::core::{CoreSettings, Keys, ProviderAt, router};
use hivematrix_platform::{MemoryStore, Minter, ServiceName, SigningKey};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::helm::read_registry;
use crate::failure::Failure;
use crate::key_ring::{Place, RingArgs, follow};
use crate::log::Form;
use crate::parts::{client, name, serve_alone};
use crate::private_file;
use crate::redis::RedisArgs;

/// The services of the platform (platform README §1), where no registry says otherwise.
const USUAL: [&str; 10] = [
    "nexus",
    "core",
    "helm",
    "codex",
    "ledger",
    "knowledgetree",
    "beacon",
    "archive",
    "brainhair",
    "template",
];

/// Run Core alone: sessions, tokens, and the keys that verify them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    #[command(flatten)]
    redis: RedisArgs,
    /// Keep sessions in this process, where no gateway sees them: for trying Core's API without Redis.
    #[arg(long)]
    in_memory: bool,
    /// The private key that signs tokens, for as long as this Core runs: a PEM file that only its owner may read, made if
    /// it is not there. Without it, and without a ring, a new key is made at every start, and nobody stays signed in.
    #[arg(
        long,
        value_name = "FILE",
        env = "HIVEMATRIX_CORE_KEY",
        conflicts_with = "ring"
    )]
    key: Option<PathBuf>,
    /// The id of that key in tokens and in the published key set. Give a new key a new id.
    #[arg(
        long,
        value_name = "ID",
        default_value = "hivematrix-signing-key-1",
        requires = "key"
    )]
    key_id: String,
    #[command(flatten)]
    ring: RingArgs,
    /// Make a new signing key when the newest is as many days old. Nobody is signed out. Without it keys change by
    /// `hivematrix keys rotate` only.
    #[arg(long, value_name = "DAYS", requires = "ring", value_parser = clap::value_parser!(u16).range(1..=3660))]
    rotate_every: Option<u16>,
    /// The issuer of the tokens.
    #[arg(long, value_name = "NAME", default_value = "hivematrix-core")]
    issuer: String,
    /// The issuer of another OpenID Connect provider than Keycloak: its endpoints are discovered there, and opaque access
    /// tokens are introspected with the gateway's client secret.
    #[arg(
        long,
        value_name = "URL",
        env = "HIVEMATRIX_PROVIDER_ISSUER",
        requires = "client_secret"
    )]
    provider_issuer: Option<String>,
    /// The gateway's client secret, for introspection; rather the variable than the argument.
    #[arg(
        long,
        value_name = "SECRET",
        env = "KEYCLOAK_CLIENT_SECRET",
        hide_env_values = true
    )]
    client_secret: Option<SecretString>,
    /// Where Core reaches the identity provider.
    #[arg(
        long,
        value_name = "URL",
        env = "KEYCLOAK_BACKEND_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    provider: Url,
    /// The realm there.
    #[arg(
        long,
        value_name = "NAME",
        env = "KEYCLOAK_REALM",
        default_value = "hivematrix"
    )]
    realm: String,
    /// The gateway's client there: access tokens of other clients are refused.
    #[arg(
        long,
        value_name = "ID",
        env = "KEYCLOAK_CLIENT_ID",
        default_value = "core-client"
    )]
    client_id: String,
    /// The gateway's secret for service tokens; rather the variable than the argument.
    #[arg(
        long,
        value_name = "SECRET",
        env = "HIVEMATRIX_CORE_SECRET",
        hide_env_values = true
    )]
    gateway_secret: Option<SecretString>,
    /// Further secrets: a JSON file, {"SERVICE": "SECRET"}, that only its owner may read.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// A service that gets service tokens without proof, from this machine only; repeatable. For old services.
    #[arg(long = "legacy-caller", value_name = "SERVICE")]
    legacy_callers: Vec<String>,
    /// The registry (services.json) of the services that may call and be called; without it, those of the platform.
    #[arg(long, value_name = "FILE")]
    registry: Option<PathBuf>,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

/// Where the keys come from.
enum Source {
    /// One key, for as long as this Core runs.
    Key(SigningKey),
    /// A ring, and how old its newest key may become.
    Ring(Place, Option<Duration>),
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let source = self.keys()?;
        let names = |names: &[String]| {
            names
                .iter()
                .map(|service| name(service))
                .collect::<Result<_, _>>()
        };
        let legacy_callers = names(&self.legacy_callers)?;
        let (known_services, secrets) = (self.known_services()?, self.all_secrets()?);
        let provider = match (self.provider_issuer, self.client_secret) {
            (Some(issuer), Some(client_secret)) => ProviderAt::Issuer {
                issuer,
                client_secret,
            },
            (Some(_), None) => {
                return Err(Failure::Usage(
                    "--provider-issuer needs --client-secret".to_owned(),
                ));
            }
            (None, _) => userinfo(&self.provider, &self.realm)?.into(),
        };
        let redis = self.redis;
        let (in_memory, client_id, issuer) = (self.in_memory, self.client_id, self.issuer);
        serve_alone(self.listen, self.log, async move || {
            let store = if in_memory {
                Arc::new(MemoryStore::default())
            } else {
                redis.open().await?
            };
            let settings = CoreSettings {
                keys: match source {
                    Source::Key(key) => Keys::new(Minter::new(key, issuer.as_str())),
                    Source::Ring(place, period) => follow(place.of(&store)?, &issuer, period).await?,
                },
                store,
                provider,
                client_id,
                secrets,
                legacy_callers,
                known_services,
                http: client()?,
            };
            Ok(router(settings))
        })
    }

    fn keys(&self) -> Result<Source, Failure> {
        if let Some(place) = self.ring.place() {
            let days = self
                .rotate_every
                .map(|days| Duration::from_secs(u64::from(days) * 24 * 3600));
            return Ok(Source::Ring(place, days));
        }
        let Some(file) = &self.key else {
            eprintln!(
                "hivematrix: no --key-ring: tokens of an earlier start are void, those of this one end with it"
            );
            return fresh_key().map(Source::Key);
        };
        let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
        if !file.exists() {
            let key = fresh_key()?;
            private_file::create(file, key.to_pem().expose_secret()).map_err(|error| usage(&error))?;
        }
        let pem = private_file::read(file).map_err(|error| usage(&error))?;
        let key = SigningKey::from_pem(&self.key_id, &pem);
        key.map(Source::Key).map_err(|error| usage(&error))
    }

    fn known_services(&self) -> Result<Vec<ServiceName>, Failure> {
        let mut known: Vec<ServiceName> = match &self.registry {
            Some(file) => read_registry(file)?
                .services
                .into_iter()
                .map(|entry| entry.name)
                .collect(),
            None => USUAL
                .iter()
                .map(|service| name(service))
                .collect::<Result<_, _>>()?,
        };
        known.push(name("nexus")?);
        Ok(known)
    }

    fn all_secrets(&self) -> Result<HashMap<ServiceName, SecretString>, Failure> {
        let mut secrets = match &self.secrets {
            Some(file) => read_secrets(file)?,
            None => HashMap::new(),
        };
        if let Some(secret) = &self.gateway_secret {
            secrets.insert(name("nexus")?, secret.clone());
        }
        Ok(secrets)
    }
}

/// A key that nobody has seen before, under an id that nobody has seen before: verifiers keep keys by their ids.
pub(crate) fn fresh_key() -> Result<SigningKey, Failure> {
    let id = format!("hivematrix-{:016x}", rand::random::<u64>());
    SigningKey::generate(&id).map_err(|error| Failure::outside("the key that signs tokens", error))
}

/// The provider's userinfo endpoint on the back channel.
pub(crate) fn userinfo(provider: &Url, realm: &str) -> Result<Url, Failure> {
    let base = provider.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/realms/{realm}/protocol/openid-connect/userinfo"))
        .map_err(|error| Failure::Usage(format!("the identity provider's address {provider}: {error}")))
}

pub(crate) fn read_secrets(file: &Path) -> Result<HashMap<ServiceName, SecretString>, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let text = private_file::read(file).map_err(|error| usage(&error))?;
    let secrets: HashMap<ServiceName, String> = serde_json::from_str(&text).map_err(|error| usage(&error))?;
    Ok(secrets
        .into_iter()
        .map(|(name, secret)| (name, SecretString::from(secret)))
        .collect())
}
