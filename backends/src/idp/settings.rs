//! What the development identity provider is told at start.
//!
//! Responsible for: the settings and their checks. Not responsible for: where they come from.

use std::time::Duration;

use hivematrix_platform::SigningKey;
use secrecy::SecretString;
use url::Url;

/// A person who may sign in.
#[derive(Clone, Debug)]
pub struct DevUser {
    /// What is typed to sign in; compared without regard to case.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// The full name.
    pub name: String,
    /// The e-mail address; may be used in place of the username.
    pub email: String,
    /// Groups, without leading `/`: `admins`, `technicians`, `billing`, `client`.
    pub groups: Vec<String>,
}

/// A confidential client.
#[derive(Clone, Debug)]
pub struct DevClient {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: SecretString,
    /// Where codes may be sent; compared character by character.
    pub redirect_uris: Vec<String>,
    /// Where browsers may be sent after logout; compared character by character.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where the client is told over the back channel that a session has ended; none if it is not.
    pub backchannel_logout_uri: Option<Url>,
}

/// A program that may ask who there is, by the part of Keycloak's Admin API that is answered here (`directory`).
#[derive(Clone, Debug)]
pub struct DevServiceAccount {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: SecretString,
}

/// How long things live. Whole seconds count.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// An authorization code: 60 s.
    pub code: Duration,
    /// An access token, and an ID token: 5 min.
    pub access_token: Duration,
    /// A refresh token, if it is not used: 30 min. Never longer than the session.
    pub refresh_token: Duration,
    /// A browser's session at the provider: 10 h.
    pub session: Duration,
    /// How far the clock by which tokens are made is ahead, to see what applications say to that: nothing.
    pub clock_ahead: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: Duration::from_secs(60),
            access_token: Duration::from_secs(300),
            refresh_token: Duration::from_secs(1800),
            session: Duration::from_secs(36_000),
            clock_ahead: Duration::ZERO,
        }
    }
}

/// What the development identity provider needs.
#[derive(Debug)]
pub struct IdpSettings {
    /// Signs ID tokens and access tokens.
    pub key: SigningKey,
    /// The addresses under which browsers reach the provider, without trailing slash:
    /// `http://localhost:8000/keycloak`. The issuer is that plus `/realms/hivematrix`. The first is the one that
    /// back-channel callers are told.
    pub public_base: Vec<Url>,
    /// Who may sign in.
    pub users: Vec<DevUser>,
    /// Which applications may ask for sign-ins.
    pub clients: Vec<DevClient>,
    /// Which programs may ask who there is.
    pub service_accounts: Vec<DevServiceAccount>,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// A sentence for the login page: who can sign in with which password, for one.
    pub notice: Option<String>,
    /// A certificate, in PEM form, that applications may show when they are told of a logout; beside those of public
    /// authorities.
    pub trusted: Option<String>,
}

/// Settings that make no sense.
#[derive(Debug, thiserror::Error)]
pub enum IdpError {
    /// No public address.
    #[error("the identity provider needs at least one public address")]
    NoPublicBase,
    /// An address that is not absolute, or not HTTP, or has a fragment, or cannot be what it should be.
    #[error("not a usable address: {0}")]
    Address(String),
    /// A client, or a user, without secret: anybody could be it.
    #[error("{0} has an empty password or secret")]
    EmptySecret(String),
    /// Two users with one name or e-mail address.
    #[error("two users are called {0}")]
    DuplicateUser(String),
    /// Applications could not be told anything.
    #[error("no HTTP client: {0}")]
    HttpClient(String),
    /// The key cannot be used.
    #[error("the signing key cannot be used: {0}")]
    Key(String),
}
