//! The development identity provider: an OpenID provider with Keycloak's paths, for one machine.
//!
//! Responsible for: signing in with a password, the authorization code flow with PKCE, refresh, userinfo, logout (by
//! the browser, and over the back channel), keys, as much of an administrator as it takes to try those (`admin`), and
//! who there is (`directory`), under the paths and with the claims of a Keycloak realm called `hivematrix` (platform
//! README §11), so that the gateway, Core and Codex need not know which of the two they talk to. Not responsible for:
//! production. Users come from settings, everything is kept in memory, and only callers on this machine are answered.

mod account;
mod address;
mod admin;
mod authorize;
mod backchannel;
mod directory;
mod discovery;
mod expiring;
mod forms;
mod login;
mod logout;
mod pages;
mod people;
mod random;
mod settings;
mod throttle;
mod token;
mod tokens;
mod userinfo;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use hivematrix_platform::http_client;
use secrecy::ExposeSecret as _;
use url::Url;

use crate::kit::{Health, Rejection};
pub use settings::{DevClient, DevServiceAccount, DevUser, IdpError, IdpSettings, Lifetimes};

/// How much of a request's body is read, in bytes: forms.
const BODY_LIMIT: usize = 64 * 1024;

/// Codes, and refresh tokens, that exist at the same time.
const GRANTS: usize = 10_000;

/// What handlers share.
struct Idp {
    bases: address::Bases,
    people: people::People,
    clients: HashMap<String, DevClient>,
    lifetimes: Lifetimes,
    notice: Option<String>,
    keys: tokens::Keys,
    sessions: login::Sessions,
    codes: expiring::Expiring<random::Digest, authorize::Code>,
    refresh_tokens: expiring::Expiring<random::Digest, token::Grant>,
    service_accounts: HashMap<String, DevServiceAccount>,
    service_tokens: expiring::Expiring<random::Digest, ()>,
    throttle: throttle::Throttle,
    /// For telling applications. Follows no redirects.
    http: reqwest::Client,
}

/// The provider's endpoints, to be served on loopback behind the gateway.
///
/// # Errors
/// If the settings make no sense.
pub fn router(settings: IdpSettings) -> Result<Router, IdpError> {
    let idp = Idp {
        bases: address::Bases::new(&settings.public_base)?,
        people: people::People::new(settings.users)?,
        clients: settings
            .clients
            .into_iter()
            .map(checked)
            .collect::<Result<_, _>>()?,
        lifetimes: settings.lifetimes,
        notice: settings.notice,
        keys: tokens::Keys::new(&settings.key)?,
        sessions: login::Sessions::new(),
        codes: expiring::Expiring::new(GRANTS),
        refresh_tokens: expiring::Expiring::new(GRANTS),
        service_accounts: settings
            .service_accounts
            .into_iter()
            .map(checked_account)
            .collect::<Result<_, _>>()?,
        service_tokens: expiring::Expiring::new(GRANTS),
        throttle: throttle::Throttle::new(),
        http: match &settings.trusted {
            Some(pem) => http_client::trusting(pem),
            None => http_client::internal(),
        }
        .map_err(|error| IdpError::HttpClient(error.to_string()))?,
    };
    let protocol = Router::new()
        .route("/auth", get(authorize::authorize))
        .route("/token", post(token::token))
        .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .route("/logout", get(logout::asked).post(logout::posted))
        .route("/logout/logout-confirm", post(logout::confirmed))
        .route("/certs", get(discovery::certs));
    let realm = Router::new()
        .nest("/protocol/openid-connect", protocol)
        .route("/login-actions/authenticate", post(login::authenticate))
        .route("/account/credentials", get(account::credentials))
        .route("/.well-known/openid-configuration", get(discovery::configuration));
    let admin = Router::new()
        .route("/users/{sub}", put(admin::change))
        .route("/users/{sub}/logout", post(admin::sign_out))
        .route("/users/{sub}/reset-password", put(admin::reset_password))
        .route("/sessions/{sid}", delete(admin::end));
    let router = Router::new()
        .nest(address::REALM, realm)
        .nest("/admin/realms/hivematrix", admin.merge(directory::router()))
        .route("/health", get(async || Health::new("idp")))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(from_this_machine));
    Ok(router.with_state(Arc::new(idp)))
}

fn checked(client: DevClient) -> Result<(String, DevClient), IdpError> {
    if client.secret.expose_secret().is_empty() {
        return Err(IdpError::EmptySecret(format!("client {}", client.id)));
    }
    for address in client
        .redirect_uris
        .iter()
        .chain(&client.post_logout_redirect_uris)
        .map(String::as_str)
        .chain(client.backchannel_logout_uri.as_ref().map(Url::as_str))
    {
        let usable = Url::parse(address)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
        if !usable {
            return Err(IdpError::Address(address.to_owned()));
        }
    }
    Ok((client.id.clone(), client))
}

fn checked_account(account: DevServiceAccount) -> Result<(String, DevServiceAccount), IdpError> {
    if account.secret.expose_secret().is_empty() {
        return Err(IdpError::EmptySecret(format!("service account {}", account.id)));
    }
    Ok((account.id.clone(), account))
}

/// Refuses callers from elsewhere, whatever listener somebody may have put this behind.
async fn from_this_machine(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if peer.is_some_and(|ConnectInfo(peer)| peer.ip().is_loopback()) {
        next.run(request).await
    } else {
        Rejection::forbidden("The development identity provider answers this machine only.").into_response()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
