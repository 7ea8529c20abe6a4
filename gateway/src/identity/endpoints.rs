//! The identity provider's addresses (platform README §11), built from the configuration.
//!
//! Responsible for: which address browsers use, which one the gateway uses, and what the provider is told
//! about the former when the latter is used. Not responsible for calling any of them.
//!
//! The provider's public address is also its issuer, and differs from the one the gateway reaches it at.
//! Discovery would mix the two up, so nothing is discovered.

use openidconnect::core::CoreIdToken;
use openidconnect::{ClientId, EndSessionUrl, LogoutRequest, PostLogoutRedirectUrl};

use crate::config::{Origin, Provider};

/// Where the provider sends the browser back to, below the public origin.
pub const CALLBACK_PATH: &str = "/keycloak-callback";

/// The provider's addresses.
#[derive(Clone)]
pub(super) struct Endpoints {
    pub(super) settings: Provider,
}

impl Endpoints {
    pub(super) fn new(settings: Provider) -> Self {
        Self { settings }
    }

    /// The provider's issuer for browsers that use `origin`.
    pub(super) fn issuer(&self, origin: &Origin) -> String {
        format!(
            "{}/realms/{}",
            self.settings.public_base(origin),
            self.settings.realm
        )
    }

    /// One of its endpoints, for browsers that use `origin`.
    pub(super) fn public(&self, origin: &Origin, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.issuer(origin))
    }

    /// One of its endpoints, for the gateway.
    pub(super) fn backend(&self, name: &str) -> String {
        let base = self.settings.backend_url.as_str().trim_end_matches('/');
        format!(
            "{base}/realms/{}/protocol/openid-connect/{name}",
            self.settings.realm
        )
    }

    /// Where it sends the browser back to after the login.
    pub(super) fn callback(origin: &Origin) -> String {
        format!("{origin}{CALLBACK_PATH}")
    }

    /// Where the browser goes so that the provider ends its own session too; it comes back to `<origin>/`.
    /// Without the hint the provider asks before it does.
    pub(super) fn end_session(&self, origin: &Origin, id_token: Option<&str>) -> Option<String> {
        let end = EndSessionUrl::new(self.public(origin, "logout")).ok()?;
        let back = PostLogoutRedirectUrl::new(format!("{origin}/")).ok()?;
        let request = LogoutRequest::from(end)
            .set_client_id(ClientId::new(self.settings.client_id.clone()))
            .set_post_logout_redirect_uri(back);
        let hint: Option<CoreIdToken> = id_token.and_then(|token| token.parse().ok());
        let request = match &hint {
            Some(hint) => request.set_id_token_hint(hint),
            None => request,
        };
        Some(request.http_get_url().into())
    }

    /// What the provider is told about its public address.
    pub(super) fn forwarded(&self, origin: &Origin) -> Forwarded {
        let origin = self.settings.identity_origin.as_ref().unwrap_or(origin);
        Forwarded {
            proto: origin.scheme.as_str(),
            host: origin.authority(),
            port: origin.port.to_string(),
            prefix: self.settings.public_path.clone(),
        }
    }
}

/// What a proxy says of the public address, so that the provider issues tokens in that name even where it is
/// not configured with a fixed one.
pub(super) struct Forwarded {
    pub(super) proto: &'static str,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) prefix: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn endpoints(identity_origin: Option<&str>, public_path: &str) -> Endpoints {
        let mut settings = Provider::new(
            "http://127.0.0.1:8080/".parse().unwrap(),
            "secret".to_owned().into(),
        );
        settings.identity_origin = identity_origin.map(|origin| origin.parse().unwrap());
        settings.public_path = public_path.to_owned();
        Endpoints::new(settings)
    }

    fn origin() -> Origin {
        "https://hive.example".parse().unwrap()
    }

    #[test]
    fn browsers_and_the_gateway_use_different_addresses_of_one_provider() {
        let endpoints = endpoints(None, "/keycloak");
        assert_eq!(
            endpoints.issuer(&origin()),
            "https://hive.example/keycloak/realms/hivematrix"
        );
        assert_eq!(
            endpoints.backend("token"),
            "http://127.0.0.1:8080/realms/hivematrix/protocol/openid-connect/token"
        );
        assert_eq!(
            Endpoints::callback(&origin()),
            "https://hive.example/keycloak-callback"
        );
        let forwarded = endpoints.forwarded(&origin());
        assert_eq!(
            (forwarded.proto, &*forwarded.host, &*forwarded.port),
            ("https", "hive.example", "443")
        );
        assert_eq!(forwarded.prefix, "/keycloak");
    }

    #[test]
    fn a_provider_on_an_origin_of_its_own_is_named_by_it() {
        let endpoints = endpoints(Some("https://id.example:8443"), "");
        assert_eq!(
            endpoints.issuer(&origin()),
            "https://id.example:8443/realms/hivematrix"
        );
        assert_eq!(endpoints.forwarded(&origin()).host, "id.example:8443");
        assert_eq!(
            Endpoints::callback(&origin()),
            "https://hive.example/keycloak-callback"
        );
    }

    #[test]
    fn the_browser_comes_back_from_the_providers_logout() {
        let url = endpoints(None, "/keycloak")
            .end_session(&origin(), Some("not a token"))
            .unwrap();
        assert_eq!(
            url,
            "https://hive.example/keycloak/realms/hivematrix/protocol/openid-connect/logout\
             ?client_id=core-client&post_logout_redirect_uri=https%3A%2F%2Fhive.example%2F"
        );
    }
}
