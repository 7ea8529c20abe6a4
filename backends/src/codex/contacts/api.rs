//! What is the contacts' own for programs: creating and replacing one. The rest is in `belongings`.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;

use super::{Contact, Typed, store};
use crate::{
    codex::{
        Codex,
        refusal::{Ids, JsonFields, bad_fields, no_company, no_contact, not_saved},
    },
    kit::{Prefix, Rejection},
};

/// `POST /api/companies/{company}/contacts`: 201 with the contact and its address.
pub(crate) async fn create(
    State(codex): State<Codex>,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let id = store::create(&codex.pool, company, &details, unix_now().cast_signed())
        .await
        .map_err(|error| not_saved(error, no_company))?;
    let contact = Contact {
        id,
        company_id: company,
        details,
    };
    let address = prefix.url(&format!("/api/companies/{company}/contacts/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, address)], Json(contact)).into_response())
}

/// `PUT /api/companies/{company}/contacts/{contact}`: replaces everything; what is left out becomes empty.
pub(crate) async fn replace(
    State(codex): State<Codex>,
    Ids((company, id)): Ids<(i64, i64)>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Json<Contact>, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    store::update(&codex.pool, company, id, &details, unix_now().cast_signed())
        .await
        .map_err(|error| not_saved(error, no_contact))?;
    Ok(Json(Contact {
        id,
        company_id: company,
        details,
    }))
}
