//! The gateway as a whole: what lives as long as the process, put together from a configuration.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hivematrix_platform::{CodexClient, CoreClient, RemoteKeys, SealingKeys, ServiceName, Store, Verifier};
use hivematrix_plugins::{Counters, Registry, Tools};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::health::Health;
use crate::identity::{
    Directory, Handles, KeptForms, Login, Logout, Presence, ProviderLogout, Renewal, RenewalSettings,
    SessionView, ViewSettings,
};
use crate::metrics::Metrics;
use crate::phases::limit::Limiter;
use crate::preferences::CodexPreferences;
use crate::server::{self, Sockets, StartError, Workers};
use crate::snapshot::Snapshot;
use crate::tls::Certificates;
use crate::upstream::Addresses;
use crate::{secrets, store};

/// The name under which the gateway asks Core for service tokens (platform README §3).
const CALLER: &str = "nexus";

/// What lives as long as the process.
pub(crate) struct Gateway {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) view: Arc<SessionView>,
    pub(crate) login: Login,
    pub(crate) logout: Logout,
    pub(crate) provider_logout: ProviderLogout,
    pub(crate) renewal: Arc<Renewal>,
    pub(crate) directory: Directory,
    pub(crate) presence: Presence,
    pub(crate) handles: Handles,
    pub(crate) kept_forms: KeptForms,
    pub(crate) preferences: Arc<CodexPreferences>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limiter: Limiter,
    pub(crate) addresses: Addresses,
    pub(crate) health: Health,
    /// What the listener shows, if it speaks TLS.
    pub(crate) certificates: Option<Arc<Certificates>>,
    pub(crate) tools: Tools,
    registry: Registry,
}

impl Gateway {
    /// Takes over a new configuration for the requests to come, and what the certificate's files hold now.
    /// Listeners, threads and identity keep what they started with.
    ///
    /// # Errors
    /// Every problem of the plugins' settings, or of the certificate; the old version stays.
    pub(crate) fn reload(&self, config: Config) -> Result<(), String> {
        let config = Arc::new(config);
        let snapshot = Snapshot::build(config.clone(), &self.registry, &self.tools, &self.metrics)
            .map_err(|found| listed(&found))?;
        if let (Some(certificates), Some(tls)) = (&self.certificates, &config.server.tls) {
            certificates.renew(tls)?;
        }
        self.snapshot.store(Arc::new(snapshot));
        Ok(())
    }
}

/// Puts a gateway together.
pub struct Builder {
    config: Config,
    store: Option<Arc<dyn Store>>,
    sealing: Option<Arc<SealingKeys>>,
    registry: Registry,
    listener: Option<TcpListener>,
}

impl Builder {
    /// A gateway with this configuration and the standard plugins.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            store: None,
            sealing: None,
            registry: Registry::standard(),
            listener: None,
        }
    }

    /// Uses this session store instead of the configured one; Core must use the same.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Uses these sealing keys instead of the configured source.
    #[must_use]
    pub fn sealing_keys(mut self, keys: impl Into<Arc<SealingKeys>>) -> Self {
        self.sealing = Some(keys.into());
        self
    }

    /// Serves on this socket, which is bound already, in place of one of its own at `server.listen`.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Uses this list of plugin kinds.
    #[must_use]
    pub fn plugins(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Binds the sockets and serves: on the current Tokio runtime if that has one thread, else on as many threads as
    /// `server.threads` says, each with a runtime for itself. The current runtime then has the rest to do (the session
    /// store's feed, the admin listener).
    ///
    /// # Errors
    /// [`StartError`], each a sentence for an operator.
    pub async fn start(mut self) -> Result<Running, StartError> {
        let sockets = Sockets::bind(&self.config, self.listener.take())?;
        let (public, admin) = (sockets.public(), sockets.admin());
        let public = public.ok_or_else(|| StartError::Other("the listener has no address".into()))?;
        let workers = Workers::for_runtime(&Handle::current(), self.config.server.threads);
        let gateway = Arc::new(self.assemble().await?);
        let stop = CancellationToken::new();
        // Cancelled as well when the server ends by itself: whoever waits for the token hears of both.
        let ended = stop.clone().drop_guard();
        let serving = server::serve(gateway.clone(), sockets, workers, stop.clone());
        let task = tokio::spawn(async move {
            let _ended = ended;
            serving.await
        });
        Ok(Running {
            public,
            admin,
            gateway,
            stop,
            task,
        })
    }

    pub(crate) async fn assemble(self) -> Result<Gateway, StartError> {
        let Self {
            config,
            store,
            sealing,
            registry,
            listener: _,
        } = self;
        let store = match store {
            Some(store) => store,
            None => store::open(&config.sessions).await.map_err(StartError::Store)?,
        };
        let sealing = match sealing {
            Some(keys) => keys,
            None => Arc::new(secrets::sealing_keys(&config.sessions).map_err(StartError::Secrets)?),
        };
        let BackChannel {
            core,
            codex,
            verifier,
        } = BackChannel::open(&config)?;
        let preferences = Arc::new(CodexPreferences::new(codex));
        let metrics = Arc::new(Metrics::new().map_err(|error| StartError::Other(error.to_string()))?);
        let settings = ViewSettings {
            cache_entries: config.sessions.cache_entries,
            strict: config.sessions.strict,
        };
        let view = SessionView::new(store.clone(), verifier.clone(), sealing.clone(), settings);
        let tools = tools(&config, preferences.clone());
        let certificates = certificates(&config)?;
        let config = Arc::new(config);
        let snapshot = Snapshot::build(config.clone(), &registry, &tools, &metrics)
            .map_err(|problems| StartError::Plugins(listed(&problems)))?;
        let login = Login::new(
            &config,
            store.clone(),
            sealing.clone(),
            core.clone(),
            verifier,
            view.clone(),
        )
        .map_err(|error| StartError::Other(error.to_string()))?;
        let logout = Logout::new(&config, store.clone(), sealing.clone(), core, view.clone());
        let around = Around::open(&config, &store, &sealing, &view)?;
        Ok(Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            health: Health::new(store, view.clone()),
            view,
            renewal: login.renewal(renewal(&config)),
            provider_logout: login.provider_logout(&config.server.public_origins),
            login,
            logout,
            directory: around.directory,
            presence: around.presence,
            handles: around.handles,
            kept_forms: around.kept_forms,
            preferences,
            metrics,
            limiter: Limiter::new(),
            addresses: Addresses::default(),
            certificates,
            registry,
            tools,
        })
    }
}

fn certificates(config: &Config) -> Result<Option<Arc<Certificates>>, StartError> {
    let tls = config.server.tls.as_ref();
    tls.map(Certificates::load).transpose().map_err(StartError::Tls)
}

fn renewal(config: &Config) -> RenewalSettings {
    RenewalSettings {
        how: config.sessions.renewal,
        recheck_within: config.sessions.recheck_within,
        lifetime: config.sessions.lifetime,
    }
}

/// A gateway that serves.
pub struct Running {
    public: SocketAddr,
    admin: Option<SocketAddr>,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), StartError>>,
}

impl Running {
    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.public
    }

    /// Where metrics and health in detail are served, if anywhere.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Takes over a new configuration for the requests to come, and what the certificate's files hold now.
    ///
    /// # Errors
    /// Every problem, as one text; the old version stays.
    pub fn reload(&self, config: Config) -> Result<(), String> {
        self.gateway.reload(config)
    }

    /// A token that stops the gateway when it is cancelled; cancelled as well once the gateway has ended by itself
    /// ([`Running::wait`] then says why).
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops accepting, lets requests in flight end within the grace time, and returns.
    ///
    /// # Errors
    /// What ended the server early.
    pub async fn stop(self) -> Result<(), StartError> {
        self.stop.cancel();
        self.wait().await
    }

    /// Waits until the gateway has stopped.
    ///
    /// # Errors
    /// What ended the server early.
    pub async fn wait(self) -> Result<(), StartError> {
        self.task
            .await
            .unwrap_or_else(|error| Err(StartError::Other(error.to_string())))
    }
}

/// What there is around sessions: who has them, when they were used, and forms that came too late for them.
struct Around {
    directory: Directory,
    presence: Presence,
    handles: Handles,
    kept_forms: KeptForms,
}

impl Around {
    fn open(
        config: &Config,
        store: &Arc<dyn Store>,
        sealing: &Arc<SealingKeys>,
        view: &Arc<SessionView>,
    ) -> Result<Self, StartError> {
        let (store, sealing) = (|| store.clone(), || sealing.clone());
        let lifetime = config.sessions.lifetime;
        let directory = Directory::new(
            config.provider.clone(),
            store(),
            sealing(),
            view.clone(),
            lifetime,
        )
        .map_err(|error| StartError::Other(error.to_string()))?;
        Ok(Self {
            directory,
            presence: Presence::new(store(), sealing(), lifetime),
            handles: Handles::new(store(), sealing(), lifetime),
            kept_forms: KeptForms::new(store(), sealing()),
        })
    }
}

/// Whom the gateway itself asks.
struct BackChannel {
    core: Arc<CoreClient>,
    codex: Option<CodexClient>,
    verifier: Arc<Verifier>,
}

impl BackChannel {
    fn open(config: &Config) -> Result<Self, StartError> {
        let http = http_client(config)?;
        let caller = ServiceName::parse(CALLER).map_err(|error| StartError::Other(error.to_string()))?;
        let core = Arc::new(CoreClient::replicated(
            http.clone(),
            (config.core.url.clone(), config.core.other_urls.clone()),
            caller,
            config.core.secret.clone(),
            config.core.timeout,
        ));
        let keys = Arc::new(RemoteKeys::any_of(http.clone(), core.jwks_urls()));
        let verifier = Arc::new(Verifier::new(keys, config.core.issuer.clone()));
        let codex = config
            .codex
            .as_ref()
            .map(|codex| CodexClient::with_timeout(codex.timeout, http, codex.url.clone(), core.clone()));
        Ok(Self {
            core,
            codex,
            verifier,
        })
    }
}

/// What the gateway lends to plugins.
fn tools(config: &Config, preferences: Arc<CodexPreferences>) -> Tools {
    let default = Tools::default();
    Tools {
        preferences,
        counters: Arc::new(Counters::default()),
        rewrite_bytes: config.limits.rewrite_bytes,
        response_deadline: config
            .codex
            .as_ref()
            .map_or(default.response_deadline, |codex| codex.deadline),
    }
}

fn listed(problems: &[hivematrix_plugins::Invalid]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// The back channel to Core, Codex and the provider: no redirects, no proxy of the environment, limited.
fn http_client(config: &Config) -> Result<reqwest::Client, StartError> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(config.timeouts.connect)
        .timeout(config.core.timeout)
        .build()
        .map_err(|error| StartError::Other(format!("back channel: {error}")))
}
