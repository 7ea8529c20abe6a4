//! `/login` and `/keycloak-callback`: the two ends of a login. The protocol itself is `identity::login`.

use std::sync::Arc;

use hivematrix_plugins::Intent;
use http::{StatusCode, header};
use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::{Cause, Completed, Identity, LoginError, LoginFailed, ReturnPath, Wish, cookies};
use crate::phases::credentials::{Credentials, credentials, refusal};
use crate::reply::Reply;

/// A browser that has signed in so often within a minute, and still has to sign in, goes in circles.
const MOST_ROUNDS: u8 = 3;

/// Who is signed in, by cookie only: our own doors know no bearer.
pub(super) async fn caller(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Result<Arc<Identity>, Refusal>, Refusal> {
    let Credentials::Cookie(handle) = credentials(&head.headers)? else {
        return Ok(Err(Refusal::LoginNeeded("no_session")));
    };
    let found = gateway.view.by_handle(&handle).await.map_err(refusal);
    if let Ok(identity) = &found {
        context.account.subject = Some(identity.caller.claims.clone());
    }
    Ok(found)
}

/// `GET /login?next=`: starts an attempt, for navigations only; who is signed in goes straight on, unless the query
/// wishes for more ([`Wish`]).
pub(super) async fn begin(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let next = parameter(head, "next")
        .and_then(|next| ReturnPath::parse(&next))
        .unwrap_or_else(ReturnPath::home);
    if !navigates(context.intent, head) {
        // Sent to the login it would be here again.
        context.intent = Intent::Other;
        return Err(Refusal::LoginNeeded("background_login"));
    }
    let wish = Wish::of(head.uri.query().unwrap_or_default());
    match caller(gateway, head, context).await {
        Ok(Ok(_)) if wish.wants_a_new_session() => {}
        Ok(Ok(_)) => return Ok(Reply::redirect(StatusCode::SEE_OTHER, next.as_str())),
        Ok(Err(Refusal::IdentityDown(down))) => return Err(Refusal::IdentityDown(down)),
        // Two session cookies, or one that is worth nothing: a new login replaces what there is.
        Ok(Err(_)) | Err(_) => {}
    }
    if let Some(cause) = circle(gateway, head).await {
        return Err(Refusal::Login(Box::new(LoginFailed {
            error: LoginError::Circle(cause),
            next,
            // Who tries again is let through once more.
            set_cookies: vec![cookies::clear_rounds()],
        })));
    }
    let snapshot = context.snapshot.clone();
    let origin = snapshot.origin(context.origin).ok_or(Refusal::Misdirected)?;
    let attempts = cookies::attempt_cookies(&head.headers);
    let begun = match gateway
        .login
        .begin(origin, &next, wish, &attempts, context.client)
        .await
    {
        Ok(begun) => begun,
        Err(error) => {
            return Err(Refusal::Login(Box::new(LoginFailed {
                error,
                next,
                set_cookies: Vec::new(),
            })));
        }
    };
    Ok(Reply::redirect(StatusCode::SEE_OTHER, &begun.location).with_cookies(begun.set_cookies))
}

/// `GET /keycloak-callback`: finishes the attempt named by `state`.
pub(super) async fn complete(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let snapshot = context.snapshot.clone();
    let origin = snapshot.origin(context.origin).ok_or(Refusal::Misdirected)?;
    let attempts = cookies::attempt_cookies(&head.headers);
    let current = cookies::session_handle(&head.headers).unwrap_or(None);
    let query = head.uri.query().unwrap_or_default();
    let completed = gateway
        .login
        .complete(origin, query, &attempts, current)
        .await
        .map_err(|failed| Refusal::Login(Box::new(failed)))?;
    let Completed {
        next,
        mut set_cookies,
        identity,
    } = completed;
    if let Some(identity) = identity {
        set_cookies.push(cookies::count_round(&head.headers));
        tracing::info!(request_id = %context.id(), user = identity.caller.sub(), "signed in");
        context.account.subject = Some(identity.caller.claims.clone());
        remember(gateway, head, context, &identity).await;
    }
    Ok(Reply::redirect(StatusCode::SEE_OTHER, next.as_str()).with_cookies(set_cookies))
}

/// What outlives the session. Without it the session is as good, only less is known of it later.
async fn remember(gateway: &Gateway, head: &RequestHeader, context: &Context, identity: &Identity) {
    let agent = head.headers.get(header::USER_AGENT);
    let agent = agent.map_or_else(Default::default, |agent| {
        String::from_utf8_lossy(agent.as_bytes())
    });
    let Some(handle) = identity.handle() else { return };
    let user = &identity.caller.claims.user;
    let (handle, person) = tokio::join!(
        gateway
            .handles
            .remember(&handle, &user.sub, &agent, context.client),
        gateway.directory.remember(user),
    );
    if let Err(error) = handle.and(person) {
        tracing::warn!(request_id = %context.id(), %error, "what is known of a new session could not be kept");
    }
}

/// Why this browser is here again, if it has been here too often.
async fn circle(gateway: &Gateway, head: &RequestHeader) -> Option<Cause> {
    if cookies::rounds(&head.headers) < MOST_ROUNDS {
        return None;
    }
    let refused = match cookies::session_handle(&head.headers) {
        Ok(Some(handle)) => Some(gateway.view.by_handle(&handle).await.err()?),
        Ok(None) | Err(_) => None,
    };
    Cause::of_circle(refused.as_ref())
}

/// A login is begun by a person who goes somewhere, never by a script, an image or a prefetch.
fn navigates(intent: Intent, head: &RequestHeader) -> bool {
    let prefetches = ["sec-purpose", "purpose"].iter().any(|name| {
        head.headers
            .get(*name)
            .is_some_and(|value| value.as_bytes().starts_with(b"prefetch"))
    });
    intent != Intent::Other && !prefetches
}

/// A query parameter, decoded; the first if there are several.
pub(super) fn parameter(head: &RequestHeader, name: &str) -> Option<String> {
    form_urlencoded::parse(head.uri.query()?.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
