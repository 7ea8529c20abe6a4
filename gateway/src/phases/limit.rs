//! Limit: how many requests one user or address may make in a minute and in an hour (platform README §9).
//!
//! Counters are of fixed size (a count-min sketch), whoever asks: an estimate that never undercounts.

use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use pingora_limits::rate::Rate;

use crate::config::Limits;
use crate::error::Refusal;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The sketches' size: 8 MiB in all. What others ask for weighs on one user's estimate only when all of them
/// together make some 180,000 requests a second for an hour.
const HASHES: usize = 4;
const SLOTS: usize = 32 * 1024;

/// The counters of this process; users and addresses apart, so that strangers don't weigh on users.
pub(crate) struct Limiter {
    minute: Rate,
    hour: Rate,
    minute_by_address: Rate,
    hour_by_address: Rate,
}

impl Limiter {
    /// Fresh counters.
    pub(crate) fn new() -> Self {
        let rate = |interval| Rate::new_with_estimator_config(interval, HASHES, SLOTS);
        Self {
            minute: rate(MINUTE),
            hour: rate(HOUR),
            minute_by_address: rate(MINUTE),
            hour_by_address: rate(HOUR),
        }
    }

    /// Counts one request of a signed-in user.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] with the time until the window turns.
    pub(crate) fn user(&self, subject: &str, limits: &Limits) -> Result<(), Refusal> {
        count(&self.minute, &self.hour, &subject, limits)
    }

    /// Counts one request without an identity, by address; IPv6 by its /64, which one client owns whole.
    ///
    /// # Errors
    /// As [`Limiter::user`].
    pub(crate) fn address(&self, address: Option<IpAddr>, limits: &Limits) -> Result<(), Refusal> {
        match address {
            Some(IpAddr::V6(v6)) => self.by_address(&(6, &v6.octets()[..8]), limits),
            Some(IpAddr::V4(v4)) => self.by_address(&(4, v4.octets()), limits),
            None => self.by_address(&0, limits),
        }
    }

    fn by_address<K: Hash>(&self, key: &K, limits: &Limits) -> Result<(), Refusal> {
        count(&self.minute_by_address, &self.hour_by_address, key, limits)
    }
}

fn count<K: Hash>(minute: &Rate, hour: &Rate, key: &K, limits: &Limits) -> Result<(), Refusal> {
    if limits.requests_per_minute != 0 && exceeds(minute.observe(key, 1), limits.requests_per_minute) {
        return Err(Refusal::TooMany {
            retry_after: MINUTE.as_secs(),
        });
    }
    if limits.requests_per_hour != 0 && exceeds(hour.observe(key, 1), limits.requests_per_hour) {
        return Err(Refusal::TooMany {
            retry_after: HOUR.as_secs(),
        });
    }
    Ok(())
}

fn exceeds(count: isize, limit: usize) -> bool {
    usize::try_from(count).unwrap_or(0) > limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_after_the_last_allowed_one_is_refused_and_others_are_not() {
        let limiter = Limiter::new();
        let limits = Limits {
            requests_per_minute: 3,
            ..Limits::default()
        };
        for _ in 0..3 {
            assert!(limiter.user("ada", &limits).is_ok());
        }
        assert!(matches!(
            limiter.user("ada", &limits),
            Err(Refusal::TooMany { retry_after: 60 })
        ));
        assert!(limiter.user("bob", &limits).is_ok());
    }

    #[test]
    fn one_ipv6_network_counts_as_one_client() {
        let limiter = Limiter::new();
        let limits = Limits {
            requests_per_minute: 1,
            ..Limits::default()
        };
        assert!(limiter.address("2001:db8::1".parse().ok(), &limits).is_ok());
        assert!(limiter.address("2001:db8::2".parse().ok(), &limits).is_err());
        assert!(limiter.address("2001:db9::2".parse().ok(), &limits).is_ok());
    }

    #[test]
    fn zero_means_no_limit() {
        let limiter = Limiter::new();
        let limits = Limits {
            requests_per_minute: 0,
            requests_per_hour: 0,
            ..Limits::default()
        };
        assert!((0..5000).all(|_| limiter.user("ada", &limits).is_ok()));
    }
}
