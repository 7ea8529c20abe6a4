//! The pages about contacts: what each address does. How they look is in `views`.

use axum::{
    Form,
    extract::{Query, State},
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
        Codex,
        companies::{Company, pages::seen},
        controls::{Done, Refused},
        fields::FieldErrors,
        paging::Browsed,
        refusal::{Ids, database_failed, no_company, no_contact},
        viewer::{Rights, Visitor},
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /contacts?search=&page=`: those of all companies.
pub(crate) async fn list(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Query(browsed): Query<Browsed>,
) -> Result<Page, Rejection> {
    let (scope, mut wanted) = (visitor.scope(), browsed.wanted());
    let mut found = store::find(&codex.pool, &scope, &wanted)
        .await
        .map_err(database_failed)?;
    if found.rows.is_empty() && found.total > 0 {
        wanted.page = wanted.pages(found.total);
        found = store::find(&codex.pool, &scope, &wanted)
            .await
            .map_err(database_failed)?;
    }
    Ok(views::list(&prefix, &wanted, &found, visitor.rights()))
}

/// `GET /companies/{company}/contacts/new`
pub(crate) async fn new(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(company): Ids<i64>,
) -> Result<Page, Rejection> {
    let company = seen(&codex, &visitor.scope(), company).await?;
    let (typed, errors) = (Typed::default(), FieldErrors::default());
    Ok(views::new(&prefix, visitor.rights(), company.id, &typed, &errors))
}

/// `POST /companies/{company}/contacts`
pub(crate) async fn create(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    Form(typed): Form<Typed>,
) -> Response {
    let refused = match typed.check() {
        Ok(details) => {
            let now = unix_now().cast_signed();
            match store::create(&codex.pool, company, &details, now).await {
                Ok(Created::Contact(_)) => return done(&prefix, company, Done::ContactCreated),
                Ok(Created::NoCompany) => return no_company().into_response(),
                Ok(Created::Full) => Refused::values(FieldErrors::general(views::full())),
                Err(error) => Refused::by(&database_failed(error)),
            }
        }
        Err(errors) => Refused::values(errors),
    };
    refused.with(|errors| views::new(&prefix, rights, company, &typed, errors))
}

/// `GET /companies/{company}/contacts/{contact}/edit`
pub(crate) async fn edit(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(ids): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    let (_, contact) = both(&codex, &visitor, ids).await?;
    let typed = Typed::from(&contact.details);
    let errors = FieldErrors::default();
    Ok(views::edit(&prefix, visitor.rights(), ids, &typed, &errors))
}

/// `POST /companies/{company}/contacts/{contact}`
pub(crate) async fn update(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids(ids): Ids<(i64, i64)>,
    Form(typed): Form<Typed>,
) -> Response {
    let refused = match typed.check() {
        Ok(details) => {
            let now = unix_now().cast_signed();
            match store::update(&codex.pool, ids.0, ids.1, &details, now).await {
                Ok(true) => return done(&prefix, ids.0, Done::ContactSaved),
                Ok(false) => return no_contact().into_response(),
                Err(error) => Refused::by(&database_failed(error)),
            }
        }
        Err(errors) => Refused::values(errors),
    };
    refused.with(|errors| views::edit(&prefix, rights, ids, &typed, errors))
}

/// `GET /companies/{company}/contacts/{contact}/delete`: asks.
pub(crate) async fn ask_to_delete(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(ids): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    let (company, contact) = both(&codex, &visitor, ids).await?;
    Ok(views::ask_to_delete(
        &prefix,
        visitor.rights(),
        &company,
        &contact,
    ))
}

/// `POST /companies/{company}/contacts/{contact}/delete`: acts.
pub(crate) async fn delete(
    State(codex): State<Codex>,
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

async fn both(
    codex: &Codex,
    visitor: &Visitor,
    (company, contact): (i64, i64),
) -> Result<(Company, Contact), Rejection> {
    let contact = store::get(&codex.pool, company, contact)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_contact)?;
    Ok((seen(codex, &visitor.scope(), company).await?, contact))
}
