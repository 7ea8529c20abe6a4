//! The gateway's configuration: as written (`file`), checked (`check`), and then as a [`Config`] in which nothing
//! unchecked can exist. All problems are found at once, each with its place in the file.
//!
//! `config/gateway.toml` documents every key. What the gateway does with a setting is not said here but where
//! it is done; what a plugin does with its own is read by the plugin.
//!
//! ```
//! use hivematrix_gateway::config::{Config, Environment};
//!
//! let text = r#"
//!     [server]
//!     public_origins = ["http://localhost:8000"]
//!     [sessions]
//!     store = "memory"
//!     [provider]
//!     client_secret = { env = "SECRET" }
//!     [services.codex]
//!     url = "http://127.0.0.1:5010"
//! "#;
//! let environment = Environment::from_iter([("SECRET", "s3cret")]);
//! let config = Config::parse(text, "gateway.toml", ".".as_ref(), &environment)?;
//! assert_eq!(config.services[0].prefix, "/codex");
//!
//! let problems = Config::parse("[sever]", "gateway.toml", ".".as_ref(), &environment).unwrap_err();
//! assert!(problems.to_string().contains("did you mean `server`?"));
//! # Ok::<(), hivematrix_gateway::config::Problems>(())
//! ```

mod check;
mod core;
mod diagnose;
mod environment;
mod file;
mod identity;
mod limits;
mod original;
mod owned;
mod problem;
mod quantity;
mod read;
mod redis;
mod secret;
mod server;
mod service;
mod syntax;
mod value;
mod watch;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hivematrix_plugins::{Invalid, PluginSpec, Registry, Tools};

pub use environment::{Environment, OVERRIDES};
pub use identity::{
    Codex, Core, EmbeddedCore, KeyRingPlace, Provider, Renewal, SealingKeysSource, Sessions, StoreChoice,
};
pub use limits::{Limits, ServiceTimeouts, Timeouts};
pub use original::{Location, text_of_original};
pub use problem::{Place, Problem, Problems, Severity, Source};
pub use redis::{Redis, RedisCertificates};
pub use server::{Admin, InvalidOrigin, Origin, Scheme, Server, Tls};
pub use service::{
    COMPOSITION, Composed, Home, InvalidUpstream, Log, LogFormat, Outage, PluginInstance, PublicPath,
    PublicRule, Redirect, Service, Upstream,
};
pub use watch::{Watch, WatchError};

/// Longer files are no configurations.
const LONGEST_FILE: u64 = 4 << 20;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public listener.
    pub server: Server,
    /// The admin listener.
    pub admin: Admin,
    /// Sizes and counts.
    pub limits: Limits,
    /// Times.
    pub timeouts: Timeouts,
    /// Sessions and where they are kept.
    pub sessions: Sessions,
    /// The identity provider.
    pub provider: Provider,
    /// Core.
    pub core: Core,
    /// Codex, if there is one.
    pub codex: Option<Codex>,
    /// Where `/` leads.
    pub home: Home,
    /// What is mounted, in the order of the menu.
    pub services: Vec<Service>,
    /// Paths that lead elsewhere on this host.
    pub redirects: Vec<Redirect>,
    /// Log lines.
    pub log: Log,
    /// Plugin instances; services name them.
    pub plugins: Vec<PluginInstance>,
    /// The text this was read from; empty if it was made in code.
    pub source: Arc<Source>,
    /// Every file this was read from, besides the configuration file itself; a change of any is a change.
    pub files: Vec<PathBuf>,
    /// What works and should be looked at.
    pub warnings: Problems,
}

impl Config {
    /// A configuration made in code: the defaults, sessions in memory, composition, no services yet.
    #[must_use]
    pub fn minimal(listen: SocketAddr, origin: Origin, provider: Provider, core: Core) -> Self {
        Self {
            server: Server::new(listen, vec![origin]),
            admin: Admin::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            sessions: Sessions::in_memory(),
            provider,
            core,
            codex: None,
            home: Home::default(),
            services: Vec::new(),
            redirects: Vec::new(),
            log: Log::default(),
            plugins: vec![PluginInstance::new(COMPOSITION, COMPOSITION)],
            source: Arc::default(),
            files: Vec::new(),
            warnings: Problems::default(),
        }
    }

    /// Adds a service.
    #[must_use]
    pub fn with_service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Reads a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, Problems> {
        Self::load_with(path, environment, &Registry::standard())
    }

    /// As [`Config::load`], for a gateway that knows other kinds of plugins.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(path: &Path, environment: &Environment, plugins: &Registry) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let text = read_file(path).map_err(|error| {
            Problems::new(
                Arc::new(Source::new(name.as_str(), "")),
                vec![Problem::new(Place::Document, error.to_string())],
            )
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse_with(&text, &name, base, environment, plugins)
    }

    /// Reads a text. `name` stands in front of its problems; relative paths are relative to `base`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, name: &str, base: &Path, environment: &Environment) -> Result<Self, Problems> {
        Self::parse_with(text, name, base, environment, &Registry::standard())
    }

    /// As [`Config::parse`], for a gateway that knows other kinds of plugins.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_with(
        text: &str,
        name: &str,
        base: &Path,
        environment: &Environment,
        plugins: &Registry,
    ) -> Result<Self, Problems> {
        let source = Arc::new(Source::new(name, text));
        let mut problems = Vec::new();
        let parsed = syntax::parse::<file::File>(text, &mut problems);
        let config = parsed.value.and_then(|mut file| {
            problems.extend(
                file.plugins
                    .iter()
                    .flat_map(|named| plugin_problems(&named.0, plugins)),
            );
            let (environment, more) = with_flaskenv(environment, &file, base, &mut problems);
            environment::apply(&environment, &mut file, &mut problems);
            if !parsed.well_formed {
                return None;
            }
            let mut config = check::check(file, &source, base, &environment, &mut problems)?;
            config.files.extend(more);
            Some(config)
        });
        let problems = Problems::new(source, problems);
        match config {
            Some(config) if !problems.has_errors() => Ok(Self {
                warnings: problems,
                ..config
            }),
            Some(_) | None => Err(problems),
        }
    }

    /// Problems that plugins found in their settings, with their places in this configuration's text.
    #[must_use]
    pub fn explain(&self, problems: &[Invalid]) -> Problems {
        let mut list: Vec<Problem> = Vec::new();
        for problem in problems.iter().map(explained) {
            // An instance that several services use is built for each of them, and complains each time.
            if !list.contains(&problem) {
                list.push(problem);
            }
        }
        Problems::new(self.source.clone(), list)
    }

    /// Names the settings in which `newer` differs and that take effect only when the process is started again.
    #[must_use]
    pub fn needs_restart(&self, newer: &Self) -> Vec<&'static str> {
        let mut differences = vec![
            ("server.listen", self.server.listen != newer.server.listen),
            ("server.tls", self.server.tls != newer.server.tls),
            ("server.threads", self.server.threads != newer.server.threads),
            ("admin.listen", self.admin != newer.admin),
            ("log", self.log != newer.log),
            ("server.grace", self.server.grace != newer.server.grace),
            (
                "server.trusted_proxies (for connections)",
                self.server.trusted_proxies != newer.server.trusted_proxies,
            ),
        ];
        differences.extend(limits::differences(self, newer));
        differences.extend(identity::differences(self, newer));
        differences
            .into_iter()
            .filter_map(|(name, differs)| differs.then_some(name))
            .collect()
    }
}

/// The dotted name of every key that a configuration file may hold; `*` stands for a name of the user's choice.
#[must_use]
pub fn keys() -> Vec<String> {
    file::keys()
}

/// The environment with what the file's `flaskenv` adds to it, and that file.
fn with_flaskenv(
    environment: &Environment,
    file: &file::File,
    base: &Path,
    problems: &mut Vec<Problem>,
) -> (Environment, Option<PathBuf>) {
    let Some(written) = &file.flaskenv else {
        return (environment.clone(), None);
    };
    let path = base.join(&written.value);
    let environment = match read_file(&path) {
        Ok(text) => environment.with_flaskenv(path.display().to_string(), text, problems),
        Err(error) => {
            problems.push(written.problem(format!("{} cannot be read: {error}", path.display())));
            environment.clone()
        }
    };
    (environment, Some(path))
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(LONGEST_FILE + 1)
        .read_to_string(&mut text)?;
    if read as u64 > LONGEST_FILE {
        return Err(std::io::Error::other("it is too long for a configuration"));
    }
    Ok(text)
}

/// Builds every instance once, alone, to hear what the plugins say of their settings.
fn plugin_problems(
    written: &[(read::Written<value::InstanceName>, file::Plugin)],
    registry: &Registry,
) -> Vec<Problem> {
    let found = written.iter().filter_map(|(name, plugin)| {
        let spec = PluginSpec {
            instance: name.value.0.clone(),
            kind: plugin.kind.value.clone(),
            settings: plugin.settings.clone(),
        };
        registry.build(&[spec], &Tools::default()).err()
    });
    found.flatten().map(|invalid| explained(&invalid)).collect()
}

fn explained(invalid: &Invalid) -> Problem {
    let place = invalid
        .span
        .clone()
        .filter(|span| !span.is_empty())
        .map_or(Place::Document, Place::Span);
    Problem::new(place, invalid.to_string())
}
