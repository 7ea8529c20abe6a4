//! Notices that the configuration changed and reads it again. A bad file changes nothing and is reported in the
//! log. What a new configuration then changes is decided by whoever waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::{Environment, Location};
use crate::config::Config;
use hivematrix_plugins::Registry;

/// Editors write in several steps, and so do deployments: a change counts when this long nothing has happened.
const QUIET: Duration = Duration::from_millis(200);

/// Watches a configuration file and everything that it was read from: registry, certificates, secrets.
///
/// The folders are watched rather than the files, because editors and Kubernetes replace files. What
/// counts is the content: a file that was only touched yields nothing.
pub struct Watch {
    location: Location,
    environment: Environment,
    registry: Registry,
    /// What was read, each file with a number that stands for its content.
    files: BTreeMap<PathBuf, u64>,
    folders: BTreeSet<PathBuf>,
    stirred: Arc<Notify>,
    /// Something happened that has not been looked at.
    pending: bool,
    watcher: RecommendedWatcher,
}

/// The system cannot tell us about changes.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be watched for changes: {source}", folder.display())]
pub struct WatchError {
    folder: PathBuf,
    source: notify::Error,
}

impl Watch {
    /// Begins to watch; `current` is what was read from there before.
    ///
    /// # Errors
    /// If the system refuses, for instance because too many files are watched already.
    pub fn start(
        location: impl Into<Location>,
        environment: Environment,
        registry: Registry,
        current: &Config,
    ) -> Result<Self, WatchError> {
        let location = location.into();
        let stirred = Arc::new(Notify::new());
        let signal = stirred.clone();
        let on_event = move |event: notify::Result<notify::Event>| {
            // Our own reading is an event too. After an error we cannot know, so we look.
            if event.map_or(true, |event| may_have_changed(event.kind)) {
                signal.notify_one();
            }
        };
        let refused = |folder: &Path| {
            let folder = folder.to_owned();
            move |source| WatchError { folder, source }
        };
        let watcher = notify::recommended_watcher(on_event).map_err(refused(location.path()))?;
        // What happened between the reading of `current` and now would go unnoticed.
        let pending = location.text().is_ok_and(|text| text != current.source.text);
        let mut watch = Self {
            location,
            environment,
            registry,
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            stirred,
            pending,
            watcher,
        };
        watch.follow(current)?;
        if watch.pending {
            watch.files.insert(watch.location.path().to_owned(), 0);
        }
        Ok(watch)
    }

    /// Waits for the next good configuration that differs from the one before. Cancel-safe.
    pub async fn changed(&mut self) -> Config {
        loop {
            if !self.pending {
                self.stirred.notified().await;
                self.pending = true;
            }
            while tokio::time::timeout(QUIET, self.stirred.notified()).await.is_ok() {}
            self.pending = false;
            let now: BTreeMap<PathBuf, u64> = self
                .files
                .keys()
                .map(|file| (file.clone(), fingerprint(file)))
                .collect();
            if now == self.files {
                continue;
            }
            self.files = now;
            match self.location.load_with(&self.environment, &self.registry) {
                Ok(config) => {
                    if let Err(error) = self.follow(&config) {
                        tracing::warn!(%error, "changes there will not be noticed");
                    }
                    return config;
                }
                Err(problems) => {
                    tracing::error!("the new configuration is not used, the old one stays:\n{problems}");
                }
            }
        }
    }

    /// Watches the folders of all files of a configuration.
    fn follow(&mut self, config: &Config) -> Result<(), WatchError> {
        let files = config
            .files
            .iter()
            .map(PathBuf::as_path)
            .chain([self.location.path()]);
        // A file that was read before keeps its number: it may have changed since.
        self.files = files
            .map(|file| {
                let file = file.to_owned();
                let number = self.files.get(&file).copied();
                let number = number.unwrap_or_else(|| fingerprint(&file));
                (file, number)
            })
            .collect();
        let wanted: BTreeSet<PathBuf> = self.files.keys().map(|file| folder_of(file)).collect();
        for gone in self.folders.difference(&wanted) {
            // A folder that vanished is no longer watched anyway.
            let _ = self.watcher.unwatch(gone);
        }
        let mut outcome = Ok(());
        for new in wanted.difference(&self.folders) {
            if let Err(source) = self.watcher.watch(new, RecursiveMode::NonRecursive) {
                outcome = Err(WatchError {
                    folder: new.clone(),
                    source,
                });
            }
        }
        self.folders = wanted;
        outcome
    }
}

/// A number that stands for a file's content, or for its absence.
fn fingerprint(file: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::fs::read(file).ok().hash(&mut hasher);
    hasher.finish()
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn may_have_changed(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}
