//! Authenticate: who asks? By the session cookie, or, where the configuration allows it, by a bearer token.
//!
//! Cross-site requests that ride on the cookie are refused here, because only here it is known that they do.

use pingora::http::RequestHeader;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
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
    let found = match credentials {
        Credentials::None => Err(Refusal::LoginNeeded("no_session")),
        Credentials::Cookie(handle) => match gateway.view.by_handle(&handle).await {
            Ok(identity) => gateway.renewal.fresh(identity).await.map_err(refusal),
            Err(refused) => Err(refusal(refused)),
        },
        Credentials::Bearer(_) if !context.snapshot.config.sessions.legacy_bearer => {
            Err(Refusal::LoginNeeded("bearer_not_accepted"))
        }
        Credentials::Bearer(token) => gateway.view.by_bearer(token).await.map_err(refusal),
    };
    match found {
        Ok(identity) => {
            gateway.limiter.user(identity.caller.sub(), limits)?;
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
