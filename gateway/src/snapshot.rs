//! One immutable version of everything that configuration decides: routes, menu, doors, plugin chains.
//!
//! A request takes one snapshot when it arrives and sees that version until its end; a reload swaps the
//! whole. Nothing here changes after it is built.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::PermissionLevel;
use hivematrix_plugins::{Chain, Invalid, MenuEntry, PluginSpec, Registry, Tools};
use http::HeaderValue;
use toml::Spanned;
use toml::de::DeValue;

use crate::config::{COMPOSITION, Composed, Config, Origin, PluginInstance, PublicPath, Service, Upstream};
use crate::metrics::RouteMetrics;
use crate::phases::path::{CanonicalPath, under};
use crate::upstream::fixed;

/// Names that are never mounted as services, whatever a registry says (security rules, "Doors").
const NEVER_MOUNTED: [&str; 3] = ["core", "nexus", "keycloak"];

/// A service as a request meets it.
pub(crate) struct Route {
    /// The checked settings.
    pub(crate) service: Service,
    /// The prefix, `/codex`, without a slash at its end.
    pub(crate) prefix: String,
    /// Where it runs, ready to be asked.
    pub(crate) backend: Backend,
    /// The prefix, as its backend is told of it.
    pub(crate) prefix_value: HeaderValue,
    /// The plugins of this route.
    pub(crate) chain: Chain,
    /// Counters that are already looked up.
    pub(crate) metrics: RouteMetrics,
}

impl Route {
    fn new(service: Service, chain: Chain, metrics: RouteMetrics) -> Result<Self, Invalid> {
        Ok(Self {
            backend: service.upstream.clone().try_into()?,
            prefix: service.prefix.clone(),
            prefix_value: header_value(&service.prefix)?,
            chain,
            metrics,
            service,
        })
    }

    /// Whether anybody may come in without a login, in every reading of the path.
    pub(crate) fn is_public(&self, method: &http::Method, path: &CanonicalPath) -> bool {
        self.service.public.iter().any(|rule| {
            rule.methods.contains(method)
                && path.all_match(&self.prefix, |rest| match &rule.path {
                    PublicPath::Exact(exact) => rest == exact,
                    PublicPath::Prefix(prefix) => rest.starts_with(prefix.as_str()),
                })
        })
    }
}

/// An upstream, ready to be asked.
pub(crate) struct Backend {
    /// What the configuration says of it.
    pub(crate) upstream: Upstream,
    /// Its socket address, where that needs no name to be resolved.
    pub(crate) address: Option<SocketAddr>,
    /// Its `Host`.
    pub(crate) host: HeaderValue,
}

impl TryFrom<Upstream> for Backend {
    type Error = Invalid;

    fn try_from(upstream: Upstream) -> Result<Self, Invalid> {
        Ok(Self {
            address: fixed(&upstream.address),
            host: header_value(&upstream.address)?,
            upstream,
        })
    }
}

/// A public origin, as it is told to backends and plugins.
pub(crate) struct PublicOrigin {
    /// `https://host[:port]`.
    pub(crate) text: String,
    /// `X-Forwarded-Proto`.
    pub(crate) proto: HeaderValue,
    /// `X-Forwarded-Host`.
    pub(crate) host: HeaderValue,
}

impl PublicOrigin {
    fn new(origin: &Origin) -> Result<Self, Invalid> {
        Ok(Self {
            text: origin.to_string(),
            proto: HeaderValue::from_static(origin.scheme.as_str()),
            host: header_value(&origin.authority())?,
        })
    }
}

/// One version of the configuration, made ready for requests.
pub(crate) struct Snapshot {
    /// The configuration it was made from.
    pub(crate) config: Arc<Config>,
    /// Where the identity provider is reached.
    pub(crate) provider: Backend,
    /// The menu in registry order.
    pub(crate) menu: Arc<[MenuEntry]>,
    by_first_segment: HashMap<String, Vec<Arc<Route>>>,
    /// What is put around our own pages: the composition, if it is configured.
    pub(crate) own_pages: Option<Chain>,
    redirects: HashMap<String, String>,
    origins: Vec<PublicOrigin>,
}

impl Snapshot {
    /// Builds routes and plugin chains.
    ///
    /// # Errors
    /// Every problem of every plugin's settings.
    pub(crate) fn build(
        config: Arc<Config>,
        registry: &Registry,
        tools: &Tools,
        metrics: &crate::metrics::Metrics,
    ) -> Result<Self, Vec<Invalid>> {
        let mut problems = Vec::new();
        let mut by_first_segment: HashMap<String, Vec<Arc<Route>>> = HashMap::new();
        let mut menu = Vec::new();
        for service in &config.services {
            if NEVER_MOUNTED.contains(&service.name.as_str()) {
                continue;
            }
            let chain = match chain_of(service, &config, registry, tools) {
                Ok(chain) => chain,
                Err(mut found) => {
                    problems.append(&mut found);
                    continue;
                }
            };
            menu.push(menu_entry(service, &service.prefix));
            match Route::new(service.clone(), chain, metrics.route(service.name.as_str())) {
                Ok(route) => by_first_segment
                    .entry(first_segment(&route.prefix).to_owned())
                    .or_default()
                    .push(Arc::new(route)),
                Err(problem) => problems.push(problem),
            }
        }
        let own_pages = composition_of(&config, registry, tools).map_or_else(
            |mut found| {
                problems.append(&mut found);
                None
            },
            Some,
        );
        let origins = config.server.public_origins.iter().map(PublicOrigin::new);
        let origins = origins.collect::<Result<_, _>>();
        let (provider, origins) = match (provider_of(&config), origins) {
            (Ok(provider), Ok(origins)) if problems.is_empty() => (provider, origins),
            (provider, origins) => {
                problems.extend(provider.err().into_iter().chain(origins.err()));
                return Err(problems);
            }
        };
        for routes in by_first_segment.values_mut() {
            routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        }
        let redirects = config
            .redirects
            .iter()
            .map(|r| (r.from.clone(), r.to.clone()))
            .collect();
        Ok(Self {
            provider,
            config,
            menu: menu.into(),
            by_first_segment,
            own_pages,
            redirects,
            origins,
        })
    }

    /// The route of a path: the longest prefix that ends on a segment boundary, the same in every reading.
    pub(crate) fn route(&self, path: &CanonicalPath) -> Option<&Arc<Route>> {
        let route = self.longest(path.sent())?;
        let same = |reading| {
            self.longest(reading)
                .is_some_and(|other| Arc::ptr_eq(other, route))
        };
        path.readings().skip(1).all(same).then_some(route)
    }

    fn longest(&self, reading: &str) -> Option<&Arc<Route>> {
        let routes = self.by_first_segment.get(first_segment(reading))?;
        routes
            .iter()
            .find(|route| under(reading, &route.prefix).is_some())
    }

    /// Every mounted route.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_first_segment.values().flatten()
    }

    /// The longest grace that any route gives to sessions that cannot be checked.
    pub(crate) fn longest_grace(&self) -> Option<Duration> {
        self.routes()
            .filter_map(|route| route.service.outage.grace())
            .max()
    }

    /// The target of a configured redirect.
    pub(crate) fn redirect(&self, path: &str) -> Option<&str> {
        self.redirects.get(path).map(String::as_str)
    }

    /// The public origin that a Host belongs to, compared without regard to case (RFC 9110 §4.2.3).
    pub(crate) fn origin_of(&self, host: &str) -> Option<usize> {
        self.config
            .server
            .public_origins
            .iter()
            .position(|origin| origin.serves(host))
    }

    /// The same origin as text, `https://host[:port]`.
    pub(crate) fn origin_text(&self, index: usize) -> &str {
        self.origins.get(index).map_or("", |origin| &origin.text)
    }

    /// The same origin, as it is told to backends.
    pub(crate) fn public_origin(&self, index: usize) -> Option<&PublicOrigin> {
        self.origins.get(index)
    }

    /// A public origin by the index that [`Snapshot::origin_of`] gave; the first one otherwise.
    pub(crate) fn origin(&self, index: usize) -> Option<&Origin> {
        self.config.server.public_origins.get(index)
    }
}

fn provider_of(config: &Config) -> Result<Backend, Invalid> {
    let mut at = config.provider.backend_url.clone();
    at.set_path("/");
    Upstream::try_from(at)
        .map_err(|error| Invalid::new(error.to_string()))?
        .try_into()
}

fn header_value(text: &str) -> Result<HeaderValue, Invalid> {
    HeaderValue::try_from(text).map_err(|_| Invalid::new(format!("{text:?} cannot stand in a header")))
}

fn chain_of(
    service: &Service,
    config: &Config,
    registry: &Registry,
    tools: &Tools,
) -> Result<Chain, Vec<Invalid>> {
    let specs: Vec<PluginSpec> = service
        .plugins
        .iter()
        .filter_map(|name| config.plugins.iter().find(|plugin| plugin.name == *name))
        .filter_map(|plugin| match (service.composition, plugin.kind.as_str()) {
            (Composed::Off, COMPOSITION) => None,
            (Composed::Framed, COMPOSITION) => Some(in_frames_too(spec_of(plugin))),
            _ => Some(spec_of(plugin)),
        })
        .collect();
    registry.build(&specs, tools)
}

/// The chain of our own pages: the configured composition and nothing else.
fn composition_of(config: &Config, registry: &Registry, tools: &Tools) -> Result<Chain, Vec<Invalid>> {
    let composition = config.plugins.iter().find(|plugin| plugin.kind == COMPOSITION);
    registry.build(&composition.map(spec_of).into_iter().collect::<Vec<_>>(), tools)
}

fn spec_of(plugin: &PluginInstance) -> PluginSpec {
    PluginSpec {
        instance: plugin.name.clone(),
        kind: plugin.kind.clone(),
        settings: plugin.settings.clone(),
    }
}

/// The composition with its `framed` set, whatever its own table says.
fn in_frames_too(mut composition: PluginSpec) -> PluginSpec {
    composition.settings.get_mut().insert(
        Spanned::new(0..0, "framed".into()),
        Spanned::new(0..0, DeValue::Boolean(true)),
    );
    composition
}

fn menu_entry(service: &Service, prefix: &str) -> MenuEntry {
    MenuEntry {
        name: service.name.as_str().to_owned(),
        label: service.label.clone(),
        icon: service.icon.clone(),
        href: format!("{prefix}/"),
        visible: service.visible,
        access: service.access,
    }
}

fn first_segment(path: &str) -> &str {
    path.strip_prefix('/')
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default()
}

/// The services a caller may enter, in menu order.
pub(crate) fn entrances(menu: &[MenuEntry], level: PermissionLevel) -> impl Iterator<Item = &MenuEntry> {
    menu.iter()
        .filter(move |entry| entry.visible && entry.access.allows(level))
}
