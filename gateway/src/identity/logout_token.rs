//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4 to §2.6): what the provider sends when a session ends
//! elsewhere.
//!
//! Responsible for: whether a token is genuine, meant for us, fresh, and one of this kind. Not responsible for
//! whether it was seen before, nor for what it ends (see `provider_logout`).

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hivematrix_platform::StoreError;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey as _, JsonWebKeyUse as _};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::login_error::LoginError;

/// The event that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// Longest identifier in it, in bytes (OpenID Connect Core §2 has 255 for `sub`).
const MAX_ID: usize = 255;

/// How far the provider's clock may be ahead of ours, in seconds.
const CLOCK_SKEW: u64 = 60;

/// How old a token may be, in seconds; providers send them at once.
pub(super) const MAX_AGE: u64 = 300;

/// How long it must be remembered that a token was seen, in seconds: until it would be refused for its age.
pub(super) const REMEMBERED: u64 = MAX_AGE + 2 * CLOCK_SKEW;

/// What a token must agree with.
pub(super) struct Expected<'a> {
    /// The provider's issuers, one for each public origin of ours.
    pub(super) issuers: &'a [String],
    /// Our client.
    pub(super) client_id: &'a str,
    /// Unix seconds.
    pub(super) now: u64,
}

/// What a genuine token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogoutToken {
    /// Its own identifier.
    pub(super) jti: String,
    /// When the session ended, in Unix seconds of the provider's.
    pub(super) at: u64,
    /// What ended.
    pub(super) whose: Whose,
}

/// What ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// One session of the provider's, whoever's it is.
    Session {
        /// Its identifier.
        sid: String,
        /// Whose it was, where the token says so.
        sub: Option<String>,
    },
    /// All sessions of a person.
    Person(String),
}

/// Why a logout by the provider was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogoutRefused {
    /// The token is not one that ends anything here. The words are for the provider's log and ours.
    #[error("{description}")]
    Token {
        /// A stable word for logs and metrics.
        reason: &'static str,
        /// A sentence for whoever runs the provider.
        description: Cow<'static, str>,
    },
    /// The keys that verify it cannot be had.
    #[error("the provider's keys: {0}")]
    KeysDown(LoginError),
    /// The store did not answer: nobody can say that the session has ended everywhere.
    #[error("session store: {0}")]
    StoreDown(StoreError),
}

impl LogoutRefused {
    /// A stable word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token { reason, .. } => reason,
            Self::KeysDown(_) => "keys_down",
            Self::StoreDown(_) => "store_down",
        }
    }

    /// Whether the same token may be good in a moment.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::KeysDown(_) | Self::StoreDown(_))
    }

    pub(super) fn token(reason: &'static str, description: &'static str) -> Self {
        Self::Token {
            reason,
            description: Cow::Borrowed(description),
        }
    }

    /// Whether other keys of the provider's might help.
    pub(super) fn is_signature(&self) -> bool {
        self.reason() == SIGNATURE
    }
}

const SIGNATURE: &str = "logout_token_signature";

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: u64,
    #[serde(default)]
    exp: Option<u64>,
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    events: Map<String, Value>,
    #[serde(default, deserialize_with = "is_there")]
    nonce: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// True for a member that is there, whatever its value.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl LogoutToken {
    /// Reads a token that one of `keys` has signed.
    ///
    /// # Errors
    /// [`LogoutRefused::Token`]; see [`LogoutRefused::is_signature`] for a key that may only be unknown yet.
    pub(super) fn verify(
        token: &str,
        keys: &CoreJsonWebKeySet,
        expected: &Expected<'_>,
    ) -> Result<Self, LogoutRefused> {
        let malformed = || LogoutRefused::token("logout_token_malformed", "this is not a signed JWT");
        if token.len() > MAX_TOKEN {
            return Err(malformed());
        }
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = message.split_once('.').ok_or_else(malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed())?;
        check_header(&decoded(header).ok_or_else(malformed)?, |kid| {
            is_signed(keys, kid, message.as_bytes(), &signature)
        })?;
        check_claims(decoded(payload).ok_or_else(malformed)?, expected)
    }
}

fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The algorithm is ours to say, never the token's.
fn check_header(header: &Header, is_signed: impl FnOnce(Option<&str>) -> bool) -> Result<(), LogoutRefused> {
    let refuse = LogoutRefused::token;
    if header.alg != "RS256" {
        return Err(refuse(
            "logout_token_algorithm",
            "logout tokens are signed with RS256 here",
        ));
    }
    if header.crit {
        return Err(refuse(
            "logout_token_malformed",
            "critical extensions are not understood",
        ));
    }
    let typ = header.typ.as_deref().map(str::to_ascii_lowercase);
    if !matches!(typ.as_deref(), None | Some("jwt" | "logout+jwt")) {
        return Err(refuse(
            "logout_token_type",
            "this is a token of another type (`typ`)",
        ));
    }
    if !is_signed(header.kid.as_deref()) {
        return Err(refuse(SIGNATURE, "no key of the provider's has signed this"));
    }
    Ok(())
}

fn is_signed(keys: &CoreJsonWebKeySet, kid: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
    let named = |key: &&openidconnect::core::CoreJsonWebKey| {
        kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid))
            && key.key_use().is_none_or(|used| used.allows_signature())
    };
    let algorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    keys.keys()
        .iter()
        .filter(named)
        .any(|key| key.verify_signature(&algorithm, message, signature).is_ok())
}

fn check_claims(claims: Claims, expected: &Expected<'_>) -> Result<LogoutToken, LogoutRefused> {
    let refuse = LogoutRefused::token;
    if !expected.issuers.contains(&claims.iss) {
        return Err(refuse("logout_token_issuer", "`iss` is not the provider's"));
    }
    let for_us = match &claims.aud {
        Audience::One(one) => one == expected.client_id,
        Audience::Many(many) => many.iter().any(|one| one == expected.client_id),
    };
    if !for_us {
        return Err(refuse("logout_token_audience", "`aud` does not name this client"));
    }
    if claims.iat > expected.now + CLOCK_SKEW || claims.iat + MAX_AGE < expected.now {
        return Err(refuse(
            "logout_token_age",
            "`iat` is too far in the past or in the future; are the clocks right?",
        ));
    }
    if claims
        .exp
        .is_some_and(|exp| exp.saturating_add(CLOCK_SKEW) <= expected.now)
    {
        return Err(refuse("logout_token_age", "it has expired (`exp`)"));
    }
    if !claims.events.get(EVENT).is_some_and(Value::is_object) {
        return Err(refuse(
            "logout_token_event",
            "`events` does not hold the logout event",
        ));
    }
    if claims.nonce {
        return Err(refuse(
            "logout_token_nonce",
            "a logout token has no `nonce`: this is another token",
        ));
    }
    let plain = |id: &String| !id.is_empty() && id.len() <= MAX_ID;
    let jti = claims.jti.filter(plain);
    let jti = jti.ok_or_else(|| refuse("logout_token_jti", "`jti` is missing"))?;
    let whose = match (claims.sid.filter(plain), claims.sub.filter(plain)) {
        (Some(sid), sub) => Whose::Session { sid, sub },
        (None, Some(sub)) => Whose::Person(sub),
        (None, None) => {
            return Err(refuse(
                "logout_token_subject",
                "it names neither a session (`sid`) nor a person (`sub`)",
            ));
        }
    };
    Ok(LogoutToken {
        jti,
        at: claims.iat,
        whose,
    })
}
