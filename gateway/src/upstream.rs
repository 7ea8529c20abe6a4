//! Where upstreams live: addresses that are numbers cost nothing, names are resolved off the request's
//! thread and remembered for a while.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// How long a resolved name is used before it is asked for again.
const FRESH: Duration = Duration::from_secs(30);

/// `host:port` as configured.
pub(crate) enum Address<'a> {
    /// Already a socket address.
    Fixed(SocketAddr),
    /// A name with its port.
    Named(&'a str),
}

impl<'a> From<&'a str> for Address<'a> {
    /// `localhost` is 127.0.0.1: services bind there and nowhere else (platform README §1).
    fn from(text: &'a str) -> Self {
        if let Ok(address) = text.parse() {
            return Self::Fixed(address);
        }
        match text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
            Some(port) => Self::Fixed(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
            None => Self::Named(text),
        }
    }
}

/// The resolved names of this process; as many entries as the configuration has names.
#[derive(Default)]
pub(crate) struct Addresses {
    known: DashMap<String, (SocketAddr, Instant)>,
}

impl Addresses {
    /// Resolves; a name that no longer resolves keeps its last address.
    pub(crate) async fn resolve(&self, address: &Address<'_>) -> Option<SocketAddr> {
        let name = match address {
            Address::Fixed(address) => return Some(*address),
            Address::Named(name) => *name,
        };
        let known = self.known.get(name).map(|entry| *entry);
        if let Some((address, since)) = known
            && since.elapsed() < FRESH
        {
            return Some(address);
        }
        let found = tokio::net::lookup_host(name)
            .await
            .ok()
            .and_then(|mut all| all.next());
        match found {
            Some(address) => {
                self.known.insert(name.to_owned(), (address, Instant::now()));
                Some(address)
            }
            None => known.map(|(address, _)| address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_where_services_bind() {
        let found = Addresses::default()
            .resolve(&Address::from("localhost:5010"))
            .await;
        assert_eq!(found, "127.0.0.1:5010".parse().ok());
    }
}
