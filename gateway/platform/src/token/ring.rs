//! The ring of Core's signing keys: which of them signs at a given time, which are published, and how one follows
//! another without anybody being signed out (platform README §3). Where a ring is kept is not known here.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::key::{InvalidKey, SigningKey};
use super::mint::Minter;

/// How long a new key is published before it signs, in seconds: receivers look at the key set again after five minutes, and
/// this is twice that.
pub const LEAD_SECONDS: u64 = 600;

/// How long a key is published after its successor began to sign, in seconds: a day and an hour, longer than any token lives
/// that Core or an operator mints.
pub const OVERLAP_SECONDS: u64 = 25 * 3600;

/// Most keys of a ring. More than that at once means that something rotates far too often.
const MAX_KEYS: usize = 16;

/// Core's keys, from the oldest to the newest. There is always one.
#[derive(Clone)]
pub struct KeyRing {
    oldest: RingKey,
    newer: Vec<RingKey>,
}

#[derive(Clone)]
struct RingKey {
    key: SigningKey,
    created_at: u64,
}

impl RingKey {
    fn signs_from(&self) -> u64 {
        self.created_at.saturating_add(LEAD_SECONDS)
    }
}

/// Why a ring cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The text is not a ring.
    #[error("not a key ring: {0}")]
    Malformed(String),
    /// One of its keys is of no use.
    #[error("key {kid:?}: {error}")]
    Key {
        /// The key's id.
        kid: String,
        /// What is wrong with it.
        error: InvalidKey,
    },
    /// The last rotation has not come into force yet.
    #[error(
        "the last new key does not sign before {LEAD_SECONDS} seconds have passed since it was made; rotate after that"
    )]
    UnderWay,
    /// Rotated more often than makes sense.
    #[error(
        "the ring holds {MAX_KEYS} keys; the oldest leave it {OVERLAP_SECONDS} seconds after they were followed"
    )]
    Full,
    /// A key of this id is there already.
    #[error("the ring has a key {0:?} already; every key has an id of its own")]
    Twice(String),
}

/// One key of a ring, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingEntry {
    /// The key id.
    pub kid: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// What it is good for at the time that was asked for.
    pub duty: Duty,
}

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Published, and will sign.
    Next,
    /// Signs.
    Signs,
    /// Published, so that tokens it has signed stay good.
    Verifies,
    /// Of no use any more.
    Over,
}

/// As it is written: JSON. Deliberately not the keys' own type, so that a secret has one way out only.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    keys: Vec<WrittenKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    kid: String,
    created_at: u64,
    pem: String,
}

impl KeyRing {
    /// A ring with one key, which signs at once.
    #[must_use]
    pub fn new(key: SigningKey, now: u64) -> Self {
        let oldest = RingKey { key, created_at: now };
        Self {
            oldest,
            newer: Vec::new(),
        }
    }

    /// A ring with one fresh key.
    ///
    /// # Errors
    /// If no key could be made.
    pub fn generate(now: u64) -> Result<Self, InvalidKey> {
        Ok(Self::new(fresh(now)?, now))
    }

    /// Adds a fresh key, which will sign after [`LEAD_SECONDS`]; its id.
    ///
    /// # Errors
    /// While the last rotation is under way, or the ring is full.
    pub fn rotate(&mut self, now: u64) -> Result<String, RingError> {
        let made = fresh(now).map_err(|error| RingError::Key {
            kid: String::new(),
            error,
        })?;
        self.add(made, now)
    }

    /// Adds a key that exists already, which will sign after [`LEAD_SECONDS`]; its id.
    ///
    /// # Errors
    /// As [`KeyRing::rotate`], and if there is a key of that id.
    pub fn add(&mut self, key: SigningKey, now: u64) -> Result<String, RingError> {
        self.prune(now);
        if self.iter().any(|known| known.key.kid() == key.kid()) {
            return Err(RingError::Twice(key.kid().to_owned()));
        }
        if self.signing_index(now) < self.newer.len() {
            return Err(RingError::UnderWay);
        }
        if self.newer.len() + 1 >= MAX_KEYS {
            return Err(RingError::Full);
        }
        let kid = key.kid().to_owned();
        self.newer.push(RingKey { key, created_at: now });
        Ok(kid)
    }

    /// Replaces all keys by one fresh key, which signs at once: for keys that somebody else may have. Tokens of the others are
    /// refused as soon as receivers look at the key set again, within five minutes. The new key's id.
    ///
    /// # Errors
    /// If no key could be made; the ring is unchanged then.
    pub fn replace(&mut self, now: u64) -> Result<String, InvalidKey> {
        *self = Self::generate(now)?;
        Ok(self.oldest.key.kid().to_owned())
    }

    /// Drops keys that are of no use any more; whether there were any.
    pub fn prune(&mut self, now: u64) -> bool {
        let first = self.first_of_use(now);
        let mut over = self.newer.drain(..first);
        match over.next_back() {
            Some(oldest) => {
                drop(over);
                self.oldest = oldest;
                true
            }
            None => false,
        }
    }

    /// Whether the newest key was made `period` seconds ago or earlier.
    #[must_use]
    pub fn is_due(&self, period: u64, now: u64) -> bool {
        let newest = self.newer.last().unwrap_or(&self.oldest);
        newest.created_at.saturating_add(period) <= now
    }

    /// The keys at `now`, oldest first.
    #[must_use]
    pub fn entries(&self, now: u64) -> Vec<RingEntry> {
        let (signing, first) = (self.signing_index(now), self.first_of_use(now));
        let duty = |index: usize| match index {
            index if index < first => Duty::Over,
            index if index < signing => Duty::Verifies,
            index if index == signing => Duty::Signs,
            _ => Duty::Next,
        };
        let entry = |(index, key): (usize, &RingKey)| RingEntry {
            kid: key.key.kid().to_owned(),
            created_at: key.created_at,
            duty: duty(index),
        };
        self.iter().enumerate().map(entry).collect()
    }

    /// What mints as `issuer` at `now`: signs with the key whose turn it is, and publishes all that are of use.
    #[must_use]
    pub fn minter(&self, issuer: &str, now: u64) -> Minter {
        let (signing, first) = (self.signing_index(now), self.first_of_use(now));
        let signer = self.iter().nth(signing).unwrap_or(&self.oldest);
        let minter = Minter::new(signer.key.clone(), issuer);
        let others = self.iter().enumerate().skip(first);
        others
            .filter(|(index, _)| *index != signing)
            .fold(minter, |minter, (_, other)| minter.publishing(&other.key))
    }

    /// Reads what [`KeyRing::to_json`] wrote.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn from_json(text: &str) -> Result<Self, RingError> {
        let malformed = |what: &dyn fmt::Display| RingError::Malformed(what.to_string());
        let written: Written = serde_json::from_str(text).map_err(|error| {
            // Not serde's own sentence: it may quote what it has read.
            malformed(&format_args!("line {}, column {}", error.line(), error.column()))
        })?;
        if written.version != 1 {
            return Err(malformed(&format_args!(
                "version {} is not known here",
                written.version
            )));
        }
        if written.keys.is_empty() || written.keys.len() > MAX_KEYS {
            return Err(malformed(&format_args!("it has {} keys", written.keys.len())));
        }
        let mut keys: Vec<RingKey> = Vec::new();
        for WrittenKey { kid, created_at, pem } in written.keys {
            if keys.iter().any(|known| known.key.kid() == kid) {
                return Err(RingError::Twice(kid));
            }
            let pem = SecretString::from(pem);
            let key = SigningKey::from_pem(&kid, pem.expose_secret());
            let key = key.map_err(|error| RingError::Key { kid, error })?;
            keys.push(RingKey { key, created_at });
        }
        keys.sort_by_key(|key| key.created_at);
        let mut keys = keys.into_iter();
        let oldest = keys.next().ok_or_else(|| malformed(&"it has no keys"))?;
        Ok(Self {
            oldest,
            newer: keys.collect(),
        })
    }

    /// The ring as JSON, private keys included: for a file that only its owner may read, or to be sealed.
    #[must_use]
    pub fn to_json(&self) -> SecretString {
        let key = |key: &RingKey| WrittenKey {
            kid: key.key.kid().to_owned(),
            created_at: key.created_at,
            pem: key.key.to_pem().expose_secret().to_owned(),
        };
        let written = Written {
            version: 1,
            keys: self.iter().map(key).collect(),
        };
        serde_json::to_string_pretty(&written).unwrap_or_default().into()
    }

    fn iter(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(&self.oldest).chain(&self.newer)
    }

    /// The newest key whose turn has come. The oldest one's has always come.
    fn signing_index(&self, now: u64) -> usize {
        let come = self.newer.iter().rposition(|key| key.signs_from() <= now);
        come.map_or(0, |index| index + 1)
    }

    /// The oldest key that is of use: those before it have been followed for longer than their tokens live.
    fn first_of_use(&self, now: u64) -> usize {
        let over = |successor: &RingKey| successor.signs_from().saturating_add(OVERLAP_SECONDS) <= now;
        self.newer.iter().rposition(over).map_or(0, |index| index + 1)
    }
}

/// A key that nobody has seen before, under an id that nobody has seen before: verifiers keep keys by their ids.
fn fresh(now: u64) -> Result<SigningKey, InvalidKey> {
    SigningKey::generate(&format!("hivematrix-{now}-{:08x}", rand::random::<u32>()))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|key| key.key.kid()))
            .finish()
    }
}

#[cfg(test)]
mod tests;
