//! Cookies as browsers keep them (RFC 6265bis): host-only or by domain, by path, with prefixes and expiry.
//! Secure cookies are kept for http on localhost too, as browsers do.

use std::time::{Duration, Instant, SystemTime};

use cookie::Cookie;
use url::Url;

#[derive(Default)]
pub(super) struct Jar(Vec<Kept>);

struct Kept {
    name: String,
    value: String,
    path: String,
    host: String,
    expires: Option<Instant>,
}

impl Jar {
    /// Takes a `Set-Cookie` line from `url`; false if a browser would refuse it.
    pub(super) fn store(&mut self, url: &Url, line: &str) -> bool {
        let Ok(cookie) = Cookie::parse(line.to_owned()) else {
            return false;
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        if cookie
            .domain()
            .is_some_and(|domain| domain.trim_start_matches('.') != host)
        {
            return false;
        }
        let secure = cookie.secure().unwrap_or(false);
        let trusted = url.scheme() == "https" || host == "localhost" || host.starts_with("127.");
        if secure && !trusted {
            return false;
        }
        let lower = cookie.name().to_ascii_lowercase();
        let whole = cookie.path() == Some("/") && cookie.domain().is_none();
        if (lower.starts_with("__host-") && !(secure && whole)) || (lower.starts_with("__secure-") && !secure)
        {
            return false;
        }
        let path = cookie
            .path()
            .filter(|path| path.starts_with('/'))
            .unwrap_or_else(|| default_path(url))
            .to_owned();
        self.0
            .retain(|kept| !(kept.name == cookie.name() && kept.path == path && kept.host == host));
        let (name, value) = (cookie.name().to_owned(), cookie.value().to_owned());
        match lifetime(&cookie) {
            Some(time) if time.is_zero() => {}
            time => self.0.push(Kept {
                name,
                value,
                path,
                host,
                expires: time.map(|time| Instant::now() + time),
            }),
        }
        true
    }

    /// The `Cookie` header for a request, longer paths first.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let host = url.host_str().unwrap_or_default();
        let mut matching: Vec<&Kept> = self
            .alive()
            .filter(|kept| kept.host == host && path_matches(url.path(), &kept.path))
            .collect();
        matching.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs: Vec<String> = matching
            .iter()
            .map(|kept| format!("{}={}", kept.name, kept.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.alive()
            .find(|kept| kept.name == name)
            .map(|kept| kept.value.clone())
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.alive().map(|kept| kept.name.clone()).collect();
        names.sort();
        names
    }

    fn alive(&self) -> impl Iterator<Item = &Kept> {
        let now = Instant::now();
        self.0
            .iter()
            .filter(move |kept| kept.expires.is_none_or(|end| end > now))
    }
}

/// How long a cookie lives; none until the browser ends.
fn lifetime(cookie: &Cookie<'_>) -> Option<Duration> {
    if let Some(age) = cookie.max_age() {
        return Some(Duration::from_secs(
            u64::try_from(age.whole_seconds()).unwrap_or(0),
        ));
    }
    let expires = cookie.expires_datetime()?.unix_timestamp();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Some(Duration::from_secs(
        u64::try_from(expires).unwrap_or(0).saturating_sub(now),
    ))
}

fn default_path(url: &Url) -> &str {
    match url.path().rfind('/') {
        Some(at) if at > 0 => &url.path()[..at],
        _ => "/",
    }
}

fn path_matches(path: &str, cookie_path: &str) -> bool {
    path == cookie_path
        || path
            .strip_prefix(cookie_path)
            .is_some_and(|rest| cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn cookies_go_back_to_their_path_and_no_other() {
        let mut jar = Jar::default();
        let page = url("http://localhost:1/codex/a");
        assert!(jar.store(&page, "s=1; Path=/codex"));
        assert!(jar.store(&page, "d=2"));
        assert_eq!(
            jar.header(&url("http://localhost:1/codex/")).as_deref(),
            Some("s=1; d=2")
        );
        assert_eq!(jar.header(&url("http://localhost:1/codexes")), None);
        assert!(jar.store(&page, "s=; Path=/codex; Max-Age=0"));
        assert_eq!(jar.names(), ["d"]);
    }

    #[test]
    fn host_cookies_must_be_secure_and_whole() {
        let mut jar = Jar::default();
        let page = url("http://localhost:1/");
        assert!(jar.store(&page, "__Host-a=1; Path=/; Secure"));
        for bad in [
            "__Host-b=1; Path=/",
            "__Host-b=1; Path=/x; Secure",
            "__Host-b=1; Path=/; Secure; Domain=localhost",
        ] {
            assert!(!jar.store(&page, bad), "{bad}");
        }
        assert!(!jar.store(&url("http://example.com/"), "a=1; Secure"));
    }
}
