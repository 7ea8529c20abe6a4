//! Starts all parts of the platform in this process, wired to each other, and stops them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hivematrix_backends::{codex, core, helm, idp, kit, template};
use hivematrix_gateway::config::{self, Config, Origin, Provider, Service, Upstream};
use hivematrix_gateway::{Builder, Running};
use hivematrix_platform::{
    Access, MemoryStore, Minter, RedisSettings, RedisStore, ServiceName, SigningKey, Store,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::plan::{Plan, random};
use crate::commands::codex::file_url;
use crate::commands::core::{fresh_key, userinfo};
use crate::commands::idp::NOTICE;
use crate::failure::Failure;
use crate::parts;

/// The issuer of Core's tokens (platform README §3).
const ISSUER: &str = "hivematrix-core";
/// The gateway's client at the identity provider (platform README §2).
const CLIENT_ID: &str = "core-client";
/// Codex's service account there, for asking who there is.
const CODEX_ACCOUNT: &str = "codex";
/// The realm (platform README §11).
const REALM: &str = "hivematrix";
/// Characters of the secrets that the parts share.
const SECRET_LENGTH: usize = 43;
/// How long requests under way may take to end: nobody waits for a demo.
const GRACE: Duration = Duration::from_millis(200);

/// The platform, running.
pub(crate) struct Platform {
    gateway: Running,
    core: SocketAddr,
    backends: JoinSet<Failure>,
    stop: CancellationToken,
}

/// Listeners of the backends, so that everybody's address is known before anybody starts.
struct Sockets {
    core: Socket,
    codex: Socket,
    template: Socket,
    helm: Socket,
    idp: Socket,
}

struct Socket {
    listener: TcpListener,
    url: Url,
}

/// Secrets that the parts share, new at every start.
struct Secrets {
    client: SecretString,
    gateway: SecretString,
    template: SecretString,
    codex: SecretString,
}

impl Platform {
    /// Starts everything. The gateway answers soon after.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn start(plan: &Plan) -> Result<Self, Failure> {
        let sockets = Sockets::bind(plan.core).await?;
        let store = store(plan.redis.as_ref()).await?;
        let secrets = Secrets {
            client: random(SECRET_LENGTH).into(),
            gateway: random(SECRET_LENGTH).into(),
            template: random(SECRET_LENGTH).into(),
            codex: random(SECRET_LENGTH).into(),
        };
        let config = gateway(plan, &sockets, &secrets)?;
        let routers = [
            core_router(plan, &sockets, &secrets, store.clone())?,
            codex_router(plan, &sockets, &secrets).await?,
            template_router(&sockets, &secrets)?,
            helm_router(plan, &sockets)?,
            idp_router(plan, secrets)?,
        ];
        let core = sockets
            .core
            .listener
            .local_addr()
            .map_err(|error| Failure::outside("Core", error))?;
        let stop = CancellationToken::new();
        let mut backends = JoinSet::new();
        for (listener, router) in sockets.into_listeners().into_iter().zip(routers) {
            backends.spawn(serve(listener, router, stop.clone()));
        }
        let listener = plan.listener.try_clone();
        let listener = listener.map_err(|error| Failure::outside(plan.listen, error))?;
        let gateway = Builder::new(config)
            .store(store)
            .listener(listener)
            .start()
            .await?;
        Ok(Self {
            gateway,
            core,
            backends,
            stop,
        })
    }

    /// Where metrics and health in detail are.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.gateway.admin()
    }

    /// Where Core is.
    pub(crate) fn core(&self) -> SocketAddr {
        self.core
    }

    /// Waits until a part ends that should not.
    pub(crate) async fn failure(&mut self) -> Failure {
        let gateway = self.gateway.stop_token();
        let backend = tokio::select! {
            () = gateway.cancelled() => return Failure::Outside("the gateway has ended".to_owned()),
            backend = self.backends.join_next() => backend,
        };
        match backend {
            Some(Ok(failure)) => failure,
            Some(Err(panic)) => Failure::outside("a backend broke down", panic),
            None => Failure::Outside("the backends have ended".to_owned()),
        }
    }

    /// Stops everything, the gateway first: with it go the connections to the backends.
    pub(crate) async fn stop(mut self) {
        if let Err(error) = self.gateway.stop().await {
            tracing::warn!(%error, "the gateway did not end well");
        }
        self.stop.cancel();
        while self.backends.join_next().await.is_some() {}
    }
}

impl Sockets {
    async fn bind(core: SocketAddr) -> Result<Self, Failure> {
        let socket = async |address| {
            let (listener, address) = parts::bind(address).await?;
            let url = Url::parse(&format!("http://{address}"));
            Ok::<_, Failure>(Socket {
                listener,
                url: url.map_err(|error| Failure::outside(address, error))?,
            })
        };
        Ok(Self {
            core: socket(core).await?,
            codex: socket(parts::ANY_PORT).await?,
            template: socket(parts::ANY_PORT).await?,
            helm: socket(parts::ANY_PORT).await?,
            idp: socket(parts::ANY_PORT).await?,
        })
    }

    /// In the order in which `start` makes the routers.
    fn into_listeners(self) -> [TcpListener; 5] {
        [self.core, self.codex, self.template, self.helm, self.idp].map(|socket| socket.listener)
    }

    /// The services for people, in the order of the menu.
    fn services(&self) -> [(&'static str, &Url, Access); 3] {
        [
            ("codex", &self.codex.url, Access::AnyUser),
            ("template", &self.template.url, Access::AnyUser),
            ("helm", &self.helm.url, Access::admin_only()),
        ]
    }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> Failure {
    match kit::serve(listener, router, stop).await {
        Ok(()) => Failure::Outside("a backend has ended".to_owned()),
        Err(error) => Failure::outside("a backend failed", error),
    }
}

async fn store(redis: Option<&SecretString>) -> Result<Arc<dyn Store>, Failure> {
    let Some(url) = redis else {
        return Ok(Arc::new(MemoryStore::default()));
    };
    // Not lazily: who names a Redis wants to know at once that it does not answer.
    let store = RedisStore::connect(url.expose_secret(), RedisSettings::default()).await;
    Ok(Arc::new(
        store.map_err(|error| Failure::outside("--redis", error))?,
    ))
}

fn auth(service: &str, sockets: &Sockets) -> Result<kit::Auth, Failure> {
    parts::auth(service, &sockets.core.url, ISSUER)
}

fn core_router(
    plan: &Plan,
    sockets: &Sockets,
    secrets: &Secrets,
    store: Arc<dyn Store>,
) -> Result<Router, Failure> {
    let mut known_services = names(&["nexus", "core", "codex", "template", "helm"])?;
    known_services.extend(plan.services.iter().map(|service| service.name.clone()));
    let settings = core::CoreSettings {
        store,
        keys: core::Keys::new(Minter::new(fresh_key()?, ISSUER)),
        provider: userinfo(&sockets.idp.url, REALM)?.into(),
        client_id: CLIENT_ID.to_owned(),
        secrets: HashMap::from([
            (parts::name("nexus")?, secrets.gateway.clone()),
            (parts::name("template")?, secrets.template.clone()),
        ]),
        legacy_callers: Vec::new(),
        known_services,
        http: parts::client()?,
    };
    Ok(core::router(settings))
}

fn template_router(sockets: &Sockets, secrets: &Secrets) -> Result<Router, Failure> {
    let known = [("codex", sockets.codex.url.clone())];
    let secret = Some(secrets.template.clone());
    let services = parts::services("template", &sockets.core.url, secret, known)?;
    Ok(template::router(template::TemplateSettings {
        auth: auth("template", sockets)?,
        services: Some(services),
    }))
}

async fn codex_router(plan: &Plan, sockets: &Sockets, secrets: &Secrets) -> Result<Router, Failure> {
    let (folder, _) = plan.data();
    let file = folder.join("codex.db");
    let mut home_pages = names(&["codex", "template", "helm"])?;
    home_pages.extend(plan.services.iter().map(|service| service.name.clone()));
    let settings = codex::CodexSettings {
        demo_data: plan.demo_data,
        home_pages,
        directory: Some(codex::DirectorySettings {
            base: sockets.idp.url.clone(),
            realm: REALM.to_owned(),
            credential: codex::DirectoryCredential::ServiceAccount {
                id: CODEX_ACCOUNT.to_owned(),
                secret: secrets.codex.clone(),
            },
            http: parts::client()?,
        }),
        ..codex::CodexSettings::new(file_url(&file), auth("codex", sockets)?)
    };
    codex::router(settings)
        .await
        .map_err(|error| Failure::outside(file.display(), error))
}

fn helm_router(plan: &Plan, sockets: &Sockets) -> Result<Router, Failure> {
    let watched = |(name, url): (&str, &Url)| {
        Ok::<_, Failure>(helm::Watched {
            name: parts::name(name)?,
            url: url.clone(),
            visible: name != "core",
        })
    };
    let all = [("core", &sockets.core.url)].into_iter();
    let all = all.chain(sockets.services().into_iter().map(|(name, url, _)| (name, url)));
    let all = all.chain(
        plan.services
            .iter()
            .map(|service| (service.name.as_str(), &service.url)),
    );
    Ok(helm::router(helm::HelmSettings {
        auth: auth("helm", sockets)?,
        services: all.map(watched).collect::<Result<_, _>>()?,
        http: parts::client()?,
        probe_timeout: helm::HelmSettings::PROBE_TIMEOUT,
        log_lines: helm::HelmSettings::LOG_LINES,
    }))
}

fn idp_router(plan: &Plan, secrets: Secrets) -> Result<Router, Failure> {
    let origins: Vec<String> = plan.origins.iter().map(Origin::to_string).collect();
    let key = SigningKey::generate("demo").map_err(|error| Failure::outside("the provider's key", error))?;
    let settings = idp::IdpSettings {
        key,
        public_base: parts::provider_addresses(&origins)?,
        users: plan
            .people
            .iter()
            .map(|(person, password)| person.with_password(password))
            .collect(),
        clients: vec![parts::gateway_client(
            CLIENT_ID,
            secrets.client,
            &origins,
            origins.first(),
        )],
        service_accounts: vec![idp::DevServiceAccount {
            id: CODEX_ACCOUNT.to_owned(),
            secret: secrets.codex,
        }],
        lifetimes: idp::Lifetimes::default(),
        notice: plan.passwords_are_names().then(|| NOTICE.to_owned()),
        trusted: plan.certificate().map(str::to_owned),
    };
    idp::router(settings).map_err(|error| Failure::outside("the identity provider", error))
}

fn gateway(plan: &Plan, sockets: &Sockets, secrets: &Secrets) -> Result<Config, Failure> {
    let [first, others @ ..] = plan.origins.as_slice() else {
        return Err(Failure::Usage("the demo needs a name".to_owned()));
    };
    let provider = Provider::new(sockets.idp.url.clone(), secrets.client.clone());
    let core = config::Core {
        secret: Some(secrets.gateway.clone()),
        ..config::Core::new(sockets.core.url.clone())
    };
    let mut config = Config::minimal(plan.listen, first.clone(), provider, core);
    config.server.public_origins.extend_from_slice(others);
    config.server.grace = GRACE;
    config.server.tls = plan.tls.as_ref().map(|tls| config::Tls {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
    });
    config.admin.listen = Some(parts::ANY_PORT);
    config.codex = Some(config::Codex::new(sockets.codex.url.clone()));
    "codex".clone_into(&mut config.home.default_service);
    for (name, url, access) in sockets.services() {
        let upstream = Upstream::try_from(url.clone()).map_err(|error| Failure::outside(url, error))?;
        let service = Service::new(parts::name(name)?, upstream);
        config = config.with_service(Service { access, ..service });
    }
    for own in &plan.services {
        let url = own.url.clone();
        let upstream = Upstream::try_from(url).map_err(|error| Failure::outside(&own.url, error))?;
        config = config.with_service(Service::new(own.name.clone(), upstream));
    }
    Ok(config)
}

fn names(names: &[&str]) -> Result<Vec<ServiceName>, Failure> {
    names.iter().map(|name| parts::name(name)).collect()
}
