//! Why a login did not succeed.
//!
//! Responsible for: a stable reason for logs, and one sentence that may be shown, for each. Not responsible
//! for status codes and pages.

use std::borrow::Cow;

use hivematrix_platform::StoreError;

use super::cause::Cause;
use super::record::RecordError;
use super::return_path::ReturnPath;

/// A login that could not be begun or completed. The texts inside are for logs, never for the browser.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginError {
    /// The provider sent the browser back with an error instead of a code.
    #[error("the provider answered with the error {code}")]
    ProviderError {
        /// Its code, if it was a plain word, else `other`.
        code: Cow<'static, str>,
    },
    /// The attempt is not known: it took too long, or its answer was used already.
    #[error("no such login attempt")]
    AttemptUnknown,
    /// The attempt was begun by another browser, or on another of our origins.
    #[error("the login attempt belongs to another browser")]
    AttemptForeign,
    /// The provider did not answer, or not in a way that can be understood.
    #[error("the provider is down: {0}")]
    ProviderDown(String),
    /// The provider would not exchange the code.
    #[error("the provider refused the code: {0}")]
    ProviderRefused(String),
    /// A token of the provider is not genuine, not for us, or not the one that was asked for.
    #[error("the provider's tokens were refused: {0}")]
    IdTokenInvalid(String),
    /// Core did not answer, or not in a way that can be understood.
    #[error("Core is down: {0}")]
    CoreDown(String),
    /// Core would not give a token, or one that is not valid.
    #[error("Core refused: {0}")]
    CoreRefused(String),
    /// Core's token is about somebody else than the provider's.
    #[error("Core's token is about somebody else")]
    SubjectMismatch,
    /// The provider has ended its session while the login was under way.
    #[error("the provider has ended the session meanwhile")]
    EndedMeanwhile,
    /// Something is not set up as it must be; trying again will not mend it.
    #[error("{}: {detail}", cause.reason())]
    Explained {
        /// What.
        cause: Cause,
        /// How it was noticed.
        detail: String,
    },
    /// The browser has signed in again and again, and every time it was sent to the login once more.
    #[error("signing in goes in circles: {}", .0.reason())]
    Circle(Cause),
    /// The session store did not answer.
    #[error("session store: {0}")]
    StoreDown(StoreError),
    /// Too many logins were begun from this address.
    #[error("too many login attempts")]
    TooManyAttempts,
}

/// A login that has failed.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct LoginFailed {
    /// Why.
    #[source]
    pub error: LoginError,
    /// Where the person wanted to go: for a link that tries again.
    pub next: ReturnPath,
    /// `Set-Cookie` values.
    pub set_cookies: Vec<String>,
}

impl LoginFailed {
    /// A login that the provider did not even begin.
    pub fn at_the_provider() -> Self {
        Self {
            error: LoginError::explained(
                Cause::RedirectUri,
                "the provider refuses the authorization request",
            ),
            next: ReturnPath::home(),
            set_cookies: Vec::new(),
        }
    }
}

impl From<LoginFailed> for LoginError {
    fn from(failed: LoginFailed) -> Self {
        failed.error
    }
}

impl LoginError {
    /// A stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ProviderError { .. } => "provider_error",
            Self::AttemptUnknown => "attempt_unknown",
            Self::AttemptForeign => "attempt_foreign",
            Self::ProviderDown(_) => "provider_down",
            Self::ProviderRefused(_) => "provider_refused",
            Self::IdTokenInvalid(_) => "id_token_invalid",
            Self::CoreDown(_) => "core_down",
            Self::CoreRefused(_) => "core_refused",
            Self::SubjectMismatch => "subject_mismatch",
            Self::EndedMeanwhile => "ended_meanwhile",
            Self::Explained { cause, .. } | Self::Circle(cause) => cause.reason(),
            Self::StoreDown(_) => "store_down",
            Self::TooManyAttempts => "too_many_attempts",
        }
    }

    /// The sentence that people may read.
    pub fn public(&self) -> &'static str {
        match self {
            Self::ProviderError { .. } => "The sign-in was not completed. Please try again.",
            Self::AttemptUnknown => "This sign-in took too long or was already used. Please try again.",
            Self::AttemptForeign => "This sign-in was started in another browser. Please try again.",
            Self::ProviderDown(_) => "The identity provider does not answer. Please try again in a moment.",
            Self::ProviderRefused(_) => "The identity provider did not accept the sign-in. Please try again.",
            Self::IdTokenInvalid(_) => "The identity provider's answer could not be verified.",
            Self::CoreDown(_) => "The sign-in service does not answer. Please try again in a moment.",
            Self::CoreRefused(_) => "The sign-in service did not accept the sign-in.",
            Self::SubjectMismatch => "The sign-in could not be verified.",
            Self::EndedMeanwhile => "You were signed out while the sign-in was under way. Please try again.",
            Self::Explained { cause, .. } | Self::Circle(cause) => cause.public(),
            Self::StoreDown(_) => "Sessions cannot be stored at the moment. Please try again in a moment.",
            Self::TooManyAttempts => {
                "Too many sign-ins were started from this address. Please try again in a few minutes."
            }
        }
    }

    /// Something that trying again will not mend, and how it was noticed.
    pub(super) fn explained(cause: Cause, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::Explained { cause, detail }
    }

    /// Whether this is what happens when several tabs sign in at once, or an answer is sent twice: no
    /// failure if the browser is signed in by then.
    pub(super) fn is_race(&self) -> bool {
        matches!(
            self,
            Self::ProviderError { .. }
                | Self::AttemptUnknown
                | Self::AttemptForeign
                | Self::Explained {
                    cause: Cause::CookiesRefused,
                    ..
                }
        )
    }

    /// The provider's error, if it is a word of the kind that RFC 6749 §4.1.2.1 lists.
    pub(super) fn of_provider(code: &str) -> Self {
        let plain =
            !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        Self::ProviderError {
            code: if plain {
                code.to_owned().into()
            } else {
                "other".into()
            },
        }
    }
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::StoreDown(error)
    }
}

impl From<RecordError> for LoginError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Store(error) => Self::StoreDown(error),
            RecordError::Unreadable => Self::explained(Cause::SealingKeysDiffer, "a record cannot be opened"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn only_a_plain_word_of_the_providers_error_is_kept() {
        for (sent, kept) in [
            ("access_denied", "access_denied"),
            ("temporarily_unavailable", "temporarily_unavailable"),
            ("", "other"),
            ("<script>", "other"),
            ("a\r\nb", "other"),
            (&*"a".repeat(65), "other"),
        ] {
            match LoginError::of_provider(sent) {
                LoginError::ProviderError { code } => assert_eq!(code, kept),
                other => panic!("{other}"),
            }
        }
    }
}
