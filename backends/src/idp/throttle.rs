//! Guessing passwords must be slow.
//!
//! Responsible for: counting attempts per username, whether or not there is such a user. Not responsible for:
//! attempts per address (the gateway's limits).

use super::expiring::Expiring;

/// Attempts that may fail within [`WINDOW`].
pub(super) const ATTEMPTS: u32 = 10;

/// In seconds, from the first attempt of a row.
pub(super) const WINDOW: u64 = 60;

/// Usernames that are watched at the same time.
const USERNAMES: usize = 10_000;

/// Counts attempts to sign in.
pub(super) struct Throttle(Expiring<String, u32>);

impl Throttle {
    pub(super) fn new() -> Self {
        Self(Expiring::new(USERNAMES))
    }

    /// Counts an attempt; whether it may be made. Counted before the password is compared, so that attempts at
    /// the same time do not slip through together.
    pub(super) fn attempt(&self, username: &str, now: u64) -> bool {
        let count = self
            .0
            .update(username.to_owned(), 1, now + WINDOW, now, |count| *count += 1);
        count <= ATTEMPTS
    }

    /// Forgets the attempts of somebody who knew the password.
    pub(super) fn succeeded(&self, username: &str, now: u64) {
        self.0.take(&username.to_owned(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_attempt_within_a_minute_has_to_wait_for_its_end() {
        let throttle = Throttle::new();
        for _ in 0..ATTEMPTS {
            assert!(throttle.attempt("admin", 1000));
        }
        assert!(!throttle.attempt("admin", 1000 + WINDOW - 1));
        assert!(throttle.attempt("client", 1000), "others are not concerned");
        assert!(throttle.attempt("admin", 1000 + WINDOW));
    }

    #[test]
    fn a_success_starts_the_count_anew() {
        let throttle = Throttle::new();
        for _ in 0..5 {
            for _ in 0..ATTEMPTS {
                assert!(throttle.attempt("admin", 1000));
            }
            throttle.succeeded("admin", 1000);
        }
    }
}
