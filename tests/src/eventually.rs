//! Waiting for what must become true, in place of sleeping; and upper bounds of time.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long [`eventually`] waits. Far beyond what anything here takes, so that a slow machine fails no case.
const PATIENCE: Duration = Duration::from_secs(15);

/// Waits until `check` yields something, looking every few milliseconds.
///
/// # Panics
/// With `what` if that takes longer than 15 s.
pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, check).await
}

/// As [`eventually`], for what others do in a time of their own.
///
/// # Panics
/// With `what` if it takes longer than `patience`.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut check: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {patience:?} in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The outcome of `work`, which must be there within `bound`.
///
/// # Panics
/// With `what` if it is not.
pub async fn takes_at_most<T>(bound: Duration, what: &str, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    match timeout(bound, work).await {
        Ok(outcome) => outcome,
        Err(_) => panic!(
            "{what}: not done after {:?}, the bound is {bound:?}",
            began.elapsed()
        ),
    }
}
