//! The gateway's configuration in a stack: what is mounted where, and short times.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hivematrix_gateway::config::{self, Config, Origin, Service, Upstream};
use hivematrix_platform::Access;
use url::Url;

use super::build::{Backends, Relays};
use super::parts::Part;
use super::platform::{CLIENT_SECRET, CORE_SECRET, Platform, http, name};
use crate::keycloak::Realm;

/// The configuration of a gateway on `origin`.
pub(super) fn config(origin: &Url, relays: &Relays, platform: &Platform, backends: &Backends) -> Config {
    let mut config = base(origin, relays);
    let (to_echo, to_second) = (relays.at(Part::Echo), backends.second.address());
    config.services = vec![
        service("codex", relays.at(Part::Codex)),
        Service {
            access: Access::admin_only(),
            ..service("helm", platform.helm)
        },
        service("template", platform.template),
        service("echo", to_echo),
        Service {
            prefix: "/echo/deep".to_owned(),
            ..service("deep", to_second)
        },
        service("second", to_second),
        Service {
            access: Access::admin_only(),
            ..service("admins", to_second)
        },
        Service {
            access: Access::billing_or_admin_only(),
            ..service("money", to_second)
        },
        Service {
            visible: false,
            ..service("hidden", to_second)
        },
        public(service("beacon", backends.beacon.address())),
        Service {
            plugins: Vec::new(),
            ..service("plain", to_echo)
        },
        service("core", platform.core),
        service("nexus", to_second),
        service("keycloak", platform.provider),
    ];
    config
}

fn service(service: &str, address: SocketAddr) -> Service {
    Service::new(
        name(service),
        Upstream::parse(&format!("http://{address}")).expect("an upstream"),
    )
}

/// The contract's public paths, and one by method.
fn public(mut service: Service) -> Service {
    use config::{PublicPath, PublicRule};
    let read = || vec![http::Method::GET, http::Method::HEAD];
    let exact = |path: &str| PublicRule {
        path: PublicPath::Exact(path.to_owned()),
        methods: read(),
    };
    let prefix = |path: &str| PublicRule {
        path: PublicPath::Prefix(path.to_owned()),
        methods: read(),
    };
    service.public = vec![
        prefix("/display/"),
        exact("/display"),
        prefix("/api/tickets/"),
        prefix("/static/"),
        exact("/health"),
        PublicRule {
            path: PublicPath::Exact("/hook".to_owned()),
            methods: vec![http::Method::POST],
        },
    ];
    service
}

/// The provider is this realm of a real Keycloak.
pub(super) fn at_keycloak(config: &mut Config, realm: &Realm) {
    let provider = &mut config.provider;
    provider.realm.clone_from(&realm.name);
    provider.client_secret = realm.client_secret.clone();
    if let Some(origin) = &realm.identity_origin {
        let origin = origin.origin().ascii_serialization();
        provider.identity_origin = Some(Origin::parse(&origin).expect("an origin"));
        provider.public_path = String::new();
    }
}

/// What a case does not change.
fn base(origin: &Url, relays: &Relays) -> Config {
    let port = origin.port().expect("a port");
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let public = Origin::parse(&origin.origin().ascii_serialization()).expect("an origin");
    let provider = config::Provider::new(http(relays.at(Part::Provider)), CLIENT_SECRET.into());
    let core = config::Core {
        secret: Some(CORE_SECRET.into()),
        ..config::Core::new(http(relays.at(Part::Core)))
    };
    let mut config = Config::minimal(listen, public, provider, core);
    config.admin.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.server.grace = Duration::from_millis(500);
    config.codex = Some(config::Codex::new(http(relays.at(Part::Codex))));
    config
}
