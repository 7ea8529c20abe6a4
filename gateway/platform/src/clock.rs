//! The one clock of the platform: whole seconds since the Unix epoch, as tokens and session records carry them.
//! Not for measuring durations (use `std::time::Instant`).

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z; 0 if the machine's clock is set before that.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
