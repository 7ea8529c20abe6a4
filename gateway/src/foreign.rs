//! What the gateway makes of bytes that strangers send, one function for each parser, for whoever throws random bytes at
//! them (`tests/fuzz`). Not for embedders: the same code runs inside a gateway.

use http::{HeaderMap, HeaderValue};

use crate::identity::cookies;
use crate::phases::cookie::{CookiePath, confine_cookie};
use crate::phases::path::CanonicalPath;

/// Every reading of a request's path that a backend may make, the sent one first; `None` if the path is refused.
#[must_use]
pub fn readings(path: &[u8]) -> Option<Vec<String>> {
    let path = CanonicalPath::parse(path).ok()?;
    Some(path.readings().map(str::to_owned).collect())
}

/// The `Cookie` lines of a request as a backend gets them.
#[must_use]
pub fn forwarded_cookies(headers: &HeaderMap) -> Vec<HeaderValue> {
    match cookies::without_ours(headers) {
        None => headers.get_all(http::header::COOKIE).iter().cloned().collect(),
        Some(line) => line.into_iter().collect(),
    }
}

/// A backend's `Set-Cookie` as a browser gets it below `prefix`; `None` if it is refused.
#[must_use]
pub fn confined_cookie(cookie: &str, prefix: &str) -> Option<String> {
    confine_cookie(cookie, prefix, CookiePath::Within)
}
