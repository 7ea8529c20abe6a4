//! For whom an access token is.
//!
//! Responsible for: that one which came over the back channel was issued to our client. Not responsible for its
//! signature, nor for whose it is.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims of an access token that say for whom it is. It came over the back channel, so its signature
/// need not be looked at.
#[derive(Deserialize)]
struct Audience {
    #[serde(default)]
    azp: Option<String>,
    /// In place of `azp` in tokens after RFC 9068.
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    aud: OneOrMany,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// An access token must have been issued to this client. One that cannot be read is accepted only if the ID
/// token vouches for it.
pub(super) fn is_for_us(token: &str, client_id: &str, bound: bool) -> Result<(), &'static str> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return if bound {
            Ok(())
        } else {
            Err("the access token is opaque and nothing vouches for it")
        };
    };
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|_| "the access token cannot be read")?;
    let audience: Audience =
        serde_json::from_slice(&payload).map_err(|_| "the access token cannot be read")?;
    let named = match &audience.aud {
        OneOrMany::One(one) => one == client_id,
        OneOrMany::Many(many) => many.iter().any(|one| one == client_id),
    };
    match audience.azp.or(audience.client_id) {
        Some(party) if party == client_id => Ok(()),
        None if named => Ok(()),
        Some(_) | None => Err("the access token is for another client"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &serde_json::Value) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn an_access_token_for_another_client_is_refused() {
        for (claims, good) in [
            (serde_json::json!({"azp": "core-client", "aud": "account"}), true),
            (
                serde_json::json!({"azp": "core-client", "aud": ["account", "x"]}),
                true,
            ),
            (serde_json::json!({"azp": "core-client"}), true),
            (serde_json::json!({"aud": "core-client"}), true),
            (serde_json::json!({"aud": ["x", "core-client"]}), true),
            (serde_json::json!({"azp": "other", "aud": ["core-client"]}), false),
            (serde_json::json!({"azp": "", "aud": ["core-client"]}), false),
            (serde_json::json!({"aud": ["other"]}), false),
            (serde_json::json!({}), false),
            (serde_json::json!({"aud": 7}), false),
            (
                serde_json::json!({"client_id": "core-client", "aud": "https://api"}),
                true,
            ),
            (
                serde_json::json!({"client_id": "other", "aud": "core-client"}),
                false,
            ),
        ] {
            assert_eq!(
                is_for_us(&token(&claims), "core-client", true).is_ok(),
                good,
                "{claims}"
            );
        }
        assert!(is_for_us("a.!.b", "core-client", true).is_err());
    }

    #[test]
    fn an_opaque_access_token_needs_an_id_token_that_vouches_for_it() {
        assert!(is_for_us("opaque", "core-client", true).is_ok());
        assert!(is_for_us("opaque", "core-client", false).is_err());
    }
}
