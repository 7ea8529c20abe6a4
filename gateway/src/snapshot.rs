//! One immutable version of everything that configuration decides: routes, menu, doors, plugin chains.
//!
//! A request takes one snapshot when it arrives and sees that version until its end; a reload swaps the
//! whole. Nothing here changes after it is built.

use std::collections::HashMap;
use std::sync::Arc;

use hivematrix_platform::PermissionLevel;
use hivematrix_plugins::{Chain, Invalid, MenuEntry, PluginSpec, Registry, Tools};
use toml::Spanned;
use toml::de::DeValue;

use crate::config::{COMPOSITION, Composed, Config, Origin, PluginInstance, PublicPath, Service, Upstream};
use crate::metrics::RouteMetrics;
use crate::phases::path::{CanonicalPath, under};

/// Names that are never mounted as services, whatever a registry says (security rules, "Doors").
const NEVER_MOUNTED: [&str; 3] = ["core", "nexus", "keycloak"];

/// A service as a request meets it.
pub(crate) struct Route {
    /// The checked settings.
    pub(crate) service: Service,
    /// The prefix, `/codex`, without a slash at its end.
    pub(crate) prefix: String,
    /// The plugins of this route.
    pub(crate) chain: Chain,
    /// Counters that are already looked up.
    pub(crate) metrics: RouteMetrics,
}

impl Route {
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

/// One version of the configuration, made ready for requests.
pub(crate) struct Snapshot {
    /// The configuration it was made from.
    pub(crate) config: Arc<Config>,
    /// Where the identity provider is reached.
    pub(crate) provider: Upstream,
    /// The menu in registry order.
    pub(crate) menu: Arc<[MenuEntry]>,
    by_first_segment: HashMap<String, Vec<Arc<Route>>>,
    /// What is put around our own pages: the composition, if it is configured.
    pub(crate) own_pages: Option<Chain>,
    redirects: HashMap<String, String>,
    origins: Vec<String>,
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
            let prefix = service.prefix.clone();
            menu.push(menu_entry(service, &prefix));
            let first = first_segment(&prefix).to_owned();
            let metrics = metrics.route(service.name.as_str());
            by_first_segment.entry(first).or_default().push(Arc::new(Route {
                service: service.clone(),
                prefix,
                chain,
                metrics,
            }));
        }
        let own_pages = composition_of(&config, registry, tools).map_or_else(
            |mut found| {
                problems.append(&mut found);
                None
            },
            Some,
        );
        let mut at = config.provider.backend_url.clone();
        at.set_path("/");
        let provider = Upstream::try_from(at).map_err(|error| Invalid::new(error.to_string()));
        let provider = match provider {
            Ok(provider) if problems.is_empty() => provider,
            Ok(_) => return Err(problems),
            Err(problem) => {
                problems.push(problem);
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
        let origins = config
            .server
            .public_origins
            .iter()
            .map(ToString::to_string)
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
        self.origins.get(index).map(String::as_str).unwrap_or_default()
    }

    /// A public origin by the index that [`Snapshot::origin_of`] gave; the first one otherwise.
    pub(crate) fn origin(&self, index: usize) -> Option<&Origin> {
        self.config.server.public_origins.get(index)
    }
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
