//! `[core]` as written: a Core somewhere else, or one inside the gateway's process. What fits together is decided in
//! `check`.

use std::net::SocketAddr;
use std::path::PathBuf;

use hivematrix_platform::ServiceName;
use toml::Spanned;
use toml::de::DeValue;

use super::file::Secret;
use super::problem::Problem;
use super::quantity::Period;
use super::read::{FromToml, Heading, Leaf, Written, as_written, refuse_unknown, table_of, take};
use super::value::HttpUrl;

as_written! {
    /// `[core]`
    struct Core, "[core]" {
        url: Written<HttpUrl>,
        other_urls: Vec<Written<HttpUrl>>,
        issuer: Written<String>,
        secret: Written<Secret>,
        timeout: Written<Period>,
        embedded: Embedded,
    }
}

as_written! {
    /// `[core.embedded]`
    struct Embedded, "[core.embedded]" {
        listen: Written<SocketAddr>,
        key_ring: Written<KeyRing>,
        rotate_every: Written<Period>,
        secrets: Written<PathBuf>,
        legacy_callers: Vec<Written<ServiceName>>,
    }
}

/// `[core]`, or `core = "embedded"` for an embedded one with all its defaults.
#[derive(Debug, Default)]
pub(super) struct CoreChoice(pub(super) Core);

impl FromToml for CoreChoice {
    fn keys(path: &str, keys: &mut Vec<String>) {
        Core::keys(path, keys);
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(word) if word == "embedded" => Some(Self(Core {
                embedded: Some(Embedded::default()),
                ..Core::default()
            })),
            DeValue::String(_) => {
                let message = "expected \"embedded\", or a table [core]";
                let help = "a Core somewhere else is written as core.url = \"http://127.0.0.1:5000\"";
                problems.push(Problem::at(value.span(), message).help(help));
                None
            }
            _ => Core::from_toml(value, problems).map(Self),
        }
    }
}

/// Where an embedded Core keeps its keys.
#[derive(Clone, Debug)]
pub(super) enum KeyRing {
    Store,
    File(PathBuf),
}

impl Leaf for KeyRing {
    const EXPECTED: &'static str = "the path of a file, or \"store\"";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "store" => Ok(Self::Store),
            path => PathBuf::from_text(path).map(Self::File),
        }
    }
}
