//! Header names that mean something to the gateway, and their forms. What is done with them is the phases'.

use http::header::{HeaderMap, HeaderName};

/// Set for backends, each with exactly one value (platform README §10).
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// See [`FORWARDED_FOR`].
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// See [`FORWARDED_FOR`].
pub(crate) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// See [`FORWARDED_FOR`].
pub(crate) const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// See [`FORWARDED_FOR`].
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// W3C Trace Context §3.2.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header that carries the request id in both directions (platform README §10).
pub(crate) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// On an answer to somebody whose session could not be checked (platform README §9).
pub(crate) const SESSION_CHECK: HeaderName = HeaderName::from_static("x-session-check");

/// Names nobody but us may send to a backend (security rules, "Requests").
const RESERVED: [&str; 8] = [
    "forwarded",
    "proxy",
    "x-correlation-id",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-script-name",
    "x-session-check",
];

/// What speaks for the whole origin and is not a backend's to say (security rules, "Answers").
pub(crate) const FOR_THE_ORIGIN: [&str; 5] = [
    "alt-svc",
    "clear-site-data",
    "public-key-pins",
    "public-key-pins-report-only",
    "strict-transport-security",
];

/// Between us and the backend only (RFC 9110 §7.6.1). Transfer-Encoding and Upgrade are the proxy's.
pub(crate) const HOP_BY_HOP: [&str; 4] = [
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
];

/// Whether a name is dropped before a backend: ours alone, or ambiguous in CGI environments, where `_`
/// and `-` are the same.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    let known = matches!(name.as_bytes().first(), Some(b'f' | b'p' | b'x')) && RESERVED.contains(&name);
    known || name.starts_with("x-forwarded-") || name.contains('_')
}

/// Drops what only we may say. The common request has nothing to drop, and pays one look per name.
pub(crate) fn strip_reserved(headers: &mut HeaderMap) {
    if !headers.keys().any(is_reserved) {
        return;
    }
    let reserved = headers.keys().filter(|name| is_reserved(name));
    let names: Vec<HeaderName> = reserved.cloned().collect();
    for name in names {
        headers.remove(&name);
    }
}

/// The trace id of a `traceparent` (W3C Trace Context §3.2): `00-<32 hex>-<16 hex>-<2 hex>`.
pub(crate) fn trace_id(parent: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(parent).ok()?;
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let well_formed = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    (well_formed && !zero(trace) && !zero(span)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    #[test]
    fn reserved_names_are_dropped_and_others_stay() {
        let names = [
            "x-forwarded-for",
            "x-forwarded-anything",
            "forwarded",
            "x-real-ip",
            "proxy",
            "x_forwarded_for",
            "x-original-url",
            "x-rewrite-url",
            "x-script-name",
            "x-correlation-id",
            "x-session-check",
            "accept",
        ];
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("y"));
        }
        strip_reserved(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["accept"]);
        assert!(
            RESERVED
                .iter()
                .all(|name| matches!(name.as_bytes()[0], b'f' | b'p' | b'x'))
        );
    }

    #[test]
    fn only_well_formed_traces_are_passed_on() {
        let good = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_id(good), Some("0af7651916cd43dd8448eb211c80319c"));
        for bad in [
            &b"00-xyz-1-01"[..],
            b"",
            b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
            b"ff",
        ] {
            assert_eq!(trace_id(bad), None);
        }
    }
}
