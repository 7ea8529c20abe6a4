//! What people see of their own account: when their password was set, in the form of Keycloak's account service.
//!
//! Responsible for: answering whoever holds an access token about themselves. Not responsible for: changing anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Idp;

/// `GET /account/credentials`. Everybody has a password and nothing else.
pub(super) async fn credentials(State(idp): State<Arc<Idp>>, headers: HeaderMap) -> Response {
    let Some(person) = idp.holder(&headers) else {
        let error = json!({ "error": "HTTP 401 Unauthorized" });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    };
    let password = json!({
        "type": "password",
        "category": "basic-authentication",
        "removeable": false,
        "userCredentialMetadatas": [
            { "credential": { "type": "password", "createdDate": person.password_set_at } },
        ],
    });
    ([(CACHE_CONTROL, "no-store")], Json(json!([password]))).into_response()
}
