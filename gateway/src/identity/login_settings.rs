//! What an operator decides about logins.
//!
//! Responsible for: the settings and their defaults. Not responsible for enforcing them (see `login`).

use std::time::Duration;

use super::attempts::AttemptLimits;
use crate::config::Config;

/// How long the browser's earlier session stays good after a new login: requests of other tabs may still be
/// on their way with the old cookie.
const GRACE: Duration = Duration::from_secs(30);

/// What an operator decides about logins.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// How many attempts there may be, and how long they last.
    pub attempts: AttemptLimits,
    /// How long after its login a session ends at the latest. Default 12 hours.
    pub lifetime: Duration,
    /// Sessions one user may have; beyond, the oldest ends. Default 50.
    pub sessions_per_user: usize,
    /// How long the browser's earlier session stays good after a new login. Default 30 s.
    pub grace: Duration,
}

impl Default for LoginSettings {
    fn default() -> Self {
        Self {
            attempts: AttemptLimits::default(),
            lifetime: Duration::from_secs(12 * 3600),
            sessions_per_user: 50,
            grace: GRACE,
        }
    }
}

impl LoginSettings {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let attempts = AttemptLimits {
            per_browser: config.limits.attempts_per_browser,
            per_address: config.limits.attempts_per_address,
            ..AttemptLimits::default()
        };
        Self {
            attempts,
            lifetime: config.sessions.lifetime,
            sessions_per_user: config.limits.sessions_per_user,
            ..Self::default()
        }
    }
}
