//! Exchange, validate and revoke: a session's life (platform README §5).
//!
//! Responsible for: the session record and the token that names it. Not responsible for: what the store and the
//! identity provider do when they are down; they fail one request, never Core.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use hivematrix_platform::claims::USER_TOKEN_SECONDS;
use hivematrix_platform::session::SESSION_SECONDS;
use hivematrix_platform::{Revocation, SessionId, SessionRecord, TokenError, UserClaims, UserData, unix_now};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Core;
use super::answer::{self, Failure};
use super::presented::{self, Body};

const _: () = assert!(
    SESSION_SECONDS >= USER_TOKEN_SECONDS,
    "a token must not outlive its session's record"
);

pub(super) const STORE_DOWN: &str = "Session store unavailable";
pub(super) const ENDED: &str = "Session expired or revoked";
const NO_SESSION: &str = "Token has no session ID";

/// `POST /api/token/exchange`: an access token of the identity provider for a session and its token.
pub(super) async fn exchange(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let access_token = presented::token(&headers, body, "access_token")?;
    let user = core.provider.person(&access_token).await?;
    let (id, token) = begin(&core, user).await?;
    tracing::info!(session = ?id, "session created");
    Ok(answer::ok(&json!({ "token": token })))
}

async fn begin(core: &Core, user: UserData) -> Result<(SessionId, String), Failure> {
    let id = SessionId::generate();
    let now = unix_now();
    let minted = core.keys.now().minter.user(&user, &id, now);
    let (token, _) = minted.map_err(|error| Failure::internal("Token could not be made", error))?;
    let record = SessionRecord {
        user_data: user,
        created_at: now,
        expires_at: now + SESSION_SECONDS,
        revoked: false,
    };
    let created = core
        .sessions
        .create(&id, &record, Duration::from_secs(SESSION_SECONDS))
        .await;
    created.map_err(|error| Failure::internal(STORE_DOWN, error))?;
    Ok((id, token))
}

/// `POST /api/token/validate`: whether a token, and the session behind it, are still good.
pub(super) async fn validate(State(core): State<Arc<Core>>, headers: HeaderMap, body: Body) -> Response {
    match valid(&core, &headers, body).await {
        Ok(user) => answer::ok(&json!({ "valid": true, "user": user })),
        Err(failure) => failure.as_invalid(),
    }
}

async fn valid(core: &Core, headers: &HeaderMap, body: Body) -> Result<UserData, Failure> {
    let token = presented::token(headers, body, "token")?;
    let now = unix_now();
    let claims = core
        .keys
        .now()
        .verifier
        .user(&token, now)
        .await
        .map_err(|error| refused(&error))?;
    let record = core
        .sessions
        .get(&claims.jti)
        .await
        .map_err(|error| Failure::internal(STORE_DOWN, error))?;
    match record {
        Some(record) if is_alive(&record, &claims, now) => Ok(record.user_data),
        Some(_) | None => Err(Failure::unauthorized(ENDED)),
    }
}

/// The record's own expiry counts too: a store may be late to forget.
fn is_alive(record: &SessionRecord, claims: &UserClaims, now: u64) -> bool {
    !record.revoked && now < record.expires_at && record.user_data.sub == claims.user.sub
}

/// `POST /api/token/revoke`: ends the session of a token, which may have expired already.
pub(super) async fn revoke(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let token = presented::token(&headers, body, "token")?;
    let claims = core.keys.now().verifier.user_even_if_expired(&token).await;
    let id = claims.map_err(|error| refused(&error))?.jti;
    let revocation = core.sessions.revoke(&id).await;
    match revocation.map_err(|error| Failure::internal(STORE_DOWN, error))? {
        Revocation::Revoked => {
            tracing::info!(session = ?id, "session revoked");
            Ok(answer::ok(&json!({ "message": "Session revoked successfully" })))
        }
        Revocation::AlreadyRevoked | Revocation::Absent => {
            let body = json!({ "message": "Session not found or already revoked" });
            Ok(answer::with(StatusCode::NOT_FOUND, &body))
        }
    }
}

/// The contract's words for tokens that are not accepted.
pub(super) fn refused(error: &TokenError) -> Failure {
    tracing::info!(reason = error.reason(), "refused a token");
    match error {
        TokenError::Expired => Failure::unauthorized("Token expired"),
        // A service's token has no session either, and the original said it in these words.
        TokenError::NoSession | TokenError::ServiceToken => Failure::unauthorized(NO_SESSION),
        TokenError::KeysUnavailable(cause) => Failure::internal("Keys unavailable", cause),
        other => Failure::unauthorized(format!("Invalid token: {other}")),
    }
}
