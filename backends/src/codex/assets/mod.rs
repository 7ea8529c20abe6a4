//! Assets: what a company has that is looked after, from workstations to lines.
//!
//! Here is what an asset is and which values are acceptable. `store` keeps them, `pages` and `views` show them to
//! people, `api` to programs. An asset belongs to one company and goes with it; it may be assigned to one of the
//! company's contacts, whom it outlives.

pub(crate) mod api;
pub(crate) mod pages;
pub(crate) mod store;
pub(crate) mod views;

use maud::Markup;
use serde::{Deserialize, Serialize};

use super::{
    belongings::Belonging,
    controls::{Area, Done},
    fields::{FieldErrors, optional_line, optional_text, required_line},
    refusal::{Fields, no_asset},
};
use crate::kit::{Prefix, Rejection};

/// Longest name, in characters.
const NAME: usize = 200;
/// Longest serial number, model and location, in characters.
const SHORT: usize = 100;
/// Longest notes, in characters.
const NOTES: usize = 4000;

/// What an asset is, with what people call it.
pub(crate) const KINDS: [(&str, &str); 8] = [
    ("workstation", "Workstation"),
    ("laptop", "Laptop"),
    ("server", "Server"),
    ("network", "Network device"),
    ("printer", "Printer"),
    ("phone", "Phone"),
    ("software", "Software or licence"),
    ("other", "Other"),
];

/// An asset as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Asset {
    /// Its number; never used again after it was deleted.
    pub(crate) id: i64,
    /// The company it belongs to.
    pub(crate) company_id: i64,
    /// What is known of it.
    #[serde(flatten)]
    pub(crate) details: Details,
    /// The name of the contact whom it is assigned to.
    pub(crate) contact_name: Option<String>,
}

impl Belonging for Asset {
    type Listed = store::Listed;

    const SINGULAR: &'static str = "asset";
    const PLURAL: &'static str = "assets";
    const AREA: Area = Area::Assets;
    const DELETED: Done = Done::AssetDeleted;
    const SEARCHES: &'static str = "Name, kind, serial number, model, location";

    fn id(&self) -> i64 {
        self.id
    }

    fn name(&self) -> &str {
        &self.details.name
    }

    fn missing() -> Rejection {
        no_asset()
    }

    fn table(prefix: &Prefix, rows: &[store::Listed]) -> Markup {
        views::table(prefix, rows)
    }
}

/// What is known of an asset: every value has passed [`Typed::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Details {
    /// What people call it: a host name, a label.
    pub(crate) name: String,
    /// One of [`KINDS`].
    pub(crate) kind: String,
    /// As the maker writes it.
    pub(crate) serial_number: Option<String>,
    /// Maker and model.
    pub(crate) model: Option<String>,
    /// Where it stands.
    pub(crate) location: Option<String>,
    /// Several lines.
    pub(crate) notes: Option<String>,
    /// The contact whom it is assigned to.
    pub(crate) contact_id: Option<i64>,
}

/// What somebody typed into the form or sent as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) serial_number: String,
    pub(crate) model: String,
    pub(crate) location: String,
    pub(crate) notes: String,
    pub(crate) contact_id: String,
}

impl Fields for Typed {
    const NAMES: &'static [&'static str] = &[
        "name",
        "kind",
        "serial_number",
        "model",
        "location",
        "notes",
        "contact_id",
    ];
    const NUMBERS: &'static [&'static str] = &["contact_id"];
}

impl Typed {
    /// The details, or everything that is wrong with them. Whether the contact is one of the company's, the store says.
    pub(crate) fn check(&self) -> Result<Details, FieldErrors> {
        let mut errors = FieldErrors::default();
        let details = Details {
            name: required_line("name", &self.name, NAME, &mut errors),
            kind: kind(&self.kind, &mut errors),
            serial_number: optional_line("serial_number", &self.serial_number, SHORT, &mut errors),
            model: optional_line("model", &self.model, SHORT, &mut errors),
            location: optional_line("location", &self.location, SHORT, &mut errors),
            notes: optional_text("notes", &self.notes, NOTES, &mut errors),
            contact_id: contact(&self.contact_id, &mut errors),
        };
        errors.unless_any(details)
    }
}

impl From<&Details> for Typed {
    fn from(details: &Details) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            name: details.name.clone(),
            kind: details.kind.clone(),
            serial_number: text(&details.serial_number),
            model: text(&details.model),
            location: text(&details.location),
            notes: text(&details.notes),
            contact_id: details.contact_id.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

/// Nothing means `other`.
fn kind(typed: &str, errors: &mut FieldErrors) -> String {
    let wanted = typed.trim().to_lowercase();
    let known = KINDS
        .iter()
        .find(|(name, label)| *name == wanted || label.to_lowercase() == wanted);
    match known {
        Some((name, _)) => (*name).to_owned(),
        None if wanted.is_empty() => "other".to_owned(),
        None => {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            errors.add("kind", format!("This must be one of {}.", names.join(", ")));
            String::new()
        }
    }
}

fn contact(typed: &str, errors: &mut FieldErrors) -> Option<i64> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    let id = typed.parse().ok();
    if id.is_none() {
        errors.add("contact_id", NOT_A_CONTACT);
    }
    id
}

/// What is expected of `contact_id`.
const NOT_A_CONTACT: &str = "This must be one of the company's contacts.";

/// What people call a kind.
fn kind_label(kind: &str) -> &str {
    KINDS
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(kind, |(_, label)| label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name_or_its_label_and_nothing_is_other() {
        let kind_of = |kind: &str| {
            let typed = Typed {
                name: "pc-1".to_owned(),
                kind: kind.to_owned(),
                ..Typed::default()
            };
            typed.check().map(|details| details.kind)
        };
        assert_eq!(kind_of("Network device").unwrap(), "network");
        assert_eq!(kind_of(" SERVER ").unwrap(), "server");
        assert_eq!(kind_of("").unwrap(), "other");
        assert!(kind_of("spaceship").unwrap_err().of("kind").is_some());
    }
}
