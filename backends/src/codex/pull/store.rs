//! How far each run has come: one row per run.

use serde::Serialize;
use sqlx::{AnyExecutor, Row as _};

use crate::codex::database::{Pool, Row};

/// Runs that are remembered for each source; older ones are forgotten.
const KEPT: i64 = 100;

/// A run that is neither finished nor broken off any more than this many seconds is begun anew: what it has seen is old.
const STALE: i64 = 24 * 3600;

/// A run, under way or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Run {
    /// Its number.
    pub(crate) id: i64,
    /// `running`, `finished` or `failed`.
    pub(crate) state: String,
    /// The page to ask for next; null once it is finished.
    pub(crate) next_page: Option<i64>,
    /// Pages taken over.
    pub(crate) pages: i64,
    /// Companies that were new.
    pub(crate) created: i64,
    /// Companies that have changed.
    pub(crate) changed: i64,
    /// Companies that have not.
    pub(crate) unchanged: i64,
    /// Companies with values that are not acceptable.
    pub(crate) refused: i64,
    /// Why it failed.
    pub(crate) message: Option<String>,
    /// When it began, Unix seconds.
    pub(crate) started_at: i64,
    /// When it last got on, Unix seconds.
    pub(crate) updated_at: i64,
}

/// The columns that [`run`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, state, next_page, pages, created, changed, unchanged, refused, message, started_at, updated_at ",
            "FROM pulls ",
            $rest
        )
    };
}

/// The newest runs, newest first.
pub(super) async fn newest(pool: &Pool, source: &str, limit: i64) -> Result<Vec<Run>, sqlx::Error> {
    let rows = sqlx::query(select!("WHERE source = $1 ORDER BY id DESC LIMIT $2"))
        .bind(source)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(run).collect()
}

/// The run to go on with, or a new one.
pub(super) async fn begin(pool: &Pool, source: &str, now: i64) -> Result<Run, sqlx::Error> {
    if let Some(last) = newest(pool, source, 1).await?.pop()
        && last.next_page.is_some()
        && now - last.updated_at < STALE
    {
        return Ok(last);
    }
    let row = sqlx::query(
        "INSERT INTO pulls (source, state, next_page, started_at, updated_at) VALUES ($1, 'running', 1, $2, $2) \
         RETURNING id",
    )
    .bind(source)
    .bind(now)
    .fetch_one(pool)
    .await?;
    let id: i64 = row.try_get("id")?;
    sqlx::query(
        "DELETE FROM pulls WHERE source = $1 AND id NOT IN \
         (SELECT id FROM pulls WHERE source = $1 ORDER BY id DESC LIMIT $2)",
    )
    .bind(source)
    .bind(KEPT)
    .execute(pool)
    .await?;
    let row = sqlx::query(select!("WHERE id = $1"))
        .bind(id)
        .fetch_one(pool)
        .await?;
    run(&row)
}

/// Notes how far a run has come.
pub(super) async fn note(connection: impl AnyExecutor<'_>, run: &Run, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE pulls SET state = $1, next_page = $2, pages = $3, created = $4, changed = $5, unchanged = $6, \
         refused = $7, message = $8, updated_at = $9 WHERE id = $10",
    )
    .bind(&run.state)
    .bind(run.next_page)
    .bind(run.pages)
    .bind(run.created)
    .bind(run.changed)
    .bind(run.unchanged)
    .bind(run.refused)
    .bind(&run.message)
    .bind(now)
    .bind(run.id)
    .execute(connection)
    .await?;
    Ok(())
}

fn run(row: &Row) -> Result<Run, sqlx::Error> {
    Ok(Run {
        id: row.try_get("id")?,
        state: row.try_get("state")?,
        next_page: row.try_get("next_page")?,
        pages: row.try_get("pages")?,
        created: row.try_get("created")?,
        changed: row.try_get("changed")?,
        unchanged: row.try_get("unchanged")?,
        refused: row.try_get("refused")?,
        message: row.try_get("message")?,
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
