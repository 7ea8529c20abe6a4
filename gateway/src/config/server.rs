//! Where the gateway listens and under which names browsers know it. What it serves there is elsewhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

/// The public listener. `[server]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port. Default `127.0.0.1:8000`. Change needs a restart.
    pub listen: SocketAddr,
    /// Certificate and key; without them the listener speaks plain HTTP. Default none.
    pub tls: Option<Tls>,
    /// Worker threads. Default: as many as the machine has cores. Change needs a restart.
    pub threads: usize,
    /// Every origin under which browsers reach the gateway, at least one; redirects and cookies are built from
    /// these, never from what a request says. The first is the one to use when no request is at hand.
    pub public_origins: Vec<Origin>,
    /// Networks of proxies in front of us whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests under way may take to end after a stop was asked for. Default 5 s.
    pub grace: Duration,
}

impl Server {
    /// A plain listener with defaults for the rest.
    #[must_use]
    pub fn new(listen: SocketAddr, public_origins: Vec<Origin>) -> Self {
        Self {
            listen,
            tls: None,
            threads: default_threads(),
            public_origins,
            trusted_proxies: Vec::new(),
            grace: DEFAULT_GRACE,
        }
    }
}

/// Where the gateway listens unless told otherwise.
pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
/// How long a shutdown may take unless told otherwise.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// One worker per core.
pub(super) fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Certificate and private key as PEM files. `[server.tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
}

/// The admin listener: metrics and health detail, read-only. `[admin]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// A loopback address; `None` where there shall be none (`"off"`). Default `127.0.0.1:9090`.
    pub listen: Option<SocketAddr>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090)),
        }
    }
}

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain; browsers keep our session cookie only if the host is loopback.
    Http,
    /// TLS, ours or that of a proxy in front of us.
    Https,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme need not name.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Scheme, host and port (RFC 6454). `Display` is its serialisation: no default port, no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// In lower case; an IPv6 address in brackets.
    pub host: String,
    /// The port, given or the scheme's own.
    pub port: u16,
}

impl Origin {
    /// Reads `https://host[:port]`.
    ///
    /// # Errors
    /// If it is anything else; a path, query or user name is never ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin::Malformed)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(InvalidOrigin::Malformed),
        };
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(InvalidOrigin::Malformed)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidOrigin::MoreThanAnOrigin);
        }
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(InvalidOrigin::Malformed);
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
        })
    }

    /// `host`, or `host:port` where the port is not the scheme's own: what a browser sends as Host.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether a Host (or `:authority`) means this origin: hosts without regard to case, the scheme's port
    /// written or not (RFC 9110 §4.2.3).
    #[must_use]
    pub fn serves(&self, authority: &str) -> bool {
        let (host, port) = match authority.rfind(':') {
            Some(colon) if !authority.ends_with(']') => (&authority[..colon], Some(&authority[colon + 1..])),
            _ => (authority, None),
        };
        let port = match port {
            None => Some(self.scheme.default_port()),
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()
            }
            Some(_) => None,
        };
        port == Some(self.port) && host.eq_ignore_ascii_case(&self.host)
    }

    /// Whether the scheme is https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Whether browsers treat it as this machine, and so keep Secure cookies even without TLS.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port == self.scheme.default_port() {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        Self::parse(text)
    }
}

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// No URL, another scheme, no host.
    #[error("expected an origin such as \"https://hive.example.com\" or \"http://localhost:8000\"")]
    Malformed,
    /// It has a path, a query, a fragment or a user name.
    #[error("expected an origin: scheme, host and port, and nothing behind them")]
    MoreThanAnOrigin,
}

/// Whether a host as it stands in a URL is this machine: `localhost` and below, 127.0.0.0/8, `[::1]`.
pub(super) fn is_loopback_host(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_more() {
        for (text, shown, authority) in [
            (
                "https://hive.example.com",
                "https://hive.example.com",
                "hive.example.com",
            ),
            (
                "https://Hive.Example.com:443/",
                "https://hive.example.com",
                "hive.example.com",
            ),
            ("http://localhost:8000", "http://localhost:8000", "localhost:8000"),
            ("http://[::1]:8000", "http://[::1]:8000", "[::1]:8000"),
            ("http://localhost:443", "http://localhost:443", "localhost:443"),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!(
                (origin.to_string().as_str(), origin.authority().as_str()),
                (shown, authority)
            );
        }
        for text in [
            "",
            "hive.example.com",
            "ftp://h",
            "https://",
            "https://h/path",
            "https://h?q",
            "https://h#f",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
        for text in [
            "https://u@h",
            "https://u:p@h",
            "https://h:0",
            "https://h:99999",
            "file:///etc",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_belongs_to_an_origin_in_any_case_and_with_the_port_written_or_not() {
        let origin = Origin::parse("https://hive.example.com").unwrap();
        for host in ["hive.example.com", "HIVE.example.COM", "hive.example.com:443"] {
            assert!(origin.serves(host), "{host}");
        }
        for host in [
            "",
            "hive.example.com:",
            "hive.example.com:80",
            "hive.example.com:+443",
            "evil.com",
            "a:b:443",
        ] {
            assert!(!origin.serves(host), "{host}");
        }
        let local = Origin::parse("http://[::1]:8000").unwrap();
        assert!(local.serves("[::1]:8000") && !local.serves("[::1]") && !local.serves("::1:8000"));
    }

    #[test]
    fn loopback_is_what_browsers_take_for_this_machine() {
        for host in ["localhost", "hive.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
