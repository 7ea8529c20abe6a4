//! Checks services: those of the registry file first, in its order, then those that only the file has; a table
//! `[services.<name>]` of a registered service changes it.

use std::path::PathBuf;
use std::sync::Arc;

use hivematrix_platform::{Registry, RegistryEntry, ServiceName};

use super::super::file;
use super::super::identity::Provider;
use super::super::limits::{ServiceTimeouts, Timeouts};
use super::super::problem::{Place, Problem, Source};
use super::super::read::{Written, closest};
use super::super::service::{
    COMPOSITION, Composed, Outage, PluginInstance, PublicPath, PublicRule, Service, Upstream,
};
use super::super::value::{HttpUrl, RulePath};
use super::{Checker, DOORS, NEVER_MOUNTED, first_segment, or};

impl Checker<'_> {
    /// The entries of `registry = "services.json"`; `None` if it cannot be read.
    pub(super) fn registry(&mut self, written: Option<&Written<PathBuf>>) -> Option<Vec<RegistryEntry>> {
        let Some(written) = written else {
            return Some(Vec::new());
        };
        let path = self.path(&written.value);
        self.vault.files.push(path.clone());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                self.report(written.problem(format!("{} cannot be read: {error}", path.display())));
                return None;
            }
        };
        match Registry::parse(&text) {
            Ok(registry) => Some(registry.services),
            Err(error) => {
                let source = Arc::new(Source::new(path.display().to_string(), text));
                for problem in error.problems {
                    let message = match &problem.service {
                        Some(service) => format!("service {service:?}: {}", problem.message),
                        None => problem.message,
                    };
                    self.report(Problem::new(
                        Place::Elsewhere(source.clone(), problem.span),
                        message,
                    ));
                }
                None
            }
        }
    }
}

/// What services are checked against.
pub(super) struct Mounting<'a> {
    pub(super) plugins: &'a [PluginInstance],
    pub(super) default_composition: Composed,
    pub(super) default_plugins: Option<Vec<Written<String>>>,
    pub(super) default_outage: Outage,
    pub(super) timeouts: &'a Timeouts,
    /// There is a registry, but nobody knows what is in it.
    pub(super) unread_registry: bool,
    /// The provider, where it stands on the gateway's origin.
    pub(super) provider_door: Option<&'a Provider>,
}

impl Mounting<'_> {
    pub(super) fn mount(
        self,
        registry: &[RegistryEntry],
        written: Vec<(Written<ServiceName>, file::Service)>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Service> {
        let default_plugins = match &self.default_plugins {
            Some(names) => self.instances(names, problems),
            None => vec![COMPOSITION.to_owned()],
        };
        let mut services: Vec<(Service, Place)> = Vec::new();
        for entry in registry.iter().filter(|entry| !entry.is_infrastructure()) {
            match Upstream::try_from(entry.url.clone()) {
                Ok(upstream) => {
                    let mut service = self.plain(entry.name.clone(), upstream, &default_plugins);
                    service.visible = entry.visible;
                    service.access = entry.access;
                    services.push((service, Place::Document));
                }
                Err(problem) => {
                    let message = format!("service `{}` of the registry: {problem}", entry.name);
                    problems.push(Problem::new(Place::Document, message));
                }
            }
        }
        for (name, table) in written {
            if NEVER_MOUNTED.contains(&name.value.as_str()) {
                let message = format!("`{}` is never mounted as a service", name.value);
                problems.push(
                    name.problem(message)
                        .help("its own table says where it is: [core], [provider]"),
                );
                continue;
            }
            let place = name.place.clone();
            let known = services
                .iter()
                .position(|(service, _)| service.name == name.value);
            let base = match known {
                Some(index) => Some(services.remove(index).0),
                None => self.new_service(&name, &table, &default_plugins, problems),
            };
            let Some(base) = base else { continue };
            let service = self.amend(base, table, problems);
            services.insert(known.unwrap_or(services.len()), (service, place));
        }
        for (service, place) in &services {
            hint_loopback(&service.name, &service.upstream, place.clone(), problems);
        }
        self.refuse_collisions(&services, problems);
        services.into_iter().map(|(service, _)| service).collect()
    }

    fn plain(&self, name: ServiceName, upstream: Upstream, plugins: &[String]) -> Service {
        Service {
            composition: self.default_composition,
            plugins: plugins.to_vec(),
            outage: self.default_outage,
            timeouts: ServiceTimeouts::from(self.timeouts),
            ..Service::new(name, upstream)
        }
    }

    /// A service that the registry does not have; its table must say where it is.
    fn new_service(
        &self,
        name: &Written<ServiceName>,
        table: &file::Service,
        plugins: &[String],
        problems: &mut Vec<Problem>,
    ) -> Option<Service> {
        let Some(url) = &table.url else {
            let message = format!("`url` is missing: where is the service `{}`?", name.value);
            problems.extend(
                table
                    .heading
                    .lacks("url", message)
                    .filter(|_| !self.unread_registry),
            );
            return None;
        };
        Some(self.plain(name.value.clone(), upstream(url, problems)?, plugins))
    }

    fn amend(&self, mut service: Service, table: file::Service, problems: &mut Vec<Problem>) -> Service {
        if let Some(url) = &table.url
            && url.value.0 != service.upstream.url
            && let Some(upstream) = upstream(url, problems)
        {
            service.upstream = upstream;
        }
        service.upstream.http2 = or(table.http2, service.upstream.http2);
        if let Some(prefix) = table.prefix {
            service.prefix = self.prefix(&prefix, problems);
        }
        service.label = or(table.label, service.label);
        service.icon = or(table.icon, service.icon);
        service.access = or(table.access, service.access);
        service.visible = or(table.visible, service.visible);
        service.outage = or(table.outage, service.outage);
        if let Some(rules) = table.public {
            service.public = rules
                .into_iter()
                .filter_map(|rule| public_rule(rule, problems))
                .collect();
        }
        if let Some(names) = &table.plugins {
            service.plugins = self.instances(names, problems);
        }
        if let Some(composition) = table.composition {
            service.composition = composition.value;
            if composition.value != Composed::Off && !self.has_composition(&service) {
                let message = "nothing is composed here: the service's `plugins` name no composition";
                problems.push(
                    composition
                        .problem(message)
                        .help("add \"composition\" to them, or leave this out"),
                );
            }
        }
        if let Some(own) = table.timeouts {
            let general = service.timeouts;
            service.timeouts = ServiceTimeouts {
                connect: or(own.connect, general.connect),
                first_byte: or(own.first_byte, general.first_byte),
                upstream_idle_body: or(own.upstream_idle_body, general.upstream_idle_body),
                stream_idle: or(own.stream_idle, general.stream_idle),
            };
        }
        service
    }

    fn has_composition(&self, service: &Service) -> bool {
        let composes = |plugin: &PluginInstance| plugin.kind == COMPOSITION;
        let mut named = service.plugins.iter();
        named.any(|name| {
            self.plugins
                .iter()
                .any(|plugin| plugin.name == *name && composes(plugin))
        })
    }

    fn prefix(&self, written: &Written<RulePath>, problems: &mut Vec<Problem>) -> String {
        let prefix = written.value.0.trim_end_matches('/');
        if prefix.is_empty() {
            let message = "a service needs a prefix of its own: \"/\" leads to the user's home page";
            problems.push(written.problem(message));
        }
        prefix.to_owned()
    }

    /// Names of instances that exist, each once.
    fn instances(&self, names: &[Written<String>], problems: &mut Vec<Problem>) -> Vec<String> {
        for (index, name) in names.iter().enumerate() {
            if names
                .iter()
                .take(index)
                .any(|earlier| earlier.value == name.value)
            {
                problems.push(name.problem("this plugin is listed twice"));
            }
            if self.plugins.iter().any(|plugin| plugin.name == name.value) {
                continue;
            }
            let problem = name.problem(format!("there is no plugin `{}`", name.value.escape_debug()));
            let known: Vec<&str> = self.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
            problems.push(match closest(&name.value, &known) {
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help("declare it: [plugins.<name>] with kind = \"…\""),
            });
        }
        names.iter().map(|name| name.value.clone()).collect()
    }

    fn refuse_collisions(&self, services: &[(Service, Place)], problems: &mut Vec<Problem>) {
        for (index, (service, place)) in services.iter().enumerate() {
            let first = first_segment(&service.prefix);
            let provider = self
                .provider_door
                .is_some_and(|door| first_segment(&door.public_path) == first);
            if DOORS.contains(&first) || NEVER_MOUNTED.contains(&first) || provider {
                let message = format!(
                    "`{}` cannot be at {}: that path is the gateway's own",
                    service.name, service.prefix
                );
                problems.push(Problem::new(place.clone(), message).help("give it another `prefix`"));
            }
            let earlier = services
                .iter()
                .take(index)
                .find(|(other, _)| other.prefix == service.prefix);
            if let Some((other, _)) = earlier {
                let message = format!(
                    "`{}` and `{}` are both at {}",
                    other.name, service.name, service.prefix
                );
                problems.push(Problem::new(place.clone(), message));
            }
        }
    }
}

fn upstream(written: &Written<HttpUrl>, problems: &mut Vec<Problem>) -> Option<Upstream> {
    Upstream::try_from(written.value.0.clone())
        .map_err(|problem| problems.push(written.problem(problem.to_string())))
        .ok()
}

/// Services are meant to listen on loopback, where nobody reads what we send them.
fn hint_loopback(service: &ServiceName, upstream: &Upstream, place: Place, problems: &mut Vec<Problem>) {
    if !upstream.tls && !upstream.is_loopback() {
        let message =
            format!("`{service}` is reached by plain http on another machine, where tokens can be read");
        let help = "use https, or keep the service on this machine";
        problems.push(Problem::new(place, message).help(help).warning());
    }
}

fn public_rule(rule: file::PublicRule, problems: &mut Vec<Problem>) -> Option<PublicRule> {
    let path = match (rule.path, rule.prefix) {
        (Some(path), None) => PublicPath::Exact(path.value.0),
        (None, Some(prefix)) => PublicPath::Prefix(public_prefix(prefix, problems)?),
        (Some(_), Some(prefix)) => {
            problems.push(prefix.problem("a public rule has either `path` or `prefix`, not both"));
            return None;
        }
        (None, None) => {
            let problem = rule
                .heading
                .lacks("path", "a public rule needs `path` or `prefix`");
            problems.extend(problem.filter(|_| !rule.heading.unread.contains(&"prefix")));
            return None;
        }
    };
    let methods = match rule.methods {
        None => vec![http::Method::GET, http::Method::HEAD],
        Some(methods) if methods.is_empty() => {
            problems.extend(rule.heading.lacks("", "this rule admits no method"));
            return None;
        }
        Some(methods) => methods.into_iter().map(|method| method.value).collect(),
    };
    Some(PublicRule { path, methods })
}

fn public_prefix(prefix: Written<RulePath>, problems: &mut Vec<Problem>) -> Option<String> {
    if !prefix.value.0.ends_with('/') {
        let help = format!(
            "write \"{0}/\"; otherwise {0}-anything would be public too",
            prefix.value.0
        );
        problems.push(prefix.problem("a public prefix ends with \"/\"").help(help));
        return None;
    }
    if prefix.value.0 == "/" {
        problems.push(prefix.problem("the whole service is open to everybody").warning());
    }
    Some(prefix.value.0)
}
