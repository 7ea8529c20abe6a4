//! What was changed, or would be: object by object, field by field, for people and as JSON.

use serde::Serialize;

/// What [`configure`](super::configure) changed, or [`plan`](super::plan) would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order in which it is done. Empty: all is as it should be.
    pub changes: Vec<Change>,
    /// Whether the first administrator is among them.
    pub makes_first_admin: bool,
}

/// One object that is made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is: `client core-client`.
    pub object: String,
    /// Whether it is made.
    pub is_new: bool,
    /// What it gets.
    pub fields: Vec<Difference>,
}

/// One field of it. Secrets are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name: `attributes.pkce.code.challenge.method`.
    pub field: String,
    /// What it held; `None` in a new object.
    pub from: Option<String>,
    /// What it holds then.
    pub to: String,
}

/// One line per object and one per field: `+` what is new, `~` what changes.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for change in &self.changes {
            writeln!(f, "{} {}", if change.is_new { '+' } else { '~' }, change.object)?;
            for Difference { field, from, to } in &change.fields {
                match from {
                    None => writeln!(f, "    + {field}: {to}")?,
                    Some(from) => writeln!(f, "    ~ {field}: {from} -> {to}")?,
                }
            }
        }
        Ok(())
    }
}
