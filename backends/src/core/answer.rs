//! Core's answers in the contract's own form, which services already parse (platform README §5).
//!
//! Responsible for: `{"error"}` bodies and that no answer with a token is stored. Not responsible for: what
//! happened.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

/// 200 with this body.
pub(super) fn ok(body: &impl Serialize) -> Response {
    with(StatusCode::OK, body)
}

/// This status and body; never stored by anybody.
pub(super) fn with(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal: a status and the one sentence that the caller reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) error: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
        }
    }

    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(super) fn unauthorized(error: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error)
    }

    /// 500. `cause` is for the log alone.
    pub(super) fn internal(error: &str, cause: impl std::fmt::Display) -> Self {
        tracing::error!(reason = "internal", %cause, "{error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    /// The form in which `/api/token/validate` refuses.
    pub(super) fn as_invalid(&self) -> Response {
        with(self.status, &json!({ "error": self.error, "valid": false }))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        with(self.status, &json!({ "error": self.error }))
    }
}
