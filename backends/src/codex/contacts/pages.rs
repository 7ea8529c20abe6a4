//! The pages about contacts: what each address does. How they look is in `views`.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;

use super::{
    Contact, Typed,
    store::{self, Created},
    views,
};
use crate::{
    codex::{
        Codex, Visitor,
        companies::{self, Company},
        controls::Done,
        fields::FieldErrors,
        refusal::{Ids, database_failed, no_company, no_contact},
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /companies/{company}/contacts/new`
pub(crate) async fn new(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(company): Ids<i64>,
) -> Result<Page, Rejection> {
    let company = company_of(&codex, company).await?;
    Ok(views::new(
        &prefix,
        &company,
        &Typed::default(),
        &FieldErrors::default(),
    ))
}

/// `POST /companies/{company}/contacts`
pub(crate) async fn create(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    Form(typed): Form<Typed>,
) -> Result<Response, Rejection> {
    let errors = match typed.check() {
        Ok(details) => {
            let now = unix_now().cast_signed();
            match store::create(&codex.pool, company, &details, now)
                .await
                .map_err(database_failed)?
            {
                Created::Contact(_) => return Ok(done(&prefix, company, Done::ContactCreated)),
                Created::NoCompany => return Err(no_company()),
                Created::Full => FieldErrors::one("name", views::full()),
            }
        }
        Err(errors) => errors,
    };
    let company = company_of(&codex, company).await?;
    Ok(refused(views::new(&prefix, &company, &typed, &errors)))
}

/// `GET /companies/{company}/contacts/{contact}/edit`
pub(crate) async fn edit(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(ids): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    let (company, contact) = both(&codex, ids).await?;
    Ok(views::edit(
        &prefix,
        &company,
        &contact,
        &Typed::from(&contact.details),
        &FieldErrors::default(),
    ))
}

/// `POST /companies/{company}/contacts/{contact}`
pub(crate) async fn update(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(ids): Ids<(i64, i64)>,
    Form(typed): Form<Typed>,
) -> Result<Response, Rejection> {
    match typed.check() {
        Ok(details) => {
            let now = unix_now().cast_signed();
            if store::update(&codex.pool, ids.0, ids.1, &details, now)
                .await
                .map_err(database_failed)?
            {
                Ok(done(&prefix, ids.0, Done::ContactSaved))
            } else {
                Err(no_contact())
            }
        }
        Err(errors) => {
            let (company, contact) = both(&codex, ids).await?;
            Ok(refused(views::edit(&prefix, &company, &contact, &typed, &errors)))
        }
    }
}

/// `GET /companies/{company}/contacts/{contact}/delete`: asks.
pub(crate) async fn ask_to_delete(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids(ids): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    let (company, contact) = both(&codex, ids).await?;
    Ok(views::ask_to_delete(&prefix, &company, &contact))
}

/// `POST /companies/{company}/contacts/{contact}/delete`: acts.
pub(crate) async fn delete(
    State(codex): State<Codex>,
    _: Visitor,
    prefix: Prefix,
    Ids((company, contact)): Ids<(i64, i64)>,
) -> Result<Response, Rejection> {
    store::delete(&codex.pool, company, contact)
        .await
        .map_err(database_failed)?;
    Ok(done(&prefix, company, Done::ContactDeleted))
}

fn done(prefix: &Prefix, company: i64, what: Done) -> Response {
    prefix.see_other(&format!("/companies/{company}?done={what}"))
}

fn refused(page: Page) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

async fn company_of(codex: &Codex, id: i64) -> Result<Company, Rejection> {
    companies::store::get(&codex.pool, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)
}

async fn both(codex: &Codex, (company, contact): (i64, i64)) -> Result<(Company, Contact), Rejection> {
    let contact = store::get(&codex.pool, company, contact)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_contact)?;
    Ok((company_of(codex, company).await?, contact))
}
