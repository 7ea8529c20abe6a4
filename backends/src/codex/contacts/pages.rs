//! What is the contacts' own for people: the form. The list and the question whether to delete are in `belongings`.

use axum::{Form, extract::State, response::Response};
use hivematrix_platform::unix_now;

use super::{Contact, Typed, store, views};
use crate::{
    codex::{
        Codex,
        belongings::{done, one},
        companies::pages::seen,
        controls::{Done, not_saved},
        fields::FieldErrors,
        refusal::{Ids, no_company, no_contact},
        tables::SaveError,
        viewer::{Rights, Visitor},
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /companies/{company}/contacts/new`
pub(crate) async fn new(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(company): Ids<i64>,
) -> Result<Page, Rejection> {
    seen(&codex, &visitor.scope(), company).await?;
    let (typed, errors) = (Typed::default(), FieldErrors::default());
    Ok(views::form(
        &prefix,
        visitor.rights(),
        (company, None),
        &typed,
        &errors,
    ))
}

/// `POST /companies/{company}/contacts`
pub(crate) async fn create(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    Form(typed): Form<Typed>,
) -> Response {
    let saved = match typed.check() {
        Ok(details) => store::create(&codex.pool, company, &details, unix_now().cast_signed()).await,
        Err(errors) => Err(SaveError::Refused(errors)),
    };
    match saved {
        Ok(_) => done(&prefix, company, Done::ContactCreated),
        Err(error) => not_saved(error, no_company, |errors| {
            views::form(&prefix, rights, (company, None), &typed, errors)
        }),
    }
}

/// `GET /companies/{company}/contacts/{contact}/edit`
pub(crate) async fn edit(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    seen(&codex, &visitor.scope(), company).await?;
    let contact: Contact = one(&codex, company, id).await?;
    let (typed, errors) = (Typed::from(&contact.details), FieldErrors::default());
    Ok(views::form(
        &prefix,
        visitor.rights(),
        (company, Some(id)),
        &typed,
        &errors,
    ))
}

/// `POST /companies/{company}/contacts/{contact}`
pub(crate) async fn update(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
    Form(typed): Form<Typed>,
) -> Response {
    let saved = match typed.check() {
        Ok(details) => store::update(&codex.pool, company, id, &details, unix_now().cast_signed()).await,
        Err(errors) => Err(SaveError::Refused(errors)),
    };
    match saved {
        Ok(()) => done(&prefix, company, Done::ContactSaved),
        Err(error) => not_saved(error, no_contact, |errors| {
            views::form(&prefix, rights, (company, Some(id)), &typed, errors)
        }),
    }
}
