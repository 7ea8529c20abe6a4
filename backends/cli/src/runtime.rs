//! The tokio runtime of a command: made when it begins, gone at once when it ends.

use std::future::Future;
use std::time::Duration;

use crate::failure::Failure;

/// How long what is left behind may take to end. Whoever has something to finish does so before it returns.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// Runs a command's future on `threads` worker threads, by default one per core.
pub(crate) fn block_on<T>(
    threads: Option<usize>,
    command: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::outside("no threads to run on", error))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(LEFTOVERS);
    outcome
}
