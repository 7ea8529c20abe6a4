//! Authenticate: who asks? By the session cookie, or, where the configuration allows it, by a bearer token.
//!
//! Cross-site requests that ride on the cookie are refused here, because only here it is known that they do.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};
use pingora::http::RequestHeader;

use crate::context::{Context, Life};
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::identity::{Graced, Identity};
use crate::phases::credentials::{Credentials, credentials, refusal, refuse_cross_site};

/// Finds the caller of a request to a service. A public path has no caller, whatever was sent.
///
/// # Errors
/// [`Refusal::LoginNeeded`] without a valid session, 403 across sites, 400 for contradictory proofs,
/// 429 over the limits, 503 when nobody can tell.
pub(crate) async fn authenticate(
    gateway: &Gateway,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<(), Refusal> {
    // A plugin may have led the request elsewhere: nobody is who they were.
    context.identity = None;
    context.account.subject = None;
    context.grace = None;
    let limits = &context.snapshot.config.limits;
    let (Some(route), Some(path)) = (context.route(), &context.path) else {
        return Ok(());
    };
    if route.is_public(&head.method, path) {
        return gateway.limiter.address(context.client, limits);
    }
    let credentials = credentials(&head.headers)?;
    if let (Credentials::Cookie(_), Some(origin)) = (&credentials, context.snapshot.origin(context.origin)) {
        refuse_cross_site(&head.method, &head.headers, origin)?;
    }
    let grace = grace_for(head, context);
    let bearer = context.snapshot.config.sessions.legacy_bearer;
    match find(gateway, credentials, bearer, grace).await {
        Ok((identity, grace)) => {
            context.grace = grace;
            context.account.graced = grace.is_some();
            gateway.limiter.user(identity.caller.sub(), limits)?;
            gateway.presence.note(&identity, context.client);
            context.account.subject = Some(identity.caller.claims.clone());
            context.identity = Some(identity);
            Ok(())
        }
        Err(refusal) => {
            gateway.limiter.address(context.client, limits)?;
            Err(refusal)
        }
    }
}

/// The caller; and, if nobody can tell at the moment and the route admits it by `grace`, how old that knowledge is.
async fn find(
    gateway: &Gateway,
    credentials: Credentials<'_>,
    bearer: bool,
    grace: Option<Duration>,
) -> Result<(Arc<Identity>, Option<Duration>), Refusal> {
    let view = &gateway.view;
    let found = match &credentials {
        Credentials::None => return Err(Refusal::LoginNeeded("no_session")),
        Credentials::Bearer(_) if !bearer => return Err(Refusal::LoginNeeded("bearer_not_accepted")),
        Credentials::Cookie(handle) => match view.by_handle(handle).await {
            Ok(identity) => gateway.renewal.fresh(identity).await,
            refused => refused,
        },
        Credentials::Bearer(token) => view.by_bearer(token).await,
    };
    let refused = match found {
        Ok(identity) => return Ok((identity, None)),
        Err(refused) => refused,
    };
    let graced = match (&credentials, grace.filter(|_| refused.is_outage())) {
        (Credentials::Cookie(handle), Some(grace)) => view.graced_handle(handle, grace),
        (Credentials::Bearer(token), Some(grace)) => view.graced_bearer(token, grace),
        (Credentials::None, Some(_)) | (_, None) => None,
    };
    match graced {
        Some(Graced { identity, age }) => Ok((identity, Some(age))),
        None => Err(refusal(refused)),
    }
}

/// How long the route believes in a session that nobody can check, for a request that only reads, and ends by
/// itself: what stays open would outlive the grace.
fn grace_for(head: &RequestHeader, context: &Context) -> Option<Duration> {
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    let ends = context.life == Life::Request && !head.headers.contains_key(header::UPGRADE);
    let grace = context.route()?.service.outage.grace();
    grace.filter(|_| reads && ends)
}
