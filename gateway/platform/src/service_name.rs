//! The name of a service, as the registry, paths and service tokens write it (platform README §5, §7).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that matches `^[a-z0-9_-]{1,50}$`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(Box<str>);

/// The text is no service name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a service name is 1 to 50 characters from a-z, 0-9, _ and -")]
pub struct InvalidServiceName;

impl ServiceName {
    /// The name, if it is one.
    ///
    /// # Errors
    /// If the text does not match `^[a-z0-9_-]{1,50}$`.
    pub fn parse(name: &str) -> Result<Self, InvalidServiceName> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if (1..=50).contains(&name.len()) && name.bytes().all(plain) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidServiceName)
        }
    }

    /// Codex, which the platform's own parts call by name.
    pub(crate) fn codex() -> Self {
        Self("codex".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = InvalidServiceName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = InvalidServiceName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0.into_string()
    }
}

impl AsRef<str> for ServiceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Lets a map keyed by names be asked with a piece of a path.
impl std::borrow::Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ServiceName {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "codex", "knowledge-tree", "a_b-9", &"x".repeat(50)] {
            assert_eq!(ServiceName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "Codex", "a b", "a/b", "a.b", "ä", "a\n", &"x".repeat(51)] {
            assert_eq!(ServiceName::parse(name), Err(InvalidServiceName), "{name:?}");
        }
    }
}
