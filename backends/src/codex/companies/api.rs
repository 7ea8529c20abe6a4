//! Companies for programs: list, search, read, create, replace, delete, as JSON.

use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use hivematrix_platform::unix_now;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Company, Details, Typed, store};
use crate::{
    codex::{
        Codex,
        fields::FieldErrors,
        refusal::{Ids, JsonFields, bad_fields, database_failed, no_company, not_saved},
    },
    kit::{Prefix, Rejection},
};

/// Companies in one answer, where the client does not say.
const PER_PAGE: i64 = 25;

/// Most companies in one answer.
const MOST_PER_PAGE: i64 = 100;

/// Highest page that can be asked for; nobody pages that far by hand, and SQLite would count its way there.
const LAST_PAGE: i64 = 100_000;

/// Longest search, in characters.
const LONGEST_SEARCH: usize = 100;

/// A company as JSON: times are Unix seconds.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: i64,
    #[serde(flatten)]
    details: &'a Details,
    contact_count: i64,
    created_at: i64,
    updated_at: i64,
}

fn shown(company: &Company) -> Shown<'_> {
    Shown {
        id: company.id,
        details: &company.details,
        contact_count: company.contacts,
        created_at: company.created_at,
        updated_at: company.updated_at,
    }
}

/// What the list is asked for. Text at first, so that a bad value is refused by the name of its field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    search: String,
    page: Option<String>,
    per_page: Option<String>,
}

impl Asked {
    /// The page and how many it holds.
    fn check(&self) -> Result<(i64, i64), FieldErrors> {
        let mut errors = FieldErrors::default();
        if self.search.chars().count() > LONGEST_SEARCH {
            errors.add(
                "search",
                format!("This must not be longer than {LONGEST_SEARCH} characters."),
            );
        }
        let page = number("page", self.page.as_deref(), 1, LAST_PAGE, &mut errors);
        let per_page = number(
            "per_page",
            self.per_page.as_deref(),
            PER_PAGE,
            MOST_PER_PAGE,
            &mut errors,
        );
        errors.unless_any((page, per_page))
    }
}

fn number(
    field: &'static str,
    typed: Option<&str>,
    default: i64,
    most: i64,
    errors: &mut FieldErrors,
) -> i64 {
    let Some(typed) = typed else { return default };
    match typed.parse() {
        Ok(number) if (1..=most).contains(&number) => number,
        _ => {
            errors.add(field, format!("This must be a number from 1 to {most}."));
            default
        }
    }
}

/// `GET /api/companies?search=&page=&per_page=`: `{"companies","total","page","per_page","pages"}`.
pub(crate) async fn list(
    State(codex): State<Codex>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Rejection> {
    let (page, per_page) = asked.check().map_err(|errors| bad_fields(&errors))?;
    let found = store::find(&codex.pool, &asked.search, per_page, (page - 1) * per_page)
        .await
        .map_err(database_failed)?;
    Ok(Json(json!({
        "companies": found.companies.iter().map(shown).collect::<Vec<_>>(),
        "total": found.total,
        "page": page,
        "per_page": per_page,
        "pages": (found.total + per_page - 1) / per_page,
    })))
}

/// `GET /api/companies/{id}`
pub(crate) async fn get(State(codex): State<Codex>, Ids(id): Ids<i64>) -> Result<Response, Rejection> {
    let company = store::get(&codex.pool, id)
        .await
        .map_err(database_failed)?
        .ok_or_else(no_company)?;
    Ok(Json(shown(&company)).into_response())
}

/// `POST /api/companies`: 201 with the company and its address.
pub(crate) async fn create(
    State(codex): State<Codex>,
    prefix: Prefix,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    let id = store::create(&codex.pool, &details, unix_now().cast_signed())
        .await
        .map_err(not_saved)?;
    let company = get(State(codex), Ids(id)).await?;
    let location = [(LOCATION, prefix.url(&format!("/api/companies/{id}")))];
    Ok((StatusCode::CREATED, location, company).into_response())
}

/// `PUT /api/companies/{id}`: replaces everything; what is left out becomes empty.
pub(crate) async fn replace(
    State(codex): State<Codex>,
    Ids(id): Ids<i64>,
    JsonFields(typed): JsonFields<Typed>,
) -> Result<Response, Rejection> {
    let details = typed.check().map_err(|errors| bad_fields(&errors))?;
    store::update(&codex.pool, id, &details, unix_now().cast_signed())
        .await
        .map_err(not_saved)?;
    get(State(codex), Ids(id)).await
}

/// `DELETE /api/companies/{id}`: 204.
pub(crate) async fn delete(State(codex): State<Codex>, Ids(id): Ids<i64>) -> Result<StatusCode, Rejection> {
    if store::delete(&codex.pool, id).await.map_err(database_failed)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_company())
    }
}
