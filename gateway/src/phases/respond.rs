//! Respond: the backend's head is tidied. Its cookies stay below its prefix, its redirects stay public,
//! what it may not say for the whole origin is removed, and the plugins' response hooks run.

use hivematrix_plugins::ResponseHead;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use http::{StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType};

use crate::coding::{self, Coding, DecodeError};
use crate::config::{Origin, Provider};
use crate::context::{Context, Life, Target};
use crate::cut;
use crate::edited::EditedBody;
use crate::headers::{CORRELATION_ID, FOR_THE_ORIGIN, HOP_BY_HOP, SESSION_CHECK};
use crate::phases::cookie::{CookiePath, confine_cookie};
use crate::phases::location::Locations;
use crate::snapshot::Route;

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
    let own_words = |reason: &&str| head.status.canonical_reason() != Some(*reason);
    let reason = head.get_reason_phrase().filter(own_words).map(str::to_owned);
    // Taken out and put back: the wrapper keeps the spelling of every name, and changes that map with each header.
    let nothing = ResponseHeader::from(http::Response::new(()).into_parts().0);
    let mut parts = Parts::from(std::mem::replace(head, nothing));
    let outcome = tidy(request, &mut parts, context).await;
    *head = ResponseHeader::from(parts);
    if reason.is_some() {
        head.set_reason_phrase(reason.as_deref())?;
    }
    outcome
}

async fn tidy(request: &RequestHeader, parts: &mut Parts, context: &mut Context) -> pingora::Result<()> {
    context.refuse_for_provider(parts.status)?;
    let found = Found::in_head(&parts.headers);
    if found.connection {
        remove_nominated(&mut parts.headers);
    }
    if found.dropped {
        for name in FOR_THE_ORIGIN.iter().chain(&HOP_BY_HOP) {
            parts.headers.remove(*name);
        }
    }
    match &context.target {
        Some(Target::Provider { .. }) => {
            let snapshot = &context.snapshot;
            let origin = snapshot.origin(context.origin);
            respond_provider(&mut parts.headers, &snapshot.config.provider, origin)?;
        }
        Some(Target::Service(route)) => {
            if found.of_service {
                confine(&mut parts.headers, context, route)?;
            }
            run_plugins(request, parts, context).await?;
        }
        None => {}
    }
    parts.headers.insert(CORRELATION_ID, context.account.id.clone());
    match context.session_check() {
        Some(said) => drop(parts.headers.insert(SESSION_CHECK, value(said)?)),
        None => drop(parts.headers.remove(&SESSION_CHECK)),
    }
    Ok(())
}

/// What is in a head that concerns us, found in one look at it: most heads have next to nothing of it.
#[derive(Default)]
struct Found {
    /// Something that is dropped without a further look.
    dropped: bool,
    /// `Connection`.
    connection: bool,
    /// What a service may only say of its own prefix.
    of_service: bool,
}

impl Found {
    fn in_head(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for name in headers.keys().map(HeaderName::as_str) {
            match name {
                "connection" => found.connection = true,
                "set-cookie" | "service-worker-allowed" | "location" | "content-location" | "refresh" => {
                    found.of_service = true;
                }
                name => found.dropped |= FOR_THE_ORIGIN.contains(&name) || HOP_BY_HOP.contains(&name),
            }
        }
        found
    }
}

/// Cookies, redirects and scopes of a service stay on its prefix.
fn confine(headers: &mut HeaderMap, context: &Context, route: &Route) -> pingora::Result<()> {
    let bare = context
        .path
        .as_ref()
        .is_some_and(|path| path.sent() == route.prefix);
    let path = if bare {
        CookiePath::WithinOrWhole
    } else {
        CookiePath::Within
    };
    confine_cookies(headers, &route.prefix, path)?;
    confine_service_worker(headers, &route.prefix)?;
    let locations = Locations {
        snapshot: &context.snapshot,
        route,
    };
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let said = headers.get(&name).and_then(|location| location.to_str().ok());
        let changed = said.and_then(|location| locations.public(location));
        // One value, and it is the one that was looked at.
        let kept = || said.map(str::to_owned);
        let several = headers.get_all(&name).iter().nth(1).is_some();
        if let Some(location) = changed.or_else(|| several.then(kept).flatten()) {
            headers.insert(name, value(location)?);
        }
    }
    let refresh = headers.get(header::REFRESH).and_then(|r| r.to_str().ok());
    if let Some(refresh) = refresh.and_then(|r| locations.public_refresh(r)) {
        headers.insert(header::REFRESH, value(refresh)?);
    }
    Ok(())
}

fn value(text: String) -> pingora::Result<HeaderValue> {
    HeaderValue::try_from(text)
        .map_err(|error| Error::because(ErrorType::InvalidHTTPHeader, "a rewritten value", error).into_up())
}

/// A switch of protocols that nobody asked for would let bytes flow past every check.
fn refuse_foreign_switch(head: &ResponseHeader, life: Life) -> pingora::Result<()> {
    let websocket = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if head.status != StatusCode::SWITCHING_PROTOCOLS
        || (life == Life::Conversation && head.headers.get(header::UPGRADE).is_some_and(websocket))
    {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            cut::switched();
        }
        return Ok(());
    }
    Err(Error::explain(ErrorType::InvalidHTTPHeader, "an upgrade that nobody asked for").into_up())
}

/// What the backend's `Connection` names is for us alone (RFC 9110 §7.6.1).
fn remove_nominated(headers: &mut HeaderMap) {
    const KEPT: [HeaderName; 4] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let nominated: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // An option of the connection, and dropped anyway where it is a header.
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| name.parse().ok())
        .filter(|name| !KEPT.contains(name))
        .collect();
    for name in nominated {
        headers.remove(&name);
    }
}

/// Tidies an answer of the provider: cookies stay on its path, redirects stay public, no page is framed.
fn respond_provider(
    headers: &mut HeaderMap,
    provider: &Provider,
    origin: Option<&Origin>,
) -> pingora::Result<()> {
    let cookies: Vec<String> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|cookie| confine_cookie(cookie, &provider.public_path, CookiePath::Whole))
        .collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, value(cookie)?);
    }
    if let Some(location) = public_location(headers, provider, origin) {
        headers.insert(header::LOCATION, value(location)?);
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.append(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    );
    Ok(())
}

fn public_location(headers: &HeaderMap, provider: &Provider, origin: Option<&Origin>) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let backend = provider.backend_url.as_str().trim_end_matches('/');
    let rest = location.strip_prefix(backend)?;
    (rest.starts_with('/')).then(|| match origin {
        Some(origin) => format!("{origin}{}{rest}", provider.public_path),
        None => format!("{}{rest}", provider.public_path),
    })
}

fn confine_cookies(headers: &mut HeaderMap, prefix: &str, path: CookiePath) -> pingora::Result<()> {
    if !headers.contains_key(header::SET_COOKIE) {
        return Ok(());
    }
    let cookies: Vec<String> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|cookie| confine_cookie(cookie, prefix, path))
        .collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, value(cookie)?);
    }
    Ok(())
}

/// A scope is compared as a string, after the browser has resolved it: only one value is safe to pass on.
fn confine_service_worker(headers: &mut HeaderMap, prefix: &str) -> pingora::Result<()> {
    const ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");
    if headers.contains_key(&ALLOWED) {
        headers.insert(ALLOWED, value(format!("{prefix}/"))?);
    }
    Ok(())
}

/// Response hooks, then the decision whether the body is a document that somebody edits.
async fn run_plugins(
    request: &RequestHeader,
    parts: &mut Parts,
    context: &mut Context,
) -> pingora::Result<()> {
    if parts.status.is_informational() {
        return Ok(());
    }
    let Some(visits) = &mut context.visits else {
        return Ok(());
    };
    // Without a responsible plugin only a document's caching can concern us.
    if visits.is_empty() && !is_html(&parts.headers) {
        return Ok(());
    }
    let mut seen = ResponseHead::new(parts.status, std::mem::take(&mut parts.headers));
    visits.on_response(&mut seen).await;
    let undone = undo_coding(&mut seen.headers, visits.wants_document());
    match visits.rewriter(&mut seen) {
        Some(rewriter) => {
            let to = coding_for(request, &seen.headers);
            let edited = EditedBody::new(undone.map(|(coding, _)| coding), rewriter, to);
            context.edited = Some(Box::new(edited.map_err(broken)?));
            if let Some(coding) = to {
                seen.headers
                    .insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
            }
            seen.headers
                .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            seen.headers.remove(header::CONTENT_LENGTH);
            if request.version == Version::HTTP_11 {
                // Or the proxy would end the answer by closing the connection.
                let chunked = HeaderValue::from_static("chunked");
                seen.headers.insert(header::TRANSFER_ENCODING, chunked);
            }
        }
        None => {
            if let Some((_, value)) = undone {
                seen.headers.insert(header::CONTENT_ENCODING, value);
            }
        }
    }
    parts.status = seen.status;
    parts.headers = seen.headers;
    context.account.status = parts.status.as_u16();
    Ok(())
}

fn broken(error: DecodeError) -> Box<Error> {
    Error::because(ErrorType::InternalError, "a codec could not be made", error).into_in()
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

fn is_html(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
            || value.starts_with(b"application/xhtml")
    })
}
