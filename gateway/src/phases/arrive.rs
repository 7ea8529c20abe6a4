//! Arrive: the request gets an id, everything that only we may say is dropped, its size and form are
//! checked, its host must be ours and its path becomes canonical. Nothing is looked up here.

use std::io::Write as _;
use std::net::IpAddr;

use bytes::Bytes;
use hivematrix_plugins::Intent;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Version};
use pingora::http::RequestHeader;

use crate::config::{Limits, Server};
use crate::context::{Context, Life};
use crate::error::Refusal;
use crate::headers::{FORWARDED_FOR, TRACEPARENT, strip_reserved, trace_id};
use crate::phases::path::CanonicalPath;

/// What the connection says about the request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Connection {
    /// The peer's address.
    pub(crate) peer: Option<IpAddr>,
    /// The head had both Content-Length and Transfer-Encoding.
    pub(crate) doubly_framed: bool,
    /// HTTP/2: the authority is in the target.
    pub(crate) http2: bool,
}

/// Runs the phase.
///
/// # Errors
/// A refusal for whatever may not pass.
pub(crate) fn arrive(
    head: &mut RequestHeader,
    connection: Connection,
    context: &mut Context,
) -> Result<(), Refusal> {
    let snapshot = &*context.snapshot;
    let config = &snapshot.config;
    context.account.identify(&head.headers);
    context.account.begin(head);
    context.client = client_address(&head.headers, connection.peer, &config.server);
    context.account.client = context.client.and_then(address_value);
    context.intent = Intent::of(&head.method, &head.headers);
    check_sizes(head, &config.limits)?;
    if connection.doubly_framed {
        return Err(Refusal::BadRequest(
            "it has both a Content-Length and a Transfer-Encoding",
        ));
    }
    check_coding(&head.headers)?;
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::MethodNotAllowed {
            allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        });
    }
    context.life = life_of(head)?;
    let host = host_of(head, connection.http2)?;
    context.origin = snapshot.origin_of(host).ok_or(Refusal::Misdirected)?;
    check_body_length(&head.headers, config.limits.body_bytes)?;
    let raw = head.raw_path();
    let path = raw.split(|byte| *byte == b'?').next().unwrap_or_default();
    let path = CanonicalPath::parse(path).map_err(|problem| Refusal::BadRequest(problem.sentence()))?;
    if let Some(query) = raw.get(path.sent().len() + 1..)
        && query.iter().any(|byte| *byte < 0x20 || *byte == 0x7f)
    {
        return Err(Refusal::BadRequest("its query contains a control character"));
    }
    context.path = Some(path);
    tidy(head);
    Ok(())
}

/// An address as text: digits, dots and colons.
fn address_value(client: IpAddr) -> Option<HeaderValue> {
    let mut text = Vec::with_capacity(45);
    write!(text, "{client}").ok()?;
    HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
}

/// Drops what the client may not say, and how it spells: Pingora keeps the spelling of every name in a map of its own, which
/// then is copied and changed along with the headers. Names mean the same in any case (RFC 9110 §5.1). Only for targets that
/// the URI holds whole.
fn tidy(head: &mut RequestHeader) {
    let nothing = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = http::request::Parts::from(std::mem::replace(head, nothing));
    strip_reserved(&mut parts.headers);
    drop_malformed_trace(&mut parts.headers);
    *head = RequestHeader::from(parts);
}

fn check_sizes(head: &RequestHeader, limits: &Limits) -> Result<(), Refusal> {
    if head.raw_path().len() > limits.target_bytes {
        return Err(Refusal::TargetTooLong);
    }
    if head.headers.len() > limits.header_count {
        return Err(Refusal::HeadersTooLarge);
    }
    let (mut total, mut cookies, mut cookie_count) = (0_usize, 0_usize, 0_usize);
    for (name, value) in &head.headers {
        total += name.as_str().len() + value.len() + 4;
        if name == header::COOKIE {
            cookies += value.len();
            cookie_count += value.as_bytes().split(|byte| *byte == b';').count();
        }
    }
    if total > limits.header_bytes || cookies > limits.cookies_bytes || cookie_count > limits.cookies_count {
        return Err(Refusal::HeadersTooLarge);
    }
    Ok(())
}

fn check_body_length(headers: &HeaderMap, limit: usize) -> Result<(), Refusal> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(());
    };
    let length: u64 = length
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or(Refusal::BadRequest("its Content-Length is not a number"))?;
    if limit != 0 && length > limit as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    Ok(())
}

/// Chunked once, or not at all: two servers may disagree about anything else (RFC 9112 §7).
fn check_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(Refusal::BadRequest("its Transfer-Encoding is not chunked, once")),
    }
}

/// One Host, and the same one in both places where HTTP/2 can put it (RFC 9113 §8.3.1).
fn host_of(head: &RequestHeader, http2: bool) -> Result<&str, Refusal> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|value| value.to_str());
    if hosts.next().is_some() {
        return Err(Refusal::BadRequest("it has more than one Host"));
    }
    let host = match host {
        Some(Ok(host)) if !host.is_empty() => Some(host),
        Some(_) => return Err(Refusal::BadRequest("its Host is not valid")),
        None => None,
    };
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Refusal::BadRequest("its Host and its authority differ"))
        }
        (Some(authority), _) if http2 => Ok(authority),
        (_, Some(host)) => Ok(host),
        (_, None) => Err(Refusal::BadRequest("it has no Host")),
    }
}

/// WebSockets, event streams and gRPC calls may be silent for long; any other upgrade is refused, and so is one
/// that is none: its headers would lift limits that hold for requests (RFC 6455 §4.1).
fn life_of(head: &RequestHeader) -> Result<Life, Refusal> {
    let headers = &head.headers;
    if let Some(upgrade) = headers.get(header::UPGRADE) {
        let websocket = upgrade.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
        let single = headers.get_all(header::UPGRADE).iter().count() == 1;
        let bodiless =
            !headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::TRANSFER_ENCODING);
        let switches =
            head.method == Method::GET && head.version == Version::HTTP_11 && nominates_upgrade(headers);
        if websocket && single && bodiless && switches {
            return Ok(Life::Conversation);
        }
        return Err(Refusal::BadRequest("only WebSocket upgrades are served"));
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let grpc = content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]));
    if grpc && head.version == Version::HTTP_2 && head.method == Method::POST {
        return Ok(Life::Conversation);
    }
    const STREAM: &[u8] = b"text/event-stream";
    let accept = headers
        .get(header::ACCEPT)
        .map_or(&b""[..], |value| value.as_bytes());
    if accept
        .get(..STREAM.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(STREAM))
    {
        return Ok(Life::Listening);
    }
    Ok(Life::Request)
}

fn nominates_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// The peer, or what a trusted proxy says of it: the last address that no trusted proxy added.
fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, server: &Server) -> Option<IpAddr> {
    let peer = peer?;
    let trusted = |address: &IpAddr| {
        server
            .trusted_proxies
            .iter()
            .any(|network| network.contains(address))
    };
    if server.trusted_proxies.is_empty() || !trusted(&peer) {
        return Some(peer);
    }
    let mut client = peer;
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for part in value.as_bytes().rsplit(|byte| *byte == b',') {
            let address = std::str::from_utf8(part.trim_ascii())
                .ok()
                .and_then(|part| part.parse().ok());
            // What can't be read was not written by a trusted proxy: the last one that was, counts.
            let Some(address) = address else {
                return Some(client);
            };
            client = address;
            if !trusted(&address) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// W3C trace context is passed on as it came if it is well-formed, else dropped with its state.
fn drop_malformed_trace(headers: &mut HeaderMap) {
    let Some(parent) = headers.get(TRACEPARENT) else {
        return;
    };
    if trace_id(parent.as_bytes()).is_none() || headers.get_all(TRACEPARENT).iter().count() > 1 {
        headers.remove(&TRACEPARENT);
        headers.remove("tracestate");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(&'static str, &str)]) -> RequestHeader {
        let mut head = RequestHeader::build("GET", b"/codex/", None).expect("valid");
        for (name, value) in lines {
            head.append_header(*name, *value).expect("valid");
        }
        head
    }

    #[test]
    fn host_and_authority_must_agree_and_be_single() {
        assert!(host_of(&head(&[]), false).is_err());
        assert!(host_of(&head(&[("Host", "a"), ("Host", "a")]), false).is_err());
        assert_eq!(host_of(&head(&[("Host", "a")]), false).ok(), Some("a"));
        let mut request = head(&[("Host", "b")]);
        request.set_uri("https://a/x".parse().expect("valid"));
        assert!(host_of(&request, true).is_err());
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_networks() {
        let mut server = Server::new("127.0.0.1:0".parse().expect("valid"), Vec::new());
        let request = head(&[
            ("X-Forwarded-For", "6.6.6.6, 10.0.0.7"),
            ("X-Forwarded-For", "10.0.0.9"),
        ]);
        let peer: IpAddr = "10.0.0.1".parse().expect("valid");
        assert_eq!(client_address(&request.headers, Some(peer), &server), Some(peer));
        server.trusted_proxies = vec!["10.0.0.0/8".parse().expect("valid")];
        let found = client_address(&request.headers, Some(peer), &server);
        assert_eq!(found, Some("6.6.6.6".parse().expect("valid")));
    }

    #[test]
    fn an_unreadable_forwarded_address_does_not_hide_the_client() {
        let mut server = Server::new("127.0.0.1:0".parse().expect("valid"), Vec::new());
        server.trusted_proxies = vec!["10.0.0.0/8".parse().expect("valid")];
        let mut request = head(&[]);
        let odd = http::HeaderValue::from_bytes(b"\xe9, 9.9.9.9").expect("valid");
        request.append_header("x-forwarded-for", odd).expect("valid");
        let peer: IpAddr = "10.0.0.1".parse().expect("valid");
        let found = client_address(&request.headers, Some(peer), &server);
        assert_eq!(found, "9.9.9.9".parse().ok());
    }

    #[test]
    fn only_real_conversations_are_free_of_the_limits_of_requests() {
        let life = |method: &str, version: Version, lines: &[(&'static str, &str)]| {
            let mut request = head(lines);
            request.set_method(method.parse().expect("valid"));
            request.set_version(version);
            life_of(&request).ok()
        };
        let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
        let switch = [("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade")];
        assert_eq!(life("GET", h1, &switch), Some(Life::Conversation));
        assert_eq!(life("POST", h1, &switch), None);
        assert_eq!(life("GET", h1, &[("Upgrade", "websocket")]), None);
        assert_eq!(
            life("GET", h1, &[switch[0], switch[1], ("Content-Length", "5")]),
            None
        );
        assert_eq!(life("GET", h1, &[("Upgrade", "h2c"), switch[1]]), None);
        assert_eq!(life("GET", h1, &[("Upgrade", "websocket, h2c"), switch[1]]), None);
        assert_eq!(
            life("POST", h2, &[("Content-Type", "application/grpc+proto")]),
            Some(Life::Conversation)
        );
        assert_eq!(
            life("POST", h1, &[("Content-Type", "application/grpc")]),
            Some(Life::Request)
        );
        assert_eq!(
            life("POST", h2, &[("Content-Type", "application/grpc-not")]),
            Some(Life::Request)
        );
        assert_eq!(
            life("GET", h1, &[("Accept", "text/event-stream")]),
            Some(Life::Listening)
        );
        assert_eq!(life("GET", h1, &[("Accept", "text/html")]), Some(Life::Request));
    }
}
