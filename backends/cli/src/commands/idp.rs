//! `hivematrix idp`: the development identity provider alone.

use std::net::SocketAddr;

use hivematrix_backends::idp::{DevServiceAccount, IdpSettings, Lifetimes, router};
use hivematrix_gateway::config::Origin;
use hivematrix_platform::SigningKey;
use secrecy::{ExposeSecret as _, SecretString};

use crate::failure::Failure;
use crate::log::Form;
use crate::parts::{PEOPLE, gateway_client, provider_addresses, serve_alone};

/// Run the development identity provider alone. For development only: everybody's password is their name.
///
/// Users: admin, technician, billing, client.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// An origin of the gateway, behind which browsers reach this provider at /keycloak; repeatable. The first one that
    /// begins with http:// is told when somebody has signed out here: a certificate for development is trusted by nobody.
    #[arg(
        long = "origin",
        value_name = "ORIGIN",
        env = "NEXUS_SERVICE_URL",
        default_values = ["http://localhost:8000", "http://127.0.0.1:8000"]
    )]
    origins: Vec<Origin>,
    /// The gateway's client id.
    #[arg(
        long,
        value_name = "ID",
        env = "KEYCLOAK_CLIENT_ID",
        default_value = "core-client"
    )]
    client_id: String,
    /// The gateway's client secret; rather the variable than the argument, which everybody on the machine can see.
    #[arg(
        long,
        value_name = "SECRET",
        env = "KEYCLOAK_CLIENT_SECRET",
        hide_env_values = true
    )]
    client_secret: SecretString,
    /// A client id by which Codex may ask who there is; its secret comes by KEYCLOAK_ADMIN_CLIENT_SECRET.
    #[arg(
        long,
        value_name = "ID",
        env = "KEYCLOAK_ADMIN_CLIENT_ID",
        requires = "admin_client_secret"
    )]
    admin_client_id: Option<String>,
    #[arg(
        long,
        hide = true,
        env = "KEYCLOAK_ADMIN_CLIENT_SECRET",
        hide_env_values = true
    )]
    admin_client_secret: Option<SecretString>,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.client_secret.expose_secret().is_empty() {
            return Err(Failure::Usage("KEYCLOAK_CLIENT_SECRET is empty".to_owned()));
        }
        let origins: Vec<String> = self.origins.iter().map(ToString::to_string).collect();
        let told = origins.iter().find(|origin| origin.starts_with("http:"));
        let unaware = told.is_none();
        let key = SigningKey::generate("development")
            .map_err(|error| Failure::outside("the identity provider's key", error))?;
        let settings = IdpSettings {
            key,
            public_base: provider_addresses(&origins)?,
            users: PEOPLE
                .iter()
                .map(|person| person.with_password(person.username))
                .collect(),
            clients: vec![gateway_client(
                &self.client_id,
                self.client_secret,
                &origins,
                told,
            )],
            service_accounts: self
                .admin_client_id
                .zip(self.admin_client_secret)
                .map(|(id, secret)| DevServiceAccount { id, secret })
                .into_iter()
                .collect(),
            lifetimes: Lifetimes::default(),
            notice: Some(NOTICE.to_owned()),
            trusted: None,
        };
        serve_alone(self.listen, self.log, async || {
            if unaware {
                tracing::warn!(
                    "no --origin begins with http://, so the gateway is not told who signs out here, and finds out \
                     when it renews the session"
                );
            }
            router(settings).map_err(|error| Failure::Usage(error.to_string()))
        })
    }
}

/// What the login page says where passwords are names.
pub(crate) const NOTICE: &str =
    "For development: sign in as admin, technician, billing or client. The password is the name.";
