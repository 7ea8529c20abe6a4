//! What the provider tells about itself: the discovery document and its public keys.
//!
//! Responsible for: addresses that the asker can use. Not responsible for: anything secret.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, HOST};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Idp;
use super::address::REALM;

/// `GET /protocol/openid-connect/certs`.
pub(super) async fn certs(State(idp): State<Arc<Idp>>) -> Response {
    ([(CACHE_CONTROL, "no-cache")], Json(idp.keys.jwks())).into_response()
}

/// `GET /.well-known/openid-configuration` (OpenID Connect Discovery §4).
///
/// The issuer, and what browsers use, are always public addresses. What programs use is told to the back channel
/// as it reached us itself, as Keycloak does with `hostname-backchannel-dynamic`.
pub(super) async fn configuration(State(idp): State<Arc<Idp>>, headers: HeaderMap) -> Response {
    let Some(base) = idp.bases.of_or_first(&headers) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let front = format!("{}/protocol/openid-connect", base.issuer);
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let back = match (idp.bases.of(&headers), host) {
        (None, Some(host)) => format!("http://{host}{REALM}/protocol/openid-connect"),
        _ => front.clone(),
    };
    let body = json!({
        "issuer": base.issuer,
        "authorization_endpoint": format!("{front}/auth"),
        "end_session_endpoint": format!("{front}/logout"),
        "token_endpoint": format!("{back}/token"),
        "userinfo_endpoint": format!("{back}/userinfo"),
        "jwks_uri": format!("{back}/certs"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "email", "profile"],
        "prompt_values_supported": ["none", "login"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "azp", "sid", "name", "email",
            "email_verified", "preferred_username", "groups"
        ],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "claims_parameter_supported": false,
    });
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
