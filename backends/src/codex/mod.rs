//! Codex: the companies that the provider looks after, their contacts and assets, the agents who look after them, and
//! each user's preferences.
//!
//! Responsible for: those data, in a database of its own (SQLite or PostgreSQL), as pages for people, as JSON for other
//! services and as CSV for spreadsheets; taking agents over from the identity provider and companies from another
//! system; it owns every user's theme and home page (platform README §8). Not responsible for: applying the theme (the
//! gateway does) and signing people in.
//!
//! Who sees and changes what is said in `viewer`; how it is set up in the `README.md` beside this file.

mod agents;
mod assets;
mod belongings;
mod companies;
mod contacts;
mod controls;
mod database;
mod demo;
mod exchange;
mod fields;
mod outside;
mod paging;
mod preferences;
mod pull;
mod refusal;
mod routes;
mod tables;
mod viewer;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRef, State},
    routing::get,
};
use hivematrix_platform::ServiceName;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::agents::{DirectoryCredential, DirectorySettings};
pub use self::database::DatabaseError;
pub use self::pull::PullSettings;
use crate::kit::{Auth, Health};

/// What Codex needs to run.
#[derive(Debug)]
pub struct CodexSettings {
    /// The database: `sqlite:path/to/codex.db` (created if it is not there), `sqlite::memory:` (gone with the program),
    /// or `postgres://user:password@host/database`.
    pub database: String,
    /// How long a statement may take before it is given up; 10 seconds by default. Whoever waits for it gets 503.
    pub statement_limit: Duration,
    /// How callers are known; its service name is `codex`.
    pub auth: Auth,
    /// Whether to fill an empty database with invented companies. One that holds companies is left alone.
    pub demo_data: bool,
    /// The services that people may choose as their home page. Empty: they may write any service's name.
    pub home_pages: Vec<ServiceName>,
    /// Where agents can be taken over from. `None`: they appear at their first visit only.
    pub directory: Option<DirectorySettings>,
    /// Where companies are taken over from, on a schedule.
    pub pull: Option<PullSettings>,
}

impl CodexSettings {
    /// Nothing but a database.
    #[must_use]
    pub fn new(database: impl Into<String>, auth: Auth) -> Self {
        Self {
            database: database.into(),
            statement_limit: Duration::from_secs(10),
            auth,
            demo_data: false,
            home_pages: Vec::new(),
            directory: None,
            pull: None,
        }
    }
}

/// What every handler of Codex can reach.
#[derive(Clone)]
struct Codex {
    auth: Auth,
    pool: database::Pool,
    home_pages: Arc<[ServiceName]>,
    directory: Option<Arc<DirectorySettings>>,
    puller: Option<Arc<pull::Puller>>,
    /// Ends the schedule with the router.
    _schedule: Arc<DropGuard>,
}

impl FromRef<Codex> for Auth {
    fn from_ref(codex: &Codex) -> Self {
        codex.auth.clone()
    }
}

/// Opens the database, brings it up to date, starts the schedule of the pull, and answers the service. The schedule ends
/// when the router is dropped.
///
/// # Errors
/// When the database cannot be opened, brought up to date, or filled with the demo's data.
pub async fn router(settings: CodexSettings) -> Result<Router, DatabaseError> {
    let pool = database::open(&settings.database, settings.statement_limit).await?;
    if settings.demo_data {
        demo::fill(&pool).await?;
    }
    let stop = CancellationToken::new();
    let puller = settings
        .pull
        .map(|pull| pull::begin(pull, pool.clone(), stop.clone()));
    let codex = Codex {
        auth: settings.auth,
        pool,
        home_pages: settings.home_pages.into(),
        directory: settings.directory.map(Arc::new),
        puller,
        _schedule: Arc::new(stop.drop_guard()),
    };
    Ok(Router::new()
        .merge(routes::pages(&codex.auth))
        .merge(routes::api(&codex.auth))
        .route("/health", get(health))
        .with_state(codex))
}

async fn health(State(codex): State<Codex>) -> Health {
    let asked = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM agents")
        .fetch_one(&codex.pool)
        .await;
    Health::new(codex.auth.service().as_str()).check("database", asked)
}
