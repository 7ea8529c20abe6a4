//! `POST /backchannel-logout`: the provider says that it has ended a session, or all of a person's (OpenID Connect
//! Back-Channel Logout 1.0). What that does is `identity::provider_logout`'s.
//!
//! No cookie counts here, so no other site can do harm with one; the token is the proof.

use http::StatusCode;
use http::header;
use pingora_proxy::Session;
use serde_json::json;

use crate::context::Context;
use crate::error::Refusal;
use crate::gateway::Gateway;
use crate::phases::local::body;
use crate::reply::Reply;

/// Bytes of the form that are read.
const LONGEST: usize = 32 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// Answers 200 once the logout is in force everywhere, 400 to a token that is none, 503 when nobody can tell: then it
/// may come again.
pub(super) async fn receive(
    gateway: &Gateway,
    session: &mut Session,
    context: &mut Context,
) -> Result<Reply, Refusal> {
    let is_form = session
        .req_header()
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let kind = value.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case(FORM)
        });
    let form = body::read(session, LONGEST).await?;
    let mut tokens = form_urlencoded::parse(&form)
        .filter(|(name, _)| name == "logout_token")
        .map(|(_, token)| token);
    let token = match (tokens.next(), tokens.next()) {
        (Some(token), None) if is_form => token,
        _ => {
            limit(gateway, context)?;
            context.account.reason = Some("logout_token_missing");
            return Ok(refused("one `logout_token` in a form is expected"));
        }
    };
    match gateway.provider_logout.receive(&token).await {
        Ok(sessions) => {
            tracing::info!(request_id = %context.id(), sessions, "signed out by the provider");
            Ok(Reply::empty(StatusCode::OK))
        }
        Err(error) if error.is_outage() => {
            tracing::warn!(request_id = %context.id(), reason = error.reason(), %error, "a logout by the provider waits");
            context.account.reason = Some(error.reason());
            let body = json!({ "error": "temporarily_unavailable" });
            Ok(Reply::json(StatusCode::SERVICE_UNAVAILABLE, &body).with(header::RETRY_AFTER, "2"))
        }
        Err(error) => {
            // Who sends tokens that end nothing is counted; a provider that ends thousands of sessions is not.
            limit(gateway, context)?;
            tracing::warn!(request_id = %context.id(), reason = error.reason(), "refused a logout token");
            context.account.reason = Some(error.reason());
            Ok(refused(&error.to_string()))
        }
    }
}

fn limit(gateway: &Gateway, context: &Context) -> Result<(), Refusal> {
    let limits = &context.snapshot.config.limits;
    gateway.limiter.address(context.client, limits)
}

/// In the form of §2.8 of the standard.
fn refused(description: &str) -> Reply {
    let body = json!({ "error": "invalid_request", "error_description": description });
    Reply::json(StatusCode::BAD_REQUEST, &body)
}
