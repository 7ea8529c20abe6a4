//! `hivematrix keycloak configure`: makes a Keycloak ready, shows what that would change, or audits it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use hivematrix_backends::keycloak::{self, Admin, FirstAdmin, Login, Settings, Who};
use hivematrix_gateway::config::{Config, Environment, Origin};
use secrecy::SecretString;
use url::Url;

use super::secrets::{self, Kept};
use crate::failure::Failure;
use crate::runtime;

/// Where Keycloak's message that a session has ended is taken (OpenID Connect Back-Channel Logout 1.0).
const BACK_CHANNEL_LOGOUT_PATH: &str = "/backchannel-logout";

/// Make an existing Keycloak (26) ready for the gateway, over its Admin API.
///
/// Realm, confidential client with exact addresses and PKCE, groups and their mapper, first administrator: what is
/// missing is made, what differs is changed, everything else is left alone. A second run changes nothing.
///
/// Addresses, realm and client are those of the gateway's configuration. Exit status 1 if --audit finds something.
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The gateway's configuration; its `[server]` and `[provider]` say what is needed.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only show what would be changed.
    #[arg(long, conflicts_with = "audit")]
    dry_run: bool,
    /// Change nothing; report default passwords, wildcard redirects, a public admin console, missing PKCE and
    /// everything that is not as this command would make it.
    #[arg(long)]
    audit: bool,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
    /// Keycloak's administrator. Its password comes from KEYCLOAK_ADMIN_PASSWORD or --admin-password-file.
    #[arg(
        long,
        value_name = "NAME",
        env = "KEYCLOAK_ADMIN_USERNAME",
        default_value = "admin"
    )]
    admin: String,
    /// A file with the administrator's password that only its owner may read.
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    /// Sign in as this client's service account instead; its secret comes from KEYCLOAK_ADMIN_CLIENT_SECRET.
    #[arg(long, value_name = "ID", conflicts_with_all = ["admin", "admin_password_file"])]
    admin_client: Option<String>,
    /// The realm of the administrator.
    #[arg(long, value_name = "NAME", default_value = "master")]
    admin_realm: String,
    /// Certificates (PEM) of authorities that are believed besides the public ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where Keycloak reaches the gateway, to tell it of ended sessions [default: the first public origin].
    #[arg(long, value_name = "ORIGIN")]
    gateway: Option<Origin>,
    /// Where the client's secret is kept, unless KEYCLOAK_CLIENT_SECRET is set; made if it is not there
    /// [default: keycloak-client.secret beside the configuration].
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The platform's first administrator, made if the group "admins" has nobody who can sign in.
    #[arg(long, value_name = "NAME", default_value = "hivematrix-admin")]
    first_admin: String,
    /// The first administrator's e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    first_admin_email: Option<String>,
    /// Where the first administrator's password, good for one login, is written, unless
    /// HIVEMATRIX_FIRST_ADMIN_PASSWORD is set [default: keycloak-first-admin.password beside the configuration].
    #[arg(long, value_name = "FILE")]
    first_admin_password_file: Option<PathBuf>,
}

impl Args {
    pub(in crate::commands) fn run(self) -> Result<(), Failure> {
        let environment = Environment::of_process();
        let config = Config::load(&self.config, &environment.clone().without_secrets())
            .map_err(Failure::Configuration)?;
        runtime::block_on(Some(1), self.act(&environment, &config))
    }

    async fn act(&self, environment: &Environment, config: &Config) -> Result<(), Failure> {
        let http = self.http()?;
        let base = config.provider.backend_url.clone();
        warn_of_plain_http(&base);
        let admin = Admin::new(http.clone(), base, self.login(environment)?);
        let client_secret = self.client_secret(environment, config, &admin).await?;
        let password = self.first_admin_password(environment)?;
        let settings = self.settings(config, &client_secret, &password)?;
        if self.audit {
            let audit = keycloak::audit(&admin, &http, &settings).await.map_err(outside)?;
            self.print(&audit, &format!("{audit}"))?;
            return match audit.findings.len() {
                0 => Ok(()),
                1 => Err(Failure::Outside("1 finding".to_owned())),
                count => Err(Failure::Outside(format!("{count} findings"))),
            };
        }
        let plan = keycloak::plan(&admin, &settings).await.map_err(outside)?;
        let all_is_well = plan.changes.is_empty();
        if self.dry_run || all_is_well {
            self.print(&plan, &format!("{plan}"))?;
        }
        if all_is_well {
            eprintln!("hivematrix: all is as it should be, nothing has to be changed");
        }
        if self.dry_run {
            return Ok(());
        }
        // Written before they are used: a secret that only Keycloak knows is lost.
        let mut written = vec![client_secret.keep()?];
        if plan.makes_first_admin {
            written.push(password.keep()?);
        }
        if !all_is_well {
            let done = keycloak::configure(&admin, &settings).await.map_err(outside)?;
            self.print(&done, &format!("{done}"))?;
        }
        for file in written.into_iter().flatten() {
            eprintln!("hivematrix: written for its owner alone: {}", file.display());
        }
        Ok(())
    }

    fn http(&self) -> Result<reqwest::Client, Failure> {
        let usage = |file: &Path, error: &dyn std::fmt::Display| {
            Failure::Usage(format!("--ca {}: {error}", file.display()))
        };
        let pem = match &self.ca {
            Some(file) => Some(std::fs::read(file).map_err(|error| usage(file, &error))?),
            None => None,
        };
        keycloak::http_client(pem.as_deref()).map_err(|error| match &self.ca {
            Some(file) => usage(file, &error),
            None => Failure::outside("no HTTP client", error),
        })
    }

    fn login(&self, environment: &Environment) -> Result<Login, Failure> {
        let variable = |name: &str| environment.get(name).map(SecretString::from);
        let who = match &self.admin_client {
            Some(id) => Who::Client {
                id: id.clone(),
                secret: variable("KEYCLOAK_ADMIN_CLIENT_SECRET")
                    .ok_or_else(|| Failure::Usage("KEYCLOAK_ADMIN_CLIENT_SECRET is not set".to_owned()))?,
            },
            None => Who::Person {
                name: self.admin.clone(),
                password: match (&self.admin_password_file, variable("KEYCLOAK_ADMIN_PASSWORD")) {
                    (Some(file), _) => secrets::read(file)?,
                    (None, Some(password)) => password,
                    (None, None) => {
                        let sentence = "the password of Keycloak's administrator is needed: set \
                                        KEYCLOAK_ADMIN_PASSWORD, or give --admin-password-file";
                        return Err(Failure::Usage(sentence.to_owned()));
                    }
                },
            },
        };
        Ok(Login {
            realm: self.admin_realm.clone(),
            who,
        })
    }

    async fn client_secret(
        &self,
        environment: &Environment,
        config: &Config,
        admin: &Admin,
    ) -> Result<Kept, Failure> {
        let file = self.beside_config(self.client_secret_file.as_deref(), "keycloak-client.secret");
        let given = environment.get("KEYCLOAK_CLIENT_SECRET").map(SecretString::from);
        if let Some(found) = Kept::find(given.as_ref(), &file)? {
            return Ok(found);
        }
        let provider = &config.provider;
        let known = keycloak::client_secret(admin, &provider.realm, &provider.client_id).await;
        Ok(Kept::make(known.map_err(outside)?, &file))
    }

    fn first_admin_password(&self, environment: &Environment) -> Result<Kept, Failure> {
        let given = self.first_admin_password_file.as_deref();
        let file = self.beside_config(given, "keycloak-first-admin.password");
        let given = environment
            .get("HIVEMATRIX_FIRST_ADMIN_PASSWORD")
            .map(SecretString::from);
        Ok(Kept::find(given.as_ref(), &file)?.unwrap_or_else(|| Kept::make(None, &file)))
    }

    /// Where a secret is kept: as given, or beside the configuration, where a relative path in it leads.
    fn beside_config(&self, given: Option<&Path>, name: &str) -> PathBuf {
        given.map_or_else(|| self.config.with_file_name(name), Path::to_owned)
    }

    fn settings(&self, config: &Config, client_secret: &Kept, password: &Kept) -> Result<Settings, Failure> {
        let (server, provider) = (&config.server, &config.provider);
        let Some(first) = server.public_origins.first() else {
            return Err(Failure::Usage("the gateway has no public origin".to_owned()));
        };
        let address = |text: String| Url::parse(&text).map_err(|error| Failure::outside(text, error));
        let mut public_bases = Vec::new();
        for origin in &server.public_origins {
            let base = address(provider.public_base(origin))?;
            // With an origin of its own, the provider has one address for all of the gateway's.
            if !public_bases.contains(&base) {
                public_bases.push(base);
            }
        }
        let gateway = self.gateway.as_ref().unwrap_or(first);
        Ok(Settings {
            realm: provider.realm.clone(),
            client_id: provider.client_id.clone(),
            client_secret: client_secret.secret.clone(),
            origins: server.public_origins.iter().map(ToString::to_string).collect(),
            public_bases,
            back_channel_logout: address(format!("{gateway}{BACK_CHANNEL_LOGOUT_PATH}"))?,
            session_lifetime: config.sessions.lifetime,
            recheck_passwords: provider.recheck_passwords,
            first_admin: FirstAdmin {
                username: self.first_admin.clone(),
                email: self.first_admin_email.clone(),
                password: password.secret.clone(),
            },
        })
    }

    /// The outcome, on stdout.
    fn print(&self, report: &impl serde::Serialize, text: &str) -> Result<(), Failure> {
        let json = if self.json {
            let json = serde_json::to_string_pretty(report);
            Some(json.map_err(|error| Failure::outside("the report", error))?)
        } else {
            None
        };
        let shown = json.as_deref().map_or(text.trim_end(), str::trim_end);
        if !shown.is_empty() {
            let _ = writeln!(std::io::stdout(), "{shown}");
        }
        Ok(())
    }
}

/// The administrator's password goes there.
fn warn_of_plain_http(keycloak: &Url) {
    let is_here = match keycloak.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if keycloak.scheme() == "http" && !is_here {
        eprintln!(
            "hivematrix: warning: {keycloak} is plain http to another machine: the administrator's password can be read \
             on the way"
        );
    }
}

fn outside(error: keycloak::AdminError) -> Failure {
    Failure::Outside(error.to_string())
}
