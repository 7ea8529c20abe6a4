//! Keeps contacts in the database: one function per statement, no policy.
//!
//! Every statement names the company as well as the contact, so an address that combines two that do not belong
//! together finds nothing.

use sqlx::{Row, SqliteExecutor, SqlitePool, sqlite::SqliteRow};

use super::{Contact, Details};

/// Most contacts that one company may have: all of them are shown on its page.
pub(crate) const MOST: i64 = 500;

/// The contacts of a company, by name.
pub(crate) async fn of_company(pool: &SqlitePool, company: i64) -> Result<Vec<Contact>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, company_id, name, title, email, phone FROM contacts WHERE company_id = ? ORDER BY name, id LIMIT ?",
    )
    .bind(company)
    .bind(MOST)
    .fetch_all(pool)
    .await?;
    rows.iter().map(contact).collect()
}

/// One contact of a company.
pub(crate) async fn get(pool: &SqlitePool, company: i64, id: i64) -> Result<Option<Contact>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT id, company_id, name, title, email, phone FROM contacts WHERE company_id = ? AND id = ?",
    )
    .bind(company)
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(contact).transpose()
}

/// How a new contact fared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It has this number.
    Contact(i64),
    /// There is no such company.
    NoCompany,
    /// The company has [`MOST`] contacts already.
    Full,
}

/// Stores a new contact.
pub(crate) async fn create(
    connection: impl SqliteExecutor<'_>,
    company: i64,
    details: &Details,
    now: i64,
) -> Result<Created, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO contacts (company_id, name, title, email, phone, created_at, updated_at) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6 WHERE (SELECT COUNT(*) FROM contacts WHERE company_id = ?1) < ?7 RETURNING id",
    )
    .bind(company)
    .bind(&details.name)
    .bind(&details.title)
    .bind(&details.email)
    .bind(&details.phone)
    .bind(now)
    .bind(MOST)
    .fetch_optional(connection)
    .await;
    match inserted {
        Ok(Some(row)) => Ok(Created::Contact(row.try_get("id")?)),
        Ok(None) => Ok(Created::Full),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(Created::NoCompany),
        Err(error) => Err(error),
    }
}

/// Replaces what is known of a contact; false if there is none.
pub(crate) async fn update(
    pool: &SqlitePool,
    company: i64,
    id: i64,
    details: &Details,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE contacts SET name = ?, title = ?, email = ?, phone = ?, updated_at = ? WHERE company_id = ? AND id = ?",
    )
    .bind(&details.name)
    .bind(&details.title)
    .bind(&details.email)
    .bind(&details.phone)
    .bind(now)
    .bind(company)
    .bind(id)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes a contact; false if there was none.
pub(crate) async fn delete(pool: &SqlitePool, company: i64, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM contacts WHERE company_id = ? AND id = ?")
        .bind(company)
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

fn contact(row: &SqliteRow) -> Result<Contact, sqlx::Error> {
    Ok(Contact {
        id: row.try_get("id")?,
        company_id: row.try_get("company_id")?,
        details: Details {
            name: row.try_get("name")?,
            title: row.try_get("title")?,
            email: row.try_get("email")?,
            phone: row.try_get("phone")?,
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::codex::{companies, database};

    fn kim() -> Details {
        Details {
            name: "Kim".to_owned(),
            ..Details::default()
        }
    }

    async fn company(pool: &SqlitePool, name: &str) -> i64 {
        let details = companies::Details {
            name: name.to_owned(),
            ..companies::Details::default()
        };
        companies::store::create(pool, &details, 1).await.unwrap()
    }

    #[tokio::test]
    async fn a_contact_goes_with_its_company() {
        let pool = database::open("sqlite::memory:").await.unwrap();
        let (doomed, spared) = (company(&pool, "Doomed").await, company(&pool, "Spared").await);
        create(&pool, doomed, &kim(), 1).await.unwrap();
        create(&pool, spared, &kim(), 1).await.unwrap();

        companies::store::delete(&pool, doomed).await.unwrap();
        let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM contacts")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(left, 1);
        assert_eq!(of_company(&pool, spared).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_contact_is_found_under_its_own_company_only() {
        let pool = database::open("sqlite::memory:").await.unwrap();
        let (own, other) = (company(&pool, "Own").await, company(&pool, "Other").await);
        let Created::Contact(id) = create(&pool, own, &kim(), 1).await.unwrap() else {
            panic!("not created")
        };
        assert!(get(&pool, own, id).await.unwrap().is_some());
        assert!(get(&pool, other, id).await.unwrap().is_none());
        assert!(!update(&pool, other, id, &kim(), 2).await.unwrap());
        assert!(!delete(&pool, other, id).await.unwrap());
        assert!(delete(&pool, own, id).await.unwrap());
    }

    #[tokio::test]
    async fn contacts_have_a_limit_and_need_a_company() {
        let pool = database::open("sqlite::memory:").await.unwrap();
        assert_eq!(create(&pool, 77, &kim(), 1).await.unwrap(), Created::NoCompany);
        let company = company(&pool, "Big").await;
        for _ in 0..MOST {
            assert!(matches!(
                create(&pool, company, &kim(), 1).await.unwrap(),
                Created::Contact(_)
            ));
        }
        assert_eq!(create(&pool, company, &kim(), 1).await.unwrap(), Created::Full);
    }
}
