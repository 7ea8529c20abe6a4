//! Where everything takes place: a temporary folder and the processes in it. Whatever was started here ends with it.
//!
//! Not responsible for what the processes are.

pub(crate) mod ports;
mod process;
pub(crate) mod usage;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::error::BenchError;
use process::Process;
pub(crate) use process::Started;

/// Variables of our own environment that programs get: enough to be found and to find their files. Others could change
/// what they do.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "SSL_CERT_FILE"];

/// The folder and the processes.
pub(crate) struct Stage {
    folder: TempDir,
    processes: Mutex<Vec<Process>>,
}

/// A program to be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// What its output's file is called; once on a stage.
    pub(crate) name: String,
    /// The executable and its arguments.
    pub(crate) command: Vec<OsString>,
    /// Variables of its environment, besides the usual ones.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Program {
    /// An executable with arguments.
    pub(crate) fn new<A: Into<OsString>>(
        name: impl Into<String>,
        executable: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into);
        Self {
            name: name.into(),
            command: std::iter::once(executable.into()).chain(arguments).collect(),
            environment: BTreeMap::new(),
        }
    }

    /// With this variable in its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Stage {
    /// An empty one.
    pub(crate) fn new() -> Result<Self, BenchError> {
        let folder = tempfile::Builder::new()
            .prefix("hivematrix-bench-")
            .tempdir()
            .map_err(|error| BenchError::outside("no temporary folder", error))?;
        // Servers that are started by root read their files as somebody else.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(|error| BenchError::outside(folder.path().display(), error))?;
        Ok(Self {
            folder,
            processes: Mutex::default(),
        })
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that all may read; its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, BenchError> {
        self.written(name, content.as_ref(), 0o644)
    }

    /// Writes a file that nobody else may read; its path.
    pub(crate) fn write_secret(&self, name: &str, content: &str) -> Result<PathBuf, BenchError> {
        self.written(name, content.as_bytes(), 0o600)
    }

    fn written(&self, name: &str, content: &[u8], mode: u32) -> Result<PathBuf, BenchError> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.path(name);
        let write = || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(mode)
                .open(&path)?;
            file.write_all(content)
        };
        write().map_err(|error| BenchError::outside(path.display(), error))?;
        Ok(path)
    }

    /// Starts a program in a process group of its own.
    pub(crate) fn start(&self, program: &Program) -> Result<Started, BenchError> {
        let process = Process::spawn(program, self.folder.path())?;
        let started = process.started();
        self.all().push(process);
        Ok(started)
    }

    /// Empties the files that programs write their logs to: they would grow for as long as load is driven.
    pub(crate) fn forget_logs(&self) {
        for process in self.all().iter() {
            process.forget_log();
        }
    }

    /// Ends one before the others.
    pub(crate) async fn end(&self, started: &Started) {
        let position = self.all().iter().position(|process| process.is(started));
        let process = position.map(|at| self.all().swap_remove(at));
        if let Some(process) = process {
            process.end().await;
        }
    }

    /// Ends all processes, the youngest first, and removes the folder.
    pub(crate) async fn clear(self) {
        let mut processes = std::mem::take(&mut *self.all());
        processes.reverse();
        futures_util::future::join_all(processes.into_iter().map(Process::end)).await;
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
