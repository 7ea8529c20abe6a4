//! Who is measured, by name. What each needs to run is in `rivals/`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::scenario::Unknown;

/// One that stands between the load and the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The gateway: the executable that runs this.
    Gateway,
    /// A bare Pingora proxy.
    Forwarder,
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// Envoy.
    Envoy,
    /// Apache httpd with mod_auth_openidc.
    Apache,
    /// Caddy.
    Caddy,
    /// Traefik.
    Traefik,
    /// pingap.
    Pingap,
}

impl Subject {
    /// All of them, in the order of tables and colours.
    pub const ALL: [Self; 9] = [
        Self::Gateway,
        Self::Nginx,
        Self::Haproxy,
        Self::Envoy,
        Self::Apache,
        Self::Caddy,
        Self::Traefik,
        Self::Pingap,
        Self::Forwarder,
    ];

    /// Its name on the command line and in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Forwarder => "forwarder",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Apache => "apache",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Pingap => "pingap",
        }
    }

    /// As it calls itself.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Gateway => "HiveMatrix",
            Self::Forwarder => "bare Pingora",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Apache => "Apache",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::Pingap => "pingap",
        }
    }

    /// What it does for each request besides forwarding it.
    #[must_use]
    pub const fn checks(self) -> &'static str {
        match self {
            Self::Gateway => "session, token, revocation, access, limits; metrics and an access log",
            Self::Forwarder => "nothing: the floor of what is built on Pingora",
            Self::Nginx | Self::Caddy | Self::Traefik => "no token",
            Self::Haproxy => "the token (RS256), anew each time",
            Self::Envoy => "the token (RS256), remembered once verified",
            Self::Apache => "the token (RS256), by mod_auth_openidc",
            Self::Pingap => "the token (HS256, cheaper to check)",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Subject {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|subject| subject.name() == name);
        found.ok_or_else(|| Unknown {
            what: "program",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}
