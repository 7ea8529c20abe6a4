//! Keeps companies in the database: one function per statement, no policy.

use sqlx::{Row, SqlitePool, sqlite::SqliteRow};

use super::{Company, Details};
use crate::codex::fields::FieldErrors;

/// The columns that [`company`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, account_number, website, phone, address, notes, created_at, updated_at, ",
            "(SELECT COUNT(*) FROM contacts WHERE company_id = companies.id) AS contacts FROM companies ",
            $rest
        )
    };
}

/// Why a company was not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// There is no such company (any more).
    #[error("there is no such company")]
    Missing,
    /// A value cannot be accepted, for instance because another company has this name or number.
    #[error("{}", .0.sentences())]
    Refused(FieldErrors),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// One page of a search.
#[derive(Debug)]
pub(crate) struct Found {
    /// How many companies match in all.
    pub(crate) total: i64,
    /// Those of this page, by name.
    pub(crate) companies: Vec<Company>,
}

/// The companies that contain every word of `search` (all, if it is empty), by name; `limit` of them after `offset`.
pub(crate) async fn find(
    pool: &SqlitePool,
    search: &str,
    limit: i64,
    offset: i64,
) -> Result<Found, sqlx::Error> {
    let patterns = patterns(search);
    // Up to WORDS patterns are bound, the absent ones as '%', which matches everything: the statement stays constant.
    let mut counting = sqlx::query_scalar::<_, i64>(
        "SELECT COUNT(*) FROM companies WHERE search_text LIKE ? ESCAPE '\\' AND search_text LIKE ? ESCAPE '\\' \
         AND search_text LIKE ? ESCAPE '\\' AND search_text LIKE ? ESCAPE '\\'",
    );
    let mut finding = sqlx::query(select!(
        "WHERE search_text LIKE ? ESCAPE '\\' AND search_text LIKE ? ESCAPE '\\' AND search_text LIKE ? ESCAPE '\\' \
         AND search_text LIKE ? ESCAPE '\\' ORDER BY name_key LIMIT ? OFFSET ?"
    ));
    for pattern in &patterns {
        counting = counting.bind(pattern.as_str());
        finding = finding.bind(pattern.as_str());
    }
    let total = counting.fetch_one(pool).await?;
    let rows = finding.bind(limit).bind(offset).fetch_all(pool).await?;
    Ok(Found {
        total,
        companies: rows.iter().map(company).collect::<Result<_, _>>()?,
    })
}

/// How many words of a search count; more are taken as part of the last one.
const WORDS: usize = 4;

/// The search as patterns for LIKE, each word somewhere, its wildcards meant literally.
fn patterns(search: &str) -> [String; WORDS] {
    let mut patterns: [String; WORDS] = std::array::from_fn(|_| "%".to_owned());
    let lower = search.trim().to_lowercase();
    let words = lower
        .splitn(WORDS, char::is_whitespace)
        .map(str::trim)
        .filter(|word| !word.is_empty());
    for (pattern, word) in patterns.iter_mut().zip(words) {
        let literal = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        *pattern = format!("%{literal}%");
    }
    patterns
}

/// The company of this number.
pub(crate) async fn get(pool: &SqlitePool, id: i64) -> Result<Option<Company>, sqlx::Error> {
    let row = sqlx::query(select!("WHERE id = ?"))
        .bind(id)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(company).transpose()
}

/// Stores a new company and answers its number.
pub(crate) async fn create(
    connection: impl sqlx::SqliteExecutor<'_>,
    details: &Details,
    now: i64,
) -> Result<i64, SaveError> {
    let row = sqlx::query(
        "INSERT INTO companies (name, name_key, account_number, website, phone, address, notes, search_text, \
         created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(&details.name)
    .bind(details.name.to_lowercase())
    .bind(&details.account_number)
    .bind(&details.website)
    .bind(&details.phone)
    .bind(&details.address)
    .bind(&details.notes)
    .bind(search_text(details))
    .bind(now)
    .bind(now)
    .fetch_one(connection)
    .await
    .map_err(|error| taken(error, details))?;
    Ok(row.try_get("id")?)
}

/// Replaces what is known of a company.
pub(crate) async fn update(pool: &SqlitePool, id: i64, details: &Details, now: i64) -> Result<(), SaveError> {
    let done = sqlx::query(
        "UPDATE companies SET name = ?, name_key = ?, account_number = ?, website = ?, phone = ?, address = ?, \
         notes = ?, search_text = ?, updated_at = ? WHERE id = ?",
    )
    .bind(&details.name)
    .bind(details.name.to_lowercase())
    .bind(&details.account_number)
    .bind(&details.website)
    .bind(&details.phone)
    .bind(&details.address)
    .bind(&details.notes)
    .bind(search_text(details))
    .bind(now)
    .bind(id)
    .execute(pool)
    .await
    .map_err(|error| taken(error, details))?;
    if done.rows_affected() == 0 {
        Err(SaveError::Missing)
    } else {
        Ok(())
    }
}

/// Deletes a company and its contacts; false if there was none.
pub(crate) async fn delete(pool: &SqlitePool, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM companies WHERE id = ?")
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// What a search looks into, lower-cased here because SQLite folds ASCII only.
fn search_text(details: &Details) -> String {
    let parts = [
        Some(&details.name),
        details.account_number.as_ref(),
        details.website.as_ref(),
        details.address.as_ref(),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .map(|part| part.to_lowercase())
        .collect();
    parts.join("\n")
}

fn taken(error: sqlx::Error, details: &Details) -> SaveError {
    let sqlx::Error::Database(database) = &error else {
        return error.into();
    };
    if !database.is_unique_violation() {
        return error.into();
    }
    // SQLite names the column in its message, and nowhere else.
    let field = if database.message().contains("account_number") {
        let number = details.account_number.as_deref().unwrap_or_default();
        FieldErrors::one(
            "account_number",
            format!("Another company has the account number “{number}” already."),
        )
    } else {
        FieldErrors::one(
            "name",
            format!("There is a company named “{}” already.", details.name),
        )
    };
    SaveError::Refused(field)
}

fn company(row: &SqliteRow) -> Result<Company, sqlx::Error> {
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
        contacts: row.try_get("contacts")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::codex::database;

    fn named(name: &str) -> Details {
        Details {
            name: name.to_owned(),
            ..Details::default()
        }
    }

    async fn names(pool: &SqlitePool, search: &str) -> Vec<String> {
        find(pool, search, 10, 0)
            .await
            .unwrap()
            .companies
            .into_iter()
            .map(|company| company.details.name)
            .collect()
    }

    #[tokio::test]
    async fn a_search_finds_every_word_in_any_case_and_takes_wildcards_literally() {
        let pool = database::open("sqlite::memory:").await.unwrap();
        for name in [
            "MÜLLER & Söhne",
            "50% Off Ltd",
            "Under_score",
            "Back\\slash",
            "Muller",
        ] {
            create(&pool, &named(name), 1).await.unwrap();
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
        let pool = database::open("sqlite::memory:").await.unwrap();
        create(&pool, &named("Ärzte"), 1).await.unwrap();
        let refused = create(&pool, &named("ÄRZTE"), 1).await;
        assert!(matches!(refused, Err(SaveError::Refused(errors)) if errors.of("name").is_some()));
    }

    #[tokio::test]
    async fn numbers_are_64_bits_wide_and_never_used_again() {
        let pool = database::open("sqlite::memory:").await.unwrap();
        sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('companies', ?)")
            .bind(i64::from(u32::MAX) + 41)
            .execute(&pool)
            .await
            .unwrap();
        let id = create(&pool, &named("First"), 1).await.unwrap();
        assert_eq!(id, i64::from(u32::MAX) + 42);
        assert!(delete(&pool, id).await.unwrap());
        assert_eq!(create(&pool, &named("Second"), 1).await.unwrap(), id + 1);
    }
}
