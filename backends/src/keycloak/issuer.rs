//! Whether Keycloak names itself as browsers find it: its issuer is what the gateway compares tokens with.
//!
//! Responsible for: what Keycloak says of itself at each public address, and the realm's own address where the
//! server's `hostname` is another. Not responsible for: the server's settings, which no API changes.

use url::Url;

use super::Settings;
use super::admin::{Admin, AdminError};

/// The public address that the realm has to be given, because the server's own settings lead to another; `None` where
/// they are right, or where there are several and one cannot be right for all.
pub(super) async fn frontend_url(admin: &Admin, settings: &Settings) -> Result<Option<String>, AdminError> {
    let [base] = settings.public_bases.as_slice() else {
        return Ok(None);
    };
    let is_right = match issuer_at(admin, &settings.realm, base).await? {
        Some(issuer) => issuer == expected(base, &settings.realm),
        // A new realm will be like the one that is always there.
        None => issuer_at(admin, "master", base)
            .await?
            .is_none_or(|issuer| issuer == expected(base, "master")),
    };
    Ok((!is_right).then(|| base.as_str().trim_end_matches('/').to_owned()))
}

/// The public addresses at which the realm calls itself by another name, with that name.
pub(super) async fn strangers(
    admin: &Admin,
    settings: &Settings,
) -> Result<Vec<(String, String)>, AdminError> {
    let mut strangers = Vec::new();
    for base in &settings.public_bases {
        let expected = expected(base, &settings.realm);
        if let Some(issuer) = issuer_at(admin, &settings.realm, base).await?
            && issuer != expected
        {
            strangers.push((expected, issuer));
        }
    }
    Ok(strangers)
}

async fn issuer_at(admin: &Admin, realm: &str, base: &Url) -> Result<Option<String>, AdminError> {
    let document = admin.discovery(realm, base).await?;
    Ok(document.and_then(|document| document["issuer"].as_str().map(str::to_owned)))
}

fn expected(base: &Url, realm: &str) -> String {
    format!("{}/realms/{realm}", base.as_str().trim_end_matches('/'))
}
