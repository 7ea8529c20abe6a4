//! A backend's cookie, confined to the path where that backend lives. A value that the phases share.

use crate::identity::cookies;
use crate::phases::path::under;

/// How the Path of a cookie is confined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookiePath {
    /// Below the prefix, keeping what the backend said.
    Within,
    /// The same, and the prefix where it said nothing: the browser's default for an address without a slash
    /// behind its only segment is the whole origin (RFC 6265 §5.1.4).
    WithinOrWhole,
    /// The prefix itself.
    Whole,
}

/// A backend's cookie without its Domain and with its Path below `prefix`; none if it takes our names.
pub(crate) fn confine_cookie(cookie: &str, prefix: &str, path: CookiePath) -> Option<String> {
    let mut parts = cookie.split(';');
    let pair = parts.next()?.trim();
    // A cookie without a name is sent back as its bare value, which may look like another cookie's pair.
    let name = pair
        .trim_start_matches('=')
        .split('=')
        .next()
        .unwrap_or_default()
        .trim();
    if cookies::is_ours(name) {
        return None;
    }
    let mut confined = pair.to_owned();
    let mut has_path = false;
    for attribute in parts {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        if name.trim().eq_ignore_ascii_case("domain") {
            continue;
        }
        if name.trim().eq_ignore_ascii_case("path") {
            if !has_path {
                confined.push_str("; Path=");
                confined.push_str(&confined_path(value.trim(), prefix, path));
            }
            has_path = true;
            continue;
        }
        confined.push_str("; ");
        confined.push_str(attribute.trim());
    }
    if !has_path && path != CookiePath::Within {
        confined.push_str("; Path=");
        confined.push_str(prefix);
    }
    Some(confined)
}

fn confined_path(path: &str, prefix: &str, how: CookiePath) -> String {
    if how == CookiePath::Whole || path.is_empty() || path == "/" || !path.starts_with('/') {
        return prefix.to_owned();
    }
    // A path that climbs is compared as the browser stores it: literally. It can only narrow.
    if under(path, prefix).is_some() {
        path.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backends_cookie_stays_below_its_prefix() {
        let confined = |cookie| confine_cookie(cookie, "/codex", CookiePath::Within);
        for (cookie, expected) in [
            (
                "session=1; Path=/; HttpOnly",
                Some("session=1; Path=/codex; HttpOnly"),
            ),
            (
                "a=b; Domain=hive.example; Path=/admin",
                Some("a=b; Path=/codex/admin"),
            ),
            ("a=b; path=/codex/x; Secure", Some("a=b; Path=/codex/x; Secure")),
            ("a=b; PATH=/codexes", Some("a=b; Path=/codex/codexes")),
            ("a=b", Some("a=b")),
            ("a=b; Path=/x; Path=/", Some("a=b; Path=/codex/x")),
            ("a=b; Path=evil", Some("a=b; Path=/codex")),
            ("__Host-hivematrix=evil; Path=/", None),
            ("__HOST-HIVEMATRIX=evil", None),
            ("__host-hm-login-x=evil", None),
            ("=__Host-hivematrix=evil", None),
        ] {
            assert_eq!(confined(cookie).as_deref(), expected, "{cookie}");
        }
    }

    #[test]
    fn a_cookie_without_a_path_from_the_bare_prefix_stays_below_it() {
        let confined = |cookie| confine_cookie(cookie, "/codex", CookiePath::WithinOrWhole);
        assert_eq!(confined("a=b").as_deref(), Some("a=b; Path=/codex"));
        assert_eq!(confined("a=b; Path=/x").as_deref(), Some("a=b; Path=/codex/x"));
    }

    #[test]
    fn the_providers_cookies_live_on_its_path() {
        let confined = |cookie| confine_cookie(cookie, "/keycloak", CookiePath::Whole);
        assert_eq!(
            confined("AUTH=1; Path=/realms/hivematrix/; Domain=x; Secure").as_deref(),
            Some("AUTH=1; Path=/keycloak; Secure")
        );
        assert_eq!(confined("AUTH=1").as_deref(), Some("AUTH=1; Path=/keycloak"));
    }
}
