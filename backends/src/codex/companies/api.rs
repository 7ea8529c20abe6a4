//! Companies for programs: list, search, read, create, replace, delete, as JSON.

use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;
use serde::Serialize;
use serde_json::Value;

use super::{Company, Details, Typed, store};
use crate::{
    codex::{
        Codex,
        paging::{Asked, answer},
        refusal::{Ids, JsonFields, bad_fields, database_failed, no_company, not_saved},
        tables,
        viewer::Scope,
    },
    kit::{Prefix, Rejection},
};

/// A company as JSON: times are Unix seconds. `external_id` is a text of digits, because its 64 bits do not fit into the
/// numbers of JavaScript, which are exact up to 2^53 only.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: i64,
    #[serde(flatten)]
    details: &'a Details,
    external_source: Option<&'a str>,
    external_id: Option<String>,
    contact_count: i64,
    asset_count: i64,
    created_at: i64,
    updated_at: i64,
}

fn shown(company: &Company) -> Shown<'_> {
    Shown {
        id: company.id,
        details: &company.details,
        external_source: company.external.as_ref().map(|external| external.source.as_str()),
        external_id: company.external.as_ref().map(|external| external.id.to_string()),
        contact_count: company.contacts,
        asset_count: company.assets,
        created_at: company.created_at,
        updated_at: company.updated_at,
    }
}

/// `GET /api/companies?search=&page=&per_page=`: `{"companies","total","page","per_page","pages"}`.
pub(crate) async fn list(
    State(codex): State<Codex>,
    scope: Scope,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Rejection> {
    let wanted = asked.check().map_err(|errors| bad_fields(&errors))?;
    let found = tables::find(&codex.pool, &scope, &wanted)
        .await
        .map_err(database_failed)?;
    let companies: Vec<_> = found.rows.iter().map(shown).collect();
    Ok(answer("companies", companies, &wanted, found.total))
}

/// `GET /api/companies/{id}`
pub(crate) async fn get(
    State(codex): State<Codex>,
    scope: Scope,
    Ids(id): Ids<i64>,
) -> Result<Response, Rejection> {
    let company = store::get(&codex.pool, &scope, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)?;
    Ok(Json(shown(&company)).into_response())
}

/// `POST /api/companies`: 201 with the company and its address.
pub(crate) async fn create(
    State(codex): State<Codex>,
    prefix: Prefix,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let id = store::create(&codex.pool, &details, None, unix_now().cast_signed())
        .await
        .map_err(|error| not_saved(error, no_company))?;
    let company = get(State(codex), Scope::everything(), Ids(id)).await?;
    let location = [(LOCATION, prefix.url(&format!("/api/companies/{id}")))];
    Ok((StatusCode::CREATED, location, company).into_response())
}

/// `PUT /api/companies/{id}`: replaces everything; what is left out becomes empty.
pub(crate) async fn replace(
    State(codex): State<Codex>,
    Ids(id): Ids<i64>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    store::update(&codex.pool, id, &details, unix_now().cast_signed())
        .await
        .map_err(|error| not_saved(error, no_company))?;
    get(State(codex), Scope::everything(), Ids(id)).await
}

/// `DELETE /api/companies/{id}`: 204.
pub(crate) async fn delete(State(codex): State<Codex>, Ids(id): Ids<i64>) -> Result<StatusCode, Rejection> {
    if store::delete(&codex.pool, id).await.map_err(database_failed)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_company())
    }
}
