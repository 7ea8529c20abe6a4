//! What the client's tokens let their own holder see at the realm's account service: when their password was set, among
//! what else they know of themselves. The gateway asks there, in that person's name, whether a session outlived a password.
//!
//! Responsible for: the one role that this needs, which shows a person's own account and changes nothing. Not responsible for:
//! whether people have that role; everybody of a realm has, unless an operator took it away.

use serde_json::Value;

use super::admin::{Admin, AdminError};
use super::configure::{find_client, id};
use super::report::Change;
use super::{Settings, wanted};

/// Keycloak's own client of its account service.
const ACCOUNT: &str = "account";
/// The role that shows a person's own account.
const ROLE: &str = "view-profile";

/// Where the role is, and where it has to be.
pub(super) struct Missing {
    path: Vec<String>,
    role: Value,
}

/// What has to be done so that `client` has the role, and how that is shown. `None` where nothing has to be done, or nothing
/// can be, because the realm has no account service. Without a client (nothing was written) there is only the latter.
pub(super) async fn change(
    admin: &Admin,
    settings: &Settings,
    client: Option<&Value>,
) -> Result<Option<(Change, Option<Missing>)>, AdminError> {
    let shown = Change {
        object: format!("{}, role {ROLE} of {ACCOUNT}", wanted::client_name(settings)),
        is_new: true,
        fields: Vec::new(),
    };
    let realm = settings.realm.as_str();
    let (client, account) = match (client, service(admin, realm).await?) {
        (Some(client), Some(account)) => (client, account),
        (Some(_), None) => return Ok(None),
        (None, _) => return Ok(Some((shown, None))),
    };
    let clients = ["realms", realm, "clients"];
    let path = [
        &clients[..],
        &[id(client), "scope-mappings", "clients", id(&account)],
    ]
    .concat();
    let mapped = admin.list(&path, &[]).await?;
    if mapped.iter().any(|role| role["name"] == ROLE) {
        return Ok(None);
    }
    let role = [&clients[..], &[id(&account), "roles", ROLE]].concat();
    let Some(role) = admin.get(&role, &[]).await? else {
        return Ok(None);
    };
    let path = path.into_iter().map(str::to_owned).collect();
    Ok(Some((shown, Some(Missing { path, role }))))
}

/// Gives the role.
pub(super) async fn give(admin: &Admin, missing: Missing) -> Result<(), AdminError> {
    let path: Vec<&str> = missing.path.iter().map(String::as_str).collect();
    admin.post(&path, &Value::Array(vec![missing.role])).await
}

/// The account service's client, if it is there and answers.
pub(super) async fn service(admin: &Admin, realm: &str) -> Result<Option<Value>, AdminError> {
    let found = find_client(admin, realm, ACCOUNT).await?;
    Ok(found.filter(|client| client["enabled"] == true))
}
