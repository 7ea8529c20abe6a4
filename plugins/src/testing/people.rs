//! People, a menu and preferences for tests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hivematrix_platform::{Access, PermissionLevel, Preferences, SessionId, UserClaims, UserData};

use crate::contract::request::{Caller, MenuEntry};
use crate::contract::tools::PreferenceSource;

/// Somebody of this level, called Alice Example.
#[must_use]
pub fn caller(level: PermissionLevel) -> Caller {
    named("Alice Example", level)
}

/// Somebody of this name and level.
#[must_use]
pub fn named(name: &str, level: PermissionLevel) -> Caller {
    let user = UserData {
        sub: "00000000-0000-0000-0000-000000000001".to_owned(),
        name: name.to_owned(),
        email: "alice@example.com".to_owned(),
        preferred_username: "alice".to_owned(),
        permission_level: level,
        groups: Vec::new(),
    };
    let claims = UserClaims {
        iss: "hivematrix-core".to_owned(),
        jti: SessionId::generate(),
        iat: 0,
        exp: u64::MAX,
        user,
    };
    Caller {
        claims: Arc::new(claims),
    }
}

/// Five services: `codex` and `template` for everybody, `helm` for administrators, `ledger` for billing and
/// administrators, and a hidden `archive`.
#[must_use]
pub fn menu() -> Arc<[MenuEntry]> {
    let entry = |name: &str, label: &str, access| MenuEntry {
        name: name.to_owned(),
        label: label.to_owned(),
        icon: String::new(),
        href: format!("/{name}/"),
        visible: name != "archive",
        access,
    };
    Arc::new([
        entry("helm", "Helm", Access::admin_only()),
        entry("codex", "Codex", Access::AnyUser),
        entry("ledger", "Ledger", Access::billing_or_admin_only()),
        entry("template", "Template", Access::AnyUser),
        entry("archive", "Archive", Access::AnyUser),
    ])
}

/// Everybody's preferences, known at once.
#[must_use]
pub fn preferring(preferences: Preferences) -> Slow {
    Slow {
        preferences: Some(Arc::new(preferences)),
        after: Duration::ZERO,
    }
}

/// A source of preferences that takes its time.
#[derive(Clone, Debug)]
pub struct Slow {
    /// What it says in the end.
    pub preferences: Option<Arc<Preferences>>,
    /// How long it takes. Zero: it is known without asking.
    pub after: Duration,
}

#[async_trait]
impl PreferenceSource for Slow {
    fn cached(&self, _: &str) -> Option<Arc<Preferences>> {
        self.preferences.clone().filter(|_| self.after.is_zero())
    }

    async fn load(&self, _: &str) -> Option<Arc<Preferences>> {
        tokio::time::sleep(self.after).await;
        self.preferences.clone()
    }
}
