//! What plugins see of a request and its answer. Plain data; not responsible for filling it in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hivematrix_platform::{Access, PermissionLevel, UserClaims};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};

use super::intent::Intent;

/// A request as it is when the plugins first see it: identified, authorized, not yet forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The request id that is also in the log.
    pub id: &'a str,
    /// The public origin the browser is on, for example `https://nexus.example` or `http://localhost:8000`.
    pub origin: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The path as the browser sees it, with the service's prefix.
    pub path: &'a str,
    /// The query, without `?`.
    pub query: Option<&'a str>,
    /// The headers as they came, without those that only the gateway may set.
    pub headers: &'a HeaderMap,
    /// The service's name, for example `codex`.
    pub service: &'a str,
    /// The service's prefix, for example `/codex`.
    pub prefix: &'a str,
    /// Who asks; `None` on public paths.
    pub caller: Option<&'a Caller>,
    /// Whether the caller's session was checked. False while nobody can tell and the route admits the caller by
    /// grace, to read and no more (`outage` of the configuration).
    pub checked: bool,
    /// All services in the order of the menu. The same `Arc` for as long as the configuration does not change.
    pub menu: &'a Arc<[MenuEntry]>,
    /// What the browser wants the answer for.
    pub intent: Intent,
}

/// A signed-in user.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What Core says of the user (platform README §3).
    pub claims: Arc<UserClaims>,
}

impl Caller {
    /// The permission level.
    #[must_use]
    pub fn level(&self) -> PermissionLevel {
        self.claims.user.permission_level
    }

    /// The e-mail address, by which Codex knows the user.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.claims.user.email
    }

    /// The identity provider's id of the user.
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.claims.user.sub
    }

    /// The name to show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.claims.user.name
    }
}

/// One service as the menu knows it (platform README §7).
#[derive(Clone, Debug)]
pub struct MenuEntry {
    /// The service's name, for example `codex`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// A Lucide icon's name, for example `users`; unknown names fall back to the service's own icon.
    pub icon: String,
    /// Where the entry leads, for example `/codex/`.
    pub href: String,
    /// Whether the entry is shown at all. Hides and nothing else: the door is `access`.
    pub visible: bool,
    /// Who may enter; menu and door use the same value.
    pub access: Access,
}

/// The head of the request that will be forwarded. Plugins may change all of it; routing and authorization
/// are run again on the result.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// Path and query as the browser sees them.
    pub path_and_query: PathAndQuery,
    /// The headers.
    pub headers: HeaderMap,
    /// One entry for each plugin that could already say what its edits will be.
    pub(crate) versions: Vec<u64>,
}

impl RequestHead {
    /// A head to run the plugins on.
    #[must_use]
    pub fn new(method: Method, path_and_query: PathAndQuery, headers: HeaderMap) -> Self {
        Self {
            method,
            path_and_query,
            headers,
            versions: Vec::new(),
        }
    }

    /// Says, before the answer is known, which version of edits it would get: the number that the plugin
    /// would hand to [`crate::Edits::version`]. Only if every plugin that edits documents says it, a
    /// browser's conditional request is passed on.
    pub fn edits_would_be(&mut self, version: u64) {
        self.versions.push(version);
    }
}

/// The head of the answer on its way to the browser.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

impl ResponseHead {
    /// A head to run the plugins on.
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers }
    }
}

/// An answer that a plugin gives in place of the upstream.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers; the gateway adds the length.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// An answer without headers.
    #[must_use]
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The status that was sent, if any was.
    pub status: Option<StatusCode>,
    /// Body bytes sent to the browser.
    pub bytes_sent: u64,
    /// From the request's arrival to its end.
    pub elapsed: Duration,
}
