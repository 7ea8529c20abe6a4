//! What the gateway lends to every plugin: preferences, limits, counters. Not responsible for fetching.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hivematrix_platform::Preferences;

/// Where users' preferences come from: in the gateway, Codex.
#[async_trait]
pub trait PreferenceSource: Send + Sync + 'static {
    /// What is known without waiting.
    fn cached(&self, email: &str) -> Option<Arc<Preferences>>;

    /// Asks. `None` when it could not be learned; implementations limit the time and share one question
    /// among all who ask for the same user.
    async fn load(&self, email: &str) -> Option<Arc<Preferences>>;
}

/// Nobody's preferences are known, so everybody gets the defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPreferences;

#[async_trait]
impl PreferenceSource for NoPreferences {
    fn cached(&self, _: &str) -> Option<Arc<Preferences>> {
        None
    }

    async fn load(&self, _: &str) -> Option<Arc<Preferences>> {
        None
    }
}

/// What plugins are built with.
#[derive(Clone)]
pub struct Tools {
    /// Users' preferences. Default: [`NoPreferences`].
    pub preferences: Arc<dyn PreferenceSource>,
    /// How long all plugins of a route together may hold back an answer's head. Default 150 ms.
    pub response_deadline: Duration,
    /// Memory ceiling of one page's rewriter, in bytes. Default 1 MiB. A page that needs more goes on
    /// unedited.
    pub rewrite_bytes: usize,
    /// What the chains count.
    pub counters: Arc<Counters>,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            preferences: Arc::new(NoPreferences),
            response_deadline: Duration::from_millis(150),
            rewrite_bytes: 1024 * 1024,
            counters: Arc::default(),
        }
    }
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools")
            .field("response_deadline", &self.response_deadline)
            .field("rewrite_bytes", &self.rewrite_bytes)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// What plugins did, for metrics. All numbers only rise.
#[derive(Debug, Default)]
pub struct Counters {
    pages_edited: AtomicU64,
    pages_left_alone: AtomicU64,
    rewrites_given_up: AtomicU64,
    hook_errors: AtomicU64,
    deadlines_missed: AtomicU64,
}

impl Counters {
    /// Every counter with its metric name (without prefix and `_total`) and meaning.
    #[must_use]
    pub fn read(&self) -> [(&'static str, &'static str, u64); 5] {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            (
                "pages_edited",
                "Documents that got their edits",
                value(&self.pages_edited),
            ),
            (
                "pages_left_alone",
                "Documents that cannot take edits, such as framesets and UTF-16 pages",
                value(&self.pages_left_alone),
            ),
            (
                "rewrites_given_up",
                "Documents that went on unedited after a limit or an error",
                value(&self.rewrites_given_up),
            ),
            (
                "plugin_hook_errors",
                "Errors that plugins' hooks returned",
                value(&self.hook_errors),
            ),
            (
                "plugin_deadlines_missed",
                "Answers that went on before a plugin was ready",
                value(&self.deadlines_missed),
            ),
        ]
    }

    pub(crate) fn page_edited(&self) {
        self.pages_edited.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn page_left_alone(&self) {
        self.pages_left_alone.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rewrite_given_up(&self) {
        self.rewrites_given_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hook_error(&self) {
        self.hook_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn deadline_missed(&self) {
        self.deadlines_missed.fetch_add(1, Ordering::Relaxed);
    }
}
