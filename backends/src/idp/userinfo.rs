//! The userinfo endpoint (OpenID Connect Core §5.3): who holds an access token.
//!
//! Responsible for: answering for living sessions only. Not responsible for: which client asks; a bearer token is
//! its own proof.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hivematrix_platform::unix_now;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Idp;
use super::people::Person;
use super::tokens::Kind;

/// `GET` and `POST /protocol/openid-connect/userinfo`.
pub(super) async fn userinfo(State(idp): State<Arc<Idp>>, headers: HeaderMap) -> Response {
    match idp.holder(&headers) {
        Some(person) => {
            let body = json!({
                "sub": person.sub,
                "name": person.name,
                "preferred_username": person.username,
                "email": person.email,
                "email_verified": true,
                "groups": person.groups,
            });
            ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        None => {
            let challenge = [(
                WWW_AUTHENTICATE,
                "Bearer realm=\"hivematrix\", error=\"invalid_token\"",
            )];
            let body = json!({
                "error": "invalid_token",
                "error_description": "The token is not valid, or not any more.",
            });
            (StatusCode::UNAUTHORIZED, challenge, Json(body)).into_response()
        }
    }
}

impl Idp {
    /// The person who holds the access token of a request, while their session lives.
    pub(super) fn holder(&self, headers: &HeaderMap) -> Option<Arc<Person>> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let known = self
            .keys
            .read(token.trim(), Kind::Access, &self.bases.issuers(), false)?;
        if !known
            .scope
            .unwrap_or_default()
            .split(' ')
            .any(|scope| scope == "openid")
        {
            return None;
        }
        let session = self.sessions.get(&known.sid, unix_now())?;
        if session.sub == known.sub {
            self.people.by_sub(&known.sub).filter(|person| person.enabled)
        } else {
            None
        }
    }
}
