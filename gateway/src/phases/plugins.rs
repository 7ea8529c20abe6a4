//! Plugins: the request hooks of the route's chain, and what follows when a plugin changed the request.

use hivematrix_plugins::{Request, RequestHead};
use http::HeaderMap;
use http::request::Parts;
use http::uri::PathAndQuery;
use pingora::http::RequestHeader;

use crate::context::{Context, Target};
use crate::error::Refusal;
use crate::headers::strip_reserved;
use crate::phases::path::CanonicalPath;
use crate::reply::Reply;

/// What a plugin's hook led to.
pub(crate) enum Step {
    /// Go on.
    Continue,
    /// The request is another one now: route and authorize it again.
    Changed,
    /// A plugin has answered.
    Answered(Reply),
}

/// Runs the request hooks of the route's chain.
///
/// # Errors
/// [`Refusal::Plugin`] when a plugin that may decide has failed: closed, because it may guard something.
pub(crate) async fn on_request(head: &mut RequestHeader, context: &mut Context) -> Result<Step, Refusal> {
    let Some(Target::Service(route)) = &context.target else {
        return Ok(Step::Continue);
    };
    if route.chain.is_empty() {
        return Ok(Step::Continue);
    }
    let Some(path) = &context.path else {
        return Ok(Step::Continue);
    };
    let mut visits = route.chain.begin(&Request {
        id: context.id(),
        origin: context.snapshot.origin_text(context.origin),
        method: &head.method,
        path: path.sent(),
        query: head.uri.query(),
        headers: &head.headers,
        service: route.service.name.as_str(),
        prefix: &route.prefix,
        caller: context.identity.as_ref().map(|identity| &identity.caller),
        checked: context.grace.is_none(),
        menu: &context.snapshot.menu,
        intent: context.intent,
    });
    if visits.is_empty() {
        context.visits = Some(visits);
        return Ok(Step::Continue);
    }
    let target = head
        .uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    // Lent, not copied: what plugins leave there is what goes on.
    let mut seen = RequestHead::new(head.method.clone(), target, swap_headers(head, HeaderMap::new()));
    let answer = visits.on_request(&mut seen).await;
    let mut headers = std::mem::take(&mut seen.headers);
    strip_reserved(&mut headers);
    swap_headers(head, headers);
    let answer = answer.map_err(|error| Refusal::Plugin(error.to_string()))?;
    context.visits = Some(visits);
    if let Some(answer) = answer {
        return Ok(Step::Answered(Reply {
            status: answer.status,
            headers: answer
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.to_str().ok()?.to_owned())))
                .collect(),
            body: answer.body,
            is_page: false,
        }));
    }
    apply(head, seen, context)
}

/// Puts other headers into a head; returns those that were in it. It has no spelling of its own any more.
fn swap_headers(head: &mut RequestHeader, headers: HeaderMap) -> HeaderMap {
    let nothing = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = Parts::from(std::mem::replace(head, nothing));
    let before = std::mem::replace(&mut parts.headers, headers);
    *head = RequestHeader::from(parts);
    before
}

/// Takes over what else the plugins changed. A changed method or path makes it another request.
fn apply(head: &mut RequestHeader, seen: RequestHead, context: &mut Context) -> Result<Step, Refusal> {
    let same_path = head.uri.path_and_query() == Some(&seen.path_and_query);
    if same_path && head.method == seen.method {
        return Ok(Step::Continue);
    }
    head.set_method(seen.method);
    let path = CanonicalPath::parse(seen.path_and_query.path().as_bytes()).map_err(|problem| {
        Refusal::Plugin(format!(
            "a plugin set a path that is refused: {}",
            problem.sentence()
        ))
    })?;
    head.set_raw_path(seen.path_and_query.as_str().as_bytes())
        .map_err(|error| Refusal::Plugin(format!("a plugin set a path that is refused: {error}")))?;
    context.path = Some(path);
    Ok(Step::Changed)
}
