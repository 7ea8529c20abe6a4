//! Where a backend's redirect leads, as the browser must see it: below the service's prefix, or where the
//! backend said, never to an internal address (security rules, "Answers").

use std::net::Ipv4Addr;

use url::{Host, Url};

use crate::config::Origin;
use crate::phases::path::under;
use crate::snapshot::{Route, Snapshot};

/// Doors of our own that a backend may point at.
const DOORS: [&str; 7] = [
    "/login",
    "/logout",
    "/keycloak-callback",
    "/health",
    "/static",
    "/realms",
    "/resources",
];

/// What a location is judged by.
pub(crate) struct Locations<'a> {
    /// The routes, whose prefixes and upstream addresses are known.
    pub(crate) snapshot: &'a Snapshot,
    /// The service that answered.
    pub(crate) route: &'a Route,
}

impl Locations<'_> {
    /// The location to send instead, or none if it may stay as it is.
    pub(crate) fn public(&self, location: &str) -> Option<String> {
        if let Some(path) = location.strip_prefix('/')
            && !path.starts_with(['/', '\\'])
        {
            return self.below_prefix(location);
        }
        let (url, relative_scheme) = match location.strip_prefix("//") {
            Some(rest) => (Url::parse(&format!("http://{rest}")).ok()?, true),
            None => (Url::parse(location).ok()?, false),
        };
        let authority = authority(&url)?;
        if let Some(path) = self.on_public_origin(&url) {
            return self.below_prefix(&path).or(relative_scheme.then_some(path));
        }
        // Several services may live at one address: a backend means itself before it means a neighbour.
        let lives_there = |route: &&Route| route.service.upstream.address == authority;
        let mounted = Some(self.route).filter(lives_there).or_else(|| {
            let neighbours = self.snapshot.routes().map(|route| &**route);
            neighbours.filter(lives_there).min_by_key(|route| &route.prefix)
        });
        if let Some(route) = mounted {
            return Some(at(route, &url));
        }
        let provider = &self.snapshot.config.provider;
        if self.snapshot.provider.upstream.address == authority {
            return Some(format!("{}{}", provider.public_path, tail(&url)));
        }
        is_internal(&url).then(|| at(self.route, &url))
    }

    /// As [`Locations::public`], for the value of a `Refresh` header: `<seconds>; url=<location>`.
    pub(crate) fn public_refresh(&self, refresh: &str) -> Option<String> {
        let (seconds, target) = refresh.split_once([';', ','])?;
        let target = target.trim_start();
        let location = match target.get(..4) {
            Some(start) if start.eq_ignore_ascii_case("url=") => &target[4..],
            _ => target,
        };
        let location = self.public(location.trim().trim_matches(['"', '\'']))?;
        Some(format!("{}; url={location}", seconds.trim()))
    }

    /// A path that knows its prefix, or points at another door or service, stays; any other gets ours.
    fn below_prefix(&self, location: &str) -> Option<String> {
        let path = location.split(['?', '#']).next().unwrap_or_default();
        let provider = self.snapshot.config.provider.public_path.as_str();
        let known = DOORS.iter().any(|door| under(path, door).is_some())
            || (!provider.is_empty() && under(path, provider).is_some())
            || self.snapshot.redirect(path).is_some()
            || self
                .snapshot
                .routes()
                .any(|route| under(path, &route.prefix).is_some());
        (!known).then(|| format!("{}{location}", self.route.prefix))
    }

    /// The path of a URL on one of our public origins.
    fn on_public_origin(&self, url: &Url) -> Option<String> {
        let origin = Origin::parse(&url.origin().ascii_serialization()).ok()?;
        let ours = self.snapshot.config.server.public_origins.contains(&origin);
        ours.then(|| tail(url))
    }
}

/// An internal address as a path below a route's prefix. Who learnt the prefix from its header, but not the host
/// (waitress drops that one unless it is told otherwise), has put it there already.
fn at(route: &Route, url: &Url) -> String {
    let tail = tail(url);
    if under(url.path(), &route.prefix).is_some() {
        tail
    } else {
        format!("{}{tail}", route.prefix)
    }
}

/// Path, query and fragment.
fn tail(url: &Url) -> String {
    let mut tail = url.path().to_owned();
    if let Some(query) = url.query() {
        tail.push('?');
        tail.push_str(query);
    }
    if let Some(fragment) = url.fragment() {
        tail.push('#');
        tail.push_str(fragment);
    }
    tail
}

fn authority(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Loopback, unspecified and link-local addresses mean nothing to a browser elsewhere.
fn is_internal(url: &Url) -> bool {
    let v4 = |v4: Ipv4Addr| v4.is_loopback() || v4.is_unspecified() || v4.is_link_local();
    match url.host() {
        Some(Host::Ipv4(address)) => v4(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(v4)
        }
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
