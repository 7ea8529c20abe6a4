//! One row of a file: found among what is stored, or new; changed in those columns only that the file has.
//!
//! A company is known by its account number or else its name, a contact of a company by its e-mail address or else its
//! name, an asset of a company by its serial number or else its name. All values pass the same checks as in the forms.

use super::{Kind, sheet::Row};
use crate::codex::{
    assets, companies, contacts, database::Connection, fields::FieldErrors, tables::SaveError,
};

/// What a row has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Changed,
    Unchanged,
}

/// Why a row cannot be taken.
#[derive(Debug)]
pub(super) enum RowError {
    /// For its values.
    Fields(FieldErrors),
    /// The database failed.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for RowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<FieldErrors> for RowError {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}

impl From<SaveError> for RowError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Refused(errors) | SaveError::Conflict(errors) => Self::Fields(errors),
            SaveError::Missing => deleted(),
            SaveError::Database(error) => Self::Database(error),
        }
    }
}

fn deleted() -> RowError {
    RowError::Fields(FieldErrors::general(
        "Somebody has just deleted this. Please try again.",
    ))
}

/// Takes one row over; answers the number of what it is about.
pub(super) async fn take(
    connection: &mut Connection<'_>,
    kind: Kind,
    row: &Row,
    now: i64,
) -> Result<(i64, Change), RowError> {
    match kind {
        Kind::Companies => company(connection, row, now).await,
        Kind::Contacts => contact(connection, row, now).await,
        Kind::Assets => asset(connection, row, now).await,
    }
}

async fn company(connection: &mut Connection<'_>, row: &Row, now: i64) -> Result<(i64, Change), RowError> {
    let overlay = |typed: &mut companies::Typed| {
        row.replace("name", &mut typed.name);
        row.replace("account_number", &mut typed.account_number);
        row.replace("website", &mut typed.website);
        row.replace("phone", &mut typed.phone);
        row.replace("address", &mut typed.address);
        row.replace("notes", &mut typed.notes);
    };
    let mut typed = companies::Typed::default();
    overlay(&mut typed);
    let details = typed.check()?;
    let Some(stored) = companies::store::alike(&mut *connection, &details).await? else {
        let id = companies::store::create(connection, &details, None, now).await?;
        return Ok((id, Change::Created));
    };
    let mut typed = companies::Typed::from(&stored.details);
    overlay(&mut typed);
    let details = typed.check()?;
    if details == stored.details {
        return Ok((stored.id, Change::Unchanged));
    }
    companies::store::update(connection, stored.id, &details, now).await?;
    Ok((stored.id, Change::Changed))
}

async fn contact(connection: &mut Connection<'_>, row: &Row, now: i64) -> Result<(i64, Change), RowError> {
    let overlay = |typed: &mut contacts::Typed| {
        row.replace("name", &mut typed.name);
        row.replace("title", &mut typed.title);
        row.replace("email", &mut typed.email);
        row.replace("phone", &mut typed.phone);
    };
    let mut typed = contacts::Typed::default();
    overlay(&mut typed);
    let (details, company) = both(typed.check(), owner(connection, row).await?)?;
    let Some(stored) = contacts::store::alike(&mut *connection, company, &details).await? else {
        let id = contacts::store::create(connection, company, &details, now).await?;
        return Ok((id, Change::Created));
    };
    let mut typed = contacts::Typed::from(&stored.details);
    overlay(&mut typed);
    let details = typed.check()?;
    if details == stored.details {
        return Ok((stored.id, Change::Unchanged));
    }
    contacts::store::update(connection, company, stored.id, &details, now).await?;
    Ok((stored.id, Change::Changed))
}

async fn asset(connection: &mut Connection<'_>, row: &Row, now: i64) -> Result<(i64, Change), RowError> {
    let overlay = |typed: &mut assets::Typed| {
        row.replace("name", &mut typed.name);
        row.replace("kind", &mut typed.kind);
        row.replace("serial_number", &mut typed.serial_number);
        row.replace("model", &mut typed.model);
        row.replace("location", &mut typed.location);
        row.replace("notes", &mut typed.notes);
    };
    let mut typed = assets::Typed::default();
    overlay(&mut typed);
    let (details, company) = both(typed.check(), owner(connection, row).await?)?;
    let assigned = assigned(connection, company, row).await?;
    let Some(stored) = assets::store::alike(&mut *connection, company, &details).await? else {
        let details = assets::Details {
            contact_id: assigned.unwrap_or_default(),
            ..details
        };
        let id = assets::store::create(connection, company, &details, now).await?;
        return Ok((id, Change::Created));
    };
    let mut typed = assets::Typed::from(&stored.details);
    overlay(&mut typed);
    let mut details = typed.check()?;
    if let Some(contact) = assigned {
        details.contact_id = contact;
    }
    if details == stored.details {
        return Ok((stored.id, Change::Unchanged));
    }
    assets::store::update(connection, company, stored.id, &details, now).await?;
    Ok((stored.id, Change::Changed))
}

/// The two, or everything that is wrong with either.
fn both<A, B>(one: Result<A, FieldErrors>, other: Result<B, FieldErrors>) -> Result<(A, B), FieldErrors> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut errors), Err(others)) => {
            errors.extend(others);
            Err(errors)
        }
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

/// The company that the row names, by account number or name.
async fn owner(connection: &mut Connection<'_>, row: &Row) -> Result<Result<i64, FieldErrors>, sqlx::Error> {
    let named = row.text("company").trim().to_owned();
    if named.is_empty() || named.contains(char::is_control) {
        return Ok(Err(FieldErrors::one(
            "company",
            "This must be the name or the account number of a company.",
        )));
    }
    let sign = companies::Details {
        name: named.clone(),
        account_number: Some(named.clone()),
        ..companies::Details::default()
    };
    let company = companies::store::alike(connection, &sign).await?;
    Ok(company.map(|company| company.id).ok_or_else(|| {
        FieldErrors::one(
            "company",
            format!("There is no company with the name or account number “{named}”."),
        )
    }))
}

/// Whom the row assigns the asset to: `None` if it does not say, `Some(None)` if to nobody.
async fn assigned(
    connection: &mut Connection<'_>,
    company: i64,
    row: &Row,
) -> Result<Option<Option<i64>>, RowError> {
    let Some(named) = row.get("assigned_to") else {
        return Ok(None);
    };
    let named = named.trim();
    if named.is_empty() {
        return Ok(Some(None));
    }
    let unknown = || {
        FieldErrors::one(
            "assigned_to",
            format!("The company has no contact with the e-mail address or name “{named}”."),
        )
    };
    if named.contains(char::is_control) {
        return Err(unknown().into());
    }
    let sign = contacts::Details {
        name: named.to_owned(),
        email: Some(named.to_owned()),
        ..contacts::Details::default()
    };
    match contacts::store::alike(connection, company, &sign).await? {
        Some(contact) => Ok(Some(Some(contact.id))),
        None => Err(unknown().into()),
    }
}
