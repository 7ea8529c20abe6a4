//! The ways in which work is driven. Load comes from programs that others keep well: wrk for the closed loop, oha for the
//! open one. What neither can do (WebSockets, logins, revocations, idle connections) is driven here, by clients of well-kept
//! libraries and with intended start times.

pub(crate) mod callers;
pub(crate) mod h2load;
pub(crate) mod idle;
pub(crate) mod login;
pub(crate) mod oha;
mod paced;
pub(crate) mod revocation;
pub(crate) mod websocket;
pub(crate) mod wrk;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;

use crate::error::BenchError;

/// Beyond its own duration, how long a load program may take to end.
const GRACE: Duration = Duration::from_secs(30);

/// What a load program (or our own client) has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Counted {
    /// Answers (messages, logins) that came.
    pub(crate) done: u64,
    /// For how long, in seconds.
    pub(crate) seconds: f64,
    /// Those that failed: wrong status, broken connection, too late.
    pub(crate) failed: u64,
    /// Percentiles (of 100) and milliseconds, in order.
    pub(crate) latency: Vec<(f64, f64)>,
    /// Bytes that came per answer.
    pub(crate) bytes_each: f64,
}

impl Counted {
    /// Per second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
        let done = self.done as f64;
        done / self.seconds.max(1e-9)
    }
}

/// Whether, of so many, somebody stands beyond a percentile: else it says no more than the longest does.
fn beyond(count: u64, percent: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let count = count as f64;
    count * (100.0 - percent) / 100.0 >= 0.999
}

/// Runs a load program to its end; what it wrote to stdout.
async fn output(program: &Path, arguments: &[String], duration: Duration) -> Result<String, BenchError> {
    let name = program.file_name().unwrap_or_default().display().to_string();
    let mut command = tokio::process::Command::new(program);
    let run = command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(duration + GRACE, run)
        .await
        .map_err(|_| BenchError::Outside(format!("{name} did not end")))?
        .map_err(|error| BenchError::outside(&name, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(BenchError::Outside(format!("{name} failed: {}", said.trim())))
}
