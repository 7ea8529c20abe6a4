//! One function for each parser of bytes that come from outside: it runs the parser, and checks what must hold of
//! whatever comes out. A failure is a panic.
//!
//! Responsible for those checks; the programs in `targets/` hand them libFuzzer's bytes, the tests here the corpus and
//! what becomes of it when bytes are changed at random. How to fuzz: `../README.md`.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a check that fails is what a fuzzer looks for"
)]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use futures_util::FutureExt as _;
use hivematrix_gateway::config::{Config, Environment};
use hivematrix_gateway::foreign;
use hivematrix_gateway::identity::{ReturnPath, cookies};
use hivematrix_platform::{
    KeyRing, Minter, PermissionLevel, Registry, ServiceName, SessionRecord, SigningKey, StaticKeys,
    TokenError, Verifier,
};
use hivematrix_plugins::{Composition, testing};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;

/// Longest page, in bytes: it is replayed cut at every byte.
const LONGEST_PAGE: usize = 300;

/// `services.json`: what was accepted has good names and can be looked up; what was refused says why.
pub fn registry(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Registry::parse(text) {
        Ok(registry) => {
            for entry in &registry.services {
                assert!(ServiceName::parse(entry.name.as_str()).is_ok());
                assert!(matches!(entry.url.scheme(), "http" | "https"), "{}", entry.url);
                assert!(entry.url.username().is_empty() && entry.url.password().is_none());
                assert!(registry.get(entry.name.as_str()).is_some());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A token: nobody is recognised whom Core's key has not signed, and keys at hand make nobody wait.
pub fn token(bytes: &[u8]) {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
        let key = SigningKey::generate("fuzz").expect("a key");
        let keys = StaticKeys::new(&Minter::new(key, "hivematrix-core").jwks());
        Verifier::new(Arc::new(keys), "hivematrix-core")
    });
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let verified = VERIFIER.verify(text, 1_700_000_000).now_or_never();
    let refused: TokenError = verified
        .expect("an answer at once")
        .expect_err("a stranger's token");
    assert!(!refused.reason().is_empty());
}

/// A session's record: what was read is written and read again as the same.
pub fn session_record(bytes: &[u8]) {
    if let Ok(record) = SessionRecord::from_json(bytes) {
        let written = record.to_json().expect("a record can be written");
        let again = SessionRecord::from_json(&written).expect("and read again");
        assert_eq!(again, record);
    }
}

/// Core's key ring: what was read can be written and read again; what is refused is not quoted.
pub fn key_ring(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(ring) = KeyRing::from_json(text) {
        let written = ring.to_json();
        let again = KeyRing::from_json(written.expose_secret()).expect("a ring that we wrote");
        assert_eq!(again.entries(0), ring.entries(0));
    }
}

/// The cookies of a request, one header line for each line of text: none of ours is forwarded, all others are.
pub fn cookies(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(8) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
    let crumbs = |lines: &[HeaderValue]| -> Vec<Vec<u8>> {
        let lines = lines
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let crumbs = lines.map(|crumb| crumb.trim_ascii().to_vec());
        crumbs.filter(|crumb| !crumb.is_empty()).collect()
    };
    let name = |crumb: &[u8]| -> Vec<u8> {
        let name = crumb.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().to_vec()
    };
    let sent: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    let forwarded = crumbs(&foreign::forwarded_cookies(&headers));
    assert!(forwarded.iter().all(|crumb| !cookies::is_ours(name(crumb))));
    let others = crumbs(&sent)
        .into_iter()
        .filter(|crumb| !cookies::is_ours(name(crumb)));
    assert_eq!(forwarded, others.collect::<Vec<_>>());
    if let Ok(Some(_)) = cookies::session_handle(&headers) {
        assert_eq!(cookies::session_handles(&headers).len(), 1);
    }
}

/// A backend's cookie: whatever it says, it stays below the prefix, loses its domain, and is not one of ours.
pub fn set_cookie(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if HeaderValue::from_str(text).is_err() {
        return;
    }
    let Some(confined) = foreign::confined_cookie(text, "/codex") else {
        return;
    };
    let mut parts = confined.split(';');
    let name = parts
        .next()
        .unwrap_or_default()
        .split('=')
        .next()
        .unwrap_or_default();
    assert!(!cookies::is_ours(name.trim()), "{confined:?}");
    let mut paths = 0;
    for attribute in parts {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        assert_ne!(name, "domain", "{confined:?}");
        if name == "path" {
            paths += 1;
            assert!(value == "/codex" || value.starts_with("/codex/"), "{confined:?}");
        }
    }
    assert!(paths <= 1, "{confined:?}");
}

/// A request's path: no reading of one that is accepted climbs, and none holds what backends read in two ways.
pub fn path(bytes: &[u8]) {
    let Some(readings) = foreign::readings(bytes) else {
        return;
    };
    assert_eq!(
        readings.first().map(String::as_bytes),
        Some(bytes),
        "the first is the path as sent"
    );
    for reading in readings {
        assert!(reading.starts_with('/'), "{reading:?}");
        assert!(!reading.contains(['\\', '\0']), "{reading:?}");
        let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        assert!(!reading.split('/').any(dots), "{reading:?}");
    }
}

/// A place to return to after a login: one of this origin, in every reading, and again when it is read again.
pub fn return_path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(path) = ReturnPath::parse(text) else {
        return;
    };
    let path = path.as_str();
    assert!(
        path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\"),
        "{path:?}"
    );
    assert!(path.len() <= ReturnPath::MAX_BYTES && path.is_ascii());
    assert!(HeaderValue::from_str(path).is_ok(), "{path:?}");
    assert_eq!(
        ReturnPath::parse(path).as_ref().map(ReturnPath::as_str),
        Some(path)
    );
}

/// A configuration: a `Config`, or problems that say where.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let environment = Environment::from_iter([("SECRET", "s3cret")]).without_secrets();
    // A folder without files: what a text names must not be read from the machine.
    match Config::parse(text, "fuzz.toml", Path::new("/nonexistent"), &environment) {
        Ok(config) => assert!(!config.server.public_origins.is_empty()),
        Err(problems) => assert!(problems.has_errors() && !problems.to_string().is_empty()),
    }
}

/// A page, after a first line with its Content-Security-Policy: composed the same however it is cut, and with every byte
/// of the original in it, in order.
pub fn page(bytes: &[u8]) {
    let (policy, page) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&b""[..], bytes),
    };
    let page = &page[..page.len().min(LONGEST_PAGE)];
    let policy = std::str::from_utf8(policy)
        .ok()
        .filter(|policy| HeaderValue::from_str(policy).is_ok());
    let mut headers = vec![("content-type", "text/html; charset=windows-1252")];
    headers.extend(policy.map(|policy| ("content-security-policy", policy)));
    let seen = testing::visit::<Composition>("")
        .caller(testing::caller(PermissionLevel::Technician))
        .answer(StatusCode::OK, &headers, page);
    // Attributes that composition sets, and policies in the page, are replaced; everything else stays.
    let lower = page.to_ascii_lowercase();
    let holds = |what: &[u8]| lower.windows(what.len()).any(|window| window == what);
    if holds(b"data-") || holds(b"http-equiv") {
        return;
    }
    let mut rest = seen.body.iter();
    let kept = page.iter().all(|byte| rest.any(|other| other == byte));
    assert!(kept, "a byte of the page is missing: {:?}", seen.text());
}

#[cfg(test)]
mod tests;
