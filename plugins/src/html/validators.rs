//! Entity tags of edited pages: the backend's tag, and the version of the edits, in one.
//!
//! Security rules, "Answers": a condition is passed on to the backend only if it matches all of it. Our tag
//! is `W/"hm<version>-<w|s><the backend's own>"`; weak, because a page may be sent in several encodings.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::{HeaderMap, HeaderValue, header};

use crate::contract::request::RequestHead;

/// One number for the versions of all edits of a page; `None` if one of them is unknown.
pub(crate) fn combine(versions: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    for version in versions {
        version?.hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Conditions of a request for a document: those that rely on the edits it would get now are translated for
/// the backend, all others are dropped. Returns the version that a condition was passed on for.
pub(crate) fn request(head: &mut RequestHead, editors: usize) -> Option<u64> {
    let known = (head.versions.len() == editors)
        .then(|| combine(head.versions.iter().copied().map(Some)))
        .flatten();
    let headers = &mut head.headers;
    // Dates say nothing of our edits.
    headers.remove(header::IF_MODIFIED_SINCE);
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|value| value.as_bytes().starts_with(b"W/\"hm"))
    {
        headers.remove(header::IF_RANGE);
        headers.remove(header::RANGE);
    }
    let Some(version) = known else {
        headers.remove(header::IF_NONE_MATCH);
        return None;
    };
    let prefix = prefix(version);
    let tags: Vec<String> = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| {
            value
                .split_inclusive('"')
                .collect::<Vec<_>>()
                .chunks(2)
                .map(<[_]>::concat)
                .collect::<Vec<_>>()
        })
        .filter_map(|tag| backends(&tag, &prefix))
        .collect();
    headers.remove(header::IF_NONE_MATCH);
    let value = HeaderValue::from_str(&tags.join(", "))
        .ok()
        .filter(|value| !value.is_empty())?;
    headers.insert(header::IF_NONE_MATCH, value);
    Some(version)
}

/// Turns the backend's tag into ours; drops it if the edits' version is unknown.
pub(crate) fn mark(headers: &mut HeaderMap, version: Option<u64>) {
    let Some(tag) = headers.remove(header::ETAG) else {
        return;
    };
    let ours = version.and_then(|version| {
        let tag = tag.to_str().ok()?;
        let (strength, opaque) = match tag.strip_prefix("W/") {
            Some(opaque) => ('w', opaque),
            None => ('s', tag),
        };
        let opaque = opaque.strip_prefix('"')?.strip_suffix('"')?;
        HeaderValue::from_str(&format!("W/\"{}{strength}{opaque}\"", prefix(version))).ok()
    });
    if let Some(ours) = ours {
        headers.insert(header::ETAG, ours);
    }
}

fn prefix(version: u64) -> String {
    format!("hm{version:016x}-")
}

/// The backend's tag inside one of ours.
fn backends(tag: &str, prefix: &str) -> Option<String> {
    let tag = tag.trim_start_matches([',', ' ', '\t']);
    let opaque = tag
        .strip_prefix("W/")
        .unwrap_or(tag)
        .strip_prefix('"')?
        .strip_suffix('"')?;
    let rest = opaque.strip_prefix(prefix)?;
    match rest.split_at_checked(1)? {
        ("w", own) => Some(format!("W/\"{own}\"")),
        ("s", own) => Some(format!("\"{own}\"")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::{Method, uri::PathAndQuery};

    fn asking(headers: &[(&str, &str)], versions: &[u64]) -> RequestHead {
        let map = headers
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
            .collect();
        let mut head = RequestHead::new(Method::GET, PathAndQuery::from_static("/"), map);
        versions.iter().for_each(|version| head.edits_would_be(*version));
        head
    }

    fn tag_of(backend: &str, version: u64) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, backend.parse().unwrap());
        mark(&mut headers, combine([Some(version)].into_iter()));
        headers[header::ETAG].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_condition_reaches_the_backend_only_if_backend_and_edits_both_match() {
        let strong = tag_of("\"a,b\"", 7);
        let weak = tag_of("W/\"c\"", 7);
        let other = tag_of("\"a,b\"", 8);
        assert!(strong.starts_with("W/\"hm") && strong != weak && strong != other);
        #[rustfmt::skip]
        let table: &[(&str, String, &[u64], Option<&str>)] = &[
            ("same edits", strong.clone(), &[7], Some("\"a,b\"")),
            ("same edits, weak tag", weak.clone(), &[7], Some("W/\"c\"")),
            ("several tags", format!("{strong}, {other}, {weak}"), &[7], Some("\"a,b\", W/\"c\"")),
            ("another theme", strong.clone(), &[8], None),
            ("edits not known yet", strong.clone(), &[], None),
            ("one editor of two unknown", strong.clone(), &[7, 7], None),
            ("a tag from before composition", "\"a\"".into(), &[7], None),
            ("any", "*".into(), &[7], None),
        ];
        for (name, sent, versions, expected) in table {
            let mut head = asking(&[("if-none-match", sent), ("if-modified-since", "x")], versions);
            let passed = request(&mut head, 1);
            assert_eq!(
                head.headers.get("if-none-match").map(|v| v.to_str().unwrap()),
                *expected,
                "{name}"
            );
            assert_eq!(passed.is_some(), expected.is_some(), "{name}");
            assert!(!head.headers.contains_key("if-modified-since"), "{name}");
        }
    }

    #[test]
    fn a_range_of_an_edited_page_is_never_asked_for() {
        let mut head = asking(&[("if-range", &tag_of("\"a\"", 7)), ("range", "bytes=5-")], &[7]);
        request(&mut head, 1);
        assert!(head.headers.is_empty());
        let mut head = asking(&[("if-range", "\"of-a-download\""), ("range", "bytes=5-")], &[7]);
        request(&mut head, 1);
        assert_eq!(head.headers.len(), 2);
    }

    #[test]
    fn a_tag_without_a_version_is_dropped() {
        for (tag, version) in [("\"a\"", None), ("nonsense", Some(1))] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, tag.parse().unwrap());
            mark(&mut headers, version);
            assert!(headers.is_empty(), "{tag}");
        }
    }
}
