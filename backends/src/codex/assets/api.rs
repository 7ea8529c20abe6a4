//! What is the assets' own for programs: creating and replacing one. The rest is in `belongings`.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;

use super::{Asset, Typed, store};
use crate::{
    codex::{
        Codex,
        belongings::one,
        refusal::{Ids, JsonFields, bad_fields, database_failed, no_asset, no_company, not_saved},
    },
    kit::{Prefix, Rejection},
};

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
    let asset: Asset = one(&codex, company, id).await?;
    let address = prefix.url(&format!("/api/companies/{company}/assets/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, address)], Json(asset)).into_response())
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
    one(&codex, company, id).await.map(Json)
}
