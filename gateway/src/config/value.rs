//! Single values as they are written in the file or in the environment, checked one by one: addresses, names,
//! paths, words. Durations, sizes and counts are in `quantity`.

use std::net::SocketAddr;
use std::path::PathBuf;

use hivematrix_platform::ServiceName;
use toml::de::DeValue;
use url::Url;

use super::quantity::Period;
use super::read::{Leaf, unexpected};
use super::server::Origin;
use super::service::Outage;

impl Leaf for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_text(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| String::new())
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| unexpected::<Self>(value))
    }
}

/// Any text that is not blank and holds no control character.
impl Leaf for String {
    const EXPECTED: &'static str = "a text that is not empty";

    fn from_text(text: &str) -> Result<Self, String> {
        let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
        plain.then(|| text.to_owned()).ok_or_else(String::new)
    }
}

impl Leaf for PathBuf {
    const EXPECTED: &'static str = "the path of a file";

    fn from_text(text: &str) -> Result<Self, String> {
        let plain = !text.is_empty() && !text.contains('\0');
        plain.then(|| PathBuf::from(text)).ok_or_else(String::new)
    }
}

impl Leaf for SocketAddr {
    const EXPECTED: &'static str = "an address with a port, such as \"127.0.0.1:8000\" or \"[::1]:8000\"";

    fn from_text(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| String::new())
    }
}

/// Where the admin listener is, or `"off"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdminListen(pub(super) Option<SocketAddr>);

impl Leaf for AdminListen {
    const EXPECTED: &'static str = "an address with a port, such as \"127.0.0.1:9090\", or \"off\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Self(None)),
            text => text
                .parse()
                .map(|address| Self(Some(address)))
                .map_err(|_| String::new()),
        }
    }
}

impl Leaf for ipnet::IpNet {
    const EXPECTED: &'static str = "a network such as \"10.0.0.0/8\", or one address";

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        text.parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(Self::from))
            .map_err(|_| String::new())
    }
}

impl Leaf for Origin {
    const EXPECTED: &'static str =
        "an origin such as \"https://hive.example.com\" or \"http://localhost:8000\"";

    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text.trim()).map_err(|problem| problem.to_string())
    }
}

/// The base address of something we call: http or https, nothing behind the port but perhaps a path.
#[derive(Clone, Debug)]
pub(super) struct HttpUrl(pub(super) Url);

impl Leaf for HttpUrl {
    const EXPECTED: &'static str = "an http or https URL such as \"http://127.0.0.1:5000\"";

    /// Somebody may have written a password into it.
    fn hides(value: &DeValue<'_>) -> bool {
        value.as_str().is_some_and(|text| text.contains('@'))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|_| String::new())?;
        match problem_of(&url) {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(Self(url)),
        }
    }
}

/// What is wrong with the address of a service, if anything.
pub(super) fn problem_of(url: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        Some("expected a URL that begins with http:// or https://")
    } else if url.host_str().is_none_or(str::is_empty) {
        Some("expected a URL with a host")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("a user name and password may not be written in a URL")
    } else if url.query().is_some() || url.fragment().is_some() {
        Some("expected a URL without a query and without a fragment")
    } else if url.port() == Some(0) {
        Some("expected a port above 0")
    } else {
        None
    }
}

/// The issuer of an identity provider, kept to the letter: it is compared so (OpenID Connect Discovery 1.0 §4.3).
#[derive(Clone, Debug)]
pub(super) struct Issuer(pub(super) String);

impl Leaf for Issuer {
    const EXPECTED: &'static str = "the address of an identity provider, such as \"https://id.example.com\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let HttpUrl(url) = HttpUrl::from_text(text)?;
        let local = url.host_str().is_some_and(super::server::is_loopback_host);
        if url.scheme() == "http" && !local {
            return Err("an identity provider elsewhere is reached by https".to_owned());
        }
        Ok(Self(text.trim().to_owned()))
    }
}

impl Leaf for ServiceName {
    const EXPECTED: &'static str = "a service name: up to 50 of a-z, 0-9, \"_\" and \"-\"";

    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|_| String::new())
    }
}

/// A method that a request may have: upper case, and none that the gateway refuses.
impl Leaf for http::Method {
    const EXPECTED: &'static str = "a method in capitals, such as \"GET\"";

    fn from_text(text: &str) -> Result<Self, String> {
        if matches!(text, "CONNECT" | "TRACE") {
            return Err(format!("{text} is never forwarded"));
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            return Err(String::new());
        }
        Self::from_bytes(text.as_bytes()).map_err(|_| String::new())
    }
}

/// A path as rules are written: decoded, canonical, without a query.
#[derive(Clone, Debug)]
pub(super) struct RulePath(pub(super) String);

impl Leaf for RulePath {
    const EXPECTED: &'static str = "a path that begins with \"/\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match path_problem(text) {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Why a path cannot be used in a rule, if it cannot.
pub(super) fn path_problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("a path must begin with \"/\"")
    } else if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        Some("a path may not contain \".\" or \"..\" as a segment")
    } else if path.contains("//") {
        Some("a path may not contain \"//\"")
    } else if path.contains(['?', '#']) {
        Some("a path may not contain a query or a fragment")
    } else if !path.bytes().all(needs_no_encoding) {
        Some("a path is written with ASCII characters that need no percent-encoding, and without \";\"")
    } else {
        None
    }
}

/// What may stand in a path as it is (RFC 3986 §3.3), but for `;`, behind which servers see different things.
fn needs_no_encoding(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/".contains(&byte)
}

impl Leaf for Outage {
    const EXPECTED: &'static str = "\"closed\" or { grace = \"60s\" }";

    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim() {
            "closed" => Ok(Self::Closed),
            _ => Err(String::new()),
        }
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, String> {
        let table = match value {
            DeValue::String(text) => return Self::from_text(text),
            DeValue::Table(table) => table,
            other => return Err(unexpected::<Self>(other)),
        };
        let mut entries = table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()));
        let (Some(("grace", written)), None) = (entries.next(), entries.next()) else {
            return Err(String::new());
        };
        let Period(grace) = Period::from_value(written)?;
        if grace > Self::LONGEST {
            return Err(format!(
                "expected a grace of at most {} minutes: for that long a revocation may go unnoticed",
                Self::LONGEST.as_secs() / 60
            ));
        }
        Ok(Self::Grace(grace))
    }
}

/// The name of a plugin instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InstanceName(pub(super) String);

impl Leaf for InstanceName {
    const EXPECTED: &'static str = "a plugin's name: up to 50 of a-z, 0-9, \"_\" and \"-\"";

    fn from_text(text: &str) -> Result<Self, String> {
        ServiceName::parse(text)
            .map(|name| Self(name.into()))
            .map_err(|_| String::new())
    }
}

/// Declares a setting that is one of a few words; one line per word (several spellings may mean the same).
macro_rules! one_of {
    ($type:ty, $expected:literal, $($text:literal => $value:expr,)+) => {
        impl Leaf for $type {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Result<Self, String> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($text => Ok($value),)+
                    _ => Err(String::new()),
                }
            }
        }
    };
}

/// Which store, before its address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreKind {
    Redis,
    Memory,
}

one_of!(StoreKind, "\"redis\" or \"memory\"", "redis" => Self::Redis, "memory" => Self::Memory,);
one_of!(
    super::Composed, "\"on\", \"framed\" or \"off\"",
    "on" => Self::On, "framed" => Self::Framed, "off" => Self::Off,
);
one_of!(
    super::identity::Renewal, "\"core\", \"exchange\" or \"off\"",
    "core" => Self::Core, "exchange" => Self::Exchange, "off" => Self::Off,
);
one_of!(super::LogFormat, "\"json\" or \"human\"", "json" => Self::Json, "human" => Self::Human,);
one_of!(
    tracing::Level, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
    "critical" => Self::ERROR, "error" => Self::ERROR, "warning" => Self::WARN, "warn" => Self::WARN,
    "info" => Self::INFO, "debug" => Self::DEBUG, "trace" => Self::TRACE,
);
