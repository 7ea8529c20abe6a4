//! The first administrator of the platform: somebody has to be able to sign in and let the others in.
//!
//! Responsible for: making one where the group of administrators has nobody who could. Not responsible for: any
//! account that is there already; its password and its groups are not ours to change.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::admin::{Admin, AdminError};
use super::configure::id;
use super::report::{Change, Difference};
use super::{Settings, wanted};

/// Members of a group that are looked at.
const MEMBERS: &str = "100";

/// How the account is called.
pub(super) fn name(settings: &Settings) -> String {
    format!("first administrator {}", settings.first_admin.username)
}

/// A group at the top, by its name.
pub(super) async fn find_group(admin: &Admin, realm: &str, name: &str) -> Result<Option<Value>, AdminError> {
    let query = [("search", name), ("exact", "true")];
    let found = admin.list(&["realms", realm, "groups"], &query).await?;
    Ok(found.into_iter().find(|group| group["name"] == name))
}

/// The account that has to be made; `None` if somebody can sign in as an administrator.
///
/// # Errors
/// [`AdminError::InTheWay`] if the name belongs to somebody who is none: making them one is a person's decision.
pub(super) async fn change(admin: &Admin, settings: &Settings) -> Result<Option<Change>, AdminError> {
    let realm = settings.realm.as_str();
    if let Some(group) = find_group(admin, realm, wanted::ADMINS).await? {
        let path = ["realms", realm, "groups", id(&group), "members"];
        let members = admin.list(&path, &[("max", MEMBERS)]).await?;
        if members.iter().any(|member| member["enabled"] == true) {
            return Ok(None);
        }
    }
    let username = &settings.first_admin.username;
    let query = [("username", username.as_str()), ("exact", "true")];
    let found = admin.list(&["realms", realm, "users"], &query).await?;
    if !found.is_empty() {
        return Err(AdminError::InTheWay(format!(
            "the group {:?} has no member that is enabled, and the user {username:?} exists already: put somebody \
             into the group, or choose another name for the first administrator",
            wanted::ADMINS
        )));
    }
    let mut fields = vec![
        ("username", json!(username).to_string()),
        ("groups", json!([wanted::ADMINS]).to_string()),
        (
            "password",
            "(a secret), to be changed at the first login".to_owned(),
        ),
    ];
    fields.extend(
        settings
            .first_admin
            .email
            .as_ref()
            .map(|email| ("email", json!(email).to_string())),
    );
    let fields = fields.into_iter().map(|(field, to)| Difference {
        field: field.to_owned(),
        from: None,
        to,
    });
    Ok(Some(Change {
        object: name(settings),
        is_new: true,
        fields: fields.collect(),
    }))
}

/// Makes the account.
pub(super) async fn make(admin: &Admin, settings: &Settings) -> Result<(), AdminError> {
    let first = &settings.first_admin;
    let mut body = json!({
        "username": first.username,
        "enabled": true,
        "groups": [format!("/{}", wanted::ADMINS)],
        "requiredActions": ["UPDATE_PASSWORD"],
        "credentials": [{
            "type": "password",
            "value": first.password.expose_secret(),
            "temporary": true,
        }],
    });
    if let Some(email) = &first.email {
        body["email"] = json!(email);
    }
    admin.post(&["realms", &settings.realm, "users"], &body).await
}
