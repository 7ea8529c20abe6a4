//! What belongs to a company, contacts and assets alike: listed, read and deleted in one way, by people and by programs.
//!
//! What is different about them, their values, their forms and their tables, is in `contacts` and `assets`.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Codex,
    companies::{self, pages::seen},
    controls::{Area, Done, breadcrumb, button_link, delete_or_cancel, heading, layout},
    paging::{Around, Asked, Browsed, Found, Place, answer, capital, listing},
    refusal::{Ids, bad_fields, database_failed},
    tables::{self, Owned, Searched},
    viewer::{Rights, Scope, Visitor},
};
use crate::kit::{Page, Prefix, Rejection};

/// Something that belongs to a company.
pub(crate) trait Belonging: Owned + Serialize + Send + Sync + 'static {
    /// The same in a list across companies.
    type Listed: Searched + Serialize + Send + Sync;

    /// What one is called: `contact`.
    const SINGULAR: &'static str;
    /// What several are called, also in addresses and in JSON.
    const PLURAL: &'static str;
    /// Its tab.
    const AREA: Area;
    /// What is told when one was deleted.
    const DELETED: Done;
    /// What a search looks into.
    const SEARCHES: &'static str;

    /// Its number.
    fn id(&self) -> i64;
    /// What people call it.
    fn name(&self) -> &str;
    /// 404.
    fn missing() -> Rejection;
    /// The table of those of several companies.
    fn table(prefix: &Prefix, rows: &[Self::Listed]) -> Markup;
}

/// `GET /api/contacts?search=&page=&per_page=`: those of all companies, `{"contacts","total","page","per_page","pages"}`.
pub(crate) async fn search<T: Belonging>(
    State(codex): State<Codex>,
    scope: Scope,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Rejection> {
    let wanted = asked.check().map_err(|errors| bad_fields(&errors))?;
    let found = tables::find::<T::Listed>(&codex.pool, &scope, &wanted)
        .await
        .map_err(database_failed)?;
    Ok(answer(T::PLURAL, &found.rows, &wanted, found.total))
}

/// `GET /api/companies/{company}/contacts`: `{"contacts"}`, all of them.
pub(crate) async fn all<T: Belonging>(
    State(codex): State<Codex>,
    scope: Scope,
    Ids(company): Ids<i64>,
) -> Result<Json<Value>, Rejection> {
    seen(&codex, &scope, company).await?;
    let all = tables::of_company::<T>(&codex.pool, company)
        .await
        .map_err(database_failed)?;
    Ok(Json(json!({ (T::PLURAL): all })))
}

/// `GET /api/companies/{company}/contacts/{contact}`
pub(crate) async fn get<T: Belonging>(
    State(codex): State<Codex>,
    scope: Scope,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Json<T>, Rejection> {
    seen(&codex, &scope, company).await?;
    one(&codex, company, id).await.map(Json)
}

/// `DELETE /api/companies/{company}/contacts/{contact}`: 204.
pub(crate) async fn remove<T: Belonging>(
    State(codex): State<Codex>,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<StatusCode, Rejection> {
    if tables::delete::<T>(&codex.pool, company, id)
        .await
        .map_err(database_failed)?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(T::missing())
    }
}

/// `GET /contacts?search=&page=`: the page with those of all companies.
pub(crate) async fn list<T: Belonging>(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Query(browsed): Query<Browsed>,
) -> Result<Page, Rejection> {
    let mut wanted = browsed.wanted();
    let found: Found<T::Listed> = tables::browse(&codex.pool, &visitor.scope(), &mut wanted)
        .await
        .map_err(database_failed)?;
    let place = Place {
        prefix: &prefix,
        singular: T::SINGULAR,
        plural: T::PLURAL,
        searches: T::SEARCHES,
    };
    let around = Around {
        none: html! {
            h2 .empty-state__title { "No " (T::PLURAL) " yet" }
            p .empty-state__text { "They are added on their company's page." }
            div .empty-state__actions { (button_link(&prefix.url("/companies"), "Companies")) }
        },
        ..Around::default()
    };
    let body = listing(&place, &wanted, &found, &around, |rows| T::table(&prefix, rows));
    Ok(layout(&prefix, T::AREA, visitor.rights(), &place.title(), body))
}

/// `GET /companies/{company}/contacts/{contact}/delete`: asks.
pub(crate) async fn ask_to_delete<T: Belonging>(
    State(codex): State<Codex>,
    visitor: Visitor,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Page, Rejection> {
    let owner = seen(&codex, &visitor.scope(), company).await?;
    let doomed: T = one(&codex, company, id).await?;
    let title = format!("Delete {}?", doomed.name());
    let question = html! {
        section .card {
            div .card__header { h1 .card__title { (title) } }
            div .card__body {
                p {
                    (doomed.name()) " is one of the " (T::PLURAL) " of " (owner.details.name) ". This cannot be undone."
                }
                (delete_or_cancel(
                    &address::<T>(&prefix, company, &format!("/{id}/delete")),
                    &format!("Delete {}", T::SINGULAR),
                    &companies::views::address(&prefix, company, ""),
                ))
            }
        }
    };
    Ok(layout(&prefix, T::AREA, visitor.rights(), &title, question))
}

/// `POST /companies/{company}/contacts/{contact}/delete`: acts. To two people who delete at the same time it is gone,
/// which is what both wanted.
pub(crate) async fn delete<T: Belonging>(
    State(codex): State<Codex>,
    prefix: Prefix,
    Ids((company, id)): Ids<(i64, i64)>,
) -> Result<Response, Rejection> {
    tables::delete::<T>(&codex.pool, company, id)
        .await
        .map_err(database_failed)?;
    Ok(done(&prefix, company, T::DELETED))
}

/// One of a company, or 404.
pub(crate) async fn one<T: Belonging>(codex: &Codex, company: i64, id: i64) -> Result<T, Rejection> {
    tables::one(&codex.pool, company, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(T::missing)
}

/// Back to the company's page, which tells what was done.
pub(crate) fn done(prefix: &Prefix, company: i64, what: Done) -> Response {
    prefix.see_other(&format!("/companies/{company}?done={what}"))
}

/// Those of a company, as a part of its page.
pub(crate) fn section<T: Belonging>(
    prefix: &Prefix,
    company: i64,
    all: &[T],
    rights: Rights,
    table: impl FnOnce(&[T]) -> Markup,
) -> Markup {
    html! {
        section .card {
            div .card__header {
                h2 .card__title { (capital(T::PLURAL)) }
                @if rights.edit {
                    (button_link(&address::<T>(prefix, company, "/new"), &format!("New {}", T::SINGULAR)))
                }
            }
            div .card__body {
                @if all.is_empty() {
                    div .empty-state { p .empty-state__text { "No " (T::PLURAL) " yet." } }
                } @else {
                    (table(all))
                }
            }
        }
    }
}

/// The heading of the last column of a company's table.
pub(crate) fn change_heading(rights: Rights) -> Markup {
    html! {
        @if rights.edit { th .table__cell--actions scope="col" { span .u-visually-hidden { "Change" } } }
    }
}

/// The cell below it: what can be done with this one.
pub(crate) fn change_cell<T: Belonging>(prefix: &Prefix, company: i64, this: &T, rights: Rights) -> Markup {
    let to = |what: &str| address::<T>(prefix, company, &format!("/{}/{what}", this.id()));
    html! {
        @if rights.edit {
            td .table__cell--actions {
                a .btn .btn--small href=(to("edit")) aria-label={ "Edit " (this.name()) } {
                    span .btn__label { "Edit" }
                }
                " "
                a .btn .btn--small href=(to("delete")) aria-label={ "Delete " (this.name()) } {
                    span .btn__label { "Delete" }
                }
            }
        }
    }
}

/// The page with the form of one, new or not; `form` gets the address that it is sent to, the words on its button, and the
/// way back.
pub(crate) fn form_page<T: Belonging>(
    prefix: &Prefix,
    rights: Rights,
    company: i64,
    id: Option<i64>,
    form: impl FnOnce(&str, &str, &str) -> Markup,
) -> Page {
    let (title, save, below) = match id {
        None => (
            format!("New {}", T::SINGULAR),
            format!("Create {}", T::SINGULAR),
            String::new(),
        ),
        Some(id) => (
            format!("Edit {}", T::SINGULAR),
            "Save".to_owned(),
            format!("/{id}"),
        ),
    };
    let company_page = companies::views::address(prefix, company, "");
    let steps = [
        (prefix.url("/companies"), "Companies"),
        (company_page.clone(), "Company"),
    ];
    let body = html! {
        (breadcrumb(&steps, &title))
        (heading(&title, None, &html! {}))
        section .card {
            div .card__body { (form(&address::<T>(prefix, company, &below), &save, &company_page)) }
        }
    };
    layout(prefix, T::AREA, rights, &title, body)
}

fn address<T: Belonging>(prefix: &Prefix, company: i64, below: &str) -> String {
    prefix.url(&format!("/companies/{company}/{}{below}", T::PLURAL))
}
