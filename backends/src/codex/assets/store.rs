//! Keeps assets in the database: one function per statement, no policy.

use sqlx::{AnyExecutor, Row as _};

use super::{Asset, Details, NOT_A_CONTACT};
use crate::codex::{
    belongings::Belonging as _,
    database::{Connection, Row},
    fields::FieldErrors,
    paging::{matching, search_text},
    tables::{Owned, SaveError, Searched, must_be_there, number},
};

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

/// An asset in a list of several companies' assets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Listed {
    /// The asset.
    #[serde(flatten)]
    pub(crate) asset: Asset,
    /// The name of its company.
    pub(crate) company_name: String,
}

impl Searched for Listed {
    const COUNT: &'static str = concat!(
        "SELECT COUNT(*) FROM assets WHERE ",
        matching!(),
        " AND ",
        within!()
    );
    const PAGE: &'static str = select!(
        matching!(),
        " AND ",
        within!(),
        " ORDER BY name, id LIMIT $6 OFFSET $7"
    );
    const AFTER: &'static str = select!("id > $1 ORDER BY id LIMIT $2");

    fn searched(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            asset: asset(row)?,
            company_name: row.try_get("company_name")?,
        })
    }
}

impl Owned for Asset {
    const MOST: i64 = 2000;
    const OF_COMPANY: &'static str = select!("company_id = $1 ORDER BY name, id LIMIT $2");
    const ONE: &'static str = select!("company_id = $1 AND id = $2");
    const DELETE: &'static str = "DELETE FROM assets WHERE company_id = $1 AND id = $2";

    fn owned(row: &Row) -> Result<Self, sqlx::Error> {
        asset(row)
    }
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
    .bind(Asset::MOST)
    .fetch_optional(connection)
    .await
    .map_err(SaveError::of)?;
    inserted.map_or_else(
        || Err(SaveError::full(Asset::MOST, Asset::PLURAL)),
        |row| number(&row),
    )
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
    .map_err(SaveError::of)?;
    must_be_there(&done)
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
