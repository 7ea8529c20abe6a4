//! The identity provider's addresses (platform README §11), built from the configuration.
//!
//! Responsible for: which address browsers use, which one the gateway uses, and what the provider is told
//! about the former when the latter is used. Not responsible for calling any of them.
//!
//! The public address of a Keycloak behind this gateway is also its issuer, and differs from the one the gateway reaches it
//! at. Discovery would mix the two up, so there nothing is discovered; other providers are known by nothing else (`discovery`).

use std::sync::Arc;

use openidconnect::core::CoreIdToken;
use openidconnect::{AuthType, ClientId, EndSessionUrl, LogoutRequest, PostLogoutRedirectUrl};

use super::back_channel::BackChannel;
use super::discovery::{Discovery, Metadata};
use super::login_error::LoginError;
use crate::config::{Origin, Provider};

/// Where the provider sends the browser back to, below the public origin.
pub const CALLBACK_PATH: &str = "/keycloak-callback";

/// The provider's addresses.
#[derive(Clone)]
pub(super) struct Endpoints {
    pub(super) settings: Provider,
    discovery: Option<Arc<Discovery>>,
}

impl Endpoints {
    pub(super) fn new(settings: Provider) -> Self {
        let discovery = settings
            .issuer
            .clone()
            .map(|issuer| Arc::new(Discovery::new(issuer)));
        Self { settings, discovery }
    }

    /// Sees to it that the addresses are known; to be awaited before any of them is asked for.
    ///
    /// # Errors
    /// [`LoginError::ProviderDown`].
    pub(super) async fn ready(&self, back_channel: &BackChannel) -> Result<(), LoginError> {
        match &self.discovery {
            Some(discovery) => discovery.refresh(back_channel).await,
            None => Ok(()),
        }
    }

    /// Whether this is another provider than a Keycloak behind the gateway.
    pub(super) fn is_discovered(&self) -> bool {
        self.discovery.is_some()
    }

    fn discovered(&self) -> Option<Arc<Metadata>> {
        self.discovery.as_ref()?.known()
    }

    /// The provider's issuer for browsers that use `origin`.
    pub(super) fn issuer(&self, origin: &Origin) -> String {
        if let Some(discovery) = &self.discovery {
            return discovery.issuer().to_owned();
        }
        format!(
            "{}/realms/{}",
            self.settings.public_base(origin),
            self.settings.realm
        )
    }

    /// Where browsers that use `origin` sign in.
    pub(super) fn authorization(&self, origin: &Origin) -> String {
        match self.discovered() {
            Some(known) => known.authorization_endpoint.clone(),
            None => self.public(origin, "auth"),
        }
    }

    /// Where the gateway redeems codes and refresh tokens.
    pub(super) fn token(&self) -> String {
        match self.discovered() {
            Some(known) => known.token_endpoint.clone(),
            None => self.backend("token"),
        }
    }

    /// Where the gateway ends a session without its browser: Keycloak's own way. Nothing of the kind is standard.
    pub(super) fn end_without_browser(&self) -> Option<String> {
        (!self.is_discovered()).then(|| self.backend("logout"))
    }

    /// Where Keycloak tells people about their own credentials; `None` if it is no Keycloak, or not to be asked.
    pub(super) fn credentials(&self) -> Option<String> {
        (self.settings.recheck_passwords && !self.is_discovered())
            .then(|| format!("{}/account/credentials?type=password", self.realm()))
    }

    /// Where its keys are.
    pub(super) fn keys(&self) -> String {
        match self.discovered() {
            Some(known) => known.jwks_uri.clone(),
            None => self.backend("certs"),
        }
    }

    /// How the gateway proves itself there.
    pub(super) fn auth_type(&self) -> AuthType {
        self.discovered()
            .map_or(AuthType::BasicAuth, |known| known.auth_type())
    }

    /// One of Keycloak's endpoints, for browsers that use `origin`.
    fn public(&self, origin: &Origin, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.issuer(origin))
    }

    /// One of Keycloak's endpoints, for the gateway.
    fn backend(&self, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.realm())
    }

    /// Keycloak's realm, for the gateway.
    fn realm(&self) -> String {
        let base = self.settings.backend_url.as_str().trim_end_matches('/');
        format!("{base}/realms/{}", self.settings.realm)
    }

    /// Where it sends the browser back to after the login.
    pub(super) fn callback(origin: &Origin) -> String {
        format!("{origin}{CALLBACK_PATH}")
    }

    /// Where the browser goes so that the provider ends its own session too; it comes back to `<origin>/`.
    /// Without the hint the provider asks before it does. `None` if it has no such endpoint, or is not known (yet).
    pub(super) fn end_session(&self, origin: &Origin, id_token: Option<&str>) -> Option<String> {
        let address = match &self.discovery {
            Some(discovery) => discovery.known()?.end_session_endpoint.clone()?,
            None => self.public(origin, "logout"),
        };
        let end = EndSessionUrl::new(address).ok()?;
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
        // A provider elsewhere is asked at its public address, and no proxy's word is needed.
        if self.discovery.is_some() {
            return Forwarded::default();
        }
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
#[derive(Default)]
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
    fn credentials_are_asked_about_at_a_keycloak_only_and_only_if_that_is_wanted() {
        let mut asks = endpoints(None, "/keycloak");
        assert_eq!(
            asks.credentials().unwrap(),
            "http://127.0.0.1:8080/realms/hivematrix/account/credentials?type=password"
        );
        asks.settings.recheck_passwords = false;
        assert_eq!(asks.credentials(), None);
        let other = Provider::discovered("https://id.example.com", "secret".to_owned().into()).unwrap();
        assert_eq!(Endpoints::new(other).credentials(), None);
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
