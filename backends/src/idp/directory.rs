//! Who there is: the part of Keycloak's Admin API that lists users, groups and their members.
//!
//! Responsible for: the same addresses, paging and members as Keycloak's, for service accounts. Not responsible for:
//! changing anything; people come from the settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use hivematrix_platform::unix_now;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::people::Person;
use super::{Idp, random};

/// Items in an answer where the caller does not say, as Keycloak has it.
const PAGE: usize = 100;

/// Below `/admin/realms/hivematrix`.
pub(super) fn router() -> Router<Arc<Idp>> {
    Router::new()
        .route("/users", get(users))
        .route("/groups", get(groups))
        .route("/groups/{id}/members", get(members))
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    first: Option<usize>,
    max: Option<usize>,
}

impl Part {
    fn of(&self, items: Vec<Value>) -> Response {
        let first = self.first.unwrap_or_default();
        let max = self.max.unwrap_or(PAGE);
        let part: Vec<Value> = items.into_iter().skip(first).take(max).collect();
        Json(part).into_response()
    }
}

/// `GET /users?first=&max=`
async fn users(State(idp): State<Arc<Idp>>, headers: HeaderMap, Query(part): Query<Part>) -> Response {
    if !idp.knows_service(&headers) {
        return unauthorized();
    }
    part.of(idp.people.all().iter().map(|person| user(person)).collect())
}

/// `GET /groups?first=&max=`
async fn groups(State(idp): State<Arc<Idp>>, headers: HeaderMap, Query(part): Query<Part>) -> Response {
    if !idp.knows_service(&headers) {
        return unauthorized();
    }
    let people = idp.people.all();
    let names: BTreeSet<&str> = people
        .iter()
        .flat_map(|person| person.groups.iter().map(String::as_str))
        .collect();
    let group = |name: &&str| json!({ "id": format!("group-{name}"), "name": name, "path": format!("/{name}"), "subGroups": [] });
    part.of(names.iter().map(group).collect())
}

/// `GET /groups/{id}/members?first=&max=`
async fn members(
    State(idp): State<Arc<Idp>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(part): Query<Part>,
) -> Response {
    if !idp.knows_service(&headers) {
        return unauthorized();
    }
    let name = id.strip_prefix("group-").unwrap_or_default();
    let people = idp.people.all();
    let members: Vec<Value> = people
        .iter()
        .filter(|person| person.groups.iter().any(|group| group == name))
        .map(|person| user(person))
        .collect();
    if members.is_empty() {
        let error = json!({ "error": "Could not find group by id" });
        return (StatusCode::NOT_FOUND, Json(error)).into_response();
    }
    part.of(members)
}

fn user(person: &Person) -> Value {
    let (first, last) = person.name.rsplit_once(' ').unwrap_or((&person.name, ""));
    let mut user = json!({
        "id": person.sub,
        "username": person.username,
        "firstName": first,
        "lastName": last,
        "enabled": person.enabled,
        "emailVerified": true,
    });
    // Keycloak leaves out what it does not know.
    if !person.email.is_empty() {
        user["email"] = json!(person.email);
    }
    user
}

fn unauthorized() -> Response {
    let error = json!({ "error": "HTTP 401 Unauthorized" });
    (StatusCode::UNAUTHORIZED, Json(error)).into_response()
}

impl Idp {
    fn knows_service(&self, headers: &HeaderMap) -> bool {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| {
            self.service_tokens
                .get(&random::digest(token), unix_now())
                .is_some()
        })
    }
}
