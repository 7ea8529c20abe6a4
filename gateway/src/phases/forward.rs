//! Forward: the peer, and the head as the backend sees it. May run again on a retry, so it only sets.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::Version;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};

use crate::config::ServiceTimeouts;
use crate::context::{Context, Life, Target};
use crate::cut;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::headers::{
    CORRELATION_ID, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PREFIX, FORWARDED_PROTO,
};
use crate::identity::cookies;
use crate::snapshot::Route;

/// Chooses the connection's settings.
///
/// # Errors
/// [`Refusal::UpstreamUnreachable`] when the upstream's name does not resolve.
pub(crate) async fn peer(gateway: &Gateway, context: &Context) -> Result<Box<HttpPeer>, Refusal> {
    let config = &context.snapshot.config;
    let provider_timeouts;
    let (backend, timeouts) = match &context.target {
        Some(Target::Service(route)) => (&route.backend, &route.service.timeouts),
        Some(Target::Provider { .. }) => {
            provider_timeouts = ServiceTimeouts::from(&config.timeouts);
            (&context.snapshot.provider, &provider_timeouts)
        }
        None => return Err(Refusal::Internal("no target".into())),
    };
    let upstream = &backend.upstream;
    let address = match backend.address {
        Some(address) => address,
        None => gateway
            .addresses
            .resolve(&upstream.address)
            .await
            .ok_or(Refusal::UpstreamUnreachable)?,
    };
    // Without TLS nobody asks for the name.
    let name = if upstream.tls {
        upstream.host.clone()
    } else {
        String::new()
    };
    let mut peer = Box::new(HttpPeer::new(address, upstream.tls, name));
    if upstream.http2 {
        peer.options.set_http_version(2, 2);
    }
    // Only one timeout is known to the connection for both the head and the body, and it is chosen before
    // the head is seen: by what the client asked for.
    let silence = match context.life {
        Life::Listening | Life::Conversation => timeouts.stream_idle,
        Life::Request => timeouts.first_byte.max(timeouts.upstream_idle_body),
    };
    peer.options.connection_timeout = Some(timeouts.connect);
    peer.options.total_connection_timeout = Some(timeouts.connect + Duration::from_secs(1));
    peer.options.read_timeout = Some(silence);
    peer.options.write_timeout = Some(config.timeouts.write);
    peer.options.idle_timeout = Some(config.timeouts.upstream_pool_idle);
    Ok(peer)
}

/// Lets a WebSocket go on without its exchange, once it has begun; `head` is how long its request's head is. Behind TLS
/// the exchange has the keys, and stays.
pub(crate) fn lend(peer: &mut HttpPeer, head: usize, context: &Context) {
    /// A WebSocket's connection is its own: it is found under no other key, and kept for nobody.
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let Some(route) = context.route() else { return };
    let (upstream, timeouts) = (&route.backend.upstream, &route.service.timeouts);
    if upstream.tls || upstream.http2 {
        return;
    }
    peer.options.custom_l4 = cut::lend(head, timeouts.connect, timeouts.stream_idle);
    if peer.options.custom_l4.is_some() {
        peer.group_key = KEYS.fetch_add(1, Relaxed);
        peer.options.idle_timeout = Some(Duration::ZERO);
    }
}

/// Writes the head that the backend gets (platform README §10).
///
/// # Errors
/// When a value is not a valid header value.
pub(crate) fn prepare(
    head: &mut RequestHeader,
    original: &RequestHeader,
    context: &Context,
) -> pingora::Result<()> {
    // Taken out and put back: the wrapper's own ways to change a head copy names that are known here.
    let nothing = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = Parts::from(std::mem::replace(head, nothing));
    let headers = &mut parts.headers;
    if let Some(without) = cookies::without_ours(headers) {
        match without {
            Some(rest) => drop(headers.insert(header::COOKIE, rest)),
            None => drop(headers.remove(header::COOKIE)),
        }
    }
    let client = context.account.client.clone();
    headers.insert(
        FORWARDED_FOR,
        client.unwrap_or(HeaderValue::from_static("unknown")),
    );
    if let Some(origin) = context.snapshot.public_origin(context.origin) {
        headers.insert(FORWARDED_PROTO, origin.proto.clone());
        headers.insert(FORWARDED_HOST, origin.host.clone());
    }
    headers.insert(CORRELATION_ID, context.account.id.clone());
    // An HTTP/2 head has its own way to say the host; what Pingora made of it is replaced here.
    let target = match &context.target {
        Some(Target::Service(route)) => {
            headers.insert(header::HOST, route.backend.host.clone());
            prepare_service(headers, context, route);
            below_prefix(original, route)
        }
        Some(Target::Provider { path_and_query }) => {
            headers.insert(header::HOST, context.snapshot.provider.host.clone());
            prepare_provider(headers, context)?;
            Cow::Borrowed(path_and_query.as_bytes())
        }
        None => Cow::Borrowed(original.raw_path()),
    };
    if original.version == Version::HTTP_2
        && original
            .headers
            .get(header::TE)
            .is_some_and(|te| te == "trailers")
    {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    *head = RequestHeader::from(parts);
    head.set_raw_path(&target)
}

/// The target as the service sees it: without its prefix.
fn below_prefix<'a>(original: &'a RequestHeader, route: &Route) -> Cow<'a, [u8]> {
    let rest = original.raw_path().get(route.prefix.len()..).unwrap_or_default();
    match rest.first() {
        Some(b'/') => Cow::Borrowed(rest),
        _ => Cow::Owned([b"/", rest].concat()),
    }
}

fn prepare_service(headers: &mut HeaderMap, context: &Context, route: &Route) {
    headers.insert(FORWARDED_PREFIX, route.prefix_value.clone());
    match &context.identity {
        Some(identity) => drop(headers.insert(header::AUTHORIZATION, identity.authorization.clone())),
        None => drop(headers.remove(header::AUTHORIZATION)),
    }
    if context
        .visits
        .as_ref()
        .is_some_and(hivematrix_plugins::Visits::wants_document)
    {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // A part of a page can't be edited, and must not be mixed with an edited one.
        headers.remove(header::RANGE);
        headers.remove(header::IF_RANGE);
    }
}

/// The headers that Keycloak reads behind a proxy (`proxy-headers=xforwarded`).
fn prepare_provider(headers: &mut HeaderMap, context: &Context) -> pingora::Result<()> {
    let invalid = |_| Error::explain(ErrorType::InternalError, "no header value");
    let provider = &context.snapshot.config.provider;
    if let Some(origin) = context.snapshot.origin(context.origin) {
        headers.insert(FORWARDED_PORT, HeaderValue::from(origin.port));
    }
    let prefix = HeaderValue::try_from(provider.public_path.as_str()).map_err(invalid)?;
    headers.insert(FORWARDED_PREFIX, prefix);
    Ok(())
}
