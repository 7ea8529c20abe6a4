//! Provider: the identity provider behind the gateway, through an allow-list (security rules, "Doors").
//!
//! Only one realm's pages and the theme's resources are reachable; administration, the master realm,
//! metrics and health are not, in any encoding.

use pingora::http::RequestHeader;

use crate::config::Provider;
use crate::context::{Context, Target};
use crate::error::Refusal;
use crate::phases::path::{CanonicalPath, under};

/// Whether a path is the provider's door at all, open or not.
pub(crate) fn knocks(path: &CanonicalPath, provider: &Provider) -> bool {
    let doors = [provider.public_path.as_str(), "/realms", "/resources"];
    path.readings().any(|reading| {
        doors
            .iter()
            // At the root of an origin of its own it has no path here; every path would be below it.
            .filter(|door| !door.is_empty())
            .any(|door| under(reading, door).is_some())
    })
}

/// Sends the request on to the provider if the allow-list says so.
///
/// # Errors
/// [`Refusal::NotFound`] for everything else.
pub(crate) fn admit(head: &RequestHeader, context: &mut Context) -> Result<(), Refusal> {
    let snapshot = context.snapshot.clone();
    let provider = &snapshot.config.provider;
    let Some(path) = &context.path else {
        return Err(Refusal::NotFound);
    };
    context.account.door = "keycloak";
    if provider.identity_origin.is_some() {
        return Err(Refusal::NotFound);
    }
    let at_provider = permitted(path, provider).ok_or(Refusal::NotFound)?;
    let query = head
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    context.target = Some(Target::Provider {
        path_and_query: format!("{at_provider}{query}"),
    });
    Ok(())
}

/// The path at the provider, if every reading is on the allow-list.
fn permitted<'a>(path: &'a CanonicalPath, provider: &Provider) -> Option<&'a str> {
    let realm = format!("/realms/{}/", provider.realm);
    let inner = |reading: &'a str| under(reading, &provider.public_path).unwrap_or(reading);
    let open =
        |reading: &'a str| inner(reading).starts_with(&realm) || inner(reading).starts_with("/resources/");
    // Empty segments are skipped by some servers, which would move what follows up.
    let doubtful = |reading: &str| reading.contains("//");
    path.readings()
        .all(|reading| open(reading) && !doubtful(reading))
        .then(|| inner(path.sent()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(path: &str) -> Option<String> {
        let backend = "http://127.0.0.1:8080".parse().expect("valid");
        let provider = Provider::new(backend, "secret".to_owned().into());
        let path = CanonicalPath::parse(path.as_bytes()).ok()?;
        permitted(&path, &provider).map(str::to_owned)
    }

    #[test]
    fn the_realm_and_its_resources_are_reachable() {
        assert_eq!(
            reach("/keycloak/realms/hivematrix/account").as_deref(),
            Some("/realms/hivematrix/account")
        );
        assert_eq!(
            reach("/realms/hivematrix/x").as_deref(),
            Some("/realms/hivematrix/x")
        );
        assert_eq!(
            reach("/keycloak/resources/a.css").as_deref(),
            Some("/resources/a.css")
        );
        assert_eq!(reach("/resources/a.css").as_deref(), Some("/resources/a.css"));
    }

    #[test]
    fn administration_other_realms_metrics_and_health_are_not_reachable_in_any_encoding() {
        for path in [
            "/keycloak/admin/master/console/",
            "/keycloak/%61dmin/",
            "/keycloak/realms/master/account",
            "/keycloak/realms/maste%72/account",
            "/keycloak/realms/hivematrix",
            "/keycloak/metrics",
            "/keycloak/health",
            "/keycloak/",
            "/keycloak//admin/",
            "/keycloak/realms/hivematrix//../admin",
            "/realms/master/x",
            "/keycloak/realms%2Fhivematrix/x",
            "/keycloak/realms/hivematrix%2fx/y",
            "/keycloak/realms/hivematrix;x/y",
            "/keycloak/resources%2f..%2fadmin",
            "/keycloak/realms//hivematrix/x",
            "/keycloak/keycloak/realms/hivematrix/x",
        ] {
            assert_eq!(reach(path), None, "{path}");
        }
    }
}
