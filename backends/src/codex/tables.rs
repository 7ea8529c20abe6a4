//! What is the same for every table: a page of what a search finds, all of it piece by piece, what a company has.
//!
//! A table says its statements and how a row of it is read; what becomes of them is here, once.

use sqlx::{Row as _, any::AnyQueryResult};

use super::{
    database::{Pool, Row},
    fields::FieldErrors,
    paging::{Found, Wanted},
    viewer::Scope,
};

/// Rows that are searched and listed across companies.
pub(crate) trait Searched: Sized {
    /// How many there are: `$1` to `$4` are a search, `$5` a scope.
    const COUNT: &'static str;
    /// Those of one page, sorted: at most `$6` after the first `$7`.
    const PAGE: &'static str;
    /// At most `$2` after number `$1`, by number.
    const AFTER: &'static str;

    /// Reads one.
    fn searched(row: &Row) -> Result<Self, sqlx::Error>;
}

/// Rows that belong to one company and go with it. Every statement about one names the company as well, so an address
/// that combines two that do not belong together finds nothing.
pub(crate) trait Owned: Sized {
    /// Most of them that a company can have: all of them are shown on its page.
    const MOST: i64;
    /// At most `$2` of those of company `$1`, sorted.
    const OF_COMPANY: &'static str;
    /// Of company `$1`, number `$2`.
    const ONE: &'static str;
    /// Deletes, of company `$1`, number `$2`.
    const DELETE: &'static str;

    /// Reads one.
    fn owned(row: &Row) -> Result<Self, sqlx::Error>;
}

/// Why something was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// It is not there (any more), or its company is not.
    #[error("it is not there, or its company is not")]
    Missing,
    /// A value cannot be accepted.
    #[error("{}", .0.sentences())]
    Refused(FieldErrors),
    /// It contradicts what is there: another has that name, or there are as many as there can be.
    #[error("{}", .0.sentences())]
    Conflict(FieldErrors),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl SaveError {
    /// Of a statement that names a company: one that is not there is a key that fits nothing.
    pub(crate) fn of(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) if error.is_foreign_key_violation() => Self::Missing,
            error => Self::Database(error),
        }
    }

    /// A company has as many of them as it can have.
    pub(crate) fn full(most: i64, plural: &str) -> Self {
        Self::Conflict(FieldErrors::general(format!(
            "A company can have {most} {plural}, and this one has that many."
        )))
    }
}

/// Those of a scope that contain every word of a search, sorted; one page of them.
pub(crate) async fn find<T: Searched>(
    pool: &Pool,
    scope: &Scope,
    wanted: &Wanted,
) -> Result<Found<T>, sqlx::Error> {
    let mut counting = sqlx::query_scalar::<_, i64>(T::COUNT);
    let mut finding = sqlx::query(T::PAGE);
    for pattern in wanted.patterns() {
        counting = counting.bind(pattern.clone());
        finding = finding.bind(pattern);
    }
    let total = counting.bind(scope.as_str()).fetch_one(pool).await?;
    let rows = finding
        .bind(scope.as_str())
        .bind(wanted.per_page)
        .bind(wanted.offset())
        .fetch_all(pool)
        .await?;
    Ok(Found {
        total,
        rows: rows.iter().map(T::searched).collect::<Result<_, _>>()?,
    })
}

/// The same for people. A page beyond the last, for instance because its rows were deleted, is the last one then.
pub(crate) async fn browse<T: Searched>(
    pool: &Pool,
    scope: &Scope,
    wanted: &mut Wanted,
) -> Result<Found<T>, sqlx::Error> {
    let found = find(pool, scope, wanted).await?;
    if found.rows.is_empty() && found.total > 0 {
        wanted.page = wanted.pages(found.total);
        return find(pool, scope, wanted).await;
    }
    Ok(found)
}

/// At most `limit` after this number, by number: for going through all of them.
pub(crate) async fn after<T: Searched>(pool: &Pool, id: i64, limit: i64) -> Result<Vec<T>, sqlx::Error> {
    let rows = sqlx::query(T::AFTER).bind(id).bind(limit).fetch_all(pool).await?;
    rows.iter().map(T::searched).collect()
}

/// All that a company has.
pub(crate) async fn of_company<T: Owned>(pool: &Pool, company: i64) -> Result<Vec<T>, sqlx::Error> {
    let rows = sqlx::query(T::OF_COMPANY)
        .bind(company)
        .bind(T::MOST)
        .fetch_all(pool)
        .await?;
    rows.iter().map(T::owned).collect()
}

/// One that a company has.
pub(crate) async fn one<T: Owned>(pool: &Pool, company: i64, id: i64) -> Result<Option<T>, sqlx::Error> {
    let row = sqlx::query(T::ONE)
        .bind(company)
        .bind(id)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(T::owned).transpose()
}

/// Deletes one that a company has; false if there was none.
pub(crate) async fn delete<T: Owned>(pool: &Pool, company: i64, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(T::DELETE)
        .bind(company)
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The number that a statement has returned.
pub(crate) fn number(row: &Row) -> Result<i64, SaveError> {
    Ok(row.try_get("id")?)
}

/// An update that has found nothing to change was about something that is gone.
pub(crate) fn must_be_there(done: &AnyQueryResult) -> Result<(), SaveError> {
    if done.rows_affected() == 0 {
        Err(SaveError::Missing)
    } else {
        Ok(())
    }
}
