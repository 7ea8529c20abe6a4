//! Who and what there is in a stack.

use hivematrix_platform::PermissionLevel;

/// A part with a relay in front of it, as the gateway sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The session store. Core has a way of its own to it.
    Redis,
    /// Core.
    Core,
    /// The identity provider. Core has a way of its own to it.
    Provider,
    /// Codex, both as a service and as the source of preferences.
    Codex,
    /// The backend of `/echo/`.
    Echo,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Redis, Self::Core, Self::Provider, Self::Codex, Self::Echo];
}

/// Somebody who can sign in; the name is also the password.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// What is typed.
    pub name: &'static str,
    /// The full name.
    pub full_name: &'static str,
    /// The group at the provider.
    pub group: &'static str,
    /// What that group makes of them.
    pub level: PermissionLevel,
}

impl Person {
    /// The e-mail address.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@hivematrix.example", self.name)
    }
}

/// One for each permission level.
pub const PEOPLE: [Person; 4] = [
    Person {
        name: "admin",
        full_name: "Ada Admin",
        group: "admins",
        level: PermissionLevel::Admin,
    },
    Person {
        name: "technician",
        full_name: "Tess <b>Technician</b>",
        group: "technicians",
        level: PermissionLevel::Technician,
    },
    Person {
        name: "billing",
        full_name: "Bill Billing",
        group: "billing",
        level: PermissionLevel::Billing,
    },
    Person {
        name: "client",
        full_name: "Clio Client",
        group: "client",
        level: PermissionLevel::Client,
    },
];
