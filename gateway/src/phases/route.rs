//! Route: which service a path belongs to. Who may enter is decided elsewhere.

use http::Method;
use pingora::http::RequestHeader;

use crate::context::{Context, Target};
use crate::error::Refusal;
use crate::reply::Reply;

/// Finds the service, or answers `/codex` with a redirect to `/codex/` so that relative links work.
///
/// # Errors
/// [`Refusal::NoRoute`] names the service as the client wrote it.
pub(crate) fn route(head: &RequestHeader, context: &mut Context) -> Result<Option<Reply>, Refusal> {
    let Some(path) = &context.path else {
        return Err(Refusal::NotFound);
    };
    let Some(route) = context.snapshot.route(path) else {
        let service = path.sent().split('/').nth(1).unwrap_or_default();
        return Err(Refusal::NoRoute {
            service: service.chars().take(60).collect(),
        });
    };
    context.account.route = Some(route.clone());
    if path.sent() == route.prefix && matches!(head.method, Method::GET | Method::HEAD) {
        let query = head
            .uri
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        return Ok(Some(Reply::redirect(
            http::StatusCode::PERMANENT_REDIRECT,
            &format!("{}/{query}", route.prefix),
        )));
    }
    context.target = Some(Target::Service(route.clone()));
    Ok(None)
}
