//! Opens Codex's SQLite database and brings its schema up to date.
//!
//! The migrations are part of the program: a new version of it finds an old file and moves it forward. What is stored
//! in the tables is the business of the modules that own them (`companies`, `contacts`, `agents`).

use std::{borrow::Cow, str::FromStr, time::Duration};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// How many connections one Codex holds. SQLite writes one at a time anyway; readers run beside the writer (WAL).
const CONNECTIONS: u32 = 4;

/// How long a statement waits for another writer before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Version, name and text of every migration, oldest first. Append; never change one that has shipped.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "codex", include_str!("../../migrations/0001_codex.sql"))];

/// Why Codex's database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is wrong, the file cannot be opened, or it is not a database.
    #[error("the database cannot be opened: {0}")]
    Open(#[from] sqlx::Error),
    /// The schema cannot be brought up to date, for instance because a newer Codex has written it.
    #[error("the database cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Opens (and creates, if need be) the database behind `url`: `sqlite:path/to/codex.db` or `sqlite::memory:`.
pub(crate) async fn open(url: &str) -> Result<SqlitePool, DatabaseError> {
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // With WAL this survives a crash of the program; a power cut may cost the last transactions, never the file.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
    let pool = if in_memory {
        // The data live as long as the connection does, so there is exactly one, and it is never closed for idleness.
        pool.max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
    } else {
        pool.max_connections(CONNECTIONS)
    };
    let pool = pool.connect_with(options).await?;
    migrator().run(&pool).await?;
    Ok(pool)
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS
        .iter()
        .map(|&(version, name, sql)| {
            Migration::new(
                version,
                Cow::Borrowed(name),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    async fn pragma(pool: &SqlitePool, sql: &'static str) -> String {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::query_scalar::<_, String>(sql)
            .fetch_one(&mut *connection)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_file_is_created_with_wal_and_foreign_keys_and_found_again_as_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("codex.db").display());
        let pool = open(&url).await.unwrap();
        assert_eq!(
            pragma(&pool, "SELECT journal_mode FROM pragma_journal_mode").await,
            "wal"
        );
        assert_eq!(
            pragma(
                &pool,
                "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys"
            )
            .await,
            "1"
        );
        sqlx::query("INSERT INTO agents (email, name, permission_level, created_at, updated_at) VALUES ('a@b.c', 'A', 'admin', 1, 1)")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;

        let again = open(&url).await.unwrap();
        assert_eq!(pragma(&again, "SELECT email FROM agents").await, "a@b.c");
    }

    #[tokio::test]
    async fn a_database_written_by_a_newer_codex_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("codex.db").display());
        let pool = open(&url).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'from the future', TRUE, x'00', 1)",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;

        assert!(matches!(open(&url).await, Err(DatabaseError::Migrate(_))));
    }

    #[tokio::test]
    async fn what_is_not_a_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("codex.db");
        std::fs::write(
            &file,
            "this is a letter, not a database; it is long enough to be read as a header, though",
        )
        .unwrap();
        assert!(open(&format!("sqlite:{}", file.display())).await.is_err());
        assert!(open("postgres://localhost/codex").await.is_err());
    }
}
