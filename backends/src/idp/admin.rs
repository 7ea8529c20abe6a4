//! What an administrator does to people and their sessions, under the paths of Keycloak's Admin API: for tests, and to
//! see what a gateway makes of it.
//!
//! Responsible for: ending sessions, disabling people, changing their groups and passwords. Not responsible for: anything that lasts
//! longer than this process. Callers prove themselves as one of the clients.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use hivematrix_platform::unix_now;
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::forms::Params;
use super::{Idp, people};

/// What may be changed of a person; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    enabled: Option<bool>,
    groups: Option<Vec<String>>,
}

/// A new password; what else Keycloak would take is not known here.
#[derive(Debug, Deserialize)]
pub(super) struct Password {
    value: SecretString,
}

/// `POST /users/{sub}/logout`: all sessions of a person end. Answers when applications have been told.
pub(super) async fn sign_out(
    State(idp): State<Arc<Idp>>,
    Path(sub): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refused(&idp, &headers) {
        return refused;
    }
    if idp.people.by_sub(&sub).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut told = 0;
    for session in idp.sessions.end_all_of(&sub, unix_now()) {
        told += idp.tell(&session).await;
    }
    Json(json!({ "told": told })).into_response()
}

/// `DELETE /sessions/{sid}`: one session ends. Answers when applications have been told.
pub(super) async fn end(
    State(idp): State<Arc<Idp>>,
    Path(sid): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refused(&idp, &headers) {
        return refused;
    }
    match idp.sessions.end(&sid, unix_now()) {
        Some(session) => {
            let told = idp.tell(&session).await;
            Json(json!({ "told": told })).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `PUT /users/{sub}`: a person is disabled, or is in other groups. Nobody is told, as Keycloak tells nobody.
pub(super) async fn change(
    State(idp): State<Arc<Idp>>,
    Path(sub): Path<String>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Response {
    if let Some(refused) = refused(&idp, &headers) {
        return refused;
    }
    changed(idp.people.change(&sub, |person| {
        if let Some(enabled) = change.enabled {
            person.enabled = enabled;
        }
        if let Some(groups) = change.groups {
            person.groups = people::without_slash(&groups);
        }
    }))
}

/// `PUT /users/{sub}/reset-password`: a person has another password. Their sessions go on, and nobody is told.
pub(super) async fn reset_password(
    State(idp): State<Arc<Idp>>,
    Path(sub): Path<String>,
    headers: HeaderMap,
    Json(password): Json<Password>,
) -> Response {
    if let Some(refused) = refused(&idp, &headers) {
        return refused;
    }
    if password.value.expose_secret().is_empty() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    changed(
        idp.people
            .change(&sub, |person| person.set_password(password.value)),
    )
}

fn changed(somebody: bool) -> Response {
    if somebody {
        StatusCode::NO_CONTENT.into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

fn refused(idp: &Idp, headers: &HeaderMap) -> Option<Response> {
    let proved = Params::parse(b"").is_ok_and(|nothing| idp.client(headers, &nothing).is_ok());
    (!proved).then(|| StatusCode::UNAUTHORIZED.into_response())
}
