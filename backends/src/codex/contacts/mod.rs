//! Contacts: the people at a company whom one calls or writes to.
//!
//! Here is what a contact is and which values are acceptable. `store` keeps them, `pages` and `views` show them to
//! people, `api` to programs. A contact belongs to one company and goes with it.

pub(crate) mod api;
pub(crate) mod pages;
pub(crate) mod store;
pub(crate) mod views;

use maud::Markup;
use serde::{Deserialize, Serialize};

use super::{
    belongings::Belonging,
    controls::{Area, Done},
    fields::{FieldErrors, optional_email, optional_line, optional_phone, required_line},
    refusal::{Fields, no_contact},
};
use crate::kit::{Prefix, Rejection};

/// Longest name, in characters.
const NAME: usize = 200;
/// Longest title, in characters.
const TITLE: usize = 100;

/// A contact as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Contact {
    /// Its number; never used again after it was deleted.
    pub(crate) id: i64,
    /// The company it belongs to.
    pub(crate) company_id: i64,
    /// What is known of the person.
    #[serde(flatten)]
    pub(crate) details: Details,
}

impl Belonging for Contact {
    type Listed = store::Listed;

    const SINGULAR: &'static str = "contact";
    const PLURAL: &'static str = "contacts";
    const AREA: Area = Area::Contacts;
    const DELETED: Done = Done::ContactDeleted;
    const SEARCHES: &'static str = "Name, title, e-mail, phone";

    fn id(&self) -> i64 {
        self.id
    }

    fn name(&self) -> &str {
        &self.details.name
    }

    fn missing() -> Rejection {
        no_contact()
    }

    fn table(prefix: &Prefix, rows: &[store::Listed]) -> Markup {
        views::table(prefix, rows)
    }
}

/// What is known of a contact: every value has passed [`Typed::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Details {
    /// The person's name.
    pub(crate) name: String,
    /// What they do at the company.
    pub(crate) title: Option<String>,
    /// As people write it.
    pub(crate) email: Option<String>,
    /// As people write it.
    pub(crate) phone: Option<String>,
}

/// What somebody typed into the form or sent as JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) email: String,
    pub(crate) phone: String,
}

impl Fields for Typed {
    const NAMES: &'static [&'static str] = &["name", "title", "email", "phone"];
}

impl Typed {
    /// The details, or everything that is wrong with them.
    pub(crate) fn check(&self) -> Result<Details, FieldErrors> {
        let mut errors = FieldErrors::default();
        let details = Details {
            name: required_line("name", &self.name, NAME, &mut errors),
            title: optional_line("title", &self.title, TITLE, &mut errors),
            email: optional_email("email", &self.email, &mut errors),
            phone: optional_phone("phone", &self.phone, &mut errors),
        };
        errors.unless_any(details)
    }
}

impl From<&Details> for Typed {
    fn from(details: &Details) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            name: details.name.clone(),
            title: text(&details.title),
            email: text(&details.email),
            phone: text(&details.phone),
        }
    }
}
