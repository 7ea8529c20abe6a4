//! Takes over the identity provider's users as agents: all of them or, when something fails, none.
//!
//! Preferences are kept. Agents whom the provider does not know (any more) are marked and never deleted: a person who
//! comes back finds what they chose.

use hivematrix_platform::unix_now;
use serde::Serialize;
use sqlx::Row as _;

use super::{
    ACTIVE, DISABLED, GONE,
    directory::{DirectoryError, DirectorySettings, Person, people},
    email_key,
};
use crate::codex::database::{Connection, Pool};

/// Most names of a report that are listed.
const LISTED: usize = 20;

/// What a synchronization has done.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Agents that are new.
    pub(crate) created: u32,
    /// Agents of whom something has changed.
    pub(crate) changed: u32,
    /// Agents of whom nothing has changed.
    pub(crate) unchanged: u32,
    /// Agents whom the provider does not know any more.
    pub(crate) gone: u32,
    /// Users who cannot be agents, with the reason; the first few of them.
    pub(crate) skipped: Vec<String>,
}

/// Why agents could not be synchronized.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// The provider could not be asked.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Asks the provider, and then writes everything in one transaction.
pub(crate) async fn sync(pool: &Pool, directory: &DirectorySettings) -> Result<Report, SyncError> {
    let people = people(directory).await?;
    let report = take_over(pool, &people, unix_now().cast_signed()).await?;
    tracing::info!(
        created = report.created,
        changed = report.changed,
        unchanged = report.unchanged,
        gone = report.gone,
        skipped = report.skipped.len(),
        "agents were synchronized with the identity provider"
    );
    Ok(report)
}

async fn take_over(pool: &Pool, people: &[Person], now: i64) -> Result<Report, sqlx::Error> {
    let mut report = Report::default();
    let mut transaction = pool.begin().await?;
    // Written first, so that two synchronizations wait for each other; what is left with it at the end is gone.
    let known = sqlx::query("UPDATE agents SET synced_at = -1 WHERE synced_at IS NOT NULL")
        .execute(&mut transaction)
        .await?;
    tracing::debug!(known = known.rows_affected(), "agents known from before");
    for person in people {
        match email_key(person.email.as_deref().unwrap_or_default()) {
            Some(email) => match one(&mut transaction, person, &email, now).await? {
                Outcome::Created => report.created += 1,
                Outcome::Changed => report.changed += 1,
                Outcome::Unchanged => report.unchanged += 1,
            },
            None if report.skipped.len() < LISTED => report
                .skipped
                .push(format!("{} has no e-mail address", person.username)),
            None => {}
        }
    }
    let gone = sqlx::query("UPDATE agents SET state = $1, synced_at = $2 WHERE synced_at = -1")
        .bind(GONE)
        .bind(now)
        .execute(&mut transaction)
        .await?;
    report.gone = u32::try_from(gone.rows_affected()).unwrap_or(u32::MAX);
    transaction.commit().await?;
    Ok(report)
}

enum Outcome {
    Created,
    Changed,
    Unchanged,
}

/// One person. An agent is the person's by the provider's id, or else by the e-mail address.
async fn one(
    connection: &mut Connection<'_>,
    person: &Person,
    email: &str,
    now: i64,
) -> Result<Outcome, sqlx::Error> {
    let found = sqlx::query(
        "SELECT id, email, name, permission_level, subject, username, state FROM agents WHERE subject = $1 OR email = $2 \
         ORDER BY CASE WHEN email = $2 THEN 0 ELSE 1 END, id LIMIT 1",
    )
    .bind(&person.subject)
    .bind(email)
    .fetch_optional(&mut *connection)
    .await?;
    let state = if person.enabled { ACTIVE } else { DISABLED };
    let level = person.level.as_str();
    let Some(row) = found else {
        sqlx::query(
            "INSERT INTO agents (email, name, permission_level, subject, username, state, synced_at, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7)",
        )
        .bind(email)
        .bind(&person.name)
        .bind(level)
        .bind(&person.subject)
        .bind(&person.username)
        .bind(state)
        .bind(now)
        .execute(connection)
        .await?;
        return Ok(Outcome::Created);
    };
    let id: i64 = row.try_get("id")?;
    let is = |column: &str, value: &str| {
        let stored: Result<Option<String>, _> = row.try_get(column);
        stored.map(|stored| stored.as_deref() == Some(value))
    };
    let same = is("email", email)?
        && is("name", &person.name)?
        && is("permission_level", level)?
        && is("subject", &person.subject)?
        && is("username", &person.username)?
        && is("state", state)?;
    sqlx::query(
        "UPDATE agents SET email = $1, name = $2, permission_level = $3, subject = $4, username = $5, state = $6, \
         synced_at = $7 WHERE id = $8",
    )
    .bind(email)
    .bind(&person.name)
    .bind(level)
    .bind(&person.subject)
    .bind(&person.username)
    .bind(state)
    .bind(now)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(if same {
        Outcome::Unchanged
    } else {
        Outcome::Changed
    })
}
