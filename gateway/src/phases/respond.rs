//! Respond: the backend's head is tidied. Its cookies stay below its prefix, its redirects stay public,
//! what it may not say for the whole origin is removed, and the plugins' response hooks run.

use hivematrix_plugins::ResponseHead;
use http::{StatusCode, Version};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType};

use crate::coding::{self, Coding};
use crate::context::{Context, Life, Target};
use crate::identity::cookies;
use crate::phases::arrive::{CORRELATION_ID, is_reserved};
use crate::phases::location::Locations;
use crate::phases::provider::{self, CookiePath};
use crate::phases::rewrite::EditedBody;

/// What speaks for the whole origin and is not a backend's to say (security rules, "Answers").
const FOR_THE_ORIGIN: [&str; 5] = [
    "alt-svc",
    "clear-site-data",
    "public-key-pins",
    "public-key-pins-report-only",
    "strict-transport-security",
];

/// Between us and the backend only (RFC 9110 §7.6.1). Transfer-Encoding and Upgrade are the proxy's.
const HOP_BY_HOP: [&str; 4] = [
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
];

/// Runs the phase.
///
/// # Errors
/// When a rewritten value is not a valid header value.
pub(crate) async fn respond(
    request: &RequestHeader,
    head: &mut ResponseHeader,
    context: &mut Context,
) -> pingora::Result<()> {
    context.account.status = head.status.as_u16();
    refuse_foreign_switch(head, context.life)?;
    remove_nominated(head);
    for name in FOR_THE_ORIGIN.iter().chain(&HOP_BY_HOP) {
        head.remove_header(*name);
    }
    let snapshot = context.snapshot.clone();
    match context.target.clone() {
        Some(Target::Provider { .. }) => {
            provider::respond(head, &snapshot.config.provider, snapshot.origin(context.origin))?;
        }
        Some(Target::Service(route)) => {
            confine_cookies(head, &route.prefix)?;
            confine_service_worker(head, &route.prefix)?;
            let locations = Locations {
                snapshot: &snapshot,
                route: &route,
            };
            for name in [header::LOCATION, header::CONTENT_LOCATION] {
                let changed = head
                    .headers
                    .get(&name)
                    .and_then(|l| l.to_str().ok())
                    .and_then(|l| locations.public(l));
                if let Some(location) = changed {
                    head.insert_header(name, location)?;
                }
            }
            let refresh = head.headers.get(header::REFRESH).and_then(|r| r.to_str().ok());
            if let Some(refresh) = refresh.and_then(|r| locations.public_refresh(r)) {
                head.insert_header(header::REFRESH, refresh)?;
            }
            run_plugins(request, head, context).await?;
        }
        None => {}
    }
    head.insert_header(CORRELATION_ID, context.account.id.as_str())?;
    Ok(())
}

/// A switch of protocols that nobody asked for would let bytes flow past every check.
fn refuse_foreign_switch(head: &ResponseHeader, life: Life) -> pingora::Result<()> {
    let websocket = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if head.status != StatusCode::SWITCHING_PROTOCOLS
        || (life == Life::Conversation && head.headers.get(header::UPGRADE).is_some_and(websocket))
    {
        return Ok(());
    }
    Err(Error::explain(ErrorType::InvalidHTTPHeader, "an upgrade that nobody asked for").into_up())
}

/// What the backend's `Connection` names is for us alone (RFC 9110 §7.6.1).
fn remove_nominated(head: &mut ResponseHeader) {
    const KEPT: [HeaderName; 4] =
        [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];
    let nominated: Vec<HeaderName> = head
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !KEPT.contains(name))
        .collect();
    for name in nominated {
        head.remove_header(&name);
    }
}

/// Trailers say something about the body; what belongs into a head is dropped (RFC 9110 §6.5.1).
pub(crate) fn trailers(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| belongs_into_head(name))
        .cloned()
        .collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

fn belongs_into_head(name: &HeaderName) -> bool {
    const HEAD_ONLY: [HeaderName; 8] = [
        header::SET_COOKIE,
        header::LOCATION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::CACHE_CONTROL,
        header::CONTENT_SECURITY_POLICY,
    ];
    HEAD_ONLY.contains(name)
        || is_reserved(name)
        || FOR_THE_ORIGIN.contains(&name.as_str())
        || HOP_BY_HOP.contains(&name.as_str())
}

fn confine_cookies(head: &mut ResponseHeader, prefix: &str) -> pingora::Result<()> {
    if !head.headers.contains_key(header::SET_COOKIE) {
        return Ok(());
    }
    let cookies: Vec<String> = head
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|cookie| confine_cookie(cookie, prefix, CookiePath::Within))
        .collect();
    head.remove_header(&header::SET_COOKIE);
    for cookie in cookies {
        head.append_header(header::SET_COOKIE, cookie)?;
    }
    Ok(())
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
    if !has_path && path == CookiePath::Whole {
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
    if crate::phases::path::under(path, prefix).is_some() {
        path.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

fn confine_service_worker(head: &mut ResponseHeader, prefix: &str) -> pingora::Result<()> {
    const ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");
    let Some(scope) = head.headers.get(&ALLOWED) else {
        return Ok(());
    };
    let within = scope.to_str().is_ok_and(|scope| {
        !scope.contains("..") && !scope.contains('%') && crate::phases::path::under(scope, prefix).is_some()
    });
    if !within {
        head.insert_header(ALLOWED, format!("{prefix}/"))?;
    }
    Ok(())
}

/// Response hooks, then the decision whether the body is a document that somebody edits.
async fn run_plugins(
    request: &RequestHeader,
    head: &mut ResponseHeader,
    context: &mut Context,
) -> pingora::Result<()> {
    if head.status.is_informational() {
        return Ok(());
    }
    let Some(visits) = &mut context.visits else {
        return Ok(());
    };
    // Without a responsible plugin only a document's caching can concern us.
    if visits.is_empty() && !is_html(head) {
        return Ok(());
    }
    let mut seen = ResponseHead::new(head.status, head.headers.clone());
    visits.on_response(&mut seen).await;
    let undone = undo_coding(&mut seen.headers, visits.wants_document());
    match visits.rewriter(&mut seen) {
        Some(rewriter) => {
            let to = coding_for(request, &seen.headers);
            context.edited = Some(EditedBody::new(undone.map(|(coding, _)| coding), rewriter, to)?);
            if let Some(coding) = to {
                seen.headers
                    .insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
            }
            seen.headers
                .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        None => {
            if let Some((_, value)) = undone {
                seen.headers.insert(header::CONTENT_ENCODING, value);
            }
        }
    }
    let mut parts = head.as_owned_parts();
    parts.status = seen.status;
    parts.headers = seen.headers;
    *head = ResponseHeader::from(parts);
    context.account.status = head.status.as_u16();
    if context.edited.is_some() {
        head.remove_header(&header::CONTENT_LENGTH);
        if request.version == Version::HTTP_11 {
            // Or the proxy would end the answer by closing the connection.
            head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        }
    }
    Ok(())
}

/// Takes the one coding of a document off its head, so that plugins see it as a page. We ask services for the
/// identity, but some encode all the same.
fn undo_coding(headers: &mut HeaderMap, wanted: bool) -> Option<(Coding, HeaderValue)> {
    let value = headers.get(header::CONTENT_ENCODING).filter(|_| wanted)?.clone();
    let coding = Coding::named(value.to_str().ok()?.trim())?;
    headers.remove(header::CONTENT_ENCODING);
    Some((coding, value))
}

/// The coding to send: the client's preference, unless nobody may transform the answer (RFC 9111 §5.2.2.6).
fn coding_for(request: &RequestHeader, headers: &HeaderMap) -> Option<Coding> {
    let no_transform = headers.get_all(header::CACHE_CONTROL).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.to_ascii_lowercase().contains("no-transform"))
    });
    if no_transform {
        None
    } else {
        coding::preferred(&request.headers)
    }
}

fn is_html(head: &ResponseHeader) -> bool {
    head.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
            || value.starts_with(b"application/xhtml")
    })
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
    fn reserved_names_are_dropped_from_trailers() {
        let mut map = HeaderMap::new();
        for name in [
            "grpc-status",
            "set-cookie",
            "x-forwarded-for",
            "clear-site-data",
            "x_y",
        ] {
            map.insert(
                HeaderName::from_bytes(name.as_bytes()).expect("valid"),
                HeaderValue::from_static("0"),
            );
        }
        trailers(&mut map);
        assert_eq!(
            map.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["grpc-status"]
        );
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
