//! Accounts that anybody can guess: `admin` with the password `admin`, and everybody whose password is their name.
//!
//! Responsible for: trying, as an attacker would, one password for each account. A try is undone where it can be: the
//! session of a right one is ended, and the failure of a wrong one is not counted. Not responsible for: weak
//! passwords; that is the realm's password policy.

use http::StatusCode;
use serde_json::Value;

use super::Audit;
use crate::keycloak::Settings;
use crate::keycloak::admin::{Admin, AdminError};
use crate::keycloak::configure::id;

/// Accounts of one realm that are tried at most; each costs Keycloak the hash of a password.
const MOST: usize = 1000;
/// Accounts that are read at once.
const PAGE: usize = 100;
/// Keycloak's own realm, and the account that it begins with.
const MASTER: &str = "master";
const FIRST: &str = "admin";

/// What came of one try.
enum Guess {
    Right,
    Wrong,
    /// The realm lets nobody try: what it says.
    NotAllowed(String),
}

pub(super) async fn check(admin: &Admin, settings: &Settings, audit: &mut Audit) -> Result<(), AdminError> {
    for realm in [MASTER, settings.realm.as_str()] {
        match realm_check(admin, realm, audit).await {
            Err(error) if error.is_forbidden() => {
                audit.notes.push(format!(
                    "the users of realm {realm} could not be listed: the administrator lacks the role for it"
                ));
                // This one needs no list.
                if realm == MASTER
                    && let Guess::Right = guess(admin, MASTER, FIRST).await?
                {
                    found(audit, MASTER, FIRST);
                }
            }
            other => other?,
        }
    }
    Ok(())
}

async fn realm_check(admin: &Admin, realm: &str, audit: &mut Audit) -> Result<(), AdminError> {
    let mut tried = 0;
    while tried < MOST {
        let (first, max) = (tried.to_string(), PAGE.to_string());
        let query = [
            ("first", first.as_str()),
            ("max", max.as_str()),
            ("briefRepresentation", "true"),
        ];
        let page = admin.list(&["realms", realm, "users"], &query).await?;
        for user in page.iter().filter(|user| user["enabled"] == true) {
            let name = user["username"].as_str().unwrap_or_default();
            match try_quietly(admin, realm, user, name).await? {
                Guess::Right => found(audit, realm, name),
                Guess::Wrong => {}
                Guess::NotAllowed(why) => {
                    audit.notes.push(format!(
                        "passwords of realm {realm} could not be tried through its client admin-cli: {why}"
                    ));
                    return Ok(());
                }
            }
        }
        tried += page.len();
        if page.len() < PAGE {
            return Ok(());
        }
    }
    audit
        .notes
        .push(format!("realm {realm}: only the first {MOST} users were tried"));
    Ok(())
}

fn found(audit: &mut Audit, realm: &str, name: &str) {
    audit.finds(
        "default_password",
        format!("user {name} of realm {realm}"),
        "the password is the name",
    );
}

/// Tries the name as password, and takes a failure of ours out of the count by which Keycloak locks accounts; not one
/// of anybody else.
async fn try_quietly(admin: &Admin, realm: &str, user: &Value, name: &str) -> Result<Guess, AdminError> {
    let failures = [
        "realms",
        realm,
        "attack-detection",
        "brute-force",
        "users",
        id(user),
    ];
    let before = admin.get(&failures, &[]).await?;
    let outcome = guess(admin, realm, name).await?;
    let was_clean = before.is_none_or(|before| before["numFailures"] == 0);
    if matches!(outcome, Guess::Wrong) && was_clean {
        match admin.delete(&failures).await {
            Err(error) if !error.is_forbidden() => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(outcome)
}

async fn guess(admin: &Admin, realm: &str, name: &str) -> Result<Guess, AdminError> {
    let form = [
        ("grant_type", "password"),
        ("client_id", "admin-cli"),
        ("username", name),
        ("password", name),
    ];
    let answer = admin.form(realm, "token", &form).await?;
    let json = answer.json();
    if answer.status == StatusCode::OK {
        let session = json["refresh_token"].as_str().unwrap_or_default();
        let form = [("client_id", "admin-cli"), ("refresh_token", session)];
        admin.form(realm, "logout", &form).await?;
        return Ok(Guess::Right);
    }
    Ok(match json["error"].as_str() {
        // The password was looked at first: this account only has something left to do at its next login.
        Some("invalid_grant") if answer.says().contains("not fully set up") => Guess::Right,
        Some("invalid_grant") => Guess::Wrong,
        _ => Guess::NotAllowed(answer.says()),
    })
}
