//! Keeps contacts in the database: one function per statement, no policy.
//!
//! Every statement about one contact names the company as well, so an address that combines two that do not belong
//! together finds nothing.

use sqlx::{AnyExecutor, Row as _};

use super::{Contact, Details};
use crate::codex::{
    agents::email_key,
    database::{Pool, Row},
    paging::{Found, Wanted, matching, search_text},
    viewer::Scope,
};

/// Most contacts that one company may have: all of them are shown on its page.
pub(crate) const MOST: i64 = 500;

/// The columns that [`contact`] and [`listed`] read.
macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "SELECT id, company_id, name, title, email, phone, ",
            "(SELECT companies.name FROM companies WHERE companies.id = contacts.company_id) AS company_name ",
            "FROM contacts WHERE ",
            $($rest),+
        )
    };
}

/// Those of a scope.
macro_rules! within {
    () => {
        "($5 = '' OR company_id IN (SELECT own.company_id FROM contacts AS own WHERE own.email_key = $5))"
    };
}

/// A contact in a list of several companies' contacts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Listed {
    /// The contact.
    #[serde(flatten)]
    pub(crate) contact: Contact,
    /// The name of its company.
    pub(crate) company_name: String,
}

/// The contacts of a scope that contain every word of a search, by name; one page of them.
pub(crate) async fn find(pool: &Pool, scope: &Scope, wanted: &Wanted) -> Result<Found<Listed>, sqlx::Error> {
    let mut counting = sqlx::query_scalar::<_, i64>(concat!(
        "SELECT COUNT(*) FROM contacts WHERE ",
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

/// At most `limit` contacts after this number, by number: for going through all of them.
pub(crate) async fn after(pool: &Pool, id: i64, limit: i64) -> Result<Vec<Listed>, sqlx::Error> {
    let rows = sqlx::query(select!("id > $1 ORDER BY id LIMIT $2"))
        .bind(id)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(listed).collect()
}

/// The contacts of a company, by name.
pub(crate) async fn of_company(pool: &Pool, company: i64) -> Result<Vec<Contact>, sqlx::Error> {
    let rows = sqlx::query(select!("company_id = $1 ORDER BY name, id LIMIT $2"))
        .bind(company)
        .bind(MOST)
        .fetch_all(pool)
        .await?;
    rows.iter().map(contact).collect()
}

/// One contact of a company.
pub(crate) async fn get(pool: &Pool, company: i64, id: i64) -> Result<Option<Contact>, sqlx::Error> {
    let row = sqlx::query(select!("company_id = $1 AND id = $2"))
        .bind(company)
        .bind(id)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(contact).transpose()
}

/// The contact of a company that has this e-mail address, or else this name.
pub(crate) async fn alike(
    connection: impl AnyExecutor<'_>,
    company: i64,
    details: &Details,
) -> Result<Option<Contact>, sqlx::Error> {
    let row = sqlx::query(select!(
        "company_id = $1 AND (email_key = $2 OR name = $3) ",
        "ORDER BY CASE WHEN email_key = $2 THEN 0 ELSE 1 END, id LIMIT 1"
    ))
    .bind(company)
    .bind(key(details).unwrap_or_default())
    .bind(&details.name)
    .fetch_optional(connection)
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
    connection: impl AnyExecutor<'_>,
    company: i64,
    details: &Details,
    now: i64,
) -> Result<Created, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO contacts (company_id, name, title, email, phone, email_key, search_text, created_at, updated_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $8 \
         WHERE (SELECT COUNT(*) FROM contacts WHERE company_id = $1) < $9 RETURNING id",
    )
    .bind(company)
    .bind(&details.name)
    .bind(&details.title)
    .bind(&details.email)
    .bind(&details.phone)
    .bind(key(details))
    .bind(searchable(details))
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
    connection: impl AnyExecutor<'_>,
    company: i64,
    id: i64,
    details: &Details,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE contacts SET name = $1, title = $2, email = $3, phone = $4, email_key = $5, search_text = $6, \
         updated_at = $7 WHERE company_id = $8 AND id = $9",
    )
    .bind(&details.name)
    .bind(&details.title)
    .bind(&details.email)
    .bind(&details.phone)
    .bind(key(details))
    .bind(searchable(details))
    .bind(now)
    .bind(company)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes a contact; false if there was none.
pub(crate) async fn delete(pool: &Pool, company: i64, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM contacts WHERE company_id = $1 AND id = $2")
        .bind(company)
        .bind(id)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// By which a client's account is found to belong to the company.
fn key(details: &Details) -> Option<String> {
    details.email.as_deref().and_then(email_key)
}

fn searchable(details: &Details) -> String {
    search_text(&[
        Some(&details.name),
        details.title.as_deref(),
        details.email.as_deref(),
        details.phone.as_deref(),
    ])
}

fn contact(row: &Row) -> Result<Contact, sqlx::Error> {
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

fn listed(row: &Row) -> Result<Listed, sqlx::Error> {
    Ok(Listed {
        contact: contact(row)?,
        company_name: row.try_get("company_name")?,
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

    async fn company(pool: &Pool, name: &str) -> i64 {
        let details = companies::Details {
            name: name.to_owned(),
            ..companies::Details::default()
        };
        companies::store::create(pool, &details, None, 1).await.unwrap()
    }

    #[tokio::test]
    async fn a_contact_goes_with_its_company() {
        let pool = database::in_memory().await;
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
        let pool = database::in_memory().await;
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
        let pool = database::in_memory().await;
        assert_eq!(create(&pool, 77, &kim(), 1).await.unwrap(), Created::NoCompany);
        let company = company(&pool, "Big").await;
        let mut transaction = pool.begin().await.unwrap();
        for _ in 0..MOST {
            assert!(matches!(
                create(&mut transaction, company, &kim(), 1).await.unwrap(),
                Created::Contact(_)
            ));
        }
        transaction.commit().await.unwrap();
        assert_eq!(create(&pool, company, &kim(), 1).await.unwrap(), Created::Full);
    }
}
