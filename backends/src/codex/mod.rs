//! Codex: the companies that the provider looks after, their contacts, and each user's preferences.
//!
//! Responsible for: those data, in a SQLite database of its own, as pages for people and as JSON for other services;
//! it owns every user's theme and home page (platform README §8). Not responsible for: applying the theme (the
//! gateway does) and signing people in.
//!
//! Any signed-in user may look at companies and change their own preferences; changing companies and contacts takes a
//! technician, billing or administrator. Services may do both.

mod agents;
mod companies;
mod contacts;
mod controls;
mod database;
mod demo;
mod fields;
mod preferences;
mod refusal;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRef, FromRequestParts, State},
    http::request::Parts,
    routing::{get, post, put},
};
use hivematrix_platform::{Access, PermissionLevel, ServiceName};
use sqlx::SqlitePool;

pub use self::database::DatabaseError;
use self::refusal::database_failed;
use crate::kit::{Auth, Health, Rejection, User};

/// What Codex needs to run.
#[derive(Debug)]
pub struct CodexSettings {
    /// The database: `sqlite:path/to/codex.db` (created if it is not there) or `sqlite::memory:` (gone with the
    /// program).
    pub database: String,
    /// How callers are known; its service name is `codex`.
    pub auth: Auth,
    /// Whether to fill an empty database with invented companies. One that holds companies is left alone.
    pub demo_data: bool,
    /// The services that people may choose as their home page. Empty: they may write any service's name.
    pub home_pages: Vec<ServiceName>,
}

/// What every handler of Codex can reach.
#[derive(Clone)]
struct Codex {
    auth: Auth,
    pool: SqlitePool,
    home_pages: Arc<[ServiceName]>,
}

impl FromRef<Codex> for Auth {
    fn from_ref(codex: &Codex) -> Self {
        codex.auth.clone()
    }
}

/// Opens the database, brings it up to date, and answers the service.
///
/// # Errors
/// When the database cannot be opened, brought up to date, or filled with the demo's data.
pub async fn router(settings: CodexSettings) -> Result<Router, DatabaseError> {
    let pool = database::open(&settings.database).await?;
    if settings.demo_data {
        demo::fill(&pool).await?;
    }
    let codex = Codex {
        auth: settings.auth,
        pool,
        home_pages: settings.home_pages.into(),
    };
    Ok(Router::new()
        .merge(pages(&codex.auth))
        .merge(api(&codex.auth))
        .route("/health", get(health))
        .with_state(codex))
}

fn pages(auth: &Auth) -> Router<Codex> {
    use companies::pages as company;
    use contacts::pages as contact;
    let reading = Router::new()
        .route("/", get(company::list))
        .route("/companies", get(company::list))
        .route("/companies/{id}", get(company::show))
        .route(
            "/settings",
            get(preferences::pages::show).post(preferences::pages::save),
        )
        .route("/settings.js", get(preferences::pages::script));
    let editing = Router::new()
        .route("/companies/new", get(company::new))
        .route("/companies", post(company::create))
        .route("/companies/{id}", post(company::update))
        .route("/companies/{id}/edit", get(company::edit))
        .route(
            "/companies/{id}/delete",
            get(company::ask_to_delete).post(company::delete),
        )
        .route("/companies/{id}/contacts/new", get(contact::new))
        .route("/companies/{id}/contacts", post(contact::create))
        .route("/companies/{id}/contacts/{contact}", post(contact::update))
        .route("/companies/{id}/contacts/{contact}/edit", get(contact::edit))
        .route(
            "/companies/{id}/contacts/{contact}/delete",
            get(contact::ask_to_delete).post(contact::delete),
        );
    auth.guard(reading, Access::AnyUser)
        .merge(auth.guard(editing, editors()))
}

fn api(auth: &Auth) -> Router<Codex> {
    use companies::api as company;
    use contacts::api as contact;
    let reading = Router::new()
        .route("/api/companies", get(company::list))
        .route("/api/companies/{id}", get(company::get))
        .route("/api/companies/{id}/contacts", get(contact::list))
        .route("/api/companies/{id}/contacts/{contact}", get(contact::get))
        .route(
            "/api/my/settings",
            get(preferences::api::mine).put(preferences::api::change_mine),
        )
        .route("/api/public/user/theme", get(preferences::api::theme_of))
        .route("/api/public/user/home-page", get(preferences::api::home_page_of));
    let editing = Router::new()
        .route("/api/companies", post(company::create))
        .route(
            "/api/companies/{id}",
            put(company::replace).delete(company::delete),
        )
        .route("/api/companies/{id}/contacts", post(contact::create))
        .route(
            "/api/companies/{id}/contacts/{contact}",
            put(contact::replace).delete(contact::delete),
        );
    auth.guard(reading, Access::AnyUser)
        .merge(auth.guard(editing, editors()))
}

/// Who may change companies and contacts.
fn editors() -> Access {
    let levels = [
        PermissionLevel::Technician,
        PermissionLevel::Billing,
        PermissionLevel::Admin,
    ];
    Access::Levels(levels.into_iter().collect())
}

async fn health(State(codex): State<Codex>) -> Health {
    let asked = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM agents")
        .fetch_one(&codex.pool)
        .await;
    Health::new(codex.auth.service().as_str()).check("database", asked)
}

/// The person on the other side of a page: who they are, and the agent that Codex remembers of them.
struct Visitor {
    /// Their claims.
    user: User,
    /// Their agent; nobody whose token has no e-mail address has one.
    agent: Option<agents::Agent>,
}

impl Visitor {
    /// Whether the page should offer to change things. Whether a change is allowed is decided by the routes.
    fn may_edit(&self) -> bool {
        editors().allows(self.user.level())
    }
}

impl FromRequestParts<Codex> for Visitor {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, codex: &Codex) -> Result<Self, Rejection> {
        let user = User::from_request_parts(parts, codex).await?;
        let agent = agents::visited(&codex.pool, &user.0.user)
            .await
            .map_err(database_failed)?;
        Ok(Self { user, agent })
    }
}
