//! Renewal: a session goes on under its identifier, with what the identity provider says of its user by now
//! (platform README §5).
//!
//! Responsible for: that token, access token and session are of one person, and that nothing which has ended goes on.
//! Not responsible for: when a session is due, nor for how long it may go on in all; the gateway says until when.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hivematrix_platform::session::SESSION_SECONDS;
use hivematrix_platform::unix_now;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::Core;
use super::answer::{self, Failure};
use super::presented::{self, Body};
use super::session::{ENDED, STORE_DOWN, refused};

/// What is asked.
#[derive(Deserialize)]
struct Asked {
    /// The session's token, which must still be good.
    token: String,
    /// The provider's, fresh.
    access_token: String,
    /// When the session ends at the latest, in seconds since the epoch.
    #[serde(default = "never")]
    until: u64,
}

fn never() -> u64 {
    u64::MAX
}

/// `POST /api/token/renew`: a new token of the same session.
pub(super) async fn renew(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let asked: Asked = presented::json(&headers, body)?;
    let claims = core.keys.now().verifier.user(&asked.token, unix_now()).await;
    let claims = claims.map_err(|error| refused(&error))?;
    let user = core.provider.person(&asked.access_token).await?;
    if user.sub != claims.user.sub {
        tracing::warn!(
            reason = "subject_mismatch",
            "refused a renewal with somebody else's access token"
        );
        return Err(Failure::unauthorized("Invalid access token"));
    }
    let now = unix_now();
    let expires_at = asked.until.min(now + SESSION_SECONDS);
    if expires_at <= now {
        return Err(Failure::unauthorized(ENDED));
    }
    let minted = core
        .keys
        .now()
        .minter
        .user_until(&user, &claims.jti, now, expires_at);
    let (token, _) = minted.map_err(|error| Failure::internal("Token could not be made", error))?;
    let renewed = core.sessions.renew(&claims.jti, &user, now, expires_at).await;
    if !renewed.map_err(|error| Failure::internal(STORE_DOWN, error))? {
        return Err(Failure::unauthorized(ENDED));
    }
    tracing::info!(session = ?claims.jti, "session renewed");
    Ok(answer::ok(&json!({ "token": token })))
}
