//! Contacts for programs: list, create, replace, delete, as JSON.

use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;
use serde_json::{Value, json};

use super::{
    Contact, Typed,
    store::{self, Created},
    views,
};
use crate::{
    codex::{
        Codex,
        companies::pages::seen,
        paging::Asked,
        refusal::{Ids, JsonFields, bad_fields, database_failed, no_company, no_contact},
        viewer::Scope,
    },
    kit::{Prefix, Rejection},
};

/// `GET /api/contacts?search=&page=&per_page=`: those of all companies, `{"contacts","total","page","per_page","pages"}`.
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
        "contacts": found.rows,
        "total": found.total,
        "page": wanted.page,
        "per_page": wanted.per_page,
        "pages": wanted.pages(found.total),
    })))
}

/// `GET /api/companies/{company}/contacts`: `{"contacts"}`, all of them.
pub(crate) async fn list(
    State(codex): State<Codex>,
    scope: Scope,
    Ids(company): Ids<i64>,
) -> Result<Json<Value>, Rejection> {
    seen(&codex, &scope, company).await?;
    let contacts = store::of_company(&codex.pool, company)
        .await
        .map_err(database_failed)?;
    Ok(Json(json!({ "contacts": contacts })))
}

/// `POST /api/companies/{company}/contacts`: 201 with the contact.
pub(crate) async fn create(
    State(codex): State<Codex>,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let now = unix_now().cast_signed();
    match store::create(&codex.pool, company, &details, now)
        .await
        .map_err(database_failed)?
    {
        Created::Contact(id) => {
            let location = [(
                LOCATION,
                prefix.url(&format!("/api/companies/{company}/contacts/{id}")),
            )];
            Ok((
                StatusCode::CREATED,
                location,
                Json(Contact {
                    id,
                    company_id: company,
                    details,
                }),
            )
                .into_response())
        }
        Created::NoCompany => Err(no_company()),
        Created::Full => Err(Rejection::conflict(views::full())),
    }
}

/// `GET /api/companies/{company}/contacts/{contact}`
pub(crate) async fn get(
    State(codex): State<Codex>,
    scope: Scope,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Json<Contact>, Rejection> {
    seen(&codex, &scope, company)
        .await
        .map_err(|error| match error.status() {
            StatusCode::NOT_FOUND => no_contact(),
            _ => error,
        })?;
    let contact = store::get(&codex.pool, company, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_contact)?;
    Ok(Json(contact))
}

/// `PUT /api/companies/{company}/contacts/{contact}`: replaces everything; what is left out becomes empty.
pub(crate) async fn replace(
    State(codex): State<Codex>,
    Ids((company, id)): Ids<(i64, i64)>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Json<Contact>, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let now = unix_now().cast_signed();
    if store::update(&codex.pool, company, id, &details, now)
        .await
        .map_err(database_failed)?
    {
        Ok(Json(Contact {
            id,
            company_id: company,
            details,
        }))
    } else {
        Err(no_contact())
    }
}

/// `DELETE /api/companies/{company}/contacts/{contact}`: 204.
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
        Err(no_contact())
    }
}
