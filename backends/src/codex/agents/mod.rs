//! Agents: the people who use HiveMatrix, as Codex remembers them, with the preferences that they chose.
//!
//! An agent comes into being at the person's first visit, from the claims of their token, or before it, when the
//! identity provider's users are synchronized (`sync`, from `directory`). Agents are known by their e-mail address,
//! lower-cased, because that is what the gateway asks by (platform README §8); whose token names none is known by the
//! provider's id, once a synchronization has told Codex about them.

pub(crate) mod api;
mod directory;
pub(crate) mod pages;
mod sync;

use hivematrix_platform::{ServiceName, UserData, unix_now};
use sqlx::Row as _;

pub use self::directory::{DirectoryCredential, DirectorySettings};
use super::{
    database::{Pool, Row},
    paging::{Found, Wanted},
    preferences::{Choices, color_theme_named, theme_named},
};

/// What Codex remembers of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    /// The number of the agent.
    pub(crate) id: i64,
    /// The e-mail address, lower-cased.
    pub(crate) email: String,
    /// The name of the last visit or synchronization.
    pub(crate) name: String,
    /// What they chose.
    pub(crate) choices: Choices,
    permission_level: String,
    subject: Option<String>,
    username: Option<String>,
    state: String,
    synced_at: Option<i64>,
}

/// May sign in, as far as is known.
const ACTIVE: &str = "active";
/// Disabled at the provider.
const DISABLED: &str = "disabled";
/// Not known to the provider any more.
const GONE: &str = "gone";

/// The key under which an e-mail address is remembered; `None` for what cannot be one.
pub(crate) fn email_key(email: &str) -> Option<String> {
    let key = email.trim().to_lowercase();
    (key.contains('@') && key.len() <= 254 && !key.contains(char::is_control)).then_some(key)
}

/// The agent of somebody who is visiting: made now if they are new, refreshed if their claims have changed. `None` if
/// their token names no e-mail address and no synchronization has told of them.
pub(crate) async fn visited(pool: &Pool, user: &UserData) -> Result<Option<Agent>, sqlx::Error> {
    let Some(email) = email_key(&user.email) else {
        return by_subject(pool, &user.sub).await;
    };
    let name = if user.name.is_empty() {
        &user.preferred_username
    } else {
        &user.name
    };
    let level = user.permission_level.as_str();
    if let Some(agent) = find(pool, &email).await?
        && agent.name == *name
        && agent.permission_level == level
    {
        // By far the most frequent case: nothing is written.
        return Ok(Some(agent));
    }
    sqlx::query(
        "INSERT INTO agents (email, name, permission_level, subject, username, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $6) \
         ON CONFLICT (email) DO UPDATE SET name = excluded.name, permission_level = excluded.permission_level",
    )
    .bind(&email)
    .bind(name)
    .bind(level)
    .bind(&user.sub)
    .bind(&user.preferred_username)
    .bind(unix_now().cast_signed())
    .execute(pool)
    .await?;
    find(pool, &email).await
}

/// The columns that [`agent`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, permission_level, theme_preference, color_theme, home_page, subject, username, ",
            "state, synced_at FROM agents ",
            $rest
        )
    };
}

/// The agent with this (lower-cased) e-mail address.
pub(crate) async fn find(pool: &Pool, email: &str) -> Result<Option<Agent>, sqlx::Error> {
    let row = sqlx::query(select!("WHERE email = $1"))
        .bind(email)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(agent).transpose()
}

async fn by_subject(pool: &Pool, subject: &str) -> Result<Option<Agent>, sqlx::Error> {
    let row = sqlx::query(select!("WHERE subject = $1 ORDER BY id LIMIT 1"))
        .bind(subject)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(agent).transpose()
}

/// The agents that contain every word of a search, by name; one page of them.
async fn list(pool: &Pool, wanted: &Wanted) -> Result<Found<Agent>, sqlx::Error> {
    macro_rules! matching {
        () => {
            "WHERE lower(name || ' ' || email || ' ' || permission_level || ' ' || state) LIKE $1 ESCAPE '\\' \
             AND lower(name || ' ' || email || ' ' || permission_level || ' ' || state) LIKE $2 ESCAPE '\\' "
        };
    }
    let [first, second, ..] = wanted.patterns();
    let total = sqlx::query_scalar::<_, i64>(concat!("SELECT COUNT(*) FROM agents ", matching!()))
        .bind(first.clone())
        .bind(second.clone())
        .fetch_one(pool)
        .await?;
    let rows = sqlx::query(concat!(
        "SELECT id, email, name, permission_level, theme_preference, color_theme, home_page, subject, username, ",
        "state, synced_at FROM agents ",
        matching!(),
        "ORDER BY name, id LIMIT $3 OFFSET $4"
    ))
    .bind(first)
    .bind(second)
    .bind(wanted.per_page)
    .bind(wanted.offset())
    .fetch_all(pool)
    .await?;
    Ok(Found {
        total,
        rows: rows.iter().map(agent).collect::<Result<_, _>>()?,
    })
}

/// Stores what an agent chose; false if there is no such agent.
pub(crate) async fn choose(pool: &Pool, id: i64, choices: &Choices) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE agents SET theme_preference = $1, color_theme = $2, home_page = $3, updated_at = $4 WHERE id = $5",
    )
    .bind(choices.theme.as_str())
    .bind(choices.color_theme.as_str())
    .bind(choices.home_page.as_ref().map(ServiceName::as_str))
    .bind(unix_now().cast_signed())
    .bind(id)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

fn agent(row: &Row) -> Result<Agent, sqlx::Error> {
    let theme: String = row.try_get("theme_preference")?;
    let color_theme: String = row.try_get("color_theme")?;
    let home_page: Option<String> = row.try_get("home_page")?;
    Ok(Agent {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        // A value that this version does not know (a downgrade, a hand-made change) counts as not chosen.
        choices: Choices {
            theme: theme_named(&theme).unwrap_or_default(),
            color_theme: color_theme_named(&color_theme).unwrap_or_default(),
            home_page: home_page.and_then(|name| name.parse().ok()),
        },
        permission_level: row.try_get("permission_level")?,
        subject: row.try_get("subject")?,
        username: row.try_get("username")?,
        state: row.try_get("state")?,
        synced_at: row.try_get("synced_at")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use hivematrix_platform::{PermissionLevel, Theme};

    use super::*;
    use crate::codex::database;

    fn user(email: &str, name: &str) -> UserData {
        UserData {
            sub: "1".to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            preferred_username: "kim".to_owned(),
            permission_level: PermissionLevel::Client,
            groups: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_first_visit_makes_an_agent_and_a_later_one_refreshes_it_without_losing_what_was_chosen() {
        let pool = database::in_memory().await;
        let first = visited(&pool, &user("Kim@Example.com", "Kim"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (first.email.as_str(), first.name.as_str()),
            ("kim@example.com", "Kim")
        );

        let dark = Choices {
            theme: Theme::Dark,
            ..Choices::default()
        };
        assert!(choose(&pool, first.id, &dark).await.unwrap());
        let later = visited(&pool, &user("kim@example.COM", "Kim Lee"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (later.id, later.name.as_str(), later.choices),
            (first.id, "Kim Lee", dark)
        );
    }

    #[tokio::test]
    async fn who_has_no_email_address_has_no_agent() {
        let pool = database::in_memory().await;
        for email in ["", "  ", "kim", "kim@exa\nmple.com"] {
            assert_eq!(
                visited(&pool, &user(email, "Kim")).await.unwrap(),
                None,
                "for {email:?}"
            );
        }
    }
}
