//! How much and how long: every size, count and time the gateway allows, with its default.
//!
//! Not here: who is limited and what the answer then is; see the phases.

use std::time::Duration;

/// Sizes and counts. `[limits]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of path and query. Default 8 KiB; more is 414.
    pub target_bytes: usize,
    /// Bytes of all header names and values. Default 64 KiB; more is 431.
    pub header_bytes: usize,
    /// Number of header fields. Default 100, at most 256; more is 431.
    pub header_count: usize,
    /// Bytes of a request's body, 0 for no limit. Default 100 MiB; more is 413.
    pub body_bytes: usize,
    /// Bytes of all cookies of a request. Default 16 KiB; more is 431.
    pub cookies_bytes: usize,
    /// Number of cookies of a request. Default 64; more is 431.
    pub cookies_count: usize,
    /// Connections that one address may hold open. Default 1000; more are closed.
    pub connections_per_address: usize,
    /// Requests per minute of one user, or of one address where there is no user; 0 for no limit. Default 1000;
    /// more is 429.
    pub requests_per_minute: usize,
    /// The same per hour. Default 20 000.
    pub requests_per_hour: usize,
    /// Streams that one HTTP/2 connection may have open. Default 128.
    pub concurrent_streams: u32,
    /// Logins that one browser may have under way. Default 20; the oldest is dropped.
    pub attempts_per_browser: usize,
    /// Logins that one address may begin within ten minutes. Default 200; more is 429.
    pub attempts_per_address: usize,
    /// Sessions that one user may have; beyond, the oldest ends. Default 50.
    pub sessions_per_user: usize,
    /// Bytes of a form that is kept over a login when its session had ended, 0 to keep none. Default 256 KiB.
    pub kept_form_bytes: usize,
    /// Memory that rewriting one page may take, in bytes. Default 1 MiB; a page that needs more passes unedited.
    pub rewrite_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_bytes: 8 << 10,
            header_bytes: 64 << 10,
            header_count: 100,
            body_bytes: 100 << 20,
            cookies_bytes: 16 << 10,
            cookies_count: 64,
            connections_per_address: 1000,
            requests_per_minute: 1000,
            requests_per_hour: 20_000,
            concurrent_streams: 128,
            attempts_per_browser: 20,
            attempts_per_address: 200,
            sessions_per_user: 50,
            kept_form_bytes: 256 << 10,
            rewrite_bytes: 1 << 20,
        }
    }
}

/// Times. All are above zero. `[timeouts]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For reading a request's whole head. Default 30 s.
    pub header: Duration,
    /// Between two pieces of a request's body. Default 60 s.
    pub client_body: Duration,
    /// For connecting to a service. Default 2 s.
    pub connect: Duration,
    /// Until a service begins its answer. Default 60 s.
    pub first_byte: Duration,
    /// Between two pieces of a service's answer. Default 60 s.
    pub upstream_idle_body: Duration,
    /// How long a connection to a service is kept for the next request. Default 60 s.
    pub upstream_pool_idle: Duration,
    /// How long a client's connection is kept for its next request. Default 75 s.
    pub keepalive: Duration,
    /// Silence on a WebSocket, an event stream or a gRPC stream, in both directions. Default 1 h.
    pub stream_idle: Duration,
    /// For writing a piece of an answer to a client that does not read. Default 60 s.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(30),
            client_body: Duration::from_secs(60),
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(60),
            upstream_idle_body: Duration::from_secs(60),
            upstream_pool_idle: Duration::from_secs(60),
            keepalive: Duration::from_secs(75),
            stream_idle: Duration::from_secs(3600),
            write: Duration::from_secs(60),
        }
    }
}

/// The limits that listeners, logins and plugins take once, at the start.
pub(super) fn differences(old: &super::Config, new: &super::Config) -> [(&'static str, bool); 10] {
    let (a, b) = (&old.limits, &new.limits);
    let (t, u) = (&old.timeouts, &new.timeouts);
    [
        (
            "limits.connections_per_address",
            a.connections_per_address != b.connections_per_address,
        ),
        (
            "limits.concurrent_streams",
            a.concurrent_streams != b.concurrent_streams,
        ),
        (
            "limits.attempts_per_browser",
            a.attempts_per_browser != b.attempts_per_browser,
        ),
        (
            "limits.attempts_per_address",
            a.attempts_per_address != b.attempts_per_address,
        ),
        (
            "limits.sessions_per_user",
            a.sessions_per_user != b.sessions_per_user,
        ),
        ("limits.rewrite_bytes", a.rewrite_bytes != b.rewrite_bytes),
        ("timeouts.header", t.header != u.header),
        ("timeouts.client_body", t.client_body != u.client_body),
        ("timeouts.keepalive", t.keepalive != u.keepalive),
        ("timeouts.write", t.write != u.write),
    ]
}

/// The times of one service: those of `[timeouts]`, unless `[services.<name>.timeouts]` says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTimeouts {
    /// For connecting.
    pub connect: Duration,
    /// Until the answer begins.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub upstream_idle_body: Duration,
    /// Silence on a stream.
    pub stream_idle: Duration,
}

impl From<&Timeouts> for ServiceTimeouts {
    fn from(timeouts: &Timeouts) -> Self {
        Self {
            connect: timeouts.connect,
            first_byte: timeouts.first_byte,
            upstream_idle_body: timeouts.upstream_idle_body,
            stream_idle: timeouts.stream_idle,
        }
    }
}
