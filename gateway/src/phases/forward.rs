//! Forward: the peer, and the head as the backend sees it. May run again on a retry, so it only sets.

use std::time::Duration;

use http::Version;
use http::header::{self, HeaderValue};
use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;

use crate::config::{Provider, ServiceTimeouts};
use crate::context::{Context, Life, Target};
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::headers::CORRELATION_ID;
use crate::identity::cookies;
use crate::upstream::Address;

/// Chooses the connection's settings.
///
/// # Errors
/// [`Refusal::UpstreamUnreachable`] when the upstream's name does not resolve.
pub(crate) async fn peer(gateway: &Gateway, context: &Context) -> Result<Box<HttpPeer>, Refusal> {
    let config = &context.snapshot.config;
    let provider_timeouts;
    let (upstream, timeouts) = match &context.target {
        Some(Target::Service(route)) => (&route.service.upstream, &route.service.timeouts),
        Some(Target::Provider { .. }) => {
            provider_timeouts = ServiceTimeouts::from(&config.timeouts);
            (&context.snapshot.provider, &provider_timeouts)
        }
        None => return Err(Refusal::Internal("no target".into())),
    };
    let address = Address::from(upstream.address.as_str());
    let address = gateway
        .addresses
        .resolve(&address)
        .await
        .ok_or(Refusal::UpstreamUnreachable)?;
    let mut peer = Box::new(HttpPeer::new(address, upstream.tls, upstream.host.clone()));
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

/// Writes the head that the backend gets (platform README §10).
///
/// # Errors
/// When a value is not a valid header value.
pub(crate) fn prepare(
    head: &mut RequestHeader,
    original: &RequestHeader,
    context: &Context,
) -> pingora::Result<()> {
    let config = &context.snapshot.config;
    if let Some(without) = cookies::without_ours(&original.headers) {
        head.remove_header(&header::COOKIE);
        if let Some(rest) = without {
            head.insert_header(header::COOKIE, rest)?;
        }
    }
    match context.client {
        Some(client) => head.insert_header("x-forwarded-for", client.to_string())?,
        None => head.insert_header("x-forwarded-for", "unknown")?,
    }
    if let Some(origin) = context.snapshot.origin(context.origin) {
        head.insert_header("x-forwarded-proto", origin.scheme.as_str())?;
        head.insert_header("x-forwarded-host", origin.authority())?;
    }
    head.insert_header(CORRELATION_ID, context.id())?;
    let host = match &context.target {
        Some(Target::Service(route)) => {
            prepare_service(head, original, context, route)?;
            route.service.upstream.address.as_str()
        }
        Some(Target::Provider { path_and_query }) => {
            prepare_provider(head, context, path_and_query, &config.provider)?;
            context.snapshot.provider.address.as_str()
        }
        None => return Ok(()),
    };
    head.insert_header(header::HOST, host)?;
    if original.version == Version::HTTP_2
        && original
            .headers
            .get(header::TE)
            .is_some_and(|te| te == "trailers")
    {
        head.insert_header(header::TE, HeaderValue::from_static("trailers"))?;
    }
    Ok(())
}

fn prepare_service(
    head: &mut RequestHeader,
    original: &RequestHeader,
    context: &Context,
    route: &crate::snapshot::Route,
) -> pingora::Result<()> {
    let raw = original.raw_path();
    let rest = raw.get(route.prefix.len()..).unwrap_or_default();
    match rest.first() {
        Some(b'/') => head.set_raw_path(rest)?,
        _ => head.set_raw_path(&[b"/", rest].concat())?,
    }
    head.insert_header("x-forwarded-prefix", route.prefix.as_str())?;
    head.remove_header(&header::AUTHORIZATION);
    if let Some(identity) = &context.identity {
        head.insert_header(header::AUTHORIZATION, identity.authorization.clone())?;
    }
    if context
        .visits
        .as_ref()
        .is_some_and(hivematrix_plugins::Visits::wants_document)
    {
        head.insert_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))?;
        // A part of a page can't be edited, and must not be mixed with an edited one.
        head.remove_header(&header::RANGE);
        head.remove_header(&header::IF_RANGE);
    }
    Ok(())
}

/// The headers that Keycloak reads behind a proxy (`proxy-headers=xforwarded`).
fn prepare_provider(
    head: &mut RequestHeader,
    context: &Context,
    path_and_query: &str,
    provider: &Provider,
) -> pingora::Result<()> {
    head.set_raw_path(path_and_query.as_bytes())?;
    if let Some(origin) = context.snapshot.origin(context.origin) {
        head.insert_header("x-forwarded-port", origin.port.to_string())?;
    }
    head.insert_header("x-forwarded-prefix", provider.public_path.as_str())?;
    Ok(())
}
