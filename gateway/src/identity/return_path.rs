//! Where a person goes after the login: a path on this gateway, and nothing else.
//!
//! Responsible for: deciding which strings are such a path, reading them as the laxest browser and the
//! laxest backend would, and spelling them so that they can stand in a `Location` header. Not responsible
//! for whether the path leads anywhere, nor whether its visitor may enter.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

/// Doors of the gateway that are never a place to return to: coming back to them would log in again, log
/// out, or replay an answer of the provider.
const DOORS: [&str; 3] = ["login", "logout", "keycloak-callback"];

/// How often a path is decoded before it must have become stable; deeper encodings are refused.
const READINGS: usize = 4;

/// A local path with its query: starts with exactly one `/`, holds printable ASCII only, and reads as a path
/// of this origin however often a browser or a backend decodes it.
///
/// The only ways to get one are [`ReturnPath::parse`] and [`ReturnPath::home`]; deserializing parses too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnPath(String);

impl ReturnPath {
    /// Longest path that is remembered, in bytes, query included.
    pub const MAX_BYTES: usize = 2048;

    /// The home page, `/`.
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// Accepts `text` (already decoded once if it came as a query parameter) if it is a local path, at most
    /// [`ReturnPath::MAX_BYTES`] long and none of the gateway's own doors. What a browser would escape is escaped.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES || !text.starts_with('/') || text.chars().any(char::is_control) {
            return None;
        }
        let end = text.find(['?', '#']).unwrap_or(text.len());
        let (path, rest) = text.split_at(end);
        let spelled = escape(path);
        if !every_reading_is_local(&spelled) {
            return None;
        }
        let spelled = spelled + &escape(rest);
        (spelled.len() <= Self::MAX_BYTES && stays_here(&spelled)).then_some(Self(spelled))
    }

    /// The same, with the home page for everything that is refused or missing.
    pub fn parse_or_home(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(Self::home)
    }

    /// The path as it may be written into a `Location` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnPath {
    fn default() -> Self {
        Self::home()
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ReturnPath> for String {
    fn from(path: ReturnPath) -> Self {
        path.0
    }
}

/// The text is not a local path.
#[derive(Debug, thiserror::Error)]
#[error("not a local path")]
pub struct NotLocal;

impl TryFrom<String> for ReturnPath {
    type Error = NotLocal;

    fn try_from(text: String) -> Result<Self, NotLocal> {
        Self::parse(&text).ok_or(NotLocal)
    }
}

/// Escapes what may not stand in a URI, and nothing that already is an escape.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => push_escape(&mut out, byte),
            0x21..=0x7e => out.push(char::from(byte)),
            _ => push_escape(&mut out, byte),
        }
    }
    out
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Decodes again and again until nothing changes; each stage must be a harmless local path.
fn every_reading_is_local(path: &str) -> bool {
    if !escapes_are_whole(path.as_bytes()) {
        return false;
    }
    let mut reading: Cow<'_, [u8]> = Cow::Borrowed(path.as_bytes());
    for _ in 0..READINGS {
        if !is_local(&reading) {
            return false;
        }
        let next = percent_decode(&reading).collect::<Vec<u8>>();
        if next == *reading {
            return true;
        }
        reading = Cow::Owned(next);
    }
    false
}

/// One reading of the path: no second slash or backslash that would make it another host, no control
/// character that a browser would drop, no dot segment, not one of our doors.
fn is_local(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') || path.get(1) == Some(&b'/') {
        return false;
    }
    if path.iter().any(|&b| b == b'\\' || b < 0x20 || b == 0x7f) {
        return false;
    }
    let mut segments = path[1..].split(|&b| b == b'/').map(without_parameters);
    let mut first = true;
    segments.all(|segment| {
        let door =
            std::mem::take(&mut first) && DOORS.iter().any(|d| segment.eq_ignore_ascii_case(d.as_bytes()));
        !door && segment != b"." && segment != b".."
    })
}

/// A segment without what some servers take for its parameters (`login;x`), nor a query that appears only
/// after decoding (`login%3Fx`), nor the white space that some trim.
fn without_parameters(segment: &[u8]) -> &[u8] {
    let end = segment
        .iter()
        .position(|b| matches!(b, b';' | b'?' | b'#'))
        .unwrap_or(segment.len());
    segment[..end].trim_ascii()
}

/// Whether each `%` of the path as sent begins an escape; the gateway refuses other paths anyway. (In later
/// readings a lone `%` is just that: `/100%25` is a good path.)
fn escapes_are_whole(path: &[u8]) -> bool {
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| {
            path.get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
}

/// The last word has the browsers' own algorithm (WHATWG URL): resolved against an origin, the path must
/// stay on it.
fn stays_here(path: &str) -> bool {
    let Ok(base) = url::Url::parse("https://gateway.invalid:8443/") else {
        return false;
    };
    base.join(path).is_ok_and(|target| {
        target.origin() == base.origin() && target.username().is_empty() && target.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_paths_come_back_as_they_were() {
        for path in [
            "/",
            "/codex/",
            "/codex/companies?x=1&x=2&flag",
            "/codex/a%2Fb%3Fc%23d%20e",
            "/codex//double//slashes",
            "/codex/tickets#comment-7",
            "/codex/search?q=%zz&next=//elsewhere&p=../..",
            "/codex/user@example.com/:8080",
            "/loginhelp/",
            "/codex/login",
            "/codex/100%25",
        ] {
            assert_eq!(ReturnPath::parse(path).expect(path).as_str(), path);
        }
    }

    #[test]
    fn what_a_browser_would_escape_is_escaped() {
        assert_eq!(
            ReturnPath::parse("/codex/Zoë Groß").unwrap().as_str(),
            "/codex/Zo%C3%AB%20Gro%C3%9F"
        );
        assert_eq!(
            ReturnPath::parse("/codex/?q=\\\"<b>").unwrap().as_str(),
            "/codex/?q=%5C%22%3Cb%3E"
        );
    }

    #[test]
    fn paths_that_leave_this_origin_are_refused() {
        for path in [
            "",
            "codex",
            "?x",
            "//evil.com",
            "///evil.com",
            "/\\evil.com",
            "/\\/evil.com",
            "\\\\evil.com",
            "/\t/evil.com",
            "/\n/evil.com",
            "/%09/evil.com",
            "/%0a/evil.com",
            "/%2509/evil.com",
            "/%2Fevil.com",
            "/%252Fevil.com",
            "/%5Cevil.com",
            "/%5cevil.com",
            "/%255Cevil.com",
            "/codex/%5C..%5Cx",
            "https://evil.com",
            "https:evil.com",
            "HTTPS:/evil.com",
            "javascript:alert(1)",
            "https://here@evil.com/",
            "//here@evil.com/",
            " //evil.com",
            "/codex/\u{0}",
            "/codex/\u{85}",
            "/codex/%00",
            "/codex/%7f",
            "/codex\r\nSet-Cookie: a=b",
            "/codex/%0d%0aSet-Cookie:a=b",
            "/.//evil.com",
            "/..//evil.com",
            "/%2e%2e//evil.com",
            "/codex/..;/x",
            "/codex/%2e/x",
            "/codex/%252e%252e/x",
            "/codex/%zz",
            "/codex/%2",
        ] {
            assert_eq!(ReturnPath::parse(path), None, "{path:?}");
        }
    }

    #[test]
    fn the_gateways_own_doors_are_no_place_to_return_to() {
        for path in [
            "/login",
            "/login?next=/x",
            "/LOGIN",
            "/login/",
            "/login#x",
            "/logout",
            "/log%6fut",
            "/log%256fut",
            "/logout;x",
            "/logout%3Bx",
            "/logout%3Fx",
            "/logout%20",
            "/keycloak-callback?state=a&code=b",
            "/Keycloak-Callback",
        ] {
            assert_eq!(ReturnPath::parse(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_path_longer_than_the_limit_is_refused() {
        assert!(ReturnPath::parse(&format!("/{}", "a".repeat(ReturnPath::MAX_BYTES - 1))).is_some());
        assert!(ReturnPath::parse(&format!("/{}", "a".repeat(ReturnPath::MAX_BYTES))).is_none());
        assert!(ReturnPath::parse(&format!("/{}", "é".repeat(ReturnPath::MAX_BYTES / 2 - 1))).is_none());
    }

    #[test]
    fn a_path_that_is_refused_becomes_the_home_page() {
        assert_eq!(ReturnPath::parse_or_home(Some("//evil.com")), ReturnPath::home());
        assert_eq!(ReturnPath::parse_or_home(None), ReturnPath::home());
    }

    #[test]
    fn a_stored_path_is_parsed_again_when_it_is_read() {
        let kept: ReturnPath = serde_json::from_str("\"/codex/\"").unwrap();
        assert_eq!(kept.as_str(), "/codex/");
        assert!(serde_json::from_str::<ReturnPath>("\"//evil.com\"").is_err());
    }

    /// Strings out of the pieces that such attacks are made of.
    fn nasty() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("/"),
            Just("//"),
            Just("\\"),
            Just("%2f"),
            Just("%2F"),
            Just("%252f"),
            Just("%5c"),
            Just("%09"),
            Just("\t"),
            Just("\n"),
            Just("\u{0}"),
            Just("%00"),
            Just("."),
            Just(".."),
            Just("%2e"),
            Just("%252e"),
            Just(";"),
            Just("?"),
            Just("#"),
            Just("@"),
            Just(":"),
            Just("http:"),
            Just("evil.com"),
            Just("login"),
            Just("l%6fgin"),
            Just("LOGOUT"),
            Just("keycloak-callback"),
            Just("codex"),
            Just(" "),
            Just("é"),
            Just("%"),
            Just("%25"),
            Just("\u{feff}"),
            Just("\u{ff0f}"),
        ];
        proptest::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    /// An independent reader: what a browser makes of the redirect.
    fn arrives(path: &ReturnPath) -> url::Url {
        url::Url::parse("http://localhost:8000/login?x")
            .unwrap()
            .join(path.as_str())
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_path_leads_off_the_origin_or_to_a_door(text in prop_oneof![nasty(), any::<String>(), "/.*"]) {
            if let Some(path) = ReturnPath::parse(&text) {
                let target = arrives(&path);
                prop_assert_eq!(target.origin().ascii_serialization(), "http://localhost:8000");
                prop_assert!(target.username().is_empty() && target.password().is_none());
                prop_assert!(path.as_str().bytes().all(|b| (0x21..=0x7e).contains(&b)));
                let mut seen = target.path().to_ascii_lowercase();
                for _ in 0..6 {
                    prop_assert!(!seen.starts_with("//") && !seen.contains('\\'), "{}", seen);
                    let first = seen[1..].split(['/', ';', '?', '#']).next().unwrap_or_default().trim();
                    prop_assert!(!DOORS.contains(&first), "{}", seen);
                    seen = percent_encoding::percent_decode_str(&seen).decode_utf8_lossy().into_owned();
                }
            }
        }

        #[test]
        fn an_accepted_path_is_accepted_again_unchanged(text in nasty()) {
            if let Some(path) = ReturnPath::parse(&text) {
                prop_assert_eq!(ReturnPath::parse(path.as_str()), Some(path));
            }
        }

        #[test]
        fn plain_paths_are_never_refused(text in "(/[a-km-z0-9_-]{1,8}){1,4}(\\?[a-z=&%]{0,20})?") {
            prop_assert!(ReturnPath::parse(&text).is_some());
        }
    }
}
