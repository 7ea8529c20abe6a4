//! Comparing secrets.
//!
//! Responsible for: comparisons whose duration says nothing about where, or whether, two secrets differ. Not
//! responsible for: storing them.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether two secrets are the same. Hashed first, so that not even their lengths can be told from the time.
pub(crate) fn same(one: &str, other: &str) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// Name and secret of an `Authorization: Basic` value (RFC 7617), not yet URL-decoded.
pub(crate) fn basic(value: &str) -> Option<(String, String)> {
    use base64::Engine as _;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(credentials.trim())
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_may_contain_colons_and_a_name_may_not() {
        // printf 'codex:a:b' | base64
        assert_eq!(
            basic("Basic Y29kZXg6YTpi").unwrap(),
            ("codex".to_owned(), "a:b".to_owned())
        );
        assert_eq!(basic("basic Y29kZXg6YTpi").unwrap().0, "codex");
        for wrong in ["Basic", "Bearer Y29kZXg6YTpi", "Basic !", "Basic Y29kZXg="] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_the_same_secret_is_the_same() {
        assert!(same("secret", "secret"));
        for other in ["", "secre", "secret ", "Secret"] {
            assert!(!same("secret", other), "{other}");
        }
    }
}
