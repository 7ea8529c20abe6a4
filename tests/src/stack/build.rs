//! Starting a stack: what depends on what.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hivematrix_backends::core::ProviderAt;
use hivematrix_backends::idp::Lifetimes;
use hivematrix_gateway::config::{self, Config, Tls};
use hivematrix_gateway::{Running, StartError};
use hivematrix_platform::{RedisSettings, RedisStore, SealingKeys, Store};
use hivematrix_plugins::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::parts::Part;
use super::platform::{self, Platform};
use super::{Stack, mounts};
use crate::backend::Backend;
use crate::keycloak::{Keycloak, Realm};
use crate::logs::Logs;
use crate::oidc_provider::OidcProvider;
use crate::ports::free_port;
use crate::redis::Redis;
use crate::relay::Relay;
use crate::sentinels::Sentinels;
use crate::tls::Certificate;

type Change = Box<dyn FnOnce(&mut Config)>;

/// What a case wants otherwise.
#[derive(Default)]
pub struct Builder {
    changes: Vec<Change>,
    tls: bool,
    lifetimes: Option<Lifetimes>,
    plugins: Option<Registry>,
    impatient: bool,
    keycloak: Option<(&'static Keycloak, Realm)>,
    sentinels: bool,
    provider: Option<ProviderAt>,
}

impl Builder {
    /// Changes the gateway's configuration before it starts.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// The gateway speaks TLS with a certificate made on the spot, and HTTP/2.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The gateway knows these kinds of plugins.
    #[must_use]
    pub fn plugins(mut self, registry: Registry) -> Self {
        self.plugins = Some(registry);
        self
    }

    /// The gateway waits no longer for Redis, Core and Codex than a healthy machine needs: for outages. Other cases
    /// give them time, so that a machine that is busy with something else fails none.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        self.impatient = true;
        self.configure(|config| {
            config.core.timeout = Duration::from_secs(1);
            if let Some(codex) = &mut config.codex {
                codex.timeout = Duration::from_secs(1);
            }
        })
    }

    /// The provider is a realm of a real Keycloak, made ready for the origin that it says; the gateway speaks TLS.
    #[must_use]
    pub fn keycloak(mut self, keycloak: &'static Keycloak, realm: Realm) -> Self {
        let told = realm.clone();
        self.keycloak = Some((keycloak, realm));
        self.tls()
            .configure(move |config| mounts::at_keycloak(config, &told))
    }

    /// Redis has a replica and three Sentinels, which Core and the gateways are told to ask; Core waits for the replica
    /// before it confirms a revocation.
    #[must_use]
    pub fn sentinels(mut self) -> Self {
        self.sentinels = true;
        self
    }

    /// The gateway and Core use this provider instead of the development one.
    ///
    /// # Panics
    /// Never: its issuer is a URL.
    #[must_use]
    pub fn second_provider(mut self, provider: &OidcProvider) -> Self {
        let (issuer, client_secret) = (provider.issuer(), SecretString::from(OidcProvider::CLIENT_SECRET));
        self.provider = Some(ProviderAt::Issuer {
            issuer: issuer.clone(),
            client_secret: client_secret.clone(),
        });
        self.configure(move |config| {
            config.provider = config::Provider::discovered(&issuer, client_secret).expect("an issuer");
        })
    }

    /// How long things live at the provider.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = Some(lifetimes);
        self
    }

    /// Starts everything.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn start(self) -> Stack {
        crate::panics::remember();
        let (logs, subscriber) = Logs::collect();
        let redis = Redis::start().await;
        let certificate = match &self.keycloak {
            Some((keycloak, _)) => Some(keycloak.certificate()),
            None => self.tls.then(|| Arc::new(Certificate::for_localhost())),
        };
        let scheme = if self.tls { "https" } else { "http" };
        // Everybody is told the origin before the gateway that serves it exists.
        let origin = match &self.keycloak {
            Some((_, realm)) => realm.origin.clone(),
            None => Url::parse(&format!("{scheme}://localhost:{}/", free_port())).expect("a URL"),
        };
        let minter = platform::minter();
        let sentinels = match self.sentinels {
            true => Some(Sentinels::around(&redis).await),
            false => None,
        };
        let store = match &sentinels {
            Some(sentinels) => redis_store(&sentinels.url(), IMPATIENCE * 4, 1).await,
            None => redis_store(&redis.url(), PATIENCE, 0).await,
        };
        let keycloak = self
            .keycloak
            .as_ref()
            .map(|(keycloak, realm)| (keycloak.address(), realm.name.as_str()));
        let platform =
            Platform::start(&origin, self.lifetimes, keycloak, store, &minter, self.provider).await;
        let backends = Backends::start().await;
        let relays = Relays::start(&redis, &platform, &backends).await;

        let mut config = mounts::config(&origin, &relays, &platform, &backends);
        config.server.tls = certificate.as_ref().map(|certificate| Tls {
            certificate: certificate.certificate(),
            key: certificate.key(),
        });
        for change in self.changes {
            change(&mut config);
        }
        let patience = if self.impatient { IMPATIENCE } else { PATIENCE };
        let store_url = match &sentinels {
            Some(sentinels) => sentinels.url(),
            None => format!("redis://{}/0", relays.at(Part::Redis)),
        };
        let store = redis_store(&store_url, patience, 0).await;
        let sealing = SealingKeys::fresh_base64();
        let plugins = self.plugins.unwrap_or_else(Registry::standard);
        let gateway = start_gateway(config.clone(), store, &sealing, plugins).await;
        let Backends { echo, second, beacon } = backends;
        Stack {
            echo,
            second,
            beacon,
            redis,
            sentinels,
            store_url,
            patience,
            logs,
            config,
            minter,
            relays,
            gateway,
            sealing,
            platform,
            certificate,
            origin,
            _subscriber: subscriber,
        }
    }
}

/// The scriptable backends.
pub(super) struct Backends {
    pub(super) echo: Backend,
    pub(super) second: Backend,
    pub(super) beacon: Backend,
}

impl Backends {
    async fn start() -> Self {
        let (echo, second, beacon) = tokio::join!(Backend::start(), Backend::start(), Backend::start());
        Self { echo, second, beacon }
    }
}

/// One relay for each part.
pub(super) struct Relays(Vec<(Part, Relay)>);

impl Relays {
    async fn start(redis: &Redis, platform: &Platform, backends: &Backends) -> Self {
        let mut relays = Vec::new();
        for part in Part::ALL {
            let target = match part {
                Part::Redis => redis.address(),
                Part::Core => platform.core,
                Part::Provider => platform.provider,
                Part::Codex => platform.codex,
                Part::Echo => backends.echo.address(),
            };
            relays.push((part, Relay::to(target).await));
        }
        Self(relays)
    }

    pub(super) fn of(&self, part: Part) -> &Relay {
        let found = self.0.iter().find(|(other, _)| *other == part);
        &found.expect("every part has a relay").1
    }

    pub(super) fn at(&self, part: Part) -> SocketAddr {
        self.of(part).address()
    }
}

/// Starts a gateway.
pub(super) async fn start_gateway(
    config: Config,
    store: Arc<dyn Store>,
    sealing: &SecretString,
    plugins: Registry,
) -> Running {
    let sealing = SealingKeys::from_base64(sealing.expose_secret()).expect("sealing keys");
    let builder = hivematrix_gateway::Builder::new(config);
    match builder
        .store(store)
        .sealing_keys(sealing)
        .plugins(plugins)
        .start()
        .await
    {
        Ok(gateway) => gateway,
        Err(error @ StartError::Bind { .. }) => panic!("somebody took a port of the harness' range: {error}"),
        Err(error) => panic!("the gateway does not start: {error}"),
    }
}

/// For one command to Redis.
const PATIENCE: Duration = Duration::from_secs(5);
const IMPATIENCE: Duration = Duration::from_millis(500);

/// A store that notices soon when its Redis is gone.
pub(super) async fn redis_store(url: &str, command_timeout: Duration, replicas: u32) -> Arc<dyn Store> {
    let settings = RedisSettings {
        command_timeout,
        connect_timeout: Duration::from_secs(5),
        heartbeat: Duration::from_millis(200),
        replicas,
    };
    let store = RedisStore::connect(url, settings).await;
    Arc::new(store.expect("Redis answers"))
}
