//! Where the service is mounted, as the browser sees it.
//!
//! Responsible for: reading `X-Forwarded-Prefix` and building URLs under it. Not responsible for: stripping the
//! prefix from request paths (the gateway has done so, platform README §10).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use http::request::Parts;

/// The path under which the browser sees this service: `/codex`, or nothing when it is called directly.
///
/// The header is believed because [`serve`](super::serve) listens on loopback only, where only the gateway and
/// other services call. Even so nothing but plain path segments is accepted: the value ends up in links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(String);

/// The longest prefix that is believed, in bytes: a service name has 50.
const LONGEST: usize = 200;

impl Prefix {
    /// Reads the prefix from a request's headers. A header that is missing, doubled or anything but plain path
    /// segments means no prefix.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all("x-forwarded-prefix").iter();
        match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
            (Some(value), None) => Self::parse(value),
            _ => Self::default(),
        }
    }

    fn parse(value: &str) -> Self {
        let value = value.strip_suffix('/').unwrap_or(value);
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
        };
        match value.strip_prefix('/') {
            Some(rest) if value.len() <= LONGEST && rest.split('/').all(plain) => Self(value.to_owned()),
            _ => Self::default(),
        }
    }

    /// The prefix itself: empty, or a path that starts with `/` and does not end with it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of one of this service's paths: `/companies` becomes `/codex/companies`.
    ///
    /// `path` is the service's own path, already encoded, with or without its leading `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}/{}", self.0, path.trim_start_matches('/'))
    }

    /// The answer to a form that was accepted: `303 See Other` to one of this service's own paths.
    #[must_use]
    pub fn see_other(&self, path: &str) -> Response {
        Redirect::to(&self.url(path)).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Prefix {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_path_segments_are_believed() {
        for (sent, believed) in [
            ("/codex", "/codex"),
            ("/codex/", "/codex"),
            ("/a/b", "/a/b"),
            ("", ""),
            ("/", ""),
            ("codex", ""),
            ("//evil.example", ""),
            ("/a//b", ""),
            ("/..", ""),
            ("/a/./b", ""),
            ("/\\evil.example", ""),
            ("/a\"onclick=x", ""),
            ("/a?b", ""),
            ("https://evil.example", ""),
        ] {
            assert_eq!(Prefix::parse(sent).as_str(), believed, "{sent}");
        }
    }

    #[test]
    fn a_doubled_header_means_no_prefix() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-prefix", http::HeaderValue::from_static("/codex"));
        assert_eq!(Prefix::from_headers(&headers).as_str(), "/codex");
        headers.append("x-forwarded-prefix", http::HeaderValue::from_static("/codex"));
        assert_eq!(Prefix::from_headers(&headers).as_str(), "");
    }

    #[test]
    fn urls_are_built_under_the_prefix_and_never_leave_the_origin() {
        let prefix = Prefix::parse("/codex");
        assert_eq!(prefix.url("/companies"), "/codex/companies");
        assert_eq!(prefix.url("companies?x=1"), "/codex/companies?x=1");
        assert_eq!(prefix.url("/"), "/codex/");
        assert_eq!(Prefix::default().url("/companies"), "/companies");
        assert_eq!(Prefix::default().url("//evil.example"), "/evil.example");
    }
}
