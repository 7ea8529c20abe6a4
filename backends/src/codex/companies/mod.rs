//! Companies: the customers of the managed service provider.
//!
//! Here is what a company is and which values are acceptable. `store` keeps them, `pages` shows them to people, `api`
//! to programs.

pub(crate) mod api;
pub(crate) mod pages;
pub(crate) mod store;
pub(crate) mod views;

use serde::{Deserialize, Serialize};

use super::fields::{
    FieldErrors, optional_line, optional_phone, optional_text, optional_website, required_line,
};
use super::refusal::Fields;

/// Longest name, in characters.
const NAME: usize = 200;
/// Longest account number, in characters.
const ACCOUNT_NUMBER: usize = 32;
/// Longest web address, in characters.
const WEBSITE: usize = 300;
/// Longest postal address, in characters.
const ADDRESS: usize = 500;
/// Longest notes, in characters.
const NOTES: usize = 4000;

/// A company as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Company {
    /// Its number; never used again after it was deleted.
    pub(crate) id: i64,
    /// What is known of it.
    pub(crate) details: Details,
    /// What another system calls it, if it came from there.
    pub(crate) external: Option<External>,
    /// How many contacts it has.
    pub(crate) contacts: i64,
    /// How many assets it has.
    pub(crate) assets: i64,
    /// When it was created, Unix seconds.
    pub(crate) created_at: i64,
    /// When it was last changed, Unix seconds.
    pub(crate) updated_at: i64,
}

/// A company's number in another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct External {
    /// Which system: the name of the pull.
    pub(crate) source: String,
    /// The number there; such numbers need all 64 bits.
    pub(crate) id: i64,
}

/// What is known of a company: every value has passed [`Typed::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Details {
    /// Unique, whatever the case of its letters.
    pub(crate) name: String,
    /// The provider's own number for the customer; unique.
    pub(crate) account_number: Option<String>,
    /// An http(s) address.
    pub(crate) website: Option<String>,
    /// As people write it.
    pub(crate) phone: Option<String>,
    /// Several lines.
    pub(crate) address: Option<String>,
    /// Several lines.
    pub(crate) notes: Option<String>,
}

/// What somebody typed into the form or sent as JSON: kept as it is, so that a refused form still shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) account_number: String,
    pub(crate) website: String,
    pub(crate) phone: String,
    pub(crate) address: String,
    pub(crate) notes: String,
}

impl Fields for Typed {
    const NAMES: &'static [&'static str] =
        &["name", "account_number", "website", "phone", "address", "notes"];
}

impl Typed {
    /// The details, or everything that is wrong with them.
    pub(crate) fn check(&self) -> Result<Details, FieldErrors> {
        let mut errors = FieldErrors::default();
        let details = Details {
            name: required_line("name", &self.name, NAME, &mut errors),
            account_number: account_number(&self.account_number, &mut errors),
            website: optional_website("website", &self.website, WEBSITE, &mut errors),
            phone: optional_phone("phone", &self.phone, &mut errors),
            address: optional_text("address", &self.address, ADDRESS, &mut errors),
            notes: optional_text("notes", &self.notes, NOTES, &mut errors),
        };
        errors.unless_any(details)
    }
}

impl From<&Details> for Typed {
    fn from(details: &Details) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            name: details.name.clone(),
            account_number: text(&details.account_number),
            website: text(&details.website),
            phone: text(&details.phone),
            address: text(&details.address),
            notes: text(&details.notes),
        }
    }
}

fn account_number(typed: &str, errors: &mut FieldErrors) -> Option<String> {
    let number = optional_line("account_number", typed, ACCOUNT_NUMBER, errors)?;
    if !number
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    {
        errors.add(
            "account_number",
            "This must consist of letters, digits, and - _ . only.",
        );
        return None;
    }
    Some(number)
}
