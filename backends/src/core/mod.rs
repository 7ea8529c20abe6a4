//! Core: the platform's authentication service (platform README §5).
//!
//! Responsible for: sessions (exchange, renew, validate, revoke), user and service tokens, the keys that verify them.
//! Not responsible for: passwords and groups (the identity provider), browsers and cookies (the gateway). There
//! is no login and no logout page here, and no token is ever read from a URL.

mod answer;
mod endpoints;
mod keys;
mod presented;
mod provider;
mod renewal;
mod ring;
mod service_token;
mod session;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hivematrix_platform::{ServiceName, Sessions, Store};
use http::header::CACHE_CONTROL;
use secrecy::SecretString;

pub use endpoints::ProviderAt;

use crate::kit::Health;
pub use keys::Keys;
use provider::Provider;
pub use ring::{RingFailure, RingPlace, follow};

/// How much of a request's body Core reads, in bytes: tokens are at most a few KiB.
const BODY_LIMIT: usize = 64 * 1024;

/// What Core needs.
pub struct CoreSettings {
    /// Where sessions are kept; shared with the gateway, and with a Python Core if there is one.
    pub store: Arc<dyn Store>,
    /// What signs tokens and verifies them. The issuer is the only one that is accepted; all published keys verify, so that
    /// a key can be changed without ending a session. Exchanged while Core runs by [`follow`].
    pub keys: Arc<Keys>,
    /// Where the identity provider is, on the back channel.
    pub provider: ProviderAt,
    /// Our client at the identity provider: access tokens must have been issued to it (`azp`) or for it (`aud`).
    pub client_id: String,
    /// The secret by which each service proves itself when it asks for a service token. Empty ones prove nothing.
    pub secrets: HashMap<ServiceName, SecretString>,
    /// Services that get service tokens without proof: from this machine, not through a proxy, and logged.
    /// Empty unless old services must be carried along.
    pub legacy_callers: Vec<ServiceName>,
    /// The services that may call and be called.
    pub known_services: Vec<ServiceName>,
    /// For the identity provider. Must not follow redirects (a token must not be sent elsewhere).
    pub http: reqwest::Client,
}

impl std::fmt::Debug for CoreSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CoreSettings")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// What handlers share. Nothing in here changes after start but the keys, whole: no error can break it for good.
struct Core {
    store: Arc<dyn Store>,
    sessions: Sessions,
    keys: Arc<Keys>,
    provider: Provider,
    callers: service_token::Callers,
}

/// Core's endpoints, to be served on loopback.
pub fn router(settings: CoreSettings) -> Router {
    let core = Core {
        sessions: Sessions::new(Arc::clone(&settings.store)),
        store: settings.store,
        keys: settings.keys,
        provider: Provider::new(settings.http, settings.provider, settings.client_id),
        callers: service_token::Callers {
            secrets: settings.secrets,
            legacy: settings.legacy_callers.into_iter().collect::<HashSet<_>>(),
            known: settings.known_services.into_iter().collect::<HashSet<_>>(),
        },
    };
    Router::new()
        .route("/api/token/exchange", post(session::exchange))
        .route("/api/token/renew", post(renewal::renew))
        .route("/api/token/validate", post(session::validate))
        .route("/api/token/revoke", post(session::revoke))
        .route("/service-token", post(service_token::issue))
        .route("/.well-known/jwks.json", get(jwks_json))
        .route("/health", get(health))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(core))
}

async fn jwks_json(State(core): State<Arc<Core>>) -> Response {
    ([(CACHE_CONTROL, "no-cache")], Json(&core.keys.now().jwks)).into_response()
}

async fn health(State(core): State<Arc<Core>>) -> Health {
    Health::new("core").check("sessions", core.store.ping().await)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
