//! Runs: page after page, each taken over in one transaction with the note that it was.

use hivematrix_platform::unix_now;
use tokio::sync::Mutex;

use super::{
    PullSettings,
    source::{Page, Record, page},
    store::{self, Run},
};
use crate::codex::{
    companies::{Details, External, store as companies},
    database::{Connection, Pool},
    fields::FieldErrors,
    tables::SaveError,
};

/// Most pages of one run: a source that never ends must not keep us for ever.
const MOST_PAGES: i64 = 100_000;

/// Pulls companies, one run at a time.
pub(crate) struct Puller {
    settings: PullSettings,
    pool: Pool,
    running: Mutex<()>,
}

/// What became of one company.
enum Outcome {
    Created,
    Changed,
    Unchanged,
    Refused(FieldErrors),
}

impl Puller {
    pub(super) fn new(settings: PullSettings, pool: Pool) -> Self {
        Self {
            settings,
            pool,
            running: Mutex::new(()),
        }
    }

    /// What the other system is called.
    pub(crate) fn source(&self) -> &str {
        self.settings.source.as_str()
    }

    /// The newest runs, newest first.
    pub(crate) async fn newest(&self, limit: i64) -> Result<Vec<Run>, sqlx::Error> {
        store::newest(&self.pool, self.source(), limit).await
    }

    /// Begins a run, or goes on with the one that was broken off, and stays until it is over. `None` while another one
    /// is under way, or when the database failed, which is logged: the note in it is what would have told.
    pub(crate) async fn run(&self) -> Option<Run> {
        let _only = self.running.try_lock().ok()?;
        match self.to_the_end().await {
            Ok(run) => Some(run),
            Err(error) => {
                tracing::error!(reason = "pull_database", source = self.source(), %error, "a pull was broken off");
                None
            }
        }
    }

    async fn to_the_end(&self) -> Result<Run, sqlx::Error> {
        let mut run = store::begin(&self.pool, self.source(), unix_now().cast_signed()).await?;
        if run.state != "running" {
            tracing::info!(
                source = self.source(),
                page = run.next_page,
                "a pull goes on where it was broken off"
            );
            "running".clone_into(&mut run.state);
            run.message = None;
        }
        while let Some(number) = run.next_page {
            match page(&self.settings, number).await {
                Ok(page) => run = self.take_over(run, number, &page).await?,
                Err(error) => {
                    "failed".clone_into(&mut run.state);
                    run.message = Some(format!(
                        "Page {number} of {} could not be had: {error}. The next run goes on there.",
                        self.source()
                    ));
                    tracing::error!(reason = "pull_failed", source = self.source(), page = number, %error, "a pull has failed");
                    store::note(&self.pool, &run, unix_now().cast_signed()).await?;
                    break;
                }
            }
        }
        Ok(run)
    }

    /// Takes a page over, and answers the run as it is then. Nothing of it is there unless all of it is.
    async fn take_over(&self, mut run: Run, number: i64, page: &Page) -> Result<Run, sqlx::Error> {
        let now = unix_now().cast_signed();
        let mut transaction = self.pool.begin().await?;
        // Written first: who reads first and writes later may have to give up in favour of somebody else.
        store::note(&mut transaction, &run, now).await?;
        for record in &page.companies {
            match self.one(&mut transaction, record, now).await? {
                Outcome::Created => run.created += 1,
                Outcome::Changed => run.changed += 1,
                Outcome::Unchanged => run.unchanged += 1,
                Outcome::Refused(errors) => {
                    run.refused += 1;
                    tracing::warn!(
                        reason = "pull_refused",
                        source = self.source(),
                        page = number,
                        id = record.shown_number(),
                        errors = errors.sentences(),
                        "a company was left alone"
                    );
                }
            }
        }
        run.pages += 1;
        // A page that points back would lead in circles.
        run.next_page = page
            .next_page
            .filter(|next| *next > number && run.pages < MOST_PAGES);
        if run.next_page.is_none() {
            "finished".clone_into(&mut run.state);
        }
        store::note(&mut transaction, &run, now).await?;
        transaction.commit().await?;
        tracing::info!(
            source = self.source(),
            page = number,
            companies = page.companies.len(),
            state = run.state,
            "a page was taken over"
        );
        Ok(run)
    }

    async fn one(
        &self,
        connection: &mut Connection<'_>,
        record: &Record,
        now: i64,
    ) -> Result<Outcome, sqlx::Error> {
        let Some(id) = record.number() else {
            let errors = FieldErrors::one("id", "This must be a whole number of 64 bits.");
            return Ok(Outcome::Refused(errors));
        };
        let details = match record.typed().check() {
            Ok(details) => details,
            Err(errors) => return Ok(Outcome::Refused(errors)),
        };
        let external = External {
            source: self.source().to_owned(),
            id,
        };
        // What the database refuses must not spoil the rest of the page.
        let mut savepoint = connection.begin().await?;
        match save(&mut savepoint, &external, &details, now).await {
            Ok(outcome) => {
                savepoint.commit().await?;
                Ok(outcome)
            }
            Err(SaveError::Database(error)) => Err(error),
            Err(SaveError::Refused(errors) | SaveError::Conflict(errors)) => {
                savepoint.rollback().await?;
                Ok(Outcome::Refused(errors))
            }
            Err(SaveError::Missing) => {
                savepoint.rollback().await?;
                Ok(Outcome::Refused(FieldErrors::general("It was deleted just now.")))
            }
        }
    }
}

/// Stores a company under its number there. One that was here before, by account number or name, is the same one.
async fn save(
    connection: &mut Connection<'_>,
    external: &External,
    details: &Details,
    now: i64,
) -> Result<Outcome, SaveError> {
    let known = companies::by_external(&mut *connection, external).await?;
    let stored = match known {
        Some(stored) => stored,
        None => match companies::alike(&mut *connection, details).await? {
            None => {
                companies::create(connection, details, Some(external), now).await?;
                return Ok(Outcome::Created);
            }
            Some(stored) if stored.external.is_some() => {
                let other = stored
                    .external
                    .map_or_else(String::new, |other| format!("{} {}", other.source, other.id));
                let message = format!("The company “{}” is {other} already.", stored.details.name);
                return Err(SaveError::Refused(FieldErrors::one("id", message)));
            }
            Some(stored) => {
                companies::link(&mut *connection, stored.id, external).await?;
                companies::update(connection, stored.id, details, now).await?;
                return Ok(Outcome::Changed);
            }
        },
    };
    if stored.details == *details {
        return Ok(Outcome::Unchanged);
    }
    companies::update(connection, stored.id, details, now).await?;
    Ok(Outcome::Changed)
}
