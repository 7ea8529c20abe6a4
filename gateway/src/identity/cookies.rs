//! The cookies that are the gateway's own: the session's handle, one per login attempt, and a count of sign-ins.
//!
//! Responsible for: reading them out of a request strictly, writing them for a browser, and keeping them
//! from every backend. Not responsible for what a handle is worth (see `view`), nor for the cookies of
//! backends.

use std::borrow::Cow;

use hivematrix_platform::Handle;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::attempts::{AttemptCookie, AttemptCookies};

/// Name of the session's cookie. The `__Host-` prefix makes browsers insist on `Secure`, on `Path=/` and on
/// no `Domain` (RFC 6265bis §4.1.3.2), so that no sibling host can plant one.
pub const SESSION_COOKIE: &str = "__Host-hivematrix";

/// What the name of a login attempt's cookie starts with; the attempt's id follows.
pub const ATTEMPT_PREFIX: &str = "__Host-hm-login-";

/// What the name of every other cookie of ours starts with.
const OUR_PREFIX: &str = "__Host-hm-";

/// Counts how often this browser has signed in lately, so that going in circles is noticed.
const ROUNDS_COOKIE: &str = "__Host-hm-rounds";

/// How many seconds a browser's sign-ins count, from the last one.
const ROUNDS_SECONDS: u64 = 60;

/// More session cookies than this in one request are nobody's mistake.
const MOST_SESSIONS: usize = 4;

/// The request carries the session's cookie more than once: somebody planted one, and nobody can say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session cookie was sent more than once")]
pub struct SeveralSessions;

/// The handle in the request's session cookie. A value that is no handle counts as no cookie: a login will
/// overwrite it.
///
/// # Errors
/// [`SeveralSessions`] when the cookie is there twice, in one header line or in several, equal or not.
pub fn session_handle(headers: &HeaderMap) -> Result<Option<Handle>, SeveralSessions> {
    let mut found = None;
    for (name, value) in pairs(headers) {
        if name == SESSION_COOKIE.as_bytes() && found.replace(value).is_some() {
            return Err(SeveralSessions);
        }
    }
    Ok(found
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(Handle::parse))
}

/// Every handle in the request's session cookies: for ending them all.
pub fn session_handles(headers: &HeaderMap) -> Vec<Handle> {
    pairs(headers)
        .filter(|(name, _)| *name == SESSION_COOKIE.as_bytes())
        .filter_map(|(_, value)| Handle::parse(std::str::from_utf8(value).ok()?))
        .take(MOST_SESSIONS)
        .collect()
}

/// The login attempts that this browser says it has begun. Malformed ones are left out.
pub fn attempt_cookies(headers: &HeaderMap) -> AttemptCookies {
    let of_attempt = |(name, value): (&[u8], &[u8])| {
        let id = std::str::from_utf8(name.strip_prefix(ATTEMPT_PREFIX.as_bytes())?).ok()?;
        AttemptCookie::parse(id, std::str::from_utf8(value).ok()?)
    };
    pairs(headers).filter_map(of_attempt).collect()
}

/// How often this browser has signed in within the last minute, as far as it says.
pub fn rounds(headers: &HeaderMap) -> u8 {
    let mut found = pairs(headers).filter(|(name, _)| *name == ROUNDS_COOKIE.as_bytes());
    found
        .next()
        .and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok())
        .unwrap_or(0)
}

/// `Set-Cookie` that counts one more sign-in.
pub fn count_round(headers: &HeaderMap) -> String {
    let count = rounds(headers).saturating_add(1);
    set(ROUNDS_COOKIE, &count.to_string(), Some(ROUNDS_SECONDS))
}

/// `Set-Cookie` that begins to count anew.
pub fn clear_rounds() -> String {
    set(ROUNDS_COOKIE, "", Some(0))
}

/// Whether a cookie of this name is the gateway's, in any case: backends neither see such a cookie nor set
/// one.
pub fn is_ours(name: impl AsRef<[u8]>) -> bool {
    let (name, prefix) = (name.as_ref(), OUR_PREFIX.as_bytes());
    let ours = SESSION_COOKIE.as_bytes();
    name.eq_ignore_ascii_case(ours)
        || name
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The request's cookies without the gateway's own, as one header line (HTTP/2 may split it: RFC 9113
/// §8.2.3).
///
/// `None`: there is nothing to change, pass what is there; this costs no allocation. `Some(None)`: nothing
/// is left, remove the header. `Some(Some(line))`: put this line in place of all of them.
pub fn without_ours(headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let mut lines = headers.get_all(COOKIE).iter();
    let first = lines.next()?;
    if lines.next().is_none() && !crumbs(first.as_bytes()).any(is_crumb_of_ours) {
        return None;
    }
    let lines = || headers.get_all(COOKIE).iter();
    let mut kept = Vec::with_capacity(lines().map(|line| line.len() + 2).sum());
    let all = lines().flat_map(|line| crumbs(line.as_bytes()));
    for crumb in all.filter(|crumb| !crumb.is_empty() && !is_crumb_of_ours(crumb)) {
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(crumb);
    }
    // Pieces of valid header values joined by "; " are a valid value; should that ever be wrong, send none.
    let line = Some(kept).filter(|kept| !kept.is_empty());
    Some(line.and_then(|kept| HeaderValue::from_maybe_shared(bytes::Bytes::from(kept)).ok()))
}

/// `Set-Cookie` that gives the browser its session. It ends with the browser's own session; how long the
/// handle is worth something is for the gateway to say.
pub fn set_session(handle: &Handle) -> String {
    set(SESSION_COOKIE, &handle.encode(), None)
}

/// `Set-Cookie` that takes the session's cookie away.
pub fn clear_session() -> String {
    set(SESSION_COOKIE, "", Some(0))
}

/// `Set-Cookie` for a login attempt, good for `max_age` seconds.
pub(super) fn set_attempt(cookie: &AttemptCookie, max_age: u64) -> String {
    set(
        &format!("{ATTEMPT_PREFIX}{}", cookie.id().encode()),
        &cookie.value(),
        Some(max_age),
    )
}

/// `Set-Cookie` that takes a login attempt's cookie away.
pub(super) fn clear_attempt(id: Handle) -> String {
    set(&format!("{ATTEMPT_PREFIX}{}", id.encode()), "", Some(0))
}

fn set(name: &str, value: &str, max_age: Option<u64>) -> String {
    let age = max_age.map_or(Cow::Borrowed(""), |seconds| {
        Cow::Owned(format!("; Max-Age={seconds}"))
    });
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
}

/// All cookies of a request as (name, value), from all header lines.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| crumbs(line.as_bytes()))
        .filter_map(|crumb| {
            let at = memchr::memchr(b'=', crumb)?;
            Some((crumb[..at].trim_ascii(), crumb[at + 1..].trim_ascii()))
        })
}

/// One header line cut at its semicolons.
fn crumbs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let all = rest?;
        let (crumb, behind) = match memchr::memchr(b';', all) {
            Some(at) => (all.get(..at), all.get(at + 1..)),
            None => (rest, None),
        };
        rest = behind;
        crumb.map(<[u8]>::trim_ascii)
    })
}

/// Whether one `name=value` is ours. Nearly all cookies show by their first letters that they are not.
fn is_crumb_of_ours(crumb: &[u8]) -> bool {
    crumb.starts_with(b"__") && is_ours(name_of(crumb))
}

/// The name in one `name=value`; without `=` the whole, since some servers take it for a name.
fn name_of(crumb: &[u8]) -> &[u8] {
    let end = crumb.iter().position(|&b| b == b'=').unwrap_or(crumb.len());
    crumb[..end].trim_ascii()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn kept(lines: &[&str]) -> Option<String> {
        match without_ours(&headers(lines)) {
            None => Some(lines.join("|")),
            Some(line) => line.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()),
        }
    }

    #[test]
    fn the_handle_is_found_among_other_cookies() {
        let handle = Handle::generate();
        let cookie = format!("a=b; __Host-hivematrix={} ;c", handle.encode());
        assert!(session_handle(&headers(&[&cookie])) == Ok(Some(handle)));
        let split = [&*cookie, "x=y"];
        assert!(session_handle(&headers(&split)) == Ok(Some(handle)));
    }

    #[test]
    fn sign_ins_are_counted_and_nonsense_counts_as_none() {
        assert_eq!(rounds(&HeaderMap::new()), 0);
        assert_eq!(rounds(&headers(&["a=b; __Host-hm-rounds=2"])), 2);
        assert_eq!(rounds(&headers(&["__Host-hm-rounds=-1"])), 0);
        assert_eq!(rounds(&headers(&["__Host-hm-rounds=9999"])), 0);
        let next = count_round(&headers(&["__Host-hm-rounds=2"]));
        assert!(
            next.starts_with("__Host-hm-rounds=3;") && next.ends_with("Max-Age=60"),
            "{next}"
        );
    }

    #[test]
    fn two_session_cookies_in_one_request_are_refused() {
        let (one, two) = (Handle::generate().encode(), Handle::generate().encode());
        let twice = format!("__Host-hivematrix={one}; a=b; __Host-hivematrix={two}");
        assert!(session_handle(&headers(&[&twice])).is_err());
        let same = format!("__Host-hivematrix={one}");
        assert!(session_handle(&headers(&[&same, &same])).is_err());
        assert!(session_handle(&headers(&[&same, "__Host-hivematrix=rubbish"])).is_err());
        assert!(session_handle(&headers(&[&same, " __Host-hivematrix = "])).is_err());
    }

    #[test]
    fn a_cookie_that_is_no_handle_is_no_session() {
        let short = Handle::generate().encode();
        let quoted = format!("__Host-hivematrix=\"{short}\"");
        let other_case = format!("__host-hivematrix={short}");
        let cut = format!("__Host-hivematrix={}", &short[1..]);
        for cookie in [
            "",
            "a=b",
            "__Host-hivematrix",
            "__Host-hivematrix=",
            &quoted,
            &other_case,
            &cut,
        ] {
            assert!(session_handle(&headers(&[cookie])) == Ok(None), "{cookie}");
        }
    }

    #[test]
    fn a_backend_sees_its_own_cookies_and_none_of_ours() {
        for (sent, seen) in [
            (vec!["a=b; c=d"], Some("a=b; c=d")),
            (vec!["a=b;c"], Some("a=b;c")),
            (vec!["a=b; __Host-hivematrix=x; c=d"], Some("a=b; c=d")),
            (vec!["__Host-hivematrix=x"], None),
            (vec!["__HOST-HiveMatrix=x;__Host-hm-login-abc=1.2"], None),
            (vec!["__host-HM-login-=x; s=1"], Some("s=1")),
            (vec!["__Host-hm-rounds=2; s=1"], Some("s=1")),
            (vec!["a=__Host-hivematrix"], Some("a=__Host-hivematrix")),
            (vec!["a=b", "__Host-hivematrix=x", "c=d"], Some("a=b; c=d")),
            (vec!["a=b", "c=d"], Some("a=b; c=d")),
            (vec!["__Host-hivematrix; a=b"], Some("a=b")),
            (vec!["__Host-hivematrix =x; ;a=b;"], Some("a=b")),
            (vec!["__Host-hivematrix2=x"], Some("__Host-hivematrix2=x")),
        ] {
            assert_eq!(kept(&sent).as_deref(), seen, "{sent:?}");
        }
        assert_eq!(without_ours(&HeaderMap::new()), None);
    }

    #[test]
    fn the_session_cookie_has_every_protection_a_browser_offers() {
        let handle = Handle::generate();
        assert_eq!(
            set_session(&handle),
            format!(
                "__Host-hivematrix={}; Path=/; Secure; HttpOnly; SameSite=Lax",
                handle.encode()
            )
        );
        assert_eq!(
            clear_session(),
            "__Host-hivematrix=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    proptest! {
        #[test]
        fn whatever_was_sent_none_of_ours_is_forwarded(
            crumbs in proptest::collection::vec(prop_oneof![
                "[ -~&&[^;]]{0,12}",
                "(?i)__host-hivematrix[ \t]?(=[!-~&&[^;]]{0,6})?",
                "(?i)[ \t]?__host-hm-login-[a-z]{0,3}=[!-~&&[^;]]{0,6}",
            ], 0..8),
            second in any::<bool>(),
        ) {
            let line = crumbs.join(";");
            let lines = if second { vec![&*line, "x=y"] } else { vec![&*line] };
            if let Some(forwarded) = kept(&lines) {
                for crumb in forwarded.split(';') {
                    let name = crumb.split('=').next().unwrap().trim().to_ascii_lowercase();
                    prop_assert!(name != "__host-hivematrix" && !name.starts_with("__host-hm-login-"));
                }
                for crumb in crumbs.iter().map(|c| c.trim()).filter(|c| !c.is_empty()) {
                    if !is_ours(name_of(crumb.as_bytes())) {
                        prop_assert!(forwarded.contains(crumb));
                    }
                }
            }
        }
    }
}
