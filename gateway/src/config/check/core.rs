//! Checks `[core]`.

use std::net::{Ipv4Addr, SocketAddr};

use hivematrix_platform::RegistryEntry;
use url::Url;

use super::super::core::{self as written, KeyRing};
use super::super::identity::{
    Core, DEFAULT_CORE_TIMEOUT, DEFAULT_ISSUER, EmbeddedCore, KeyRingPlace, Sessions, StoreChoice,
};
use super::super::server::is_loopback_host;
use super::{Checker, or};

const DEFAULT_CORE: &str = "http://localhost:5000";

/// Where services look for the keys that verify tokens (platform README §1).
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

/// Beside the configuration, unless told otherwise.
const DEFAULT_RING: &str = "core-keys.json";

impl Checker<'_> {
    pub(super) fn core(
        &mut self,
        core: written::Core,
        registry: &[RegistryEntry],
        sessions: Option<&Sessions>,
    ) -> Option<Core> {
        let embedded = match core.embedded {
            Some(embedded) => Some(self.embedded(embedded, sessions)?),
            None => None,
        };
        if let Some(written) = &core.url {
            self.refuse_path(written);
            if embedded
                .as_ref()
                .is_some_and(|embedded| !is_at(&written.value.0, embedded.listen))
            {
                let problem = written.problem("not used: Core runs inside the gateway's process");
                self.report(
                    problem
                        .help("leave out either `url` or [core.embedded]")
                        .warning(),
                );
            }
        }
        let mut other_urls = Vec::new();
        for written in core.other_urls.unwrap_or_default() {
            self.refuse_path(&written);
            let known = core
                .url
                .as_ref()
                .is_some_and(|url| url.value.0 == written.value.0);
            if known || other_urls.contains(&written.value.0) {
                self.report(written.problem("this address is listed twice"));
            }
            other_urls.extend(self.address(Some(written), DEFAULT_CORE));
        }
        let url = match &embedded {
            Some(embedded) => Url::parse(&format!("http://{}", embedded.listen)).ok(),
            None => {
                let registered = registry.iter().find(|entry| entry.name.as_str() == "core");
                let default = registered.map_or(DEFAULT_CORE, |entry| entry.url.as_str());
                self.address(core.url, default)
            }
        };
        let secret = match &core.secret {
            Some(written) => Some(self.vault.fetch(&written.value, &written.place, self.problems)?),
            None => None,
        };
        Some(Core {
            url: url?,
            other_urls,
            issuer: or(core.issuer, DEFAULT_ISSUER.to_owned()),
            secret,
            timeout: or(core.timeout, DEFAULT_CORE_TIMEOUT),
            embedded,
        })
    }

    fn embedded(&mut self, embedded: written::Embedded, sessions: Option<&Sessions>) -> Option<EmbeddedCore> {
        if let Some(written) = &embedded.listen
            && !written.value.ip().is_loopback()
        {
            let problem = written.problem("Core listens on loopback only: it believes whoever reaches it");
            self.report(problem.help("for example \"127.0.0.1:5000\""));
            return None;
        }
        let in_memory = sessions.is_some_and(|sessions| matches!(sessions.store, StoreChoice::Memory));
        let key_ring = match embedded.key_ring {
            Some(written) => match written.value.clone() {
                KeyRing::Store if in_memory => {
                    let message = "a store in memory forgets the keys with every restart";
                    self.report(
                        written
                            .problem(message)
                            .help("name a file, or use store = \"redis\""),
                    );
                    return None;
                }
                KeyRing::Store => KeyRingPlace::Store,
                KeyRing::File(path) => KeyRingPlace::File(self.path(&path)),
            },
            None => KeyRingPlace::File(self.path(DEFAULT_RING.as_ref())),
        };
        let legacy_callers = embedded.legacy_callers.unwrap_or_default();
        Some(EmbeddedCore {
            listen: or(embedded.listen, DEFAULT_LISTEN),
            key_ring,
            rotate_every: embedded.rotate_every.map(|written| written.value.into()),
            secrets: embedded.secrets.map(|written| self.path(&written.value)),
            legacy_callers: legacy_callers.into_iter().map(|caller| caller.value).collect(),
        })
    }
}

/// Whether this is the address of what listens there, on loopback.
fn is_at(url: &Url, listen: SocketAddr) -> bool {
    url.host_str().is_some_and(is_loopback_host) && url.port_or_known_default() == Some(listen.port())
}
