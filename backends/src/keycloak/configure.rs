//! Compares a Keycloak with what the platform needs of it, and makes up the difference.
//!
//! Responsible for: the order of things, and that a second run finds nothing to do. Not responsible for: what is
//! needed (see `wanted`).

use secrecy::SecretString;
use serde_json::{Value, json};

use super::admin::{Admin, AdminError};
use super::object::Wanted;
use super::report::{Change, Difference, Report};
use super::{Settings, account, first_admin, issuer, wanted};

/// Makes the realm ready.
///
/// # Errors
/// [`AdminError`]. What was done until then stays done; the next run goes on from there.
pub async fn configure(admin: &Admin, settings: &Settings) -> Result<Report, AdminError> {
    Run::begin(admin, settings, true).complete().await
}

/// What [`configure`] would change. Writes nothing.
///
/// # Errors
/// [`AdminError`].
pub async fn plan(admin: &Admin, settings: &Settings) -> Result<Report, AdminError> {
    Run::begin(admin, settings, false).complete().await
}

/// The secret that the client has already, if there is such a client and it has one.
///
/// # Errors
/// [`AdminError`].
pub async fn client_secret(
    admin: &Admin,
    realm: &str,
    client_id: &str,
) -> Result<Option<SecretString>, AdminError> {
    let client = find_client(admin, realm, client_id).await?;
    let secret = client.as_ref().and_then(|client| client["secret"].as_str());
    Ok(secret.filter(|secret| !secret.is_empty()).map(SecretString::from))
}

pub(super) async fn find_client(
    admin: &Admin,
    realm: &str,
    client_id: &str,
) -> Result<Option<Value>, AdminError> {
    let query = [("clientId", client_id)];
    let found = admin.list(&["realms", realm, "clients"], &query).await?;
    Ok(found.into_iter().find(|client| client["clientId"] == client_id))
}

struct Run<'a> {
    admin: &'a Admin,
    settings: &'a Settings,
    writes: bool,
    report: Report,
}

impl<'a> Run<'a> {
    fn begin(admin: &'a Admin, settings: &'a Settings, writes: bool) -> Self {
        Self {
            admin,
            settings,
            writes,
            report: Report::default(),
        }
    }

    async fn complete(mut self) -> Result<Report, AdminError> {
        let frontend = issuer::frontend_url(self.admin, self.settings).await?;
        self.realm(frontend.as_deref()).await?;
        let client = self.client().await?;
        self.mappers(client.as_ref()).await?;
        self.scopes(client.as_ref()).await?;
        self.account(client.as_ref()).await?;
        for name in wanted::GROUPS {
            self.group(name).await?;
        }
        self.first_admin().await?;
        Ok(self.report)
    }

    async fn realm(&mut self, frontend: Option<&str>) -> Result<(), AdminError> {
        let wanted = wanted::realm(self.settings, frontend);
        let path = ["realms", self.settings.realm.as_str()];
        let current = self.admin.get(&path, &[]).await?;
        if self.notes(wanted.change(current.as_ref())) {
            match &current {
                None => {
                    self.admin.post(&["realms"], &wanted.created()).await?;
                    self.admin.sign_in_again().await;
                }
                Some(current) => self.admin.put(&path, &wanted.part(current)).await?,
            }
        }
        Ok(())
    }

    /// The client as it is afterwards; `None` if it was not made because nothing is written.
    async fn client(&mut self) -> Result<Option<Value>, AdminError> {
        let (realm, client_id) = (self.settings.realm.as_str(), self.settings.client_id.as_str());
        let wanted = wanted::client(self.settings);
        let current = find_client(self.admin, realm, client_id).await?;
        if !self.notes(wanted.change(current.as_ref())) {
            return Ok(current);
        }
        match &current {
            None => {
                let path = ["realms", realm, "clients"];
                self.admin.post(&path, &wanted.created()).await?;
            }
            Some(current) => {
                let path = ["realms", realm, "clients", id(current)];
                self.admin.put(&path, &wanted.part(current)).await?;
            }
        }
        find_client(self.admin, realm, client_id).await
    }

    async fn mappers(&mut self, client: Option<&Value>) -> Result<(), AdminError> {
        let existing: &[Value] = client
            .and_then(|client| client["protocolMappers"].as_array())
            .map_or(&[], Vec::as_slice);
        for wanted in wanted::mappers(self.settings) {
            let current = existing.iter().find(|mapper| is_named(mapper, &wanted));
            if !self.notes(wanted.change(current)) {
                continue;
            }
            let client = client.map(id).unwrap_or_default();
            let models = [
                "realms",
                &self.settings.realm,
                "clients",
                client,
                "protocol-mappers",
                "models",
            ];
            match current {
                None => self.admin.post(&models, &wanted.created()).await?,
                Some(current) => {
                    let path = [&models[..], &[id(current)]].concat();
                    self.admin.put(&path, &wanted.whole(current)).await?;
                }
            }
        }
        Ok(())
    }

    /// A new client gets the realm's default scopes; an old one may have lost some.
    async fn scopes(&mut self, client: Option<&Value>) -> Result<(), AdminError> {
        let Some(client) = client else {
            return Ok(());
        };
        let realm = self.settings.realm.as_str();
        let has = names(&client["defaultClientScopes"]);
        let needed = wanted::scopes(self.settings);
        if needed.iter().all(|scope| has.contains(scope)) {
            return Ok(());
        }
        let known = self.admin.list(&["realms", realm, "client-scopes"], &[]).await?;
        for scope in known
            .iter()
            .filter(|scope| needed.iter().any(|wanted| scope["name"] == *wanted))
        {
            let name = scope["name"].as_str().unwrap_or_default();
            if has.contains(&name) {
                continue;
            }
            let change = Change {
                object: wanted::client_name(self.settings),
                is_new: false,
                fields: vec![Difference {
                    field: "defaultClientScopes".to_owned(),
                    from: Some(json!(has).to_string()),
                    to: format!("{name:?} as well"),
                }],
            };
            if self.notes(Some(change)) {
                let path = [
                    "realms",
                    realm,
                    "clients",
                    id(client),
                    "default-client-scopes",
                    id(scope),
                ];
                self.admin.put(&path, &json!({})).await?;
            }
        }
        Ok(())
    }

    async fn account(&mut self, client: Option<&Value>) -> Result<(), AdminError> {
        if !self.settings.recheck_passwords {
            return Ok(());
        }
        let Some((change, missing)) = account::change(self.admin, self.settings, client).await? else {
            return Ok(());
        };
        if self.notes(Some(change))
            && let Some(missing) = missing
        {
            account::give(self.admin, missing).await?;
        }
        Ok(())
    }

    async fn group(&mut self, name: &str) -> Result<(), AdminError> {
        let wanted = wanted::group(name);
        let current = first_admin::find_group(self.admin, &self.settings.realm, name).await?;
        if self.notes(wanted.change(current.as_ref())) {
            let path = ["realms", self.settings.realm.as_str(), "groups"];
            self.admin.post(&path, &wanted.created()).await?;
        }
        Ok(())
    }

    async fn first_admin(&mut self) -> Result<(), AdminError> {
        let change = first_admin::change(self.admin, self.settings).await?;
        self.report.makes_first_admin = change.is_some();
        if self.notes(change) {
            first_admin::make(self.admin, self.settings).await?;
        }
        Ok(())
    }

    /// Notes a change; whether it is to be made.
    fn notes(&mut self, change: Option<Change>) -> bool {
        let Some(change) = change else {
            return false;
        };
        self.report.changes.push(change);
        self.writes
    }
}

fn is_named(object: &Value, wanted: &Wanted) -> bool {
    wanted.named.iter().all(|(name, value)| &object[name] == value)
}

/// An object's id.
pub(super) fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap_or_default()
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).collect()
}
