//! Keeps companies in the database: one function per statement, no policy.

use sqlx::{AnyExecutor, Row as _};

use super::{Company, Details, External};
use crate::codex::{
    database::{Pool, Row, is_taken},
    fields::FieldErrors,
    paging::{matching, search_text},
    tables::{SaveError, Searched, must_be_there, number},
    viewer::Scope,
};

/// The columns that [`company`] reads.
macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT id, name, account_number, website, phone, address, notes, external_source, external_id, ",
            "created_at, updated_at, ",
            "(SELECT COUNT(*) FROM contacts WHERE company_id = companies.id) AS contacts, ",
            "(SELECT COUNT(*) FROM assets WHERE company_id = companies.id) AS assets FROM companies WHERE ",
            $($rest),+
        )
    };
}

/// Those of a scope.
macro_rules! within {
    ($parameter:literal) => {
        concat!(
            "(",
            $parameter,
            " = '' OR companies.id IN (SELECT company_id FROM contacts WHERE email_key = ",
            $parameter,
            "))"
        )
    };
}

impl Searched for Company {
    const COUNT: &'static str = concat!(
        "SELECT COUNT(*) FROM companies WHERE ",
        matching!(),
        " AND ",
        within!("$5")
    );
    const PAGE: &'static str = select!(
        matching!(),
        " AND ",
        within!("$5"),
        " ORDER BY name_key, id LIMIT $6 OFFSET $7"
    );
    const AFTER: &'static str = select!("id > $1 ORDER BY id LIMIT $2");

    fn searched(row: &Row) -> Result<Self, sqlx::Error> {
        company(row)
    }
}

/// The company of this number, if it is in the scope.
pub(crate) async fn get(pool: &Pool, scope: &Scope, id: i64) -> Result<Option<Company>, sqlx::Error> {
    let row = sqlx::query(select!("id = $1 AND ", within!("$2")))
        .bind(id)
        .bind(scope.as_str())
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(company).transpose()
}

/// The company that another system knows by this number.
pub(crate) async fn by_external(
    connection: impl AnyExecutor<'_>,
    external: &External,
) -> Result<Option<Company>, sqlx::Error> {
    let row = sqlx::query(select!("external_source = $1 AND external_id = $2"))
        .bind(&external.source)
        .bind(external.id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(company).transpose()
}

/// The company that has this account number, or else this name.
pub(crate) async fn alike(
    connection: impl AnyExecutor<'_>,
    details: &Details,
) -> Result<Option<Company>, sqlx::Error> {
    // One of two may have the number and the other the name: the number is the better sign.
    let row = sqlx::query(select!(
        "account_number = $1 OR name_key = $2 ",
        "ORDER BY CASE WHEN account_number = $1 THEN 0 ELSE 1 END LIMIT 1"
    ))
    .bind(details.account_number.as_deref().unwrap_or_default())
    .bind(details.name.to_lowercase())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(company).transpose()
}

/// Stores a new company and answers its number.
pub(crate) async fn create(
    connection: impl AnyExecutor<'_>,
    details: &Details,
    external: Option<&External>,
    now: i64,
) -> Result<i64, SaveError> {
    let row = sqlx::query(
        "INSERT INTO companies (name, name_key, account_number, website, phone, address, notes, search_text, \
         external_source, external_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id",
    )
    .bind(&details.name)
    .bind(details.name.to_lowercase())
    .bind(&details.account_number)
    .bind(&details.website)
    .bind(&details.phone)
    .bind(&details.address)
    .bind(&details.notes)
    .bind(searchable(details))
    .bind(external.map(|external| external.source.as_str()))
    .bind(external.map(|external| external.id))
    .bind(now)
    .fetch_one(connection)
    .await
    .map_err(|error| taken(error, details))?;
    number(&row)
}

/// Replaces what is known of a company.
pub(crate) async fn update(
    connection: impl AnyExecutor<'_>,
    id: i64,
    details: &Details,
    now: i64,
) -> Result<(), SaveError> {
    let done = sqlx::query(
        "UPDATE companies SET name = $1, name_key = $2, account_number = $3, website = $4, phone = $5, address = $6, \
         notes = $7, search_text = $8, updated_at = $9 WHERE id = $10",
    )
    .bind(&details.name)
    .bind(details.name.to_lowercase())
    .bind(&details.account_number)
    .bind(&details.website)
    .bind(&details.phone)
    .bind(&details.address)
    .bind(&details.notes)
    .bind(searchable(details))
    .bind(now)
    .bind(id)
    .execute(connection)
    .await
    .map_err(|error| taken(error, details))?;
    must_be_there(&done)
}

/// Notes the number by which another system knows a company.
pub(crate) async fn link(
    connection: impl AnyExecutor<'_>,
    id: i64,
    external: &External,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE companies SET external_source = $1, external_id = $2 WHERE id = $3")
        .bind(&external.source)
        .bind(external.id)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes a company with its contacts and assets; false if there was none.
pub(crate) async fn delete(pool: &Pool, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM companies WHERE id = $1")
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

fn searchable(details: &Details) -> String {
    search_text(&[
        Some(&details.name),
        details.account_number.as_deref(),
        details.website.as_deref(),
        details.address.as_deref(),
    ])
}

fn taken(error: sqlx::Error, details: &Details) -> SaveError {
    if is_taken(&error, "account_number") {
        let number = details.account_number.as_deref().unwrap_or_default();
        SaveError::Conflict(FieldErrors::one(
            "account_number",
            format!("Another company has the account number “{number}” already."),
        ))
    } else if is_taken(&error, "name_key") {
        SaveError::Conflict(FieldErrors::one(
            "name",
            format!("There is a company named “{}” already.", details.name),
        ))
    } else {
        error.into()
    }
}

fn company(row: &Row) -> Result<Company, sqlx::Error> {
    let source: Option<String> = row.try_get("external_source")?;
    let id: Option<i64> = row.try_get("external_id")?;
    Ok(Company {
        id: row.try_get("id")?,
        details: Details {
            name: row.try_get("name")?,
            account_number: row.try_get("account_number")?,
            website: row.try_get("website")?,
            phone: row.try_get("phone")?,
            address: row.try_get("address")?,
            notes: row.try_get("notes")?,
        },
        external: source.zip(id).map(|(source, id)| External { source, id }),
        contacts: row.try_get("contacts")?,
        assets: row.try_get("assets")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::codex::{database, paging::Wanted, tables::find};

    fn wanted(search: &str) -> Wanted {
        Wanted {
            search: search.to_owned(),
            page: 1,
            per_page: 10,
        }
    }

    fn named(name: &str) -> Details {
        Details {
            name: name.to_owned(),
            ..Details::default()
        }
    }

    async fn names(pool: &Pool, search: &str) -> Vec<String> {
        find::<Company>(pool, &Scope::everything(), &wanted(search))
            .await
            .unwrap()
            .rows
            .into_iter()
            .map(|company| company.details.name)
            .collect()
    }

    #[tokio::test]
    async fn a_search_finds_every_word_in_any_case_and_takes_wildcards_literally() {
        let pool = database::in_memory().await;
        for name in [
            "MÜLLER & Söhne",
            "50% Off Ltd",
            "Under_score",
            "Back\\slash",
            "Muller",
        ] {
            create(&pool, &named(name), None, 1).await.unwrap();
        }
        let rows: &[(&str, &[&str])] = &[
            ("müller", &["MÜLLER & Söhne"]),
            ("söhne MÜLLER", &["MÜLLER & Söhne"]),
            ("%", &["50% Off Ltd"]),
            ("_", &["Under_score"]),
            ("\\", &["Back\\slash"]),
            ("'; DROP TABLE companies; --", &[]),
            ("a b c d e f g", &[]),
        ];
        for (search, expected) in rows {
            assert_eq!(names(&pool, search).await, *expected, "for {search:?}");
        }
        assert_eq!(names(&pool, "").await.len(), 5);
    }

    #[tokio::test]
    async fn a_name_is_taken_whatever_the_case_of_its_letters() {
        let pool = database::in_memory().await;
        create(&pool, &named("Ärzte"), None, 1).await.unwrap();
        let refused = create(&pool, &named("ÄRZTE"), None, 1).await;
        assert!(matches!(refused, Err(SaveError::Conflict(errors)) if errors.of("name").is_some()));
    }

    #[tokio::test]
    async fn numbers_are_64_bits_wide_and_never_used_again() {
        let pool = database::in_memory().await;
        sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('companies', $1)")
            .bind(i64::from(u32::MAX) + 41)
            .execute(&pool)
            .await
            .unwrap();
        let id = create(&pool, &named("First"), None, 1).await.unwrap();
        assert_eq!(id, i64::from(u32::MAX) + 42);
        assert!(delete(&pool, id).await.unwrap());
        assert_eq!(create(&pool, &named("Second"), None, 1).await.unwrap(), id + 1);
    }
}
