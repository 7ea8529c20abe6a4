//! Causes of failed logins that trying again will not mend: something between browser, gateways, Core and provider is
//! not set up as it must be.
//!
//! Responsible for: naming each, for people and for logs, and which of them lies behind a browser that is sent to the
//! login again and again. Not responsible for noticing them (see `login`, `oidc`, `login_refusal`).

use super::caller::Refused;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The browser does not send our cookies back.
    CookiesRefused,
    /// A token that has just been made counts as not yet or no longer valid.
    ClockSkew,
    /// A token, or the provider's answer, names another issuer than the configured one.
    IssuerMismatch,
    /// The provider does not accept the address to which it should send the browser back.
    RedirectUri,
    /// A record that a gateway wrote cannot be opened by this one.
    SealingKeysDiffer,
    /// A token is signed by a key that Core does not publish to this gateway.
    SigningKeysDiffer,
    /// A session that was made a moment ago is not in the store.
    SessionLost,
}

impl Cause {
    /// A stable word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::CookiesRefused => "cookies_refused",
            Self::ClockSkew => "clock_skew",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::RedirectUri => "redirect_uri",
            Self::SealingKeysDiffer => "sealing_keys_differ",
            Self::SigningKeysDiffer => "signing_keys_differ",
            Self::SessionLost => "session_lost",
        }
    }

    /// What people may read: what is wrong, and who can mend it.
    pub fn public(self) -> &'static str {
        match self {
            Self::CookiesRefused => {
                "Your browser did not send back the cookie of this sign-in. Allow cookies for this site and try \
                 again; if you began to sign in in another browser, go on there."
            }
            Self::ClockSkew => {
                "The clocks of the machines that sign you in differ, so that what one of them has just confirmed \
                 counts as too old or too new for another. An administrator has to set them right."
            }
            Self::IssuerMismatch => {
                "The identity provider, or Core, calls itself by another name (issuer) than this gateway is \
                 configured with. An administrator has to make the two agree."
            }
            Self::RedirectUri => {
                "The identity provider does not accept this gateway's request: the client is not known there, or the \
                 gateway's callback address is not among its redirect URIs. An administrator has to enter it."
            }
            Self::SealingKeysDiffer => {
                "This gateway cannot read what another one has written about your sign-in: their sealing keys \
                 differ. An administrator has to give all gateways the same keys."
            }
            Self::SigningKeysDiffer => {
                "Your session is signed with a key that this gateway does not know: several Cores with different \
                 signing keys are in use. An administrator has to give all of them the same keys."
            }
            Self::SessionLost => {
                "The session that was made for you a moment ago is not there any more: Core and the gateways do not \
                 use the same session store, or it forgets what it is told. An administrator has to look at it."
            }
        }
    }

    /// Why a browser that has signed in again and again is not signed in. `None` where that is as it should be: a
    /// session that somebody ended is no fault.
    pub fn of_circle(refused: Option<&Refused>) -> Option<Self> {
        use hivematrix_platform::TokenError;
        match refused {
            None => Some(Self::CookiesRefused),
            Some(Refused::Unreadable) => Some(Self::SealingKeysDiffer),
            Some(Refused::Unknown | Refused::Mismatch) => Some(Self::SessionLost),
            Some(Refused::Expired | Refused::Token(TokenError::NotYetValid)) => Some(Self::ClockSkew),
            Some(Refused::Token(TokenError::WrongIssuer)) => Some(Self::IssuerMismatch),
            Some(Refused::Token(_)) => Some(Self::SigningKeysDiffer),
            Some(Refused::Revoked | Refused::StoreDown(_) | Refused::KeysDown(_)) => None,
        }
    }
}
