//! Who may enter a service (platform README §7). The gateway's door and the menu ask the same value, so that an entry that is
//! hidden is also a door that is shut.

use std::fmt;

use crate::permission::PermissionLevel;

/// A set of permission levels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Levels(u8);

impl Levels {
    /// The empty set: nobody.
    pub const NONE: Self = Self(0);

    /// This set and `level`.
    #[must_use]
    pub const fn with(self, level: PermissionLevel) -> Self {
        Self(self.0 | 1 << level as u8)
    }

    /// Whether `level` is in the set.
    #[must_use]
    pub const fn contains(self, level: PermissionLevel) -> bool {
        self.0 & (1 << level as u8) != 0
    }

    /// Whether nobody is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The levels in the set, from least to most.
    pub fn iter(self) -> impl Iterator<Item = PermissionLevel> {
        PermissionLevel::ALL
            .into_iter()
            .filter(move |level| self.contains(*level))
    }
}

impl FromIterator<PermissionLevel> for Levels {
    fn from_iter<I: IntoIterator<Item = PermissionLevel>>(levels: I) -> Self {
        levels.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Who may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Every signed-in user.
    AnyUser,
    /// Signed-in users of these levels only.
    Levels(Levels),
}

impl Access {
    /// Whether a user of `level` may enter.
    #[must_use]
    pub const fn allows(self, level: PermissionLevel) -> bool {
        match self {
            Self::AnyUser => true,
            Self::Levels(levels) => levels.contains(level),
        }
    }

    /// The registry's `admin_only`.
    #[must_use]
    pub const fn admin_only() -> Self {
        Self::Levels(Levels::NONE.with(PermissionLevel::Admin))
    }

    /// The registry's `billing_or_admin_only`.
    #[must_use]
    pub const fn billing_or_admin_only() -> Self {
        Self::Levels(
            Levels::NONE
                .with(PermissionLevel::Admin)
                .with(PermissionLevel::Billing),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PermissionLevel::{Admin, Billing, Client, Technician};

    #[test]
    fn a_door_opens_for_its_levels_and_for_nobody_else() {
        for (access, open_to) in [
            (Access::AnyUser, &[Client, Billing, Technician, Admin][..]),
            (Access::admin_only(), &[Admin]),
            (Access::billing_or_admin_only(), &[Billing, Admin]),
            (
                Access::Levels(Levels::from_iter([Technician, Client])),
                &[Client, Technician],
            ),
            (Access::Levels(Levels::NONE), &[]),
        ] {
            let allowed: Vec<_> = PermissionLevel::ALL
                .into_iter()
                .filter(|level| access.allows(*level))
                .collect();
            assert_eq!(allowed, open_to, "{access:?}");
        }
    }

    #[test]
    fn a_set_lists_what_was_put_in() {
        let levels: Levels = [Admin, Billing, Admin].into_iter().collect();
        assert_eq!(levels.iter().collect::<Vec<_>>(), [Billing, Admin]);
        assert!(!levels.is_empty() && Levels::NONE.is_empty());
        assert_eq!(format!("{levels:?}"), "{Billing, Admin}");
    }
}
