//! The pages about companies: what each address does. How the pages look is in `views`.
//!
//! A form that is refused is shown again with what was typed (422); one that is accepted answers 303.

use axum::{
    Form,
    extract::{Query, State},
    response::Response,
};
use hivematrix_platform::unix_now;
use serde::Deserialize;

use super::{Company, Typed, store, views};
use crate::{
    codex::{
        Codex,
        controls::{Done, not_saved},
        fields::FieldErrors,
        paging::Browsed,
        refusal::{Ids, database_failed, no_company},
        tables::{self, SaveError},
        viewer::{Rights, Scope, Visitor},
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /companies?search=&page=`, also `GET /`.
pub(crate) async fn list(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Query(browsed): Query<Browsed>,
) -> Result<Page, Rejection> {
    let mut wanted = browsed.wanted();
    let found = tables::browse(&codex.pool, &visitor.scope(), &mut wanted)
        .await
        .map_err(database_failed)?;
    Ok(views::list(
        &prefix,
        &wanted,
        &found,
        visitor.rights(),
        browsed.done,
    ))
}

/// What happened before a page was shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    done: Done,
}

/// `GET /companies/{id}`
pub(crate) async fn show(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
    Query(after): Query<After>,
) -> Result<Page, Rejection> {
    let company = seen(&codex, &visitor.scope(), id).await?;
    let contacts = tables::of_company(&codex.pool, id)
        .await
        .map_err(database_failed)?;
    let assets = tables::of_company(&codex.pool, id)
        .await
        .map_err(database_failed)?;
    let lists = views::Lists {
        contacts: &contacts,
        assets: &assets,
    };
    Ok(views::show(
        &prefix,
        &company,
        &lists,
        visitor.rights(),
        after.done,
    ))
}

/// `GET /companies/new`
pub(crate) async fn new(rights: Rights, prefix: Prefix) -> Page {
    views::new(&prefix, rights, &Typed::default(), &FieldErrors::default())
}

/// `POST /companies`
pub(crate) async fn create(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Form(typed): Form<Typed>,
) -> Response {
    let saved = match typed.check() {
        Ok(details) => store::create(&codex.pool, &details, None, unix_now().cast_signed()).await,
        Err(errors) => Err(SaveError::Refused(errors)),
    };
    match saved {
        Ok(id) => prefix.see_other(&format!("/companies/{id}?done={}", Done::CompanyCreated)),
        Err(error) => not_saved(error, no_company, |errors| {
            views::new(&prefix, rights, &typed, errors)
        }),
    }
}

/// `GET /companies/{id}/edit`
pub(crate) async fn edit(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
) -> Result<Page, Rejection> {
    let company = seen(&codex, &visitor.scope(), id).await?;
    let typed = Typed::from(&company.details);
    Ok(views::edit(
        &prefix,
        visitor.rights(),
        id,
        &typed,
        &FieldErrors::default(),
    ))
}

/// `POST /companies/{id}`
pub(crate) async fn update(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids(id): Ids<i64>,
    Form(typed): Form<Typed>,
) -> Response {
    let saved = match typed.check() {
        Ok(details) => store::update(&codex.pool, id, &details, unix_now().cast_signed()).await,
        Err(errors) => Err(SaveError::Refused(errors)),
    };
    match saved {
        Ok(()) => prefix.see_other(&format!("/companies/{id}?done={}", Done::CompanySaved)),
        Err(error) => not_saved(error, no_company, |errors| {
            views::edit(&prefix, rights, id, &typed, errors)
        }),
    }
}

/// `GET /companies/{id}/delete`: asks.
pub(crate) async fn ask_to_delete(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
) -> Result<Page, Rejection> {
    let company = seen(&codex, &visitor.scope(), id).await?;
    Ok(views::ask_to_delete(&prefix, &company, visitor.rights()))
}

/// `POST /companies/{id}/delete`: acts.
pub(crate) async fn delete(
    State(codex): State<Codex>,
    prefix: Prefix,
    Ids(id): Ids<i64>,
) -> Result<Response, Rejection> {
    // Two people may delete at the same time; to both it is gone, which is what they wanted.
    store::delete(&codex.pool, id).await.map_err(database_failed)?;
    Ok(prefix.see_other(&format!("/companies?done={}", Done::CompanyDeleted)))
}

/// The company, if this scope has it.
pub(crate) async fn seen(codex: &Codex, scope: &Scope, id: i64) -> Result<Company, Rejection> {
    store::get(&codex.pool, scope, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)
}
