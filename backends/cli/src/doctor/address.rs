//! Where the addresses in a service's pages lead, as browsers behind the gateway resolve them.

use hivematrix_gateway::config::{Config, Service};

/// The gateway's own doors that a page may name (platform README §6).
const DOORS: [&str; 7] = [
    "/api/invalidate-cache",
    "/health",
    "/login",
    "/logout",
    "/static/css/global.css",
    "/static/css/side-panel.css",
    "/keycloak",
];

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Below the service's prefix.
    Inside,
    /// Below it, with the prefix once more behind it.
    Doubled,
    /// To another service, to a door of the gateway, to another host, or relative to the page.
    Elsewhere,
    /// To the gateway's root, where nothing is.
    Outside,
}

/// Judges addresses.
pub(crate) struct Addresses<'a> {
    config: &'a Config,
    service: &'a Service,
}

impl<'a> Addresses<'a> {
    pub(crate) const fn new(config: &'a Config, service: &'a Service) -> Self {
        Self { config, service }
    }

    /// Where an address in a page of the service leads.
    pub(crate) fn lead(&self, address: &str) -> Lead {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        if !path.starts_with('/') || path.starts_with("//") || path == "/" {
            return Lead::Elsewhere;
        }
        let prefix = &self.service.prefix;
        if let Some(rest) = below(path, prefix) {
            return if below(rest, prefix).is_some() {
                Lead::Doubled
            } else {
                Lead::Inside
            };
        }
        let mounted = self
            .config
            .services
            .iter()
            .any(|other| below(path, &other.prefix).is_some());
        let redirected = self.config.redirects.iter().any(|redirect| redirect.from == path);
        if mounted || redirected || DOORS.iter().any(|door| below(path, door).is_some()) {
            Lead::Elsewhere
        } else {
            Lead::Outside
        }
    }

    /// The service's own path of an address that leads to it, as it sees it without the prefix that it was told.
    pub(crate) fn within(&self, address: &str, prefix: &str) -> Option<String> {
        let origins = self.config.server.public_origins.iter().map(ToString::to_string);
        let own = self.service.upstream.url.origin().ascii_serialization();
        let local = origins
            .chain([own])
            .find_map(|origin| address.strip_prefix(&origin))
            .unwrap_or(address);
        let local = local.split('#').next().unwrap_or_default();
        if !local.starts_with('/') || local.starts_with("//") {
            return None;
        }
        let path = below(local, prefix).unwrap_or(local);
        Some(if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        })
    }
}

/// What stands behind a prefix, if whole segments of a path are it.
fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}
