//! From what is written to what is meant: fills in defaults, and refuses what does not fit together. Every check
//! runs, whatever the others found; a [`Config`] comes out only if none found an error.
//!
//! Who the caller is (sessions, provider, Codex) is checked in `identity`, Core in `core`, services in `services`.

mod core;
mod identity;
mod listeners;
mod redis;
mod services;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::Environment;
use super::file::{self, File};
use super::limits::{Limits, Timeouts};
use super::problem::{Problem, Problems, Source, has_errors};
use super::read::Written;
use super::secret::Vault;
use super::service::{COMPOSITION, Composed, Log, Outage, PluginInstance, Redirect, Service};
use super::value::path_problem;
use super::{Config, Home};

/// First segments that are the gateway's own doors, or must stay free for them (platform README §6).
const DOORS: [&str; 10] = [
    "api",
    "backchannel-logout",
    "health",
    "keycloak-callback",
    "login",
    "logout",
    "realms",
    "resources",
    "sessions",
    "static",
];

/// Names of the registry that are never mounted (security rules, "Doors").
pub(super) const NEVER_MOUNTED: [&str; 3] = ["core", "nexus", "keycloak"];

/// Checks a whole file.
pub(super) fn check(
    file: File,
    source: &Arc<Source>,
    base: &Path,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let mut file = file;
    inherit_misspelling(&mut file);
    let mut checker = Checker {
        vault: Vault {
            environment,
            base,
            files: Vec::new(),
        },
        problems,
    };
    let registry = checker.registry(file.registry.as_ref());
    let unread_registry = registry.is_none() || file.heading.unread.contains(&"registry");
    let registry = registry.unwrap_or_default();
    let limits = limits(file.limits.unwrap_or_default());
    let timeouts = timeouts(file.timeouts.unwrap_or_default());
    let server = checker.server(file.server.unwrap_or_default());
    let admin = checker.admin(file.admin.unwrap_or_default());
    let plugins = plugins(file.plugins.unwrap_or_default().0);
    let provider = checker.provider(file.provider.unwrap_or_default(), server.as_ref());
    let defaults = file.service_defaults.unwrap_or_default();
    let services = services::Mounting {
        plugins: &plugins,
        default_composition: or(defaults.composition, Composed::default()),
        default_plugins: defaults.plugins,
        default_outage: or(defaults.outage, Outage::Closed),
        timeouts: &timeouts,
        unread_registry,
        provider_door: provider
            .as_ref()
            .filter(|provider| provider.identity_origin.is_none()),
    }
    .mount(&registry, file.services.unwrap_or_default().0, checker.problems);
    let sessions = checker.sessions(file.sessions.unwrap_or_default());
    let core = checker.core(file.core.unwrap_or_default().0, &registry, sessions.as_ref());
    let codex = checker.codex(file.codex.unwrap_or_default(), &services);
    let home = checker.home(file.home.unwrap_or_default(), &services);
    let redirects = checker.redirects(file.redirects.unwrap_or_default().0, &services);
    let log = log(&file.log.unwrap_or_default());
    let files = checker.vault.files;
    if has_errors(problems) {
        return None;
    }
    Some(Config {
        server: server?,
        admin: admin?,
        limits,
        timeouts,
        sessions: sessions?,
        provider: provider?,
        core: core?,
        codex,
        home,
        services,
        redirects,
        log,
        plugins,
        source: source.clone(),
        files,
        warnings: Problems::default(),
    })
}

/// What the checks share.
struct Checker<'a> {
    vault: Vault<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// A path of the file, relative to the file.
    fn path(&self, path: &Path) -> PathBuf {
        self.vault.base.join(path)
    }

    fn home(&mut self, home: file::Home, services: &[Service]) -> Home {
        let Some(name) = home.default_service else {
            return Home::default();
        };
        if !services.iter().any(|service| service.name == name.value) {
            self.report(
                name.problem(format!("there is no service `{}`", name.value))
                    .help("users who have not chosen a home page get the first service they may enter")
                    .warning(),
            );
        }
        Home {
            default_service: name.value.into(),
        }
    }

    fn redirects(
        &mut self,
        redirects: Vec<(Written<super::value::RulePath>, Written<String>)>,
        services: &[Service],
    ) -> Vec<Redirect> {
        let mut checked = Vec::new();
        for (from, to) in redirects {
            let path = &from.value.0;
            let first = first_segment(path);
            if path == "/" || DOORS.contains(&first) || NEVER_MOUNTED.contains(&first) {
                self.report(from.problem("this path is the gateway's own"));
            } else if services
                .iter()
                .any(|service| service.prefix == path.trim_end_matches('/'))
            {
                self.report(from.problem("this path belongs to a service"));
            }
            if let Some(problem) = path_problem(&to.value) {
                self.report(
                    to.problem(problem)
                        .help("a redirect stays on this host, e.g. \"/beacon/helpdesk\""),
                );
            } else if to.value == *path {
                self.report(to.problem("this path redirects to itself"));
            }
            checked.push(Redirect {
                from: from.value.0,
                to: to.value,
            });
        }
        checked
    }
}

/// What a misspelt table holds is not missing in the table that was meant.
fn inherit_misspelling(file: &mut File) {
    let unread = std::mem::take(&mut file.heading.unread);
    for (name, heading, keys) in [
        (
            "server",
            file.server.as_mut().map(|table| &mut table.heading),
            &["public_origins"][..],
        ),
        (
            "sessions",
            file.sessions.as_mut().map(|table| &mut table.heading),
            &["sealing_keys"],
        ),
        (
            "provider",
            file.provider.as_mut().map(|table| &mut table.heading),
            &["client_secret"],
        ),
    ] {
        if let (Some(heading), true) = (heading, unread.contains(&name)) {
            heading.unread.extend(keys);
        }
    }
    file.heading.unread = unread;
}

/// The value, or its default.
fn or<T: Into<P>, P>(written: Option<Written<T>>, default: P) -> P {
    written.map_or(default, |written| written.value.into())
}

/// `codex` of `/codex/x`.
fn first_segment(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

fn limits(written: file::Limits) -> Limits {
    let default = Limits::default();
    let streams = written
        .concurrent_streams
        .and_then(|streams| u32::try_from(streams.value.0).ok());
    Limits {
        target_bytes: or(written.target_bytes, default.target_bytes),
        header_bytes: or(written.header_bytes, default.header_bytes),
        header_count: or(written.header_count, default.header_count),
        body_bytes: or(written.body_bytes, default.body_bytes),
        cookies_bytes: or(written.cookies_bytes, default.cookies_bytes),
        cookies_count: or(written.cookies_count, default.cookies_count),
        connections_per_address: or(written.connections_per_address, default.connections_per_address),
        requests_per_minute: or(written.requests_per_minute, default.requests_per_minute),
        requests_per_hour: or(written.requests_per_hour, default.requests_per_hour),
        concurrent_streams: streams.unwrap_or(default.concurrent_streams),
        attempts_per_browser: or(written.attempts_per_browser, default.attempts_per_browser),
        attempts_per_address: or(written.attempts_per_address, default.attempts_per_address),
        sessions_per_user: or(written.sessions_per_user, default.sessions_per_user),
        kept_form_bytes: or(written.kept_form_bytes, default.kept_form_bytes),
        rewrite_bytes: or(written.rewrite_bytes, default.rewrite_bytes),
    }
}

fn timeouts(written: file::Timeouts) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        header: or(written.header, default.header),
        client_body: or(written.client_body, default.client_body),
        connect: or(written.connect, default.connect),
        first_byte: or(written.first_byte, default.first_byte),
        upstream_idle_body: or(written.upstream_idle_body, default.upstream_idle_body),
        upstream_pool_idle: or(written.upstream_pool_idle, default.upstream_pool_idle),
        keepalive: or(written.keepalive, default.keepalive),
        stream_idle: or(written.stream_idle, default.stream_idle),
        write: or(written.write, default.write),
    }
}

fn log(written: &file::Log) -> Log {
    let default = Log::default();
    Log {
        format: written
            .format
            .as_ref()
            .map_or(default.format, |format| format.value),
        level: written.level.as_ref().map_or(default.level, |level| level.value),
    }
}

/// The instances of the file, and the composition, which need not be written.
fn plugins(written: Vec<(Written<super::value::InstanceName>, file::Plugin)>) -> Vec<PluginInstance> {
    let mut plugins: Vec<PluginInstance> = written
        .into_iter()
        .map(|(name, plugin)| PluginInstance {
            name: name.value.0,
            kind: plugin.kind.value,
            settings: plugin.settings,
        })
        .collect();
    if !plugins.iter().any(|plugin| plugin.name == COMPOSITION) {
        plugins.insert(0, PluginInstance::new(COMPOSITION, COMPOSITION));
    }
    plugins
}
