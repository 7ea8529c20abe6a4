//! What is unsafe about a Keycloak that serves the platform, and what has drifted from what
//! [`configure`](super::configure()) made.
//!
//! Each file is one kind of check. What cannot be found out is a note, never a silent pass. Reads only; trying a
//! password leaves a line in Keycloak's event log.

mod clients;
mod console;
mod passwords;

use serde::Serialize;

use super::admin::{Admin, AdminError};
use super::{Settings, account, configure, issuer, wanted};

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// What has to be mended.
    pub findings: Vec<Finding>,
    /// What could not be looked at, or only in part; and what is worth knowing.
    pub notes: Vec<String>,
}

/// One thing that has to be mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check that found it, one stable word: `default_password`, `wildcard_redirect`, `public_console`,
    /// `missing_pkce`, `drift`, `issuer`, `groups_claim`.
    pub check: &'static str,
    /// What it is about: `client core-client`.
    pub object: String,
    /// What is wrong.
    pub detail: String,
}

impl Audit {
    fn finds(&mut self, check: &'static str, object: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding {
            check,
            object: object.into(),
            detail: detail.into(),
        });
    }
}

/// Looks at everything. `http` is for the public addresses, as a browser would use them.
///
/// # Errors
/// [`AdminError`] if Keycloak cannot be asked at all.
pub async fn audit(admin: &Admin, http: &reqwest::Client, settings: &Settings) -> Result<Audit, AdminError> {
    let mut audit = Audit::default();
    drift(admin, settings, &mut audit).await?;
    for (expected, issuer) in issuer::strangers(admin, settings).await? {
        let detail = format!("it names itself {issuer}, the gateway expects {expected}: nobody can sign in");
        audit.finds("issuer", format!("realm {}", settings.realm), detail);
    }
    lifetimes(admin, settings, &mut audit).await?;
    account_service(admin, settings, &mut audit).await?;
    clients::check(admin, settings, &mut audit).await?;
    console::check(http, settings, &mut audit).await;
    passwords::check(admin, settings, &mut audit).await?;
    Ok(audit)
}

/// Whatever [`configure`](super::configure()) would change.
async fn drift(admin: &Admin, settings: &Settings, audit: &mut Audit) -> Result<(), AdminError> {
    for change in configure::plan(admin, settings).await?.changes {
        if change.is_new {
            audit.finds("drift", change.object, "it is missing");
            continue;
        }
        for field in change.fields {
            let from = field.from.unwrap_or_default();
            let detail = format!("{} is {from}, not {}", field.field, field.to);
            audit.finds("drift", change.object.clone(), detail);
        }
    }
    Ok(())
}

/// Sessions that end at Keycloak before they would here: an operator's choice, and worth knowing.
async fn lifetimes(admin: &Admin, settings: &Settings, audit: &mut Audit) -> Result<(), AdminError> {
    let Some(realm) = admin.get(&["realms", &settings.realm], &[]).await? else {
        return Ok(());
    };
    for (field, needed) in wanted::lifetimes(settings) {
        if let Some(seconds) = realm[field].as_u64().filter(|seconds| *seconds < needed) {
            audit.notes.push(format!(
                "{field} is {seconds} seconds: sessions of the gateway that are renewed end then, not after {needed}"
            ));
        }
    }
    Ok(())
}

/// Without the account service nobody can be asked when their password was set.
async fn account_service(admin: &Admin, settings: &Settings, audit: &mut Audit) -> Result<(), AdminError> {
    if settings.recheck_passwords && account::service(admin, &settings.realm).await?.is_none() {
        audit.notes.push(
            "the realm's client account is not there or not enabled: another password ends no session of the gateway's"
                .to_owned(),
        );
    }
    Ok(())
}

/// One line for each finding, then the notes.
impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Finding {
            check,
            object,
            detail,
        } in &self.findings
        {
            writeln!(f, "{check}: {object}: {detail}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
