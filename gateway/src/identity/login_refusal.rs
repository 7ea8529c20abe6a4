//! What others' refusals mean for a login: the provider's, its tokens', Core's, the verifier's and the view's.
//!
//! Responsible for: turning each into a [`LoginError`]. Not responsible for what people read (see `login_error`).

use hivematrix_platform::{CoreError, TokenError, unix_now};
use openidconnect::{ClaimsVerificationError, RequestTokenError};

use super::caller::Refused;
use super::cause::Cause;
use super::login_error::LoginError;

/// The provider was asked for a recent proof, and must say that it has one (OpenID Connect Core §3.1.3.7, 13).
pub(super) fn proved_lately(auth_time: Option<u64>, max_age: u64) -> Result<(), LoginError> {
    const SKEW: u64 = 60;
    if auth_time.is_some_and(|time| time + max_age + SKEW >= unix_now()) {
        Ok(())
    } else {
        Err(LoginError::IdTokenInvalid(
            "the sign-in is not as recent as was asked for".to_owned(),
        ))
    }
}

pub(super) fn refusal_of_core(error: CoreError) -> LoginError {
    if error.is_outage() {
        LoginError::CoreDown(error.to_string())
    } else {
        LoginError::CoreRefused(error.to_string())
    }
}

pub(super) fn refusal_of_token(error: TokenError) -> LoginError {
    match error {
        TokenError::KeysUnavailable(_) => LoginError::CoreDown(error.to_string()),
        other => match cause_of_token(&other) {
            Some(cause) => LoginError::explained(cause, format!("Core's token: {other}")),
            None => LoginError::CoreRefused(format!("its token: {other}")),
        },
    }
}

pub(super) fn refusal_of_view(refused: Refused) -> LoginError {
    match refused {
        Refused::StoreDown(error) => LoginError::StoreDown(error),
        Refused::KeysDown(error) => LoginError::CoreDown(error.to_string()),
        Refused::Unknown => {
            LoginError::explained(Cause::SessionLost, "Core's session is not in the session store")
        }
        Refused::Unreadable => LoginError::explained(
            Cause::SealingKeysDiffer,
            "the session just written cannot be opened",
        ),
        Refused::Expired => LoginError::explained(Cause::ClockSkew, "Core's session has expired already"),
        Refused::Token(error) => refusal_of_token(error),
        other @ (Refused::Revoked | Refused::Mismatch) => {
            LoginError::CoreRefused(format!("its session: {other}"))
        }
    }
}

/// What is wrong with a token that Core has made a moment ago.
fn cause_of_token(error: &TokenError) -> Option<Cause> {
    match error {
        TokenError::UnknownKey | TokenError::Signature => Some(Cause::SigningKeysDiffer),
        TokenError::Expired | TokenError::NotYetValid => Some(Cause::ClockSkew),
        TokenError::WrongIssuer => Some(Cause::IssuerMismatch),
        _ => None,
    }
}

/// A token that the provider has made a moment ago, for us: its times and its issuer say how the two are set up.
pub(super) fn refusal_of_claims(error: ClaimsVerificationError) -> LoginError {
    let cause = match &error {
        ClaimsVerificationError::Expired(_) => Cause::ClockSkew,
        ClaimsVerificationError::InvalidIssuer(_) => Cause::IssuerMismatch,
        _ => return LoginError::IdTokenInvalid(error.to_string()),
    };
    LoginError::explained(cause, format!("the ID token: {error}"))
}

/// What the provider says to a code (RFC 6749 §5.2).
pub(super) fn refusal_of_exchange<E, T>(error: RequestTokenError<E, T>) -> LoginError
where
    E: std::error::Error + 'static,
    T: openidconnect::ErrorResponse + 'static,
{
    match error {
        RequestTokenError::ServerResponse(answer) => match answer.to_string() {
            text if text.contains("redirect_uri") => LoginError::explained(Cause::RedirectUri, text),
            text => LoginError::ProviderRefused(text),
        },
        RequestTokenError::Request(error) => LoginError::ProviderDown(error.to_string()),
        RequestTokenError::Parse(error, _) => {
            LoginError::ProviderDown(format!("its answer is unreadable at {}", error.path()))
        }
        RequestTokenError::Other(error) => LoginError::ProviderDown(error),
    }
}
