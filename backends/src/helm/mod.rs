//! Helm: operations. Which services there are, how they are, and what they have logged.
//!
//! Responsible for: asking every service of the registry for its health, from this side of the gateway; collecting the
//! services' log lines in memory. Not responsible for: starting and stopping services (a process manager's work), and
//! for keeping logs beyond its own life.
//!
//! For administrators only. The gateway's door says the same, but Helm does not rely on it.

mod logs;
mod probe;
mod services;
mod views;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, State},
    routing::{get, post},
};
use hivematrix_platform::{Access, ServiceName};
use url::Url;

use self::{logs::Ring, probe::Probe};
use crate::kit::{Auth, Health, Status};

/// Largest batch of log lines, in bytes of JSON: 8 MiB.
const LARGEST_BATCH: usize = 8 * 1024 * 1024;

/// What Helm needs to run.
#[derive(Debug)]
pub struct HelmSettings {
    /// How callers are known; its service name is `helm`.
    pub auth: Auth,
    /// The services to watch, in the order in which they are shown.
    pub services: Vec<Watched>,
    /// For asking services how they are. Must not follow redirects and must ignore proxies of the environment
    /// (`hivematrix_platform::http_client::internal`).
    pub http: reqwest::Client,
    /// How long one service may take to say how it is. 2 s is a good value ([`HelmSettings::PROBE_TIMEOUT`]).
    pub probe_timeout: Duration,
    /// How many log lines are kept; older ones make room ([`HelmSettings::LOG_LINES`]). Their texts together never
    /// take more than [`HelmSettings::LOG_BYTES`].
    pub log_lines: NonZeroUsize,
}

impl HelmSettings {
    /// How long a service may take to say how it is, unless there is a reason for another value: 2 s.
    pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
    /// How many log lines are kept, unless there is a reason for another number: 20 000.
    pub const LOG_LINES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19_999);
    /// The most memory that the texts of log lines take, in bytes: 32 MiB.
    pub const LOG_BYTES: usize = 32 * 1024 * 1024;
}

/// A service that Helm watches, as the registry names it (platform README §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: ServiceName,
    /// Where it listens. `health` below it is asked.
    pub url: Url,
    /// Whether the menu shows it.
    pub visible: bool,
}

/// What every handler of Helm can reach.
#[derive(Clone)]
struct Helm {
    auth: Auth,
    services: Arc<[Watched]>,
    probe: Arc<Probe>,
    logs: Arc<Ring>,
}

impl FromRef<Helm> for Auth {
    fn from_ref(helm: &Helm) -> Self {
        helm.auth.clone()
    }
}

/// The service.
pub fn router(settings: HelmSettings) -> Router {
    let services: Arc<[Watched]> = settings.services.into();
    let helm = Helm {
        auth: settings.auth,
        probe: Arc::new(Probe::new(
            settings.http,
            settings.probe_timeout,
            Arc::clone(&services),
        )),
        logs: Arc::new(Ring::new(settings.log_lines, HelmSettings::LOG_BYTES)),
        services,
    };
    let for_administrators = Router::new()
        .route("/", get(services::page))
        .route("/logs", get(logs::page))
        .route("/api/services", get(services::list))
        .route("/api/services/status", get(services::all))
        .route("/api/services/{name}/status", get(services::one))
        .route("/api/dashboard/status", get(services::dashboard))
        .route("/api/logs", get(logs::find));
    let ingest = Router::new()
        .route("/api/logs/ingest", post(logs::ingest))
        .layer(DefaultBodyLimit::max(LARGEST_BATCH));
    helm.auth
        .guard(for_administrators, Access::admin_only())
        .merge(ingest)
        .route("/health", get(health))
        .with_state(helm)
}

/// Says how Helm itself is. That another service is down does not make Helm unhealthy: showing it is Helm's work.
async fn health(State(helm): State<Helm>) -> Health {
    let lines = helm.logs.len();
    Health::new(helm.auth.service().as_str()).finding(
        "logs",
        Status::Healthy,
        format!("{lines} lines are kept"),
    )
}
