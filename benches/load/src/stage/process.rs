//! One process and whatever it starts: a process group, so that all of it can be measured and ended.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::{PASSED_ON, Program};
use crate::error::BenchError;

/// How long a process may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of a log is shown.
const TAIL: usize = 1500;

/// A running process; its group is killed on drop.
pub(super) struct Process {
    child: Child,
    started: Started,
    log: File,
}

/// What others may know of a process.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    /// Its name.
    pub(crate) name: String,
    /// Its process group.
    pub(crate) group: i32,
    /// Where its output is.
    pub(crate) output: PathBuf,
}

impl Started {
    /// The end of what it has written.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.output).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(TAIL)..];
        String::from_utf8_lossy(tail).trim().to_owned()
    }

    /// The address in its line `ready URL`, once it has written that.
    pub(crate) fn ready(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.output).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("ready "))?;
        Some(line.trim_end_matches('/').to_owned())
    }

    /// Whether it still runs; one that has ended and that nobody has asked for its status does not.
    pub(crate) fn runs(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.group)).unwrap_or_default();
        let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
        state.is_some_and(|state| !state.starts_with(['Z', 'X']))
    }
}

impl Process {
    pub(super) fn spawn(program: &Program, folder: &Path) -> Result<Self, BenchError> {
        let failed = |error: &dyn std::fmt::Display| {
            BenchError::outside(format!("cannot start {}", program.name), error)
        };
        let output = folder.join(format!("{}.out", program.name));
        // Appended to, so that it can be emptied while it is written.
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&output)
            .map_err(|error| failed(&error))?;
        let copy = || log.try_clone().map(Stdio::from).map_err(|error| failed(&error));
        let (executable, arguments) = program
            .command
            .split_first()
            .ok_or_else(|| failed(&"no executable"))?;
        let passed_on = PASSED_ON
            .iter()
            .filter_map(|name| std::env::var_os(name).map(|value| (*name, value)));
        let child = Command::new(executable)
            .args(arguments)
            .env_clear()
            .envs(passed_on)
            .env("TMPDIR", folder)
            .envs(&program.environment)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(copy()?)
            .stderr(copy()?)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&error))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
        Ok(Self {
            child,
            started: Started {
                name: program.name.clone(),
                group,
                output,
            },
            log,
        })
    }

    pub(super) fn started(&self) -> Started {
        self.started.clone()
    }

    pub(super) fn is(&self, started: &Started) -> bool {
        self.started.group == started.group
    }

    pub(super) fn forget_log(&self) {
        // A log that cannot be emptied only takes room.
        let _ = self.log.set_len(0);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.started.group) {
            // Whoever is gone already needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Asks it to end, and kills it if it does not.
    pub(super) async fn end(mut self) {
        self.signal(Signal::TERM);
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        self.signal(Signal::KILL);
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
