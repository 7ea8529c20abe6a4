//! Starting a stack: what depends on what, and the settings of each part.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hivematrix_backends::codex::{self, CodexSettings};
use hivematrix_backends::core::{self, CoreSettings};
use hivematrix_backends::helm::{self, HelmSettings, Watched};
use hivematrix_backends::idp::{self, DevClient, DevUser, IdpSettings, Lifetimes};
use hivematrix_backends::kit::Auth;
use hivematrix_backends::template::{self, TemplateSettings};
use hivematrix_gateway::config::{self, Config, Origin, Service, Tls, Upstream};
use hivematrix_gateway::{Running, StartError};
use hivematrix_platform::{
    Access, Minter, RedisSettings, RedisStore, SealingKeys, ServiceName, SigningKey, StaticKeys, Store,
    Verifier, http_client,
};
use hivematrix_plugins::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::parts::{PEOPLE, Part};
use super::{Services, Stack};
use crate::backend::Backend;
use crate::logs::Logs;
use crate::ports::free_port;
use crate::redis::Redis;
use crate::relay::Relay;
use crate::tls::Certificate;

/// Core's issuer.
const ISSUER: &str = "hivematrix-core";
/// The gateway's secret at the provider.
const CLIENT_SECRET: &str = "client-secret-of-the-harness";
/// The gateway's secret at Core.
const CORE_SECRET: &str = "core-secret-of-the-harness";

type Change = Box<dyn FnOnce(&mut Config)>;

/// What a case wants otherwise.
#[derive(Default)]
pub struct Builder {
    changes: Vec<Change>,
    tls: bool,
    lifetimes: Option<Lifetimes>,
    plugins: Option<Registry>,
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
        let port = free_port();
        let certificate = self.tls.then(Certificate::for_localhost);
        let scheme = if self.tls { "https" } else { "http" };
        let origin = Url::parse(&format!("{scheme}://localhost:{port}/")).expect("a URL");
        let minter = Arc::new(Minter::new(signing_key(), ISSUER));
        let sealing = SealingKeys::fresh_base64();
        let mut services = Services::default();

        let (echo, second, beacon) = tokio::join!(Backend::start(), Backend::start(), Backend::start());
        let provider = services.serve(provider(&origin, self.lifetimes)).await;
        let store = redis_store(([127, 0, 0, 1], redis.port()).into()).await;
        let core = services.serve(core(store, &minter, provider)).await;
        let codex = services.serve(codex(&minter).await).await;
        let relays = vec![
            (
                Part::Redis,
                Relay::to(([127, 0, 0, 1], redis.port()).into()).await,
            ),
            (Part::Core, Relay::to(core).await),
            (Part::Provider, Relay::to(provider).await),
            (Part::Codex, Relay::to(codex).await),
            (Part::Echo, Relay::to(echo.address()).await),
        ];
        let at = |part: Part| {
            relays
                .iter()
                .find(|(other, _)| *other == part)
                .expect("a relay")
                .1
                .address()
        };
        let helm = services.serve(helm(&minter, codex)).await;
        let template = services
            .serve(template::router(TemplateSettings {
                auth: auth(&minter, "template"),
            }))
            .await;

        let mut config = base(port, &origin, at(Part::Provider), at(Part::Core), at(Part::Codex));
        let (to_echo, to_second) = (at(Part::Echo), second.address());
        config.services = vec![
            service("codex", at(Part::Codex)),
            Service {
                access: Access::admin_only(),
                ..service("helm", helm)
            },
            service("template", template),
            service("echo", to_echo),
            Service {
                prefix: "/echo/deep".to_owned(),
                ..service("deep", to_second)
            },
            service("second", to_second),
            Service {
                access: Access::admin_only(),
                ..service("admins", to_second)
            },
            Service {
                access: Access::billing_or_admin_only(),
                ..service("money", to_second)
            },
            Service {
                visible: false,
                ..service("hidden", to_second)
            },
            public(service("beacon", beacon.address())),
            Service {
                plugins: Vec::new(),
                ..service("plain", to_echo)
            },
            service("core", core),
            service("nexus", to_second),
            service("keycloak", provider),
        ];
        for change in self.changes {
            change(&mut config);
        }
        let store = redis_store(at(Part::Redis)).await;
        if let Some(certificate) = &certificate {
            config.server.tls = Some(Tls {
                certificate: certificate.certificate(),
                key: certificate.key(),
            });
        }
        let plugins = self.plugins.unwrap_or_else(Registry::standard);
        let gateway = start_gateway(config.clone(), store, &sealing, plugins).await;
        Stack {
            echo,
            second,
            beacon,
            redis,
            logs,
            config,
            minter,
            relays,
            gateway,
            sealing,
            core,
            provider,
            certificate,
            origin,
            services,
            _subscriber: subscriber,
        }
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

/// A store that notices soon when its Redis is gone.
pub(super) async fn redis_store(address: SocketAddr) -> Arc<dyn Store> {
    let settings = RedisSettings {
        command_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(2),
        heartbeat: Duration::from_millis(200),
        ..RedisSettings::default()
    };
    let store = RedisStore::connect(&format!("redis://{address}/0"), settings).await;
    Arc::new(store.expect("Redis answers"))
}

/// One key for the whole process: making one takes longer than most cases.
fn signing_key() -> SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("hivematrix-signing-key-1").expect("an RSA key"))
        .clone()
}

/// The same key in PEM form.
pub(super) fn signing_key_pem() -> String {
    signing_key().to_pem().expose_secret().to_owned()
}

fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).expect("a service name")
}

fn service(service: &str, address: SocketAddr) -> Service {
    Service::new(
        name(service),
        Upstream::parse(&format!("http://{address}")).expect("an upstream"),
    )
}

/// The contract's public paths, and one by method.
fn public(mut service: Service) -> Service {
    use config::{PublicPath, PublicRule};
    let read = || vec![http::Method::GET, http::Method::HEAD];
    let exact = |path: &str| PublicRule {
        path: PublicPath::Exact(path.to_owned()),
        methods: read(),
    };
    let prefix = |path: &str| PublicRule {
        path: PublicPath::Prefix(path.to_owned()),
        methods: read(),
    };
    service.public = vec![
        prefix("/display/"),
        exact("/display"),
        prefix("/api/tickets/"),
        prefix("/static/"),
        exact("/health"),
        PublicRule {
            path: PublicPath::Exact("/hook".to_owned()),
            methods: vec![http::Method::POST],
        },
    ];
    service
}

fn auth(minter: &Minter, service: &str) -> Auth {
    let keys = StaticKeys::new(&minter.jwks());
    Auth::new(
        Arc::new(Verifier::new(Arc::new(keys), minter.issuer())),
        name(service),
    )
}

fn http(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a URL")
}

fn provider(origin: &Url, lifetimes: Option<Lifetimes>) -> axum::Router {
    let origin = origin.origin().ascii_serialization();
    let settings = IdpSettings {
        key: SigningKey::from_pem("idp-key", &signing_key_pem()).expect("a key"),
        public_base: vec![Url::parse(&format!("{origin}/keycloak")).expect("a URL")],
        users: PEOPLE
            .iter()
            .map(|person| DevUser {
                username: person.name.to_owned(),
                password: person.name.into(),
                name: person.full_name.to_owned(),
                email: person.email(),
                groups: vec![person.group.to_owned()],
            })
            .collect(),
        clients: vec![DevClient {
            id: "core-client".to_owned(),
            secret: CLIENT_SECRET.into(),
            redirect_uris: vec![format!("{origin}/keycloak-callback")],
            post_logout_redirect_uris: vec![format!("{origin}/"), origin.clone()],
        }],
        lifetimes: lifetimes.unwrap_or_default(),
        notice: None,
    };
    idp::router(settings).expect("an identity provider")
}

fn core(store: Arc<dyn Store>, minter: &Arc<Minter>, provider: SocketAddr) -> axum::Router {
    let userinfo = format!("http://{provider}/realms/hivematrix/protocol/openid-connect/userinfo");
    core::router(CoreSettings {
        store,
        minter: minter.clone(),
        userinfo_url: Url::parse(&userinfo).expect("a URL"),
        client_id: "core-client".to_owned(),
        secrets: HashMap::from([(name("nexus"), CORE_SECRET.into())]),
        legacy_callers: Vec::new(),
        known_services: ["nexus", "codex", "helm", "template"].map(name).to_vec(),
        http: http_client::internal().expect("an HTTP client"),
    })
}

async fn codex(minter: &Minter) -> axum::Router {
    let settings = CodexSettings {
        database: "sqlite::memory:".to_owned(),
        auth: auth(minter, "codex"),
        demo_data: true,
        home_pages: Vec::new(),
    };
    codex::router(settings).await.expect("Codex")
}

fn helm(minter: &Minter, codex: SocketAddr) -> axum::Router {
    helm::router(HelmSettings {
        auth: auth(minter, "helm"),
        services: vec![Watched {
            name: name("codex"),
            url: http(codex),
            visible: true,
        }],
        http: http_client::internal().expect("an HTTP client"),
        probe_timeout: HelmSettings::PROBE_TIMEOUT,
        log_lines: HelmSettings::LOG_LINES,
    })
}

/// Short times, so that a case about one does not take long; nothing here is near what a healthy part needs.
fn base(port: u16, origin: &Url, provider: SocketAddr, core: SocketAddr, codex: SocketAddr) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let public = Origin::parse(&origin.origin().ascii_serialization()).expect("an origin");
    let provider = config::Provider::new(http(provider), CLIENT_SECRET.into());
    let core = config::Core {
        secret: Some(CORE_SECRET.into()),
        timeout: Duration::from_secs(1),
        ..config::Core::new(http(core))
    };
    let mut config = Config::minimal(listen, public, provider, core);
    config.admin.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.server.grace = Duration::from_millis(500);
    config.codex = Some(config::Codex {
        timeout: Duration::from_secs(1),
        ..config::Codex::new(http(codex))
    });
    config
}
