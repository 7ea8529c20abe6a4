//! What a browser sends: heads of navigations and of scripts' requests, with the cookies of a signed-in user.

use hivematrix_platform::{Handle, PermissionLevel};
use hivematrix_plugins::{Caller, Intent, MenuEntry, Request, RequestHead, testing};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, ETAG};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// The public origin.
const ORIGIN: &str = "https://nexus.example";

/// The cookies that backends have set: a session of their own, settings, and what analytics leave behind.
const COOKIES_OF_BACKENDS: &str = "codex_session=eyJfZnJlc2giOmZhbHNlfQ.aQxYzw.T0k3mYd1nqXJw4v0yR8cS5bLh2U; \
    sidebar=collapsed; lang=en-GB; tz=Europe%2FVienna; csrftoken=9fD2kQ1vX7sLw3eRt5yUi8oPa0zXcVbN; \
    _ga=GA1.1.1204551938.1761131822; table_rows=50";

/// A request of a signed-in technician to `/codex/companies?page=2`, identified and authorized.
pub struct Ask {
    headers: HeaderMap,
    caller: Caller,
    menu: Arc<[MenuEntry]>,
    target: PathAndQuery,
    intent: Intent,
}

impl Ask {
    /// The user follows a link.
    #[must_use]
    pub fn document() -> Self {
        Self::with(&[
            (
                "accept",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            ),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-user", "?1"),
            ("upgrade-insecure-requests", "1"),
        ])
    }

    /// A script of a page calls `fetch`.
    #[must_use]
    pub fn fetch() -> Self {
        Self::with(&[
            ("accept", "application/json"),
            ("sec-fetch-dest", "empty"),
            ("sec-fetch-mode", "cors"),
        ])
    }

    fn with(own: &[(&'static str, &'static str)]) -> Self {
        let common = [
            ("host", "nexus.example"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            ),
            ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("referer", "https://nexus.example/codex/"),
            ("sec-fetch-site", "same-origin"),
            ("sec-ch-ua", "\"Chromium\";v=\"141\", \"Not?A_Brand\";v=\"8\""),
            ("sec-ch-ua-mobile", "?0"),
            ("sec-ch-ua-platform", "\"Linux\""),
            ("cookie", COOKIES_OF_BACKENDS),
        ];
        let headers = headers(common.iter().chain(own));
        let intent = Intent::of(&Method::GET, &headers);
        Self {
            headers,
            caller: testing::caller(PermissionLevel::Technician),
            menu: testing::menu(),
            target: PathAndQuery::from_static("/codex/companies?page=2"),
            intent,
        }
    }

    /// The request as plugins first see it.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request {
            id: "019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b",
            origin: ORIGIN,
            method: &Method::GET,
            path: self.target.path(),
            query: self.target.query(),
            headers: &self.headers,
            service: "codex",
            prefix: "/codex",
            caller: Some(&self.caller),
            checked: true,
            menu: &self.menu,
            intent: self.intent,
        }
    }

    /// The head that plugins may change: a copy, as in the gateway.
    #[must_use]
    pub fn head(&self) -> RequestHead {
        RequestHead::new(Method::GET, self.target.clone(), self.headers.clone())
    }

    /// What the browser sent.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// The cookies of a signed-in browser in one line, as HTTP/1.1 has it.
#[must_use]
pub fn cookies(handle: &Handle) -> HeaderMap {
    let line = format!("{COOKIES_OF_BACKENDS}; __Host-hivematrix={}", handle.encode());
    HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(line).expect("a header's value"))])
}

/// The same cookies as browsers send them over HTTP/2, one in each field (RFC 9113 §8.2.3).
#[must_use]
pub fn cookie_crumbs(handle: &Handle) -> HeaderMap {
    let ours = format!("__Host-hivematrix={}", handle.encode());
    let crumbs = COOKIES_OF_BACKENDS.split("; ").chain([ours.as_str()]);
    crumbs
        .map(|crumb| (COOKIE, HeaderValue::try_from(crumb).expect("a header's value")))
        .collect()
}

/// The head of a page as backends send it.
#[must_use]
pub fn page_head(length: usize, policy: &[(HeaderName, &'static str)]) -> hivematrix_plugins::ResponseHead {
    let mut headers = headers(&[
        ("server", "Werkzeug/3.1 Python/3.13"),
        ("vary", "Cookie"),
        ("cache-control", "no-cache"),
    ]);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(ETAG, HeaderValue::from_static("\"5f1d7a9c33b0\""));
    for (name, value) in policy {
        headers.append(name, HeaderValue::from_static(value));
    }
    hivematrix_plugins::ResponseHead::new(StatusCode::OK, headers)
}

/// The head of an answer to a script.
#[must_use]
pub fn json_head() -> hivematrix_plugins::ResponseHead {
    let headers = headers(&[
        ("server", "Werkzeug/3.1 Python/3.13"),
        ("content-type", "application/json"),
        ("content-length", "1024"),
        ("cache-control", "no-store"),
    ]);
    hivematrix_plugins::ResponseHead::new(StatusCode::OK, headers)
}

fn headers<'a>(pairs: impl IntoIterator<Item = &'a (&'static str, &'static str)>) -> HeaderMap {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_navigation_and_a_scripts_request_are_told_apart() {
        assert_eq!(Ask::document().intent, Intent::Document);
        assert_eq!(Ask::fetch().intent, Intent::Other);
    }
}
