//! Local: our own doors, which no prefix can shadow. Each file is one door; this one is the list.

mod assets;
mod backchannel;
mod body;
mod everyone;
mod health;
mod home;
mod kept_form;
mod login;
mod logout;
mod preferences;
mod session;
mod sessions;

use std::pin::Pin;

use http::{Method, StatusCode};
use pingora::http::RequestHeader;
use pingora_proxy::Session;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::phases::path::CanonicalPath;
use crate::reply::Reply;

const READ: &str = "GET, HEAD";

/// Answers the request if it knocks at one of our own doors.
///
/// # Errors
/// What the door refuses.
pub(crate) async fn answer(
    gateway: &Gateway,
    session: &mut Session,
    context: &mut Context,
) -> Result<Option<Reply>, Refusal> {
    let Some(path) = context.path.as_ref().map(CanonicalPath::sent) else {
        return Ok(None);
    };
    let head = session.req_header();
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    let posts = head.method == Method::POST;
    let (door, permitted, allow) = match path {
        "/" => ("home", reads, READ),
        "/login" => ("login", reads, READ),
        "/keycloak-callback" => ("callback", reads, READ),
        "/logout" => ("logout", reads || posts, "GET, HEAD, POST"),
        "/backchannel-logout" => ("backchannel_logout", posts, "POST"),
        "/health" => ("health", reads, READ),
        "/sessions" => ("sessions", reads || posts, "GET, HEAD, POST"),
        "/sessions/everyone" => ("everyone", reads || posts, "GET, HEAD, POST"),
        "/sessions/signed-in" => ("signed-in", reads, READ),
        "/sessions/form" => ("kept-form", reads || posts, "GET, HEAD, POST"),
        "/api/session" => ("session", reads, READ),
        "/api/invalidate-cache" => ("preferences", posts, "POST"),
        "/favicon.ico" => ("sign", reads, READ),
        _ if path.starts_with("/static/") => ("static", reads, READ),
        _ => {
            let Some(location) = redirect(context, head, path, reads)? else {
                return Ok(None);
            };
            context.account.door = "redirect";
            return Ok(Some(Reply::redirect(StatusCode::FOUND, &location)));
        }
    };
    context.account.door = door;
    if !permitted {
        return Err(Refusal::MethodNotAllowed { allow });
    }
    if door == "backchannel_logout" {
        return Box::pin(backchannel::receive(gateway, session, context))
            .await
            .map(Some);
    }
    if !matches!(door, "static" | "health" | "sign" | "session") {
        gateway
            .limiter
            .address(context.client, &context.snapshot.config.limits)?;
    }
    let head = session.req_header();
    // Boxed: a door's future is large and rarely needed, and would be part of every request's.
    let reply: Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send + '_>> = match door {
        "home" => Box::pin(home::answer(gateway, head, context)),
        "login" => Box::pin(login::begin(gateway, head, context)),
        "callback" => Box::pin(login::complete(gateway, head, context)),
        "logout" if posts => Box::pin(logout::act(gateway, head, context)),
        "logout" => Box::pin(logout::ask(gateway, head, context)),
        "health" => Box::pin(health::answer(gateway)),
        "sessions" if posts => Box::pin(sessions::end(gateway, head, context)),
        "sessions" => Box::pin(sessions::show(gateway, head, context)),
        "everyone" if posts => Box::pin(everyone::end(gateway, head, context)),
        "everyone" => Box::pin(everyone::show(gateway, head, context)),
        "signed-in" => Box::pin(session::signed_in(gateway, head, context)),
        "kept-form" if posts => Box::pin(kept_form::discard(gateway, head, context)),
        "kept-form" => Box::pin(kept_form::show(gateway, head, context)),
        "session" => Box::pin(session::state(gateway, head, context)),
        "preferences" => Box::pin(preferences::forget(gateway, head, context)),
        "sign" => return Ok(Some(assets::sign())),
        _ => {
            let path = context.path.as_ref().map_or("", CanonicalPath::sent);
            return assets::answer(head, path).map(Some);
        }
    };
    reply.await.map(Some)
}

/// Where the configuration redirects to (`/helpdesk` → `/beacon/helpdesk`), with the query.
fn redirect(
    context: &Context,
    head: &RequestHeader,
    path: &str,
    reads: bool,
) -> Result<Option<String>, Refusal> {
    let Some(to) = context.snapshot.redirect(path) else {
        return Ok(None);
    };
    if !reads {
        return Err(Refusal::MethodNotAllowed { allow: READ });
    }
    let query = head
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    Ok(Some(format!("{to}{query}")))
}
