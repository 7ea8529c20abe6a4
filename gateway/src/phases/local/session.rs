//! `/api/session` and `/sessions/signed-in`: what the script on composed pages asks, and where the window ends in which
//! a person has signed in again (platform README §6).

use hivematrix_platform::unix_now;
use hivematrix_plugins::design;
use http::StatusCode;
use maud::html;
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::phases::local::login::caller;
use crate::reply::Reply;

/// Who is signed in, as a digest, and for how many seconds at least. Nobody is an answer, not a refusal.
pub(super) async fn state(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let limits = &context.snapshot.clone().config.limits;
    let answer = match caller(gateway, head, context).await? {
        Ok(identity) => {
            gateway.limiter.user(identity.caller.sub(), limits)?;
            let left = identity.expires_at.saturating_sub(unix_now());
            serde_json::json!({ "user": identity.caller.claims.user.tag(), "expires_in": left })
        }
        Err(Refusal::LoginNeeded(_)) => {
            gateway.limiter.address(context.client, limits)?;
            serde_json::json!({ "user": null, "expires_in": 0 })
        }
        Err(refusal) => return Err(refusal),
    };
    Ok(Reply::json(StatusCode::OK, &answer))
}

/// The last page of a login in a window of its own. The page's script tells the others and closes the window.
pub(super) async fn signed_in(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    caller(gateway, head, context).await??;
    Ok(Reply::page(
        StatusCode::OK,
        design::standalone_page(
            "You are signed in",
            html! {
                p { "You can close this window and go on where you were." }
                a.btn href="/" { span.btn__label { "Go to your home page" } }
            },
        ),
    ))
}
