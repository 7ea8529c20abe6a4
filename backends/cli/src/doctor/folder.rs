//! The folders and files of an installation: where a service's program is, what its own `.flaskenv` says, which styles lie there;
//! and the files from which the registry and the variables were generated.

use std::path::{Path, PathBuf};

use hivematrix_gateway::config::{Config, Location, Service};
use hivematrix_platform::{Dotenv, Registry};
use serde_json::Value;
use url::Url;

use super::finding::{Check, Finding, Report};

/// How deep a service's folder is searched.
const DEPTH: usize = 6;
/// Files that are looked at, in all.
const FILES: usize = 20_000;
/// Folders that are not the service's own.
const FOREIGN: [&str; 8] = [
    ".git",
    "__pycache__",
    "dist",
    "env",
    "node_modules",
    "pyenv",
    "site-packages",
    "venv",
];
/// Longer files of an installation are none.
const LONGEST: u64 = 4 << 20;

/// An installation of the platform: the folder in which each service has one of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Installation {
    /// The folder that holds the registry.
    home: Option<PathBuf>,
    registry: Option<Registry>,
}

impl Installation {
    /// The one around a configuration, if there are files of it.
    pub(crate) fn around(location: &Location, config: &Config) -> Self {
        let file = config
            .files
            .iter()
            .find(|file| file.extension().is_some_and(|ending| ending == "json"));
        let registry = file.and_then(|file| Registry::parse(&text(file)?).ok());
        let home = match (location, file) {
            (Location::Original(folder), _) => Some(folder.clone()),
            (Location::File(_), Some(file)) => file.parent().map(Path::to_owned),
            (Location::File(_), None) => None,
        };
        let home = home.map(|home| home.canonicalize().unwrap_or(home));
        Self { home, registry }
    }

    /// Where a service's program is: the registry's `path`, or a neighbour called `hivematrix-<name>`.
    pub(crate) fn folder_of(&self, service: &Service) -> Option<PathBuf> {
        let home = self.home.as_ref()?;
        let written = self
            .registry
            .as_ref()
            .and_then(|registry| registry.get(service.name.as_str()));
        let written = written
            .and_then(|entry| entry.path.as_ref())
            .map(|path| home.join(path));
        let neighbour = home
            .parent()
            .map(|all| all.join(format!("hivematrix-{}", service.name)));
        let folder = written
            .into_iter()
            .chain(neighbour)
            .find(|folder| folder.is_dir())?;
        folder.canonicalize().ok()
    }

    /// A file of the installation: in the registry's folder, or in Helm's.
    fn file(&self, name: &str) -> Option<(PathBuf, Value)> {
        let home = self.home.as_ref()?;
        let helm = home.parent().map(|all| all.join("hivematrix-helm"));
        let path = std::iter::once(home.clone())
            .chain(helm)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())?;
        let value = serde_json::from_str(&text(&path)?).ok()?;
        Some((path, value))
    }

    /// Compares the registry and the gateway's settings with what they were generated from.
    pub(crate) fn compare(&self, config: &Config) -> Report {
        let mut report = Report::default();
        if let Some((path, apps)) = self.file("apps_registry.json") {
            report.examined.push(path.display().to_string());
            self.ports(&path, &apps, config, &mut report);
        }
        if let Some((path, master)) = self.file("instance/configs/master_config.json") {
            report.examined.push(path.display().to_string());
            settings(&path, &master, config, &mut report);
        }
        report
    }

    fn ports(&self, path: &Path, apps: &Value, config: &Config, report: &mut Report) {
        for group in ["core_apps", "default_apps"] {
            for (name, app) in members(&apps[group]) {
                let Some(service) = config
                    .services
                    .iter()
                    .find(|service| service.name.as_str() == name)
                else {
                    continue;
                };
                let registered = service.upstream.url.port_or_known_default();
                let Some(port) = app["port"].as_u64().and_then(|port| u16::try_from(port).ok()) else {
                    continue;
                };
                if registered != Some(port) {
                    let seen = format!(
                        "{} says port {port}, and the gateway asks {}",
                        path.display(),
                        service.upstream.address
                    );
                    let fix = "generate services.json again from apps_registry.json (Helm does), or correct the one that is wrong";
                    report.find(Finding::new(Check::FilesDisagree, name.clone(), seen, fix));
                }
            }
        }
    }
}

/// The entries of a group: an object by name, or a list of objects with a `name`.
fn members(group: &Value) -> Vec<(String, &Value)> {
    match group {
        Value::Object(map) => map.iter().map(|(name, app)| (name.clone(), app)).collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|app| Some((app["name"].as_str()?.to_owned(), app)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Realm, client and host of the master configuration. Secrets are compared and never shown.
fn settings(path: &Path, master: &Value, config: &Config, report: &mut Report) {
    use secrecy::ExposeSecret as _;
    let (keycloak, provider) = (&master["keycloak"], &config.provider);
    let host = config
        .server
        .public_origins
        .first()
        .map(|origin| origin.host.clone())
        .unwrap_or_default();
    for (what, written, used, secret) in [
        (
            "keycloak.realm",
            &keycloak["realm"],
            provider.realm.as_str(),
            false,
        ),
        (
            "keycloak.client_id",
            &keycloak["client_id"],
            provider.client_id.as_str(),
            false,
        ),
        (
            "keycloak.client_secret",
            &keycloak["client_secret"],
            provider.client_secret.expose_secret(),
            true,
        ),
        (
            "system.hostname",
            &master["system"]["hostname"],
            host.as_str(),
            false,
        ),
    ] {
        let Some(written) = written
            .as_str()
            .filter(|written| !written.is_empty() && *written != used)
        else {
            continue;
        };
        let seen = if secret {
            format!(
                "{what} of {} is not the one that the gateway uses",
                path.display()
            )
        } else {
            format!(
                "{what} of {} is {written}, and the gateway uses {used}",
                path.display()
            )
        };
        let fix = "generate the .flaskenv files again from the master configuration (Helm does), or correct the one that is wrong";
        report.find(Finding::new(Check::FilesDisagree, "nexus", seen, fix));
    }
}

/// What lies in a service's folder.
pub(crate) fn examine(service: &Service, folder: &Path, config: &Config) -> Report {
    let mut report = Report::default();
    let (mut styles, mut left) = (Vec::new(), FILES);
    stylesheets(folder, DEPTH, &mut left, &mut styles);
    styles.sort();
    if !styles.is_empty() {
        let shown: Vec<String> = styles
            .iter()
            .take(5)
            .map(|path| path.strip_prefix(folder).unwrap_or(path).display().to_string())
            .collect();
        let seen = format!(
            "{} stylesheets lie in {}: {}",
            styles.len(),
            folder.display(),
            shown.join(", ")
        );
        let fix = "remove them and use the classes of the design system (platform README §8)";
        report.find(Finding::new(Check::OwnStyles, service.name.as_str(), seen, fix));
    }
    core_of(service, &folder.join(".flaskenv"), config, &mut report);
    report
}

fn stylesheets(folder: &Path, depth: usize, left: &mut usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return;
        }
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // Not behind links: they may lead anywhere, and in circles.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 && !FOREIGN.contains(&name.as_str()) {
            stylesheets(&path, depth - 1, left, found);
        } else if kind.is_file()
            && [".css", ".scss", ".less"]
                .iter()
                .any(|ending| name.ends_with(ending))
        {
            found.push(path);
        }
    }
}

/// The Core that a service asks for keys.
fn core_of(service: &Service, file: &Path, config: &Config, report: &mut Report) {
    let values = text(file)
        .map(|text| Dotenv::parse(&text).resolve(|_| None))
        .unwrap_or_default();
    let Some((_, value, _)) = values.iter().find(|(name, ..)| name == "CORE_SERVICE_URL") else {
        return;
    };
    let Ok(theirs) = Url::parse(value) else { return };
    if same_place(&theirs, &config.core.url) {
        return;
    }
    let seen = format!(
        "{} names Core at {theirs}, and the gateway asks {}",
        file.display(),
        config.core.url
    );
    let fix = "let CORE_SERVICE_URL be the same for all, and start the service again";
    report.find(Finding::new(Check::OtherCore, service.name.as_str(), seen, fix));
}

/// One port of this machine is one place, whatever the machine is called.
fn same_place(one: &Url, other: &Url) -> bool {
    let host = |url: &Url| match url.host_str() {
        Some("localhost" | "127.0.0.1" | "[::1]") => "localhost".to_owned(),
        host => host.unwrap_or_default().to_owned(),
    };
    (one.scheme(), host(one), one.port_or_known_default())
        == (other.scheme(), host(other), other.port_or_known_default())
}

fn text(file: &Path) -> Option<String> {
    let long = std::fs::metadata(file).ok()?.len() > LONGEST;
    if long {
        None
    } else {
        std::fs::read_to_string(file).ok()
    }
}
