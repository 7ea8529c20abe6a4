//! What is behind the gateway's prefixes: services, who may enter them, redirects, plugin instances, and the log.

use std::time::Duration;

use hivematrix_platform::{Access, ServiceName};
use http::Method;
use toml::Spanned;
use toml::de::DeTable;
use url::Url;

use super::limits::{ServiceTimeouts, Timeouts};
use super::value;

/// The instance that services get when nothing else is said, and its kind.
pub const COMPOSITION: &str = "composition";

/// A service behind a prefix. `[services.<name>]`, or an entry of the registry
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Where it is mounted: `/codex`, without a slash at the end. Default `/<name>`.
    pub prefix: String,
    /// Its name in the menu. Default: the name with a capital.
    pub label: String,
    /// Its Lucide icon in the menu. Default empty: the composition chooses by the service's name.
    pub icon: String,
    /// Where it runs.
    pub upstream: Upstream,
    /// Who may enter. The menu shows the entry to the same people. Default any signed-in user.
    pub access: Access,
    /// Whether the menu has an entry; the door is not affected. Default yes.
    pub visible: bool,
    /// What may be asked for without login. Default nothing.
    pub public: Vec<PublicRule>,
    /// Which of its pages are composed, as far as `plugins` names a composition. Default on.
    pub composition: Composed,
    /// Plugin instances by name, in the order in which requests meet them. Default the composition.
    pub plugins: Vec<String>,
    /// Who may read while nobody can tell whether sessions still hold. Default nobody.
    pub outage: Outage,
    /// Its own times.
    pub timeouts: ServiceTimeouts,
}

impl Service {
    /// A service with the defaults: any signed-in user, in the menu, nothing public, composed.
    #[must_use]
    pub fn new(name: ServiceName, upstream: Upstream) -> Self {
        Self {
            prefix: format!("/{name}"),
            label: default_label(name.as_str()),
            icon: String::new(),
            upstream,
            access: Access::AnyUser,
            visible: true,
            public: Vec::new(),
            composition: Composed::On,
            plugins: vec![COMPOSITION.to_owned()],
            outage: Outage::Closed,
            timeouts: ServiceTimeouts::from(&Timeouts::default()),
            name,
        }
    }
}

/// Which of a service's pages are composed. `composition`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Composed {
    /// Pages that fill a window; those inside frames as the composition's own `framed` says (by default not).
    #[default]
    On,
    /// Pages inside frames as well.
    Framed,
    /// None: every answer passes as the service sent it, but for its other plugins.
    Off,
}

/// What a service's door does while the session store, or what verifies tokens, is out of reach. `outage`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// It stays shut: 503. `"closed"`
    Closed,
    /// For this long it admits whoever this gateway last saw with a valid session, to read and no more: GET and HEAD, no
    /// streams. Never a session that was seen revoked. At most [`Outage::LONGEST`]. `{ grace = "60s" }`
    Grace(Duration),
}

impl Outage {
    /// The longest grace: for that long a revocation that nobody could announce may go unnoticed.
    pub const LONGEST: Duration = Duration::from_secs(15 * 60);

    /// How long sessions are believed; `None` for not at all.
    #[must_use]
    pub const fn grace(self) -> Option<Duration> {
        match self {
            Self::Closed => None,
            Self::Grace(grace) => Some(grace),
        }
    }
}

/// What the menu calls a service that does not say.
fn default_label(name: &str) -> String {
    match name {
        "knowledgetree" => "KnowledgeTree".to_owned(),
        name => capitalised(&name.replace(['-', '_'], " ")),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + chars.as_str()
    })
}

/// Where a service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its base address: scheme, host, port, no path.
    pub url: Url,
    /// `host:port`, to connect to.
    pub address: String,
    /// The name for TLS: the host without brackets.
    pub host: String,
    /// Whether to speak TLS.
    pub tls: bool,
    /// Whether to speak HTTP/2: without TLS with prior knowledge, with TLS by ALPN. Default no.
    pub http2: bool,
}

impl Upstream {
    /// Reads a base address.
    ///
    /// # Errors
    /// If it is not `http://host[:port]` or `https://host[:port]`.
    pub fn parse(url: &str) -> Result<Self, InvalidUpstream> {
        let url = Url::parse(url).map_err(|_| InvalidUpstream("expected an http or https URL"))?;
        Self::try_from(url)
    }

    /// Whether it is on this machine, where the platform's services are (platform README §1).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.url.host_str().is_some_and(super::server::is_loopback_host)
    }
}

impl TryFrom<Url> for Upstream {
    type Error = InvalidUpstream;

    fn try_from(url: Url) -> Result<Self, InvalidUpstream> {
        if let Some(problem) = value::problem_of(&url) {
            return Err(InvalidUpstream(problem));
        }
        if url.path() != "/" {
            return Err(InvalidUpstream(
                "expected a URL without a path: a service is mounted as a whole",
            ));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(InvalidUpstream("expected a URL with a host"));
        };
        let address = format!("{host}:{port}");
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = url.scheme() == "https";
        Ok(Self {
            address,
            host,
            tls,
            http2: false,
            url,
        })
    }
}

/// Why a URL cannot be a service's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidUpstream(pub(super) &'static str);

/// What may be asked for without login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRule {
    /// Which paths, as the service sees them (without the prefix).
    pub path: PublicPath,
    /// Which methods. Default GET and HEAD.
    pub methods: Vec<Method>,
}

/// Paths of a [`PublicRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicPath {
    /// This one. `{ path = "/health" }`
    Exact(String),
    /// All that begin with this, which ends with a slash. `{ prefix = "/static/" }`
    Prefix(String),
}

/// A permanent place that moved. `[redirects]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The exact path that was asked for.
    pub from: String,
    /// The local path to go to, with the query of the request.
    pub to: String,
}

/// Where `/` leads. `[home]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The service for users who have not chosen one. Default `helm`.
    pub default_service: String,
}

impl Default for Home {
    fn default() -> Self {
        Self {
            default_service: "helm".to_owned(),
        }
    }
}

/// How log lines look. `[log]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// For machines or for people. Default JSON.
    pub format: LogFormat,
    /// The least important lines that are written. Default `info`.
    pub level: tracing::Level,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            level: tracing::Level::INFO,
        }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line (platform README §9).
    Json,
    /// Text.
    Human,
}

/// A plugin with its settings. `[plugins.<name>]`
#[derive(Clone, Debug)]
pub struct PluginInstance {
    /// The name that services use.
    pub name: String,
    /// Which plugin it is.
    pub kind: String,
    /// The whole table as written, `kind` included; the plugin reads it, and its problems have their place in
    /// the file. Empty for an instance made in code.
    pub settings: Spanned<DeTable<'static>>,
}

impl PluginInstance {
    /// An instance with default settings.
    #[must_use]
    pub fn new(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            settings: Spanned::new(0..0, DeTable::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_upstream_is_a_host_and_a_port() {
        for (url, address, host, tls) in [
            ("http://127.0.0.1:5010", "127.0.0.1:5010", "127.0.0.1", false),
            ("http://localhost:5010/", "localhost:5010", "localhost", false),
            (
                "https://codex.internal",
                "codex.internal:443",
                "codex.internal",
                true,
            ),
            ("http://[::1]:5010", "[::1]:5010", "::1", false),
            ("http://h", "h:80", "h", false),
        ] {
            let upstream = Upstream::parse(url).unwrap();
            let found = (upstream.address.as_str(), upstream.host.as_str(), upstream.tls);
            assert_eq!(found, (address, host, tls), "{url}");
        }
        for url in [
            "",
            "5010",
            "localhost:5010",
            "http://h/path",
            "http://u:p@h",
            "http://h?q=1",
            "ftp://h",
        ] {
            assert!(Upstream::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_service_without_a_label_gets_one_from_its_name() {
        for (name, label) in [
            ("codex", "Codex"),
            ("knowledgetree", "KnowledgeTree"),
            ("my-new_app", "My new app"),
        ] {
            assert_eq!(default_label(name), label);
        }
    }
}
