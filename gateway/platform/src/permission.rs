//! Permission levels and how Keycloak's groups become one (platform README §2). Who may enter what is `access.rs`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a person may do. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PermissionLevel {
    /// A customer: whoever is in none of the groups below.
    Client,
    /// Group `billing`.
    Billing,
    /// Group `technicians`.
    Technician,
    /// Group `admins`.
    Admin,
}

impl PermissionLevel {
    /// Every level, from least to most.
    pub const ALL: [Self; 4] = [Self::Client, Self::Billing, Self::Technician, Self::Admin];

    /// The level that membership in `groups` gives: the first match of `admins`, `technicians`, `billing`, else `client`.
    /// One leading `/` is ignored, as Keycloak writes it when full group paths are on.
    pub fn from_groups<S: AsRef<str>>(groups: &[S]) -> Self {
        let member_of = |name: &str| {
            groups.iter().any(|group| {
                let group = group.as_ref();
                group.strip_prefix('/').unwrap_or(group) == name
            })
        };
        if member_of("admins") {
            Self::Admin
        } else if member_of("technicians") {
            Self::Technician
        } else if member_of("billing") {
            Self::Billing
        } else {
            Self::Client
        }
    }

    /// The word that tokens and session records carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Billing => "billing",
            Self::Technician => "technician",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for PermissionLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word names no permission level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a permission level (client, billing, technician, admin)")]
pub struct UnknownPermissionLevel;

impl FromStr for PermissionLevel {
    type Err = UnknownPermissionLevel;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == word)
            .ok_or(UnknownPermissionLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_that_matches_gives_the_level() {
        for (groups, expected) in [
            (&["admins"][..], PermissionLevel::Admin),
            (&["/admins"], PermissionLevel::Admin),
            (&["billing", "technicians", "/admins"], PermissionLevel::Admin),
            (&["billing", "technicians"], PermissionLevel::Technician),
            (&["/billing", "client"], PermissionLevel::Billing),
            (&["client"], PermissionLevel::Client),
            (&[], PermissionLevel::Client),
            (
                &["Admins", "//admins", "/admins/", "admin", " admins"],
                PermissionLevel::Client,
            ),
        ] {
            assert_eq!(PermissionLevel::from_groups(groups), expected, "{groups:?}");
        }
    }

    #[test]
    fn every_level_is_read_as_it_is_written() {
        for level in PermissionLevel::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(serde_json::to_string(&level).unwrap(), format!("\"{level}\""));
        }
        assert_eq!("root".parse::<PermissionLevel>(), Err(UnknownPermissionLevel));
        assert_eq!("Admin".parse::<PermissionLevel>(), Err(UnknownPermissionLevel));
    }
}
