//! CSV in and out: companies, contacts and assets as files that spreadsheets read and write.
//!
//! `sheet` reads a file into rows, `rows` turns a row into what is stored, `import` does that for all rows or none,
//! `export` streams everything there is, `formula` keeps spreadsheets from executing it, `pages` and `api` are the
//! doors. Import and export use the same columns, so what was exported can be changed and imported again.

pub(crate) mod api;
mod export;
mod formula;
mod import;
pub(crate) mod pages;
mod rows;
mod sheet;

pub(crate) use self::export::{assets, companies, contacts};

/// Largest file, in bytes: 4 MiB.
const LARGEST: usize = 4 * 1024 * 1024;

/// Largest request with such a file: it may come with the same text once more, and with what belongs to a form.
pub(crate) const LARGEST_BODY: usize = 2 * LARGEST + 64 * 1024;

/// Most rows of one file.
const MOST_ROWS: usize = 10_000;

/// What a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Companies,
    Contacts,
    Assets,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Companies, Self::Contacts, Self::Assets];

    /// In addresses and forms.
    const fn name(self) -> &'static str {
        match self {
            Self::Companies => "companies",
            Self::Contacts => "contacts",
            Self::Assets => "assets",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The columns that can be imported; the first of them must be there.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Companies => &["name", "account_number", "website", "phone", "address", "notes"],
            Self::Contacts => &["company", "name", "title", "email", "phone"],
            Self::Assets => &[
                "company",
                "name",
                "kind",
                "serial_number",
                "model",
                "location",
                "assigned_to",
                "notes",
            ],
        }
    }
}

/// Columns of our exports that an import passes over.
const PASSED_OVER: [&str; 3] = ["id", "external_source", "external_id"];
