//! Services of one's own in the demo: `--service NAME=URL`, and the address of Core that such a service needs.

use std::net::{Ipv4Addr, SocketAddr};

use hivematrix_platform::ServiceName;
use url::Url;

use crate::failure::Failure;
use crate::parts::{self, ANY_PORT};

/// Where a service looks for Core unless it is told otherwise (platform README §1).
const USUAL_CORE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

/// A service that runs beside the demo.
#[derive(Debug, Clone)]
pub(crate) struct OwnService {
    /// Its name in the menu's addresses.
    pub(crate) name: ServiceName,
    /// Where it answers.
    pub(crate) url: Url,
}

/// Reads `NAME=URL`.
pub(super) fn services(given: &[String]) -> Result<Vec<OwnService>, Failure> {
    let mut services: Vec<OwnService> = Vec::new();
    for text in given {
        let wrong = |why: &str| Failure::Usage(format!("--service {text}: {why}"));
        let (name, url) = text
            .split_once('=')
            .ok_or_else(|| wrong("expected NAME=URL, for example stock=http://127.0.0.1:5060"))?;
        let name = parts::name(name)?;
        let url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(host)) => host == "localhost",
            None => false,
        };
        if url.scheme() != "http" || !loopback {
            return Err(wrong(
                "a service speaks http on this machine, for example http://127.0.0.1:5060",
            ));
        }
        let ours = ["core", "codex", "template", "helm", "nexus", "keycloak"];
        if ours.contains(&name.as_str()) || services.iter().any(|other| other.name == name) {
            return Err(wrong("there is a service of that name already"));
        }
        services.push(OwnService { name, url });
    }
    Ok(services)
}

/// Where Core listens: where it is looked for, if somebody will.
pub(super) fn core(given: Option<SocketAddr>, services: &[OwnService]) -> Result<SocketAddr, Failure> {
    match given {
        Some(address) if !address.ip().is_loopback() => Err(Failure::Usage(format!(
            "--core {address}: Core listens on loopback only"
        ))),
        Some(address) => Ok(address),
        None if services.is_empty() => Ok(ANY_PORT),
        None => Ok(USUAL_CORE),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<OwnService>, Failure> {
        services(&[text.to_owned()])
    }

    #[test]
    fn a_service_of_ones_own_is_a_name_and_an_address_of_this_machine() {
        let found = read("stock=http://127.0.0.1:5060").unwrap();
        assert_eq!(
            (found[0].name.as_str(), found[0].url.port()),
            ("stock", Some(5060))
        );
        for wrong in [
            "stock",
            "Stock=http://127.0.0.1:5060",
            "stock=nonsense",
            "stock=https://127.0.0.1:5060",
            "stock=http://192.0.2.1:5060",
            "codex=http://127.0.0.1:5060",
        ] {
            assert_eq!(read(wrong).unwrap_err().status(), 64, "{wrong}");
        }
    }

    #[test]
    fn core_is_where_services_look_for_it_as_soon_as_there_is_one() {
        assert_eq!(core(None, &[]).unwrap().port(), 0);
        let own = read("stock=http://localhost:5060").unwrap();
        assert_eq!(core(None, &own).unwrap(), USUAL_CORE);
        let chosen = "127.0.0.1:5001".parse().unwrap();
        assert_eq!(core(Some(chosen), &own).unwrap(), chosen);
        assert!(core(Some("0.0.0.0:5000".parse().unwrap()), &own).is_err());
    }
}
