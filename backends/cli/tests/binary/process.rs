//! The binary as a child process, in a world of its own: an empty environment and a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// Longer than anything here takes, so that a slow machine fails no case.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is being put together.
pub(crate) struct Binary {
    command: Command,
    temporary: TempDir,
    patience: Duration,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Binary {
    /// `hivematrix` with these arguments.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hivematrix"));
        command
            .args(arguments)
            .env_clear()
            .env("TMPDIR", temporary.path())
            .current_dir(temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self {
            command,
            temporary,
            patience: PATIENCE,
        }
    }

    /// For a command that waits for somebody slow.
    pub(crate) fn patiently(mut self) -> Self {
        self.patience = 10 * PATIENCE;
        self
    }

    /// With this variable in its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end, which must come by itself.
    pub(crate) async fn ended(mut self) -> Ended {
        let output = self.command.output();
        let output = tokio::time::timeout(self.patience, output)
            .await
            .expect("it ends by itself")
            .expect("it starts");
        Ended {
            status: output.status.code().expect("an exit status, not a signal"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Starts it and waits for its line `ready URL`.
    pub(crate) async fn ready(self) -> Process {
        let mut process = self.started();
        let first = tokio::time::timeout(PATIENCE, process.stdout.next_line())
            .await
            .expect("a line on stdout in time");
        let Some(line) = first.expect("text on stdout") else {
            // What it said last may still be on its way.
            let _ = tokio::time::timeout(PATIENCE, &mut process.collector).await;
            panic!("it ended before it was ready: {}", process.stderr());
        };
        process.url = line
            .strip_prefix("ready ")
            .unwrap_or_else(|| panic!("not `ready URL`: {line}"))
            .to_owned();
        process
    }

    /// Starts it, for a command that never is ready.
    pub(crate) fn started(mut self) -> Process {
        let mut child = self.command.spawn().expect("it starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let collected = stderr.clone();
        let collector = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                collected.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let stdout = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Process {
            child,
            stdout,
            stderr,
            collector,
            url: String::new(),
            temporary: self.temporary,
        }
    }
}

/// A running process; killed on drop.
pub(crate) struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Arc<Mutex<String>>,
    /// Ends with stderr.
    collector: JoinHandle<()>,
    /// What it said it is ready at; empty if it was not asked.
    pub(crate) url: String,
    temporary: TempDir,
}

impl Process {
    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// What it has written to stderr, once that has `text` in it. The line on stdout may come through before it.
    pub(crate) async fn told(&self, text: &str) -> String {
        let told = async || Some(self.stderr()).filter(|stderr| stderr.contains(text));
        hivematrix_tests::eventually(&format!("{text:?} on stderr"), told).await
    }

    /// Its folder for temporary files.
    pub(crate) fn folder(&self) -> &Path {
        self.temporary.path()
    }

    /// Every file below its folder for temporary files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(self.temporary.path())
    }

    /// Sends a signal (`INT`, `TERM`).
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it still runs").to_string();
        let sent = std::process::Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status();
        assert!(sent.expect("a shell").success(), "signal {name}");
    }

    /// Waits for its end, whatever that is.
    pub(crate) async fn gone(&mut self) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        status.expect("it ends").expect("a status");
    }

    /// Waits for its end: the exit status, how long it took, what else it wrote to stdout.
    pub(crate) async fn end(&mut self) -> (i32, Duration, String) {
        let began = Instant::now();
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .expect("a status");
        let took = began.elapsed();
        (&mut self.collector).await.expect("stderr is read to its end");
        let mut rest = String::new();
        self.stdout
            .get_mut()
            .read_to_string(&mut rest)
            .await
            .expect("text");
        (status.code().expect("an exit status, not a signal"), took, rest)
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files_below(&path),
            path => vec![path],
        })
        .collect()
}
