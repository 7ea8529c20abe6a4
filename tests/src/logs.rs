//! What the product logs while a case runs.
//!
//! A case runs on one thread, so a subscriber that is the thread's own sees the case's events and no others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// One event.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// How bad it is.
    pub level: Level,
    /// The module, or the name that was given.
    pub target: String,
    /// All fields in their `Debug` or `Display` form; the text is `message`.
    pub fields: BTreeMap<String, String>,
}

impl LogLine {
    /// A field; empty if it is not there.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// The events of a case, oldest first.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<LogLine>>>);

impl Logs {
    /// Begins to collect what this thread logs, until the guard is dropped.
    pub(crate) fn collect() -> (Self, DefaultGuard) {
        let logs = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(logs.clone()));
        (logs, guard)
    }

    /// All events so far.
    #[must_use]
    pub fn all(&self) -> Vec<LogLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The gateway's access log so far: one line per request that has ended.
    #[must_use]
    pub fn access(&self) -> Vec<LogLine> {
        self.all()
            .into_iter()
            .filter(|line| line.target == "hivematrix::access")
            .collect()
    }

    /// Everything as one text, to search for what must not be in it.
    #[must_use]
    pub fn text(&self) -> String {
        self.all().iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{} {} {:?}", line.level, line.target, line.fields);
            text
        })
    }

    /// Writes the last events to stderr, for whoever reads why a case failed.
    pub(crate) fn show_last(&self, count: usize) {
        let all = self.all();
        for line in all.iter().skip(all.len().saturating_sub(count)) {
            eprintln!("{:5} {} {:?}", line.level, line.target, line.fields);
        }
    }
}

impl<S: Subscriber> Layer<S> for Logs {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::DEBUG || !metadata.target().starts_with("hivematrix") {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = LogLine {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            fields: fields.0,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
