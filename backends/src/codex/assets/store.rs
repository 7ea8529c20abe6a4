//! Keeps assets in the database: one function per statement, no policy.
//!
//! Every statement about one asset names the company as well, so an address that combines two that do not belong
//! together finds nothing.

use sqlx::{AnyExecutor, Row as _};

use super::{Asset, Details, NOT_A_CONTACT};
use crate::codex::{
    database::{Connection, Pool, Row},
    fields::FieldErrors,
    paging::{Found, Wanted, matching, search_text},
    viewer::Scope,
};

/// Most assets of one company: all of them are shown on its page.
pub(crate) const MOST: i64 = 2000;

/// The columns that [`asset`] and [`listed`] read.
macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT id, company_id, contact_id, name, kind, serial_number, model, location, notes, ",
            "(SELECT contacts.name FROM contacts WHERE contacts.id = assets.contact_id) AS contact_name, ",
            "(SELECT companies.name FROM companies WHERE companies.id = assets.company_id) AS company_name ",
            "FROM assets WHERE ",
            $($rest),+
        )
    };
}

/// Those of a scope.
macro_rules! within {
    () => {
        "($5 = '' OR company_id IN (SELECT contacts.company_id FROM contacts WHERE contacts.email_key = $5))"
    };
}

/// Why an asset was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// There is no such company, or no such asset.
    #[error("there is no such company or asset")]
    Missing,
    /// A value cannot be accepted.
    #[error("{}", .0.sentences())]
    Refused(FieldErrors),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// An asset in a list of several companies' assets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Listed {
    /// The asset.
    #[serde(flatten)]
    pub(crate) asset: Asset,
    /// The name of its company.
    pub(crate) company_name: String,
}

/// The assets of a scope that contain every word of a search, by name; one page of them.
pub(crate) async fn find(pool: &Pool, scope: &Scope, wanted: &Wanted) -> Result<Found<Listed>, sqlx::Error> {
    let mut counting = sqlx::query_scalar::<_, i64>(concat!(
        "SELECT COUNT(*) FROM assets WHERE ",
        matching!(),
        " AND ",
        within!()
    ));
    let mut finding = sqlx::query(select!(
        matching!(),
        " AND ",
        within!(),
        " ORDER BY name, id LIMIT $6 OFFSET $7"
    ));
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
        rows: rows.iter().map(listed).collect::<Result<_, _>>()?,
    })
}

/// At most `limit` assets after this number, by number: for going through all of them.
pub(crate) async fn after(pool: &Pool, id: i64, limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    let rows = sqlx::query(select!("id > $1 ORDER BY id LIMIT $2"))
        .bind(id)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(listed).collect()
}

/// The assets of a company, by name.
pub(crate) async fn of_company(pool: &Pool, company: i64) -> Result<Vec<Asset>, sqlx::Error> {
    let rows = sqlx::query(select!("company_id = $1 ORDER BY name, id LIMIT $2"))
        .bind(company)
        .bind(MOST)
        .fetch_all(pool)
        .await?;
    rows.iter().map(asset).collect()
}

/// One asset of a company.
pub(crate) async fn get(pool: &Pool, company: i64, id: i64) -> Result<Option<Asset>, sqlx::Error> {
    let row = sqlx::query(select!("company_id = $1 AND id = $2"))
        .bind(company)
        .bind(id)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(asset).transpose()
}

/// The asset of a company that has this serial number, or else this name.
pub(crate) async fn alike(
    connection: impl AnyExecutor<'_>,
    company: i64,
    details: &Details,
) -> Result<Option<Asset>, sqlx::Error> {
    let row = sqlx::query(select!(
        "company_id = $1 AND (serial_number = $2 OR name = $3) ",
        "ORDER BY CASE WHEN serial_number = $2 THEN 0 ELSE 1 END, id LIMIT 1"
    ))
    .bind(company)
    .bind(details.serial_number.as_deref().unwrap_or_default())
    .bind(&details.name)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(asset).transpose()
}

/// Stores a new asset and answers its number.
pub(crate) async fn create(
    connection: &mut Connection<'_>,
    company: i64,
    details: &Details,
    now: i64,
) -> Result<i64, SaveError> {
    contact_must_fit(connection, company, details).await?;
    let inserted = sqlx::query(
        "INSERT INTO assets (company_id, contact_id, name, kind, serial_number, model, location, notes, search_text, \
         created_at, updated_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10 \
         WHERE (SELECT COUNT(*) FROM assets WHERE company_id = $1) < $11 RETURNING id",
    )
    .bind(company)
    .bind(details.contact_id)
    .bind(&details.name)
    .bind(&details.kind)
    .bind(&details.serial_number)
    .bind(&details.model)
    .bind(&details.location)
    .bind(&details.notes)
    .bind(searchable(details))
    .bind(now)
    .bind(MOST)
    .fetch_optional(connection)
    .await
    .map_err(missing)?;
    match inserted {
        Some(row) => Ok(row.try_get("id")?),
        None => Err(SaveError::Refused(FieldErrors::general(format!(
            "A company can have {MOST} assets, and this one has that many."
        )))),
    }
}

/// Replaces what is known of an asset.
pub(crate) async fn update(
    connection: &mut Connection<'_>,
    company: i64,
    id: i64,
    details: &Details,
    now: i64,
) -> Result<(), SaveError> {
    contact_must_fit(connection, company, details).await?;
    let done = sqlx::query(
        "UPDATE assets SET contact_id = $1, name = $2, kind = $3, serial_number = $4, model = $5, location = $6, \
         notes = $7, search_text = $8, updated_at = $9 WHERE company_id = $10 AND id = $11",
    )
    .bind(details.contact_id)
    .bind(&details.name)
    .bind(&details.kind)
    .bind(&details.serial_number)
    .bind(&details.model)
    .bind(&details.location)
    .bind(&details.notes)
    .bind(searchable(details))
    .bind(now)
    .bind(company)
    .bind(id)
    .execute(connection)
    .await
    .map_err(missing)?;
    if done.rows_affected() == 0 {
        Err(SaveError::Missing)
    } else {
        Ok(())
    }
}

/// Deletes an asset; false if there was none.
pub(crate) async fn delete(pool: &Pool, company: i64, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM assets WHERE company_id = $1 AND id = $2")
        .bind(company)
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn contact_must_fit(
    connection: &mut Connection<'_>,
    company: i64,
    details: &Details,
) -> Result<(), SaveError> {
    let Some(contact) = details.contact_id else {
        return Ok(());
    };
    let fits: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM contacts WHERE company_id = $1 AND id = $2")
        .bind(company)
        .bind(contact)
        .fetch_one(connection)
        .await?;
    if fits == 0 {
        return Err(SaveError::Refused(FieldErrors::one("contact_id", NOT_A_CONTACT)));
    }
    Ok(())
}

/// A company, or a contact, that went in between.
fn missing(error: sqlx::Error) -> SaveError {
    match error {
        sqlx::Error::Database(error) if error.is_foreign_key_violation() => SaveError::Missing,
        error => SaveError::Database(error),
    }
}

fn searchable(details: &Details) -> String {
    search_text(&[
        Some(&details.name),
        Some(&details.kind),
        details.serial_number.as_deref(),
        details.model.as_deref(),
        details.location.as_deref(),
    ])
}

fn asset(row: &Row) -> Result<Asset, sqlx::Error> {
    Ok(Asset {
        id: row.try_get("id")?,
        company_id: row.try_get("company_id")?,
        details: Details {
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            serial_number: row.try_get("serial_number")?,
            model: row.try_get("model")?,
            location: row.try_get("location")?,
            notes: row.try_get("notes")?,
            contact_id: row.try_get("contact_id")?,
        },
        contact_name: row.try_get("contact_name")?,
    })
}

fn listed(row: &Row) -> Result<Listed, sqlx::Error> {
    Ok(Listed {
        asset: asset(row)?,
        company_name: row.try_get("company_name")?,
    })
}
