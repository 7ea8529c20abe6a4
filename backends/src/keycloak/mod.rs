//! Makes an existing Keycloak ready for the platform over its Admin REST API, and says where it is not (platform
//! README §11; `config/keycloak.md`).
//!
//! Responsible for: the realm, the gateway's client with its mappers, the groups, the first administrator
//! ([`configure`]), and what is unsafe or has drifted ([`audit`]). What these do not name stays as it is: other
//! realms, other clients, other fields. Not responsible for: running Keycloak, its own settings (`hostname` and the
//! like), command lines and files of secrets (package `hivematrix`).

mod account;
mod admin;
mod audit;
mod configure;
mod field;
mod first_admin;
mod issuer;
mod object;
mod report;
mod wanted;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use admin::{Admin, AdminError, Login, Who};
pub use audit::{Audit, Finding, audit};
pub use configure::{client_secret, configure, plan};
pub use report::{Change, Difference, Report};

/// For one call: a small machine makes the keys of a new realm for a while.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Longest answer of Keycloak's that is read, in bytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// What the realm has to fit.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The platform's realm; never `master`.
    pub realm: String,
    /// The gateway's client there.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// The gateway's public origins, without a slash at the end: `https://host`.
    pub origins: Vec<String>,
    /// Where browsers find Keycloak: `https://host/keycloak` for each origin, or the one origin of its own.
    pub public_bases: Vec<Url>,
    /// Where Keycloak tells the gateway that a session has ended.
    pub back_channel_logout: Url,
    /// How long the gateway's sessions may last; a new realm's sessions last as long.
    pub session_lifetime: Duration,
    /// Whether the gateway looks, in people's own names, when their passwords were set; their tokens have to allow that.
    pub recheck_passwords: bool,
    /// Who is made an administrator of the platform where there is none.
    pub first_admin: FirstAdmin,
}

/// The first administrator of the platform; not of Keycloak.
#[derive(Clone, Debug)]
pub struct FirstAdmin {
    /// The name to sign in with.
    pub username: String,
    /// The address, if it is known already.
    pub email: Option<String>,
    /// Good for one login, at which it has to be changed.
    pub password: SecretString,
}

/// The client for calls to Keycloak and to the gateway's public origins: no proxy, no redirects (credentials must not
/// follow one), [`PATIENCE`] for a call. `ca` is a PEM bundle of authorities that are believed besides the public ones.
///
/// # Errors
/// If there is no TLS, or `ca` is no certificate.
pub fn http_client(ca: Option<&[u8]>) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(PATIENCE)
        .user_agent(concat!("hivematrix/", env!("CARGO_PKG_VERSION")));
    for certificate in ca.map_or_else(|| Ok(Vec::new()), reqwest::Certificate::from_pem_bundle)? {
        builder = builder.add_root_certificate(certificate);
    }
    builder.build()
}
