//! An answer of the gateway's own: status, headers and a body in memory. Writing it is `answer`'s.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderName};

/// A small answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// Headers, in order; Content-Length is added when it is written.
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// The body.
    pub(crate) body: Bytes,
    /// Whether it is one of our own pages, which gets its panel when it is written.
    pub(crate) is_page: bool,
}

impl Reply {
    /// An empty answer that says nothing of storing.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            is_page: false,
        }
    }

    /// An empty answer that nobody may store.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: vec![(header::CACHE_CONTROL, "no-store".into())],
            body: Bytes::new(),
            is_page: false,
        }
    }

    /// A redirect that nobody may store.
    pub(crate) fn redirect(status: StatusCode, location: &str) -> Self {
        Self::empty(status).with(header::LOCATION, location)
    }

    /// An HTML page. Its policy allows what the design system's pages need and nothing else.
    pub(crate) fn page(status: StatusCode, html: String) -> Self {
        let page = Self::empty(status)
            .with(header::CONTENT_TYPE, "text/html; charset=utf-8")
            .with(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .with(header::REFERRER_POLICY, "same-origin")
            .body(html);
        Self {
            is_page: true,
            ..page
        }
    }

    /// Lets the page's forms lead to another origin as well: a browser holds a form's redirects to the policy too.
    pub(crate) fn forms_may_lead_to(mut self, origin: &str) -> Self {
        for (name, value) in &mut self.headers {
            if *name == header::CONTENT_SECURITY_POLICY {
                *value = value.replace("form-action 'self'", &format!("form-action 'self' {origin}"));
            }
        }
        self
    }

    /// A JSON document.
    pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::empty(status)
            .with(header::CONTENT_TYPE, "application/json")
            .with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(value.to_string())
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds every cookie as a header of its own (RFC 6265 §3).
    pub(crate) fn with_cookies(mut self, cookies: Vec<String>) -> Self {
        self.headers
            .extend(cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
        self
    }

    /// Sets the body.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// Our own pages load our own assets, send forms to us, and are framed by nobody.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
