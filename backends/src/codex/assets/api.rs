//! Assets for programs: list, create, read, replace, delete, as JSON.

use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;
use serde_json::{Value, json};

use super::{
    Asset, Typed,
    store::{self, SaveError},
};
use crate::{
    codex::{
        Codex,
        companies::pages::seen,
        paging::Asked,
        refusal::{Ids, JsonFields, bad_fields, database_failed, no_asset, no_company},
        viewer::Scope,
    },
    kit::{Prefix, Rejection},
};

/// `GET /api/assets?search=&page=&per_page=`: those of all companies, `{"assets","total","page","per_page","pages"}`.
pub(crate) async fn search(
    State(codex): State<Codex>,
    scope: Scope,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Rejection> {
    let wanted = asked.check().map_err(|errors| bad_fields(&errors))?;
    let found = store::find(&codex.pool, &scope, &wanted)
        .await
        .map_err(database_failed)?;
    Ok(Json(json!({
        "assets": found.rows,
        "total": found.total,
        "page": wanted.page,
        "per_page": wanted.per_page,
        "pages": wanted.pages(found.total),
    })))
}

/// `GET /api/companies/{company}/assets`: `{"assets"}`, all of them.
pub(crate) async fn list(
    State(codex): State<Codex>,
    scope: Scope,
    Ids(company): Ids<i64>,
) -> Result<Json<Value>, Rejection> {
    seen(&codex, &scope, company).await?;
    let assets = store::of_company(&codex.pool, company)
        .await
        .map_err(database_failed)?;
    Ok(Json(json!({ "assets": assets })))
}

/// `GET /api/companies/{company}/assets/{asset}`
pub(crate) async fn get(
    State(codex): State<Codex>,
    scope: Scope,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Json<Asset>, Rejection> {
    seen(&codex, &scope, company).await?;
    let asset = store::get(&codex.pool, company, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_asset)?;
    Ok(Json(asset))
}

/// `POST /api/companies/{company}/assets`: 201 with the asset and its address.
pub(crate) async fn create(
    State(codex): State<Codex>,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let mut connection = codex.pool.acquire().await.map_err(database_failed)?;
    let id = store::create(&mut connection, company, &details, unix_now().cast_signed())
        .await
        .map_err(|error| not_saved(error, no_company))?;
    // An in-memory database has one connection only.
    drop(connection);
    let asset = get(State(codex), Scope::everything(), Ids((company, id))).await?;
    let address = prefix.url(&format!("/api/companies/{company}/assets/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, address)], asset).into_response())
}

/// `PUT /api/companies/{company}/assets/{asset}`: replaces everything; what is left out becomes empty.
pub(crate) async fn replace(
    State(codex): State<Codex>,
    Ids((company, id)): Ids<(i64, i64)>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Json<Asset>, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let mut connection = codex.pool.acquire().await.map_err(database_failed)?;
    store::update(&mut connection, company, id, &details, unix_now().cast_signed())
        .await
        .map_err(|error| not_saved(error, no_asset))?;
    drop(connection);
    get(State(codex), Scope::everything(), Ids((company, id))).await
}

/// `DELETE /api/companies/{company}/assets/{asset}`: 204.
pub(crate) async fn delete(
    State(codex): State<Codex>,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<StatusCode, Rejection> {
    if store::delete(&codex.pool, company, id)
        .await
        .map_err(database_failed)?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_asset())
    }
}

fn not_saved(error: SaveError, missing: fn() -> Rejection) -> Rejection {
    match error {
        SaveError::Missing => missing(),
        SaveError::Refused(errors) => bad_fields(&errors),
        SaveError::Database(error) => database_failed(error),
    }
}
