//! The pages about companies: what each address does. How the pages look is in `views`.
//!
//! A form that is refused is shown again with what was typed (422); one that is accepted answers 303.

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;
use serde::Deserialize;

use super::{
    Typed,
    store::{self, SaveError},
    views,
};
use crate::{
    codex::{
        Codex, Visitor, contacts,
        controls::Done,
        fields::FieldErrors,
        refusal::{Ids, database_failed, no_company, not_saved},
    },
    kit::{Page, Prefix, Rejection},
};

/// Companies on one page of the list.
const PER_PAGE: i64 = 20;

/// Longest search that is looked for, in characters; the rest is cut off.
const LONGEST_SEARCH: usize = 100;

/// What the list is asked for. Read leniently: an address that somebody mistyped shows the list, not an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    search: String,
    page: String,
    done: Done,
}

/// `GET /companies?search=&page=`, also `GET /`.
pub(crate) async fn list(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Query(asked): Query<Asked>,
) -> Result<Page, Rejection> {
    let search: String = asked.search.trim().chars().take(LONGEST_SEARCH).collect();
    let mut page = asked.page.parse().unwrap_or(1).clamp(1, i64::MAX / PER_PAGE);
    let mut found = store::find(&codex.pool, &search, PER_PAGE, (page - 1) * PER_PAGE)
        .await
        .map_err(database_failed)?;
    let pages = (found.total + PER_PAGE - 1) / PER_PAGE;
    if found.companies.is_empty() && found.total > 0 {
        // A page beyond the last, for instance because its companies were deleted: the last one then.
        page = pages;
        found = store::find(&codex.pool, &search, PER_PAGE, (page - 1) * PER_PAGE)
            .await
            .map_err(database_failed)?;
    }
    let listing = views::Listing {
        search: &search,
        page,
        pages,
        found: &found,
        done: asked.done,
    };
    Ok(views::list(&prefix, &listing, visitor.may_edit()))
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
    let company = store::get(&codex.pool, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)?;
    let contacts = contacts::store::of_company(&codex.pool, id)
        .await
        .map_err(database_failed)?;
    Ok(views::show(
        &prefix,
        &company,
        &contacts,
        visitor.may_edit(),
        after.done,
    ))
}

/// `GET /companies/new`
pub(crate) async fn new(_: Visitor, prefix: Prefix) -> Page {
    views::new(&prefix, &Typed::default(), &FieldErrors::default())
}

/// `POST /companies`
pub(crate) async fn create(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Form(typed): Form<Typed>,
) -> Result<Response, Rejection> {
    let saved = match typed.check() {
        Ok(details) => store::create(&codex.pool, &details, unix_now().cast_signed()).await,
        Err(errors) => Err(SaveError::Refused(errors)),
    };
    match saved {
        Ok(id) => Ok(prefix.see_other(&format!("/companies/{id}?done={}", Done::CompanyCreated))),
        Err(SaveError::Refused(errors)) => Ok(refused(views::new(&prefix, &typed, &errors))),
        Err(error) => Err(not_saved(error)),
    }
}

/// `GET /companies/{id}/edit`
pub(crate) async fn edit(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
) -> Result<Page, Rejection> {
    let company = store::get(&codex.pool, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)?;
    Ok(views::edit(
        &prefix,
        &company,
        &Typed::from(&company.details),
        &FieldErrors::default(),
    ))
}

/// `POST /companies/{id}`
pub(crate) async fn update(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
    Form(typed): Form<Typed>,
) -> Result<Response, Rejection> {
    let saved = match typed.check() {
        Ok(details) => store::update(&codex.pool, id, &details, unix_now().cast_signed()).await,
        Err(errors) => Err(SaveError::Refused(errors)),
    };
    match saved {
        Ok(()) => Ok(prefix.see_other(&format!("/companies/{id}?done={}", Done::CompanySaved))),
        Err(SaveError::Refused(errors)) => {
            let company = store::get(&codex.pool, id)
                .await
                .map_err(database_failed)?
                .ok_or_else(no_company)?;
            Ok(refused(views::edit(&prefix, &company, &typed, &errors)))
        }
        Err(error) => Err(not_saved(error)),
    }
}

/// `GET /companies/{id}/delete`: asks.
pub(crate) async fn ask_to_delete(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
) -> Result<Page, Rejection> {
    let company = store::get(&codex.pool, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)?;
    Ok(views::ask_to_delete(&prefix, &company))
}

/// `POST /companies/{id}/delete`: acts.
pub(crate) async fn delete(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(id): Ids<i64>,
) -> Result<Response, Rejection> {
    // Two people may delete at the same time; to both it is gone, which is what they wanted.
    store::delete(&codex.pool, id).await.map_err(database_failed)?;
    Ok(prefix.see_other(&format!("/companies?done={}", Done::CompanyDeleted)))
}

fn refused(page: Page) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}
