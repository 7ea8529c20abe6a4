//! Clients of the realm through which tokens could be led astray.
//!
//! Responsible for: redirect addresses with wildcards, clients without PKCE, and mappers that let something else than
//! groups decide who may do what. Not responsible for: fields of our own client that drifted.

use serde_json::Value;

use super::Audit;
use crate::keycloak::admin::{Admin, AdminError};
use crate::keycloak::configure::find_client;
use crate::keycloak::{Settings, wanted};

/// Clients that Keycloak puts into each realm. Their wildcards stay below Keycloak's own address.
const BUILT_IN: [&str; 6] = [
    "account",
    "account-console",
    "admin-cli",
    "broker",
    "realm-management",
    "security-admin-console",
];

/// Clients that are read at once.
const PAGE: usize = 100;

pub(super) async fn check(admin: &Admin, settings: &Settings, audit: &mut Audit) -> Result<(), AdminError> {
    let mut first = 0;
    loop {
        let (from, max) = (first.to_string(), PAGE.to_string());
        let query = [("first", from.as_str()), ("max", max.as_str())];
        let page = admin
            .list(&["realms", &settings.realm, "clients"], &query)
            .await?;
        for client in &page {
            wildcards(client, audit);
            pkce(client, settings, audit);
        }
        if page.len() < PAGE {
            break;
        }
        first += PAGE;
    }
    groups_claim(admin, settings, audit).await
}

fn wildcards(client: &Value, audit: &mut Audit) {
    let (object, is_built_in) = named(client);
    let after_logout = client["attributes"]["post.logout.redirect.uris"].as_str();
    let redirects = client["redirectUris"].as_array().into_iter().flatten();
    let redirects = redirects
        .filter_map(Value::as_str)
        .map(|uri| ("redirectUris", uri));
    let after_logout = after_logout.unwrap_or_default().split("##");
    let after_logout = after_logout.map(|uri| ("post.logout.redirect.uris", uri));
    for (field, uri) in redirects.chain(after_logout) {
        let stays_at_keycloak = is_built_in && uri.starts_with('/');
        if uri.contains('*') && !stays_at_keycloak {
            let detail = format!("{field} has {uri:?}: codes can be led to any address that fits");
            audit.finds("wildcard_redirect", &object, detail);
        }
    }
}

/// A code that somebody else gets hold of is of use to them unless PKCE binds it to the browser that asked. Other
/// confidential clients prove themselves by their secret.
fn pkce(client: &Value, settings: &Settings, audit: &mut Audit) {
    let (object, is_built_in) = named(client);
    let ours = client["clientId"] == settings.client_id.as_str();
    let asks = client["attributes"]["pkce.code.challenge.method"] == "S256";
    let concerned = ours || client["publicClient"] == true;
    let can_sign_in = client["enabled"] == true && client["standardFlowEnabled"] == true;
    if !asks && concerned && can_sign_in && !is_built_in {
        let detail = "PKCE with S256 is not required";
        audit.finds("missing_pkce", &object, detail);
    }
}

/// Permission levels come from one claim. A mapper that fills it from something else, an attribute that people may
/// edit themselves, for instance, makes administrators.
async fn groups_claim(admin: &Admin, settings: &Settings, audit: &mut Audit) -> Result<(), AdminError> {
    let Some(client) = find_client(admin, &settings.realm, &settings.client_id).await? else {
        return Ok(());
    };
    let (object, _) = named(&client);
    let scopes = admin
        .list(&["realms", &settings.realm, "client-scopes"], &[])
        .await?;
    let assigned = client["defaultClientScopes"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let scopes = scopes
        .iter()
        .filter(|scope| assigned.contains(&scope["name"]))
        .map(|scope| {
            (
                format!("client scope {}", scope["name"].as_str().unwrap_or_default()),
                scope,
            )
        });
    for (object, holder) in std::iter::once((object, &client)).chain(scopes) {
        let mappers = holder["protocolMappers"].as_array().into_iter().flatten();
        for rival in mappers.filter(|mapper| wanted::is_rival_of_groups(mapper)) {
            let (name, kind) = (&rival["name"], &rival["protocolMapper"]);
            let detail = format!("the mapper {name} fills the claim \"groups\" from something else ({kind})");
            audit.finds("groups_claim", &object, detail);
        }
    }
    Ok(())
}

/// How the client is called, and whether it is one of Keycloak's own.
fn named(client: &Value) -> (String, bool) {
    let id = client["clientId"].as_str().unwrap_or_default();
    (format!("client {id}"), BUILT_IN.contains(&id))
}
