//! Imports a file: all of its rows, or none and everything that is wrong.
//!
//! One transaction. Each row is tried at a savepoint, so that a row that the database refuses does not hide the faults
//! of the rows after it.

use std::collections::HashMap;

use hivematrix_platform::unix_now;
use serde::Serialize;
use sqlx::Row as _;

use super::{
    Kind,
    rows::{Change, RowError, take},
    sheet::{Problem, Row, Sheet},
};
use crate::codex::database::{Connection, Pool};

/// What an import has done, or would do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    /// Rows that were new.
    pub(super) created: i64,
    /// Rows that have changed what was there.
    pub(super) changed: i64,
    /// Rows that said what was known.
    pub(super) unchanged: i64,
}

/// Why a file was not imported.
#[derive(Debug)]
pub(super) enum ImportError {
    /// It has these faults, by line.
    Problems(Vec<Problem>),
    /// The database failed.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for ImportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Imports `file` for the person with this e-mail address; with `only_check`, everything is taken back at the end.
pub(super) async fn import(
    pool: &Pool,
    kind: Kind,
    file: &[u8],
    email: &str,
    only_check: bool,
) -> Result<Done, ImportError> {
    let sheet = Sheet::read(kind, file).map_err(ImportError::Problems)?;
    let now = unix_now().cast_signed();
    let mut transaction = pool.begin().await?;
    // Written first: who reads first and writes later may have to give up in favour of somebody else.
    let id: i64 = sqlx::query(
        "INSERT INTO imports (kind, email, created, changed, unchanged, created_at) VALUES ($1, $2, 0, 0, 0, $3) \
         RETURNING id",
    )
    .bind(kind.name())
    .bind(email)
    .bind(now)
    .fetch_one(&mut transaction)
    .await?
    .try_get("id")?;
    let (mut done, mut problems) = (Done::default(), Vec::new());
    let mut lines: HashMap<i64, u64> = HashMap::new();
    for row in &sheet.rows {
        match one(&mut transaction, kind, row, now, &mut lines).await {
            Ok(Taken::Over(Change::Created)) => done.created += 1,
            Ok(Taken::Over(Change::Changed)) => done.changed += 1,
            Ok(Taken::Over(Change::Unchanged)) => done.unchanged += 1,
            Ok(Taken::Before(line)) => {
                problems.push(Problem::line(
                    row.line,
                    format!("This is about the same as line {line}."),
                ));
            }
            Err(RowError::Fields(errors)) => {
                problems.extend(
                    errors
                        .iter()
                        .map(|error| sheet.problem(row, error.field, &error.message)),
                );
            }
            Err(RowError::Database(error)) => return Err(error.into()),
        }
    }
    if !problems.is_empty() {
        transaction.rollback().await?;
        return Err(ImportError::Problems(problems));
    }
    if only_check {
        transaction.rollback().await?;
        return Ok(done);
    }
    sqlx::query("UPDATE imports SET created = $1, changed = $2, unchanged = $3 WHERE id = $4")
        .bind(done.created)
        .bind(done.changed)
        .bind(done.unchanged)
        .bind(id)
        .execute(&mut transaction)
        .await?;
    transaction.commit().await?;
    tracing::info!(
        kind = kind.name(),
        created = done.created,
        changed = done.changed,
        unchanged = done.unchanged,
        "a file was imported"
    );
    Ok(done)
}

/// What became of a row.
enum Taken {
    /// It was taken over.
    Over(Change),
    /// It is about the same as the row of this line, so it was left.
    Before(u64),
}

async fn one(
    connection: &mut Connection<'_>,
    kind: Kind,
    row: &Row,
    now: i64,
    lines: &mut HashMap<i64, u64>,
) -> Result<Taken, RowError> {
    let mut savepoint = connection.begin().await?;
    let taken = match take(&mut savepoint, kind, row, now).await {
        Ok((about, change)) => match lines.get(&about) {
            Some(line) => Ok(Taken::Before(*line)),
            None => {
                lines.insert(about, row.line);
                savepoint.commit().await?;
                return Ok(Taken::Over(change));
            }
        },
        Err(error) => Err(error),
    };
    savepoint.rollback().await?;
    taken
}
