//! `hivematrix codex`: the Codex service alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hivematrix_backends::codex::{
    CodexSettings, DirectoryCredential, DirectorySettings, PullSettings, router,
};
use secrecy::SecretString;
use url::Url;

use crate::failure::Failure;
use crate::log::Form;
use crate::parts::{ReceiverArgs, client, name, serve_alone};

/// Run Codex alone: companies, contacts, assets, agents, and each user's theme and home page.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5010")]
    listen: SocketAddr,
    #[command(flatten)]
    receiver: ReceiverArgs,
    /// The database: a file for SQLite, created if it is not there, or postgres://USER:PASSWORD@HOST/DATABASE; with a
    /// password rather by the variable than by the argument, which everybody on the machine can see.
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "HIVEMATRIX_CODEX_DATABASE",
        hide_env_values = true,
        default_value = "codex.db"
    )]
    database: String,
    /// Fill an empty database with invented companies.
    #[arg(long)]
    demo_data: bool,
    /// A service that people may choose as their home page; repeatable. Without any, they may write any name.
    #[arg(long = "home-page", value_name = "SERVICE")]
    home_pages: Vec<String>,
    #[command(flatten)]
    directory: DirectoryArgs,
    #[command(flatten)]
    pull: PullArgs,
    /// The form of log lines.
    #[arg(long, value_enum, default_value_t)]
    log: Form,
}

/// Where agents are taken over from. The credential comes by the environment.
#[derive(Debug, clap::Args)]
struct DirectoryArgs {
    /// Keycloak's address on this side of the gateway, for taking over agents.
    #[arg(
        long,
        value_name = "URL",
        env = "KEYCLOAK_BACKEND_URL",
        default_value = "http://localhost:8080"
    )]
    keycloak: Url,
    /// Its realm.
    #[arg(
        long,
        value_name = "NAME",
        env = "KEYCLOAK_REALM",
        default_value = "hivematrix"
    )]
    realm: String,
    /// A client of the realm with a service account that may view users and query groups. Its secret comes by
    /// KEYCLOAK_ADMIN_CLIENT_SECRET. Without it, agents appear at their first visit only.
    #[arg(long, value_name = "ID", env = "KEYCLOAK_ADMIN_CLIENT_ID")]
    admin_client_id: Option<String>,
    #[arg(
        long,
        hide = true,
        env = "KEYCLOAK_ADMIN_CLIENT_SECRET",
        hide_env_values = true
    )]
    admin_client_secret: Option<SecretString>,
    /// In its place, an administrator of the realm master. The password comes by KEYCLOAK_ADMIN_PASSWORD.
    #[arg(long, value_name = "NAME", env = "KEYCLOAK_ADMIN_USERNAME")]
    admin_username: Option<String>,
    #[arg(long, hide = true, env = "KEYCLOAK_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<SecretString>,
}

/// Where companies are taken over from.
#[derive(Debug, clap::Args)]
struct PullArgs {
    /// A list of companies of another system, as JSON in pages; see backends/src/codex/README.md.
    #[arg(long, value_name = "URL", env = "HIVEMATRIX_CODEX_PULL_URL")]
    pull_url: Option<Url>,
    /// What that system is called here.
    #[arg(
        long,
        value_name = "NAME",
        env = "HIVEMATRIX_CODEX_PULL_SOURCE",
        default_value = "external"
    )]
    pull_source: String,
    /// How many minutes after one run the next begins; 0: only when an administrator asks for it.
    #[arg(
        long,
        value_name = "MINUTES",
        env = "HIVEMATRIX_CODEX_PULL_EVERY",
        default_value_t = 60
    )]
    pull_every: u32,
    /// A file with the token for that system, readable by its owner only. HIVEMATRIX_CODEX_PULL_TOKEN is the other way.
    #[arg(long, value_name = "FILE", env = "HIVEMATRIX_CODEX_PULL_TOKEN_FILE")]
    pull_token_file: Option<PathBuf>,
    #[arg(
        long,
        hide = true,
        env = "HIVEMATRIX_CODEX_PULL_TOKEN",
        hide_env_values = true
    )]
    pull_token: Option<SecretString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = CodexSettings {
            demo_data: self.demo_data,
            home_pages: self
                .home_pages
                .iter()
                .map(|service| name(service))
                .collect::<Result<_, _>>()?,
            directory: self.directory.settings()?,
            pull: self.pull.settings()?,
            ..CodexSettings::new(database_url(&self.database), self.receiver.auth("codex")?)
        };
        let shown = shown(&self.database);
        serve_alone(self.listen, self.log, async move || {
            router(settings)
                .await
                .map_err(|error| Failure::outside(shown, error))
        })
    }
}

impl DirectoryArgs {
    fn settings(self) -> Result<Option<DirectorySettings>, Failure> {
        let missing = |name: &str, other: &str| Failure::Usage(format!("{name} is set, but {other} is not"));
        let account = (self.admin_client_id, self.admin_client_secret);
        let administrator = (self.admin_username, self.admin_password);
        let credential = match (account, administrator) {
            ((Some(id), Some(secret)), _) => DirectoryCredential::ServiceAccount { id, secret },
            ((Some(_), None), _) => {
                return Err(missing(
                    "KEYCLOAK_ADMIN_CLIENT_ID",
                    "KEYCLOAK_ADMIN_CLIENT_SECRET",
                ));
            }
            ((None, Some(_)), _) => {
                return Err(missing(
                    "KEYCLOAK_ADMIN_CLIENT_SECRET",
                    "KEYCLOAK_ADMIN_CLIENT_ID",
                ));
            }
            ((None, None), (Some(username), Some(password))) => {
                DirectoryCredential::Administrator { username, password }
            }
            ((None, None), (Some(_), None)) => {
                return Err(missing("KEYCLOAK_ADMIN_USERNAME", "KEYCLOAK_ADMIN_PASSWORD"));
            }
            ((None, None), (None, Some(_))) => {
                return Err(missing("KEYCLOAK_ADMIN_PASSWORD", "KEYCLOAK_ADMIN_USERNAME"));
            }
            ((None, None), (None, None)) => return Ok(None),
        };
        Ok(Some(DirectorySettings {
            base: self.keycloak,
            realm: self.realm,
            credential,
            http: client()?,
        }))
    }
}

impl PullArgs {
    fn settings(self) -> Result<Option<PullSettings>, Failure> {
        let Some(url) = self.pull_url else {
            return Ok(None);
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Failure::Usage(
                "--pull-url must begin with http:// or https://".to_owned(),
            ));
        }
        let token = match (self.pull_token, &self.pull_token_file) {
            (Some(token), _) => Some(token),
            (None, Some(file)) => Some(token_of(file)?),
            (None, None) => None,
        };
        // Another system may well be behind the environment's proxy; a redirect could take the token elsewhere.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("hivematrix-codex/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::outside("no HTTP client", error))?;
        Ok(Some(PullSettings {
            source: name(&self.pull_source)?,
            url,
            token,
            every: Duration::from_secs(u64::from(self.pull_every) * 60),
            per_page: PullSettings::PER_PAGE,
            pause: PullSettings::PAUSE,
            http,
        }))
    }
}

fn token_of(file: &Path) -> Result<SecretString, Failure> {
    let text = crate::private_file::read(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    Ok(text.trim().into())
}

/// What was given as the database, as the URL that Codex takes: a URL already, or a file.
fn database_url(given: &str) -> String {
    if is_url(given) {
        given.to_owned()
    } else {
        file_url(Path::new(given))
    }
}

/// A file as the URL that Codex takes.
pub(crate) fn file_url(file: &Path) -> String {
    let path = file.display().to_string();
    format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3F"))
}

fn is_url(given: &str) -> bool {
    ["postgres:", "postgresql:", "sqlite:"]
        .iter()
        .any(|scheme| given.starts_with(scheme))
}

/// The database in an error: a URL may hold a password.
fn shown(given: &str) -> String {
    if given.starts_with("postgres") && is_url(given) {
        let host = Url::parse(given)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        format!("PostgreSQL at {}", host.as_deref().unwrap_or("?"))
    } else {
        given.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_a_url_and_a_url_stays_one_whose_password_is_never_shown() {
        assert_eq!(database_url("codex.db"), "sqlite:codex.db");
        assert_eq!(database_url("a?b%.db"), "sqlite:a%3Fb%25.db");
        let url = "postgres://codex:secret@db.example/codex";
        assert_eq!(database_url(url), url);
        assert_eq!(shown(url), "PostgreSQL at db.example");
        assert_eq!(shown("codex.db"), "codex.db");
    }
}
