//! What is the assets' own for people: the form. The list and the question whether to delete are in `belongings`.

use axum::{Form, extract::State, response::Response};
use hivematrix_platform::unix_now;

use super::{Asset, Typed, store, views};
use crate::{
    codex::{
        Codex,
        belongings::{done, one},
        companies::pages::seen,
        contacts::Contact,
        controls::{Done, not_saved},
        fields::FieldErrors,
        refusal::{Ids, database_failed, no_asset, no_company},
        tables::{SaveError, of_company},
        viewer::{Rights, Visitor},
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /companies/{company}/assets/new`
pub(crate) async fn new(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids(company): Ids<i64>,
) -> Result<Page, Rejection> {
    seen(&codex, &visitor.scope(), company).await?;
    let form = views::Form {
        rights: visitor.rights(),
        company,
        asset: None,
        contacts: &contacts_of(&codex, company).await?,
        typed: &Typed::default(),
    };
    Ok(views::form(&prefix, &form, &FieldErrors::default()))
}

/// `POST /companies/{company}/assets`
pub(crate) async fn create(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids(company): Ids<i64>,
    Form(typed): Form<Typed>,
) -> Response {
    save(&codex, rights, &prefix, company, None, &typed).await
}

/// `GET /companies/{company}/assets/{asset}/edit`
pub(crate) async fn edit(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    seen(&codex, &visitor.scope(), company).await?;
    let asset: Asset = one(&codex, company, id).await?;
    let form = views::Form {
        rights: visitor.rights(),
        company,
        asset: Some(id),
        contacts: &contacts_of(&codex, company).await?,
        typed: &Typed::from(&asset.details),
    };
    Ok(views::form(&prefix, &form, &FieldErrors::default()))
}

/// `POST /companies/{company}/assets/{asset}`
pub(crate) async fn update(
    State(codex): State<Codex>,
    rights: Rights,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
    Form(typed): Form<Typed>,
) -> Response {
    save(&codex, rights, &prefix, company, Some(id), &typed).await
}

async fn save(
    codex: &Codex,
    rights: Rights,
    prefix: &Prefix,
    company: i64,
    asset: Option<i64>,
    typed: &Typed,
) -> Response {
    let error = match stored(codex, company, asset, typed).await {
        Ok(what) => return done(prefix, company, what),
        Err(error) => error,
    };
    // Without the database there are no contacts to choose from; what was chosen stays chosen.
    let contacts = contacts_of(codex, company).await.unwrap_or_default();
    let form = views::Form {
        rights,
        company,
        asset,
        contacts: &contacts,
        typed,
    };
    let missing = if asset.is_some() { no_asset } else { no_company };
    not_saved(error, missing, |errors| views::form(prefix, &form, errors))
}

async fn stored(codex: &Codex, company: i64, asset: Option<i64>, typed: &Typed) -> Result<Done, SaveError> {
    let details = typed.check().map_err(SaveError::Refused)?;
    let now = unix_now().cast_signed();
    let mut connection = codex.pool.acquire().await?;
    match asset {
        None => {
            store::create(&mut connection, company, &details, now).await?;
            Ok(Done::AssetCreated)
        }
        Some(id) => {
            store::update(&mut connection, company, id, &details, now).await?;
            Ok(Done::AssetSaved)
        }
    }
}

async fn contacts_of(codex: &Codex, company: i64) -> Result<Vec<Contact>, Rejection> {
    of_company(&codex.pool, company).await.map_err(database_failed)
}
