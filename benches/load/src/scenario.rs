//! The kinds of work that are measured, by name. How each is driven is in `load/`; who can do it, in `rivals/`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// One kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// 1 KB of JSON for a signed-in caller.
    Json,
    /// A page of 23 KB, with styles and menu put in.
    Page,
    /// The same page as it is.
    Unedited,
    /// The same page with styles and menu, packed with gzip.
    Compressed,
    /// JSON for many callers, drawn by a Zipf law.
    Sessions,
    /// Sending 256 KiB.
    Upload,
    /// JSON over TLS 1.3 and HTTP/2.
    Tls,
    /// JSON while many connections are open and idle.
    Idle,
    /// Messages there and back.
    WebSocket,
    /// From the first request of a stranger to the page behind the login.
    Login,
    /// From a session's end in Redis to the first refusal.
    Revocation,
}

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{name}`; there are {known}")]
pub struct Unknown {
    /// What was looked for.
    pub(crate) what: &'static str,
    /// The name.
    pub(crate) name: String,
    /// Those that there are.
    pub(crate) known: String,
}

impl Scenario {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 11] = [
        Self::Json,
        Self::Page,
        Self::Unedited,
        Self::Compressed,
        Self::Sessions,
        Self::Upload,
        Self::Tls,
        Self::WebSocket,
        Self::Idle,
        Self::Login,
        Self::Revocation,
    ];

    /// Its name on the command line and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Page => "page",
            Self::Unedited => "unedited",
            Self::Compressed => "compressed",
            Self::Sessions => "sessions",
            Self::Upload => "upload",
            Self::Tls => "tls",
            Self::Idle => "idle",
            Self::WebSocket => "websocket",
            Self::Login => "login",
            Self::Revocation => "revocation",
        }
    }

    /// Its heading in the report.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Page => "A page, edited",
            Self::Unedited => "A page, as it is",
            Self::Compressed => "A page, edited and packed",
            Self::Sessions => "Many sessions",
            Self::Upload => "Uploads",
            Self::Tls => "TLS and HTTP/2",
            Self::Idle => "Idle connections",
            Self::WebSocket => "WebSocket echo",
            Self::Login => "Logins",
            Self::Revocation => "Revocation",
        }
    }

    /// What is counted.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::WebSocket => "message",
            Self::Login => "login",
            Self::Upload => "upload",
            Self::Json
            | Self::Page
            | Self::Unedited
            | Self::Compressed
            | Self::Sessions
            | Self::Tls
            | Self::Idle => "request",
            Self::Revocation => "revocation",
        }
    }

    /// The job, in a sentence or two.
    #[must_use]
    pub const fn job(self) -> &'static str {
        match self {
            Self::Json => "GET of 1 KB of JSON on a kept connection, by a caller who is signed in.",
            Self::Page => {
                "GET of a page of 23 KB into which two stylesheets and the menu are put: composition by the \
                 gateway, literal replacement by the others."
            }
            Self::Unedited => "GET of the same page, which passes as it came.",
            Self::Compressed => {
                "The edited page again, packed with gzip on its way to the browser; the service sends it plain."
            }
            Self::Sessions => {
                "GET of 1 KB of JSON by many callers in turn, drawn by a Zipf law: a few come often, most seldom."
            }
            Self::Upload => "POST of 256 KiB that stream through; the service reads and answers.",
            Self::Tls => {
                "GET of 1 KB of JSON by a caller who is signed in, over TLS 1.3 (AES-128-GCM) and HTTP/2: kept connections, \
                 four requests under way on each."
            }
            Self::Idle => "GET of 1 KB of JSON while many other connections are open and say nothing.",
            Self::WebSocket => "A short text message to the service and back, on connections that stay open.",
            Self::Login => {
                "A stranger asks for a page, is led to the login, signs in, is led back and gets the page: every \
                 redirect and form of it."
            }
            Self::Revocation => {
                "A session is revoked in Redis. How long until a gateway that keeps being asked refuses it?"
            }
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scenario {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|scenario| scenario.name() == name);
        found.ok_or_else(|| Unknown {
            what: "scenario",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_found_by_its_name_and_a_wrong_name_is_told_the_right_ones() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        let error = "jason".parse::<Scenario>().unwrap_err().to_string();
        assert!(
            error.starts_with("there is no scenario `jason`; there are json, page"),
            "{error}"
        );
    }
}
