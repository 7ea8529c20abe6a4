//! Where upstreams live: addresses that are numbers cost nothing, names are resolved off the request's
//! thread and remembered for a while.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// How long a resolved name is used before it is asked for again.
const FRESH: Duration = Duration::from_secs(30);

/// The socket address behind `host:port`, if the host is a number or `localhost`, which is 127.0.0.1: services bind
/// there and nowhere else (platform README §1).
pub(crate) fn fixed(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| {
        let port = text.strip_prefix("localhost:")?.parse().ok()?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    })
}

/// The resolved names of this process; as many entries as the configuration has names.
#[derive(Default)]
pub(crate) struct Addresses {
    known: DashMap<String, (SocketAddr, Instant)>,
}

impl Addresses {
    /// Resolves `name:port`; a name that no longer resolves keeps its last address.
    pub(crate) async fn resolve(&self, name: &str) -> Option<SocketAddr> {
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

    #[test]
    fn localhost_is_where_services_bind() {
        assert_eq!(fixed("localhost:5010"), "127.0.0.1:5010".parse().ok());
        assert_eq!(fixed("[::1]:80"), "[::1]:80".parse().ok());
        assert_eq!(fixed("stock.example:80"), None);
    }
}
