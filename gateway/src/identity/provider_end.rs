//! Ending a session at the provider without its browser: a session that somebody ends from elsewhere would otherwise
//! be renewed by the provider, which still knows that browser.
//!
//! Responsible for: one call over the back channel. Not responsible for our own side of the session (see `ending`).

use http::header::CONTENT_TYPE;
use openidconnect::AsyncHttpClient as _;
use secrecy::ExposeSecret as _;

use super::back_channel::CallError;
use super::oidc::Oidc;
use crate::config::Origin;

/// The provider has not ended its session.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotEnded {
    /// It did not answer.
    #[error("the provider: {0}")]
    Call(#[from] CallError),
    /// It is no Keycloak, and others offer no such thing.
    #[error("this provider ends sessions in their browsers only")]
    NoWay,
    /// It refused.
    #[error("the provider answered with {0}")]
    Refused(http::StatusCode),
}

impl Oidc {
    /// Ends the session at the provider to which these tokens belong: by the refresh token, as Keycloak offers it to
    /// confidential clients, and by the ID token (OpenID Connect RP-Initiated Logout §2), where that is all there is.
    pub(super) async fn end_session(
        &self,
        origin: &Origin,
        refresh_token: Option<&str>,
        id_token: &str,
    ) -> Result<(), NotEnded> {
        let address = self.endpoints.end_without_browser().ok_or(NotEnded::NoWay)?;
        let request = http::Request::post(address)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.logout_form(refresh_token, id_token).into_bytes())
            .map_err(CallError::from)?;
        let channel = self.back_channel.on_behalf_of(self.endpoints.forwarded(origin));
        let status = channel.call(request).await?.status();
        if status.is_success() || status.is_redirection() {
            Ok(())
        } else {
            Err(NotEnded::Refused(status))
        }
    }

    fn logout_form(&self, refresh_token: Option<&str>, id_token: &str) -> String {
        let settings = &self.endpoints.settings;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &settings.client_id)
            .append_pair("client_secret", settings.client_secret.expose_secret())
            .append_pair("id_token_hint", id_token);
        if let Some(token) = refresh_token {
            form.append_pair("refresh_token", token);
        }
        form.finish()
    }
}
