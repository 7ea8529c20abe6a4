//! `POST /api/invalidate-cache`: forgets the caller's cached preferences (platform README §6).

use http::StatusCode;
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::phases::credentials::refuse_cross_site;
use crate::phases::local::login::caller;
use crate::reply::Reply;

/// Forgets them.
pub(super) async fn forget(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    if let Some(origin) = context.snapshot.clone().origin(context.origin) {
        refuse_cross_site(&head.method, &head.headers, origin)?;
    }
    let identity = caller(gateway, head, context).await??;
    gateway.preferences.forget(identity.caller.email());
    Ok(Reply::json(
        StatusCode::OK,
        &serde_json::json!({ "success": true, "message": "Cache invalidated" }),
    ))
}
