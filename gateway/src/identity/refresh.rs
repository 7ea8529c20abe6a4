//! The provider, asked again about somebody who has signed in: its refresh token (RFC 6749 §6).
//!
//! Responsible for: the request, and which of its answers mean that the session has ended. Not responsible for what
//! follows from that (see `renewal`).

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{OAuth2TokenResponse as _, RefreshToken, RequestTokenError, TokenResponse as _};

use super::login_error::LoginError;
use super::login_refusal::refusal_of_exchange;
use super::oidc::{Oidc, invalid};
use crate::config::Origin;

/// What the provider gave for a refresh token.
pub(super) struct Refreshed {
    pub(super) access_token: String,
    /// The successor of the refresh token, where there is one.
    pub(super) refresh_token: Option<String>,
    /// A newer ID token, verified, where there is one.
    pub(super) id_token: Option<String>,
    /// When the person proved who they are, in Unix seconds, if that ID token says so: later than at the login if they were
    /// asked again in the same browser.
    pub(super) auth_time: Option<u64>,
}

/// Why the provider gave nothing.
#[derive(Debug)]
pub(super) enum RefreshError {
    /// `invalid_grant`: the session is over, the user disabled, the token used twice. The words are for logs.
    Ended(String),
    /// Anything else says nothing about the session.
    Unknown(LoginError),
}

impl From<LoginError> for RefreshError {
    fn from(error: LoginError) -> Self {
        Self::Unknown(error)
    }
}

impl Oidc {
    /// Fresh tokens of `sub`, who signed in on `origin`.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub(super) async fn refresh(
        &self,
        origin: &Origin,
        refresh_token: String,
        sub: &str,
    ) -> Result<Refreshed, RefreshError> {
        self.ready().await?;
        let client = self.client(origin, &self.keys())?;
        let channel = self.on_behalf_of(origin);
        let answer = client
            .exchange_refresh_token(&RefreshToken::new(refresh_token))
            .request_async(&channel)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(RequestTokenError::ServerResponse(said))
                if *said.error() == CoreErrorResponseType::InvalidGrant =>
            {
                return Err(RefreshError::Ended(said.to_string()));
            }
            Err(error) => return Err(refusal_of_exchange(error).into()),
        };
        let access_token = answer.access_token();
        let mut auth_time = None;
        if let Some(id_token) = answer.id_token() {
            // It need not repeat the nonce (OpenID Connect Core §12.2); everything else holds as at the login.
            let verified = self.verify(origin, id_token, access_token, None).await?;
            if verified.sub != sub {
                return Err(invalid("it is about somebody else").into());
            }
            auth_time = verified.auth_time;
        }
        Ok(Refreshed {
            access_token: access_token.secret().clone(),
            refresh_token: answer.refresh_token().map(|token| token.secret().clone()),
            id_token: answer.id_token().map(ToString::to_string),
            auth_time,
        })
    }
}
