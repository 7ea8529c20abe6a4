//! The pages about assets: what each address does. How they look is in `views`.

use axum::{
    Form,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;

use super::{
    Asset, Typed,
    store::{self, SaveError},
    views,
};
use crate::{
    codex::{
        Codex,
        companies::pages::seen,
        contacts::{self, Contact},
        controls::{Done, Refused},
        fields::FieldErrors,
        paging::Browsed,
        refusal::{Ids, database_failed, no_asset, no_company},
        viewer::{Rights, Visitor},
    },
    kit::{Page, Prefix, Rejection},
};

/// `GET /assets?search=&page=`: those of all companies.
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
    let asset = asset_of(&codex, company, id).await?;
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

/// `GET /companies/{company}/assets/{asset}/delete`: asks.
pub(crate) async fn ask_to_delete(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    let owner = seen(&codex, &visitor.scope(), company).await?;
    let asset = asset_of(&codex, company, id).await?;
    Ok(views::ask_to_delete(&prefix, visitor.rights(), &owner, &asset))
}

/// `POST /companies/{company}/assets/{asset}/delete`: acts.
pub(crate) async fn delete(
    State(codex): State<Codex>,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Response, Rejection> {
    store::delete(&codex.pool, company, id)
        .await
        .map_err(database_failed)?;
    Ok(done(&prefix, company, Done::AssetDeleted))
}

async fn save(
    codex: &Codex,
    rights: Rights,
    prefix: &Prefix,
    company: i64,
    asset: Option<i64>,
    typed: &Typed,
) -> Response {
    let refused = match stored(codex, company, asset, typed).await {
        Ok(what) => return done(prefix, company, what),
        Err(SaveError::Missing) if asset.is_some() => return no_asset().into_response(),
        Err(SaveError::Missing) => return no_company().into_response(),
        Err(SaveError::Refused(errors)) => Refused::values(errors),
        Err(SaveError::Database(error)) => Refused::by(&database_failed(error)),
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
    refused.with(|errors| views::form(prefix, &form, errors))
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

fn done(prefix: &Prefix, company: i64, what: Done) -> Response {
    prefix.see_other(&format!("/companies/{company}?done={what}"))
}

async fn contacts_of(codex: &Codex, company: i64) -> Result<Vec<Contact>, Rejection> {
    contacts::store::of_company(&codex.pool, company)
        .await
        .map_err(database_failed)
}

async fn asset_of(codex: &Codex, company: i64, id: i64) -> Result<Asset, Rejection> {
    store::get(&codex.pool, company, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_asset)
}
