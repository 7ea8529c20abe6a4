//! The answer to "who is this, and still?": an identity, or the reason why there is none.
//!
//! Responsible for: these two types. Not responsible for finding the answer (see `view`).

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use hivematrix_platform::{Handle, SessionId, StoreError, TokenError, UserClaims};
use hivematrix_plugins::Caller;
use http::HeaderValue;

use super::live::Line;
use super::versions::Stamp;

/// A caller whose session was good when it was last looked at. Made by `SessionView` only.
pub struct Identity {
    /// The caller as plugins and access rules see it; the permission level is that of the token.
    pub caller: Caller,
    /// `Bearer <token>` for backends, marked sensitive.
    pub authorization: HeaderValue,
    /// Core's session.
    pub session: SessionId,
    /// Unix seconds: the earliest of the token's, the session's and the gateway's own end.
    pub expires_at: u64,
    pub(super) proof: Proof,
}

/// What an identity rests on.
pub(super) struct Proof {
    /// By what the caller was recognised.
    pub(super) key: Recognised,
    /// When it was read.
    pub(super) stamp: Stamp,
    /// Hash of the gateway's own record, still sealed; zeros for a bearer.
    pub(super) digest: [u8; 32],
    /// When the provider was last asked about the user, in Unix seconds; `None` if it cannot be asked again.
    pub(super) checked_at: Option<u64>,
    /// When the store said so.
    pub(super) seen: Instant,
    /// The end that token and own record set, whatever Core's record says.
    pub(super) limit: u64,
    /// What the caller's live streams hang on.
    pub(super) line: Arc<Line>,
}

/// By what a caller was recognised.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Recognised {
    /// The browser's handle.
    Handle(Handle),
    /// A token that came from outside, by its hash.
    Bearer([u8; 32]),
}

impl Identity {
    /// The claims of the caller's token.
    pub fn claims(&self) -> &Arc<UserClaims> {
        &self.caller.claims
    }

    /// The browser's handle; `None` for a caller with a bearer token.
    pub fn handle(&self) -> Option<Handle> {
        match self.proof.key {
            Recognised::Handle(handle) => Some(handle),
            Recognised::Bearer(_) => None,
        }
    }

    /// The caller's token.
    pub(super) fn token(&self) -> &str {
        self.authorization
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("session", &self.session)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why a caller is not recognised.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such session, or not any more.
    #[error("no such session")]
    Unknown,
    /// There is a record, and it is not one that our sealing keys open.
    #[error("the session's record cannot be opened")]
    Unreadable,
    /// The session's or the token's time is over.
    #[error("the session has expired")]
    Expired,
    /// The session was revoked.
    #[error("the session was revoked")]
    Revoked,
    /// Token and session record are not about the same person or session.
    #[error("token and session do not belong together")]
    Mismatch,
    /// The token is not one that Core minted for a user, or is no longer valid.
    #[error("token refused: {0}")]
    Token(TokenError),
    /// The store cannot be asked.
    #[error("session store: {0}")]
    StoreDown(StoreError),
    /// The keys that verify tokens cannot be had.
    #[error("verifying keys: {0}")]
    KeysDown(TokenError),
}

impl Refused {
    /// A stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "session_unknown",
            Self::Unreadable => "session_unreadable",
            Self::Expired => "session_expired",
            Self::Revoked => "session_revoked",
            Self::Mismatch => "session_mismatch",
            Self::Token(error) => error.reason(),
            Self::StoreDown(_) => "store_down",
            Self::KeysDown(_) => "keys_down",
        }
    }

    /// Whether nobody could tell, rather than the answer being no: 503, not a login.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::StoreDown(_) | Self::KeysDown(_))
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::StoreDown(error)
    }
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::KeysUnavailable(_) => Self::KeysDown(error),
            TokenError::Expired => Self::Expired,
            other => Self::Token(other),
        }
    }
}
