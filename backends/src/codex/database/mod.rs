//! Opens Codex's database, SQLite or PostgreSQL by its URL, and brings its schema up to date.
//!
//! Every statement of Codex is written once, for both: numbered parameters (`$1`), 64-bit integers, text, and nothing
//! that only one of the two understands. The migrations, too, exist once (`migrations`). What is stored in the tables
//! is the business of the modules that own them (`companies`, `contacts`, `assets`, `agents`, `pull`).

mod limited;
mod migrations;

use std::{str::FromStr, time::Duration};

use sqlx::{
    AnyConnection, AssertSqlSafe, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use url::Url;

pub(crate) use self::limited::{Connection, Pool};

/// A row of either database.
pub(crate) type Row = sqlx::any::AnyRow;

/// How many connections one Codex holds. SQLite writes one at a time anyway; readers run beside the writer (WAL).
const CONNECTIONS: u32 = 4;

/// The same with PostgreSQL, where writers run side by side.
const POSTGRES_CONNECTIONS: u32 = 16;

/// How long a request waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why Codex's database cannot be used. Never says what the URL is: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL cannot be understood.
    #[error(
        "the database must be a file (sqlite:path/to/codex.db), sqlite::memory:, or a PostgreSQL URL \
         (postgres://user:password@host/database): {0}"
    )]
    Url(String),
    /// The file cannot be opened or is not a database; the server does not answer or refuses the user.
    #[error("the database cannot be opened: {0}")]
    Open(#[from] sqlx::Error),
    /// The schema cannot be brought up to date, for instance because a newer Codex has written it.
    #[error("the database cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Memory,
    Postgres,
}

/// Opens the database behind `url`: `sqlite:path/to/codex.db` (created, if need be), `sqlite::memory:`, or
/// `postgres://user:password@host/database` (which must exist; its tables need not). No statement takes longer than
/// `limit`.
pub(crate) async fn open(url: &str, limit: Duration) -> Result<Pool, DatabaseError> {
    sqlx::any::install_default_drivers();
    let (kind, options) = understand(url)?;
    let pool = AnyPoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| Box::pin(prepare(connection, kind, limit)))
        .after_release(move |connection, _| Box::pin(is_well(connection, kind, limit)));
    let pool = match kind {
        // The data live as long as the connection does, so there is exactly one, and it is never closed for idleness.
        Kind::Memory => pool
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None),
        Kind::File => pool.max_connections(CONNECTIONS),
        Kind::Postgres => pool.max_connections(POSTGRES_CONNECTIONS),
    };
    let pool = pool.connect_with(options).await?;
    let mut connection = pool.acquire().await?;
    if kind == Kind::Postgres {
        // A migration may take its time, and Codexes that start at once wait for each other.
        sqlx::query("SET statement_timeout = 0")
            .execute(&mut *connection)
            .await?;
        migrations::of(kind).run(&mut connection).await?;
        connection.close().await?;
    } else {
        migrations::of(kind).run(&mut connection).await?;
    }
    Ok(Pool::new(pool, limit))
}

/// Makes a new connection ready.
async fn prepare(connection: &mut AnyConnection, kind: Kind, limit: Duration) -> Result<(), sqlx::Error> {
    match kind {
        Kind::Memory => {}
        Kind::File => {
            // Readers beside the writer. With WAL, NORMAL survives a crash of the program; a power cut may cost the last
            // transactions, never the file.
            for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"] {
                sqlx::query(pragma).execute(&mut *connection).await?;
            }
        }
        Kind::Postgres => {
            // Before we give the statement up, and the connection with it.
            let earlier = (limit * 4 / 5).as_millis().max(1);
            let set = AssertSqlSafe(format!("SET statement_timeout = {earlier}"));
            sqlx::query(set).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Whether a connection that comes back can be used again. One whose statement was given up may still wait for the
/// answer; without this, whoever waits for it would never end, and the connection would be missed for good.
async fn is_well(connection: &mut AnyConnection, kind: Kind, limit: Duration) -> Result<bool, sqlx::Error> {
    match kind {
        // Its data would go with it.
        Kind::Memory => Ok(true),
        Kind::File | Kind::Postgres => Ok(limited::within(limit, connection.ping()).await.is_ok()),
    }
}

fn understand(url: &str) -> Result<(Kind, AnyConnectOptions), DatabaseError> {
    let unknown = |why: &str| DatabaseError::Url(why.to_owned());
    let (scheme, rest) = url.split_once(':').ok_or_else(|| unknown("it has no scheme"))?;
    let (kind, url) = match scheme {
        "postgres" | "postgresql" => (Kind::Postgres, url.to_owned()),
        "sqlite" if rest.contains(":memory:") || rest.contains("mode=memory") => {
            (Kind::Memory, url.to_owned())
        }
        "sqlite" if rest.contains("mode=") => (Kind::File, url.to_owned()),
        "sqlite" => {
            let separator = if rest.contains('?') { '&' } else { '?' };
            (Kind::File, format!("{url}{separator}mode=rwc"))
        }
        _ => return Err(unknown("another scheme is not known")),
    };
    if kind == Kind::Postgres {
        Url::parse(&url).map_err(|error| unknown(&error.to_string()))?;
    }
    Ok((kind, AnyConnectOptions::from_str(&url)?))
}

/// Whether `error` says that a value is taken which must be unique, in the column of this name.
///
/// SQLite names the column, PostgreSQL the index; the indexes of our migrations are called after table and column.
pub(crate) fn is_taken(error: &sqlx::Error, column: &str) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            database.is_unique_violation() && database.message().contains(column)
        }
        _ => false,
    }
}

/// A database in memory, for tests.
#[cfg(test)]
pub(crate) async fn in_memory() -> Pool {
    open("sqlite::memory:", Duration::from_secs(10))
        .await
        .expect("a database in memory")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    async fn pragma(pool: &Pool, sql: &'static str) -> String {
        sqlx::query_scalar::<_, String>(sql)
            .fetch_one(pool)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_file_is_created_with_wal_and_foreign_keys_and_found_again_as_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("codex.db").display());
        let pool = open(&url, LIMIT).await.unwrap();
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

        let again = open(&url, LIMIT).await.unwrap();
        assert_eq!(pragma(&again, "SELECT email FROM agents").await, "a@b.c");
    }

    #[tokio::test]
    async fn a_database_written_by_a_newer_codex_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("codex.db").display());
        let pool = open(&url, LIMIT).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'from the future', TRUE, x'00', 1)",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;

        assert!(matches!(open(&url, LIMIT).await, Err(DatabaseError::Migrate(_))));
    }

    #[tokio::test]
    async fn what_is_not_a_database_is_refused_and_no_password_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("codex.db");
        std::fs::write(
            &file,
            "this is a letter, not a database; it is long enough to be read as a header, though",
        )
        .unwrap();
        assert!(open(&format!("sqlite:{}", file.display()), LIMIT).await.is_err());
        for url in [
            "codex.db",
            "mysql://u:secret@localhost/x",
            "postgres://u:secret@[::/x",
        ] {
            let error = open(url, LIMIT).await.unwrap_err();
            assert!(matches!(error, DatabaseError::Url(_)), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
