//! Keeps contacts in the database: one function per statement, no policy.

use sqlx::{AnyExecutor, Row as _};

use super::{Contact, Details};
use crate::codex::{
    agents::email_key,
    belongings::Belonging as _,
    database::Row,
    paging::{matching, search_text},
    tables::{Owned, SaveError, Searched, must_be_there, number},
};

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

impl Searched for Listed {
    const COUNT: &'static str = concat!(
        "SELECT COUNT(*) FROM contacts WHERE ",
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
            contact: contact(row)?,
            company_name: row.try_get("company_name")?,
        })
    }
}

impl Owned for Contact {
    const MOST: i64 = 500;
    const OF_COMPANY: &'static str = select!("company_id = $1 ORDER BY name, id LIMIT $2");
    const ONE: &'static str = select!("company_id = $1 AND id = $2");
    const DELETE: &'static str = "DELETE FROM contacts WHERE company_id = $1 AND id = $2";

    fn owned(row: &Row) -> Result<Self, sqlx::Error> {
        contact(row)
    }
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

/// Stores a new contact and answers its number.
pub(crate) async fn create(
    connection: impl AnyExecutor<'_>,
    company: i64,
    details: &Details,
    now: i64,
) -> Result<i64, SaveError> {
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
    .bind(Contact::MOST)
    .fetch_optional(connection)
    .await
    .map_err(SaveError::of)?;
    inserted.map_or_else(
        || Err(SaveError::full(Contact::MOST, Contact::PLURAL)),
        |row| number(&row),
    )
}

/// Replaces what is known of a contact.
pub(crate) async fn update(
    connection: impl AnyExecutor<'_>,
    company: i64,
    id: i64,
    details: &Details,
    now: i64,
) -> Result<(), SaveError> {
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
    must_be_there(&done)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::codex::{
        companies,
        database::{self, Pool},
        tables::{delete, of_company, one},
    };

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
        assert_eq!(of_company::<Contact>(&pool, spared).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_contact_is_found_under_its_own_company_only() {
        let pool = database::in_memory().await;
        let (own, other) = (company(&pool, "Own").await, company(&pool, "Other").await);
        let id = create(&pool, own, &kim(), 1).await.unwrap();
        assert!(one::<Contact>(&pool, own, id).await.unwrap().is_some());
        assert!(one::<Contact>(&pool, other, id).await.unwrap().is_none());
        let updated = update(&pool, other, id, &kim(), 2).await;
        assert!(matches!(updated, Err(SaveError::Missing)));
        assert!(!delete::<Contact>(&pool, other, id).await.unwrap());
        assert!(delete::<Contact>(&pool, own, id).await.unwrap());
    }

    #[tokio::test]
    async fn contacts_have_a_limit_and_need_a_company() {
        let pool = database::in_memory().await;
        let homeless = create(&pool, 77, &kim(), 1).await;
        assert!(matches!(homeless, Err(SaveError::Missing)));
        let company = company(&pool, "Big").await;
        let mut transaction = pool.begin().await.unwrap();
        for _ in 0..Contact::MOST {
            create(&mut transaction, company, &kim(), 1).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let one_more = create(&pool, company, &kim(), 1).await;
        assert!(matches!(one_more, Err(SaveError::Conflict(_))));
    }
}
