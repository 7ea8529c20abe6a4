//! Whatever is not one of Core's tokens in force has its own refusal; and no text whatever breaks the verifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::TokenError;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::tokens::{
    NOW, changed, header, key, other_key, payload, service_token, sign, sign_with, user_token, verifier,
};

async fn assert_refused(what: &str, token: &str, expected: TokenError) {
    assert_eq!(verifier().user(token, NOW).await, Err(expected.clone()), "{what}");
    // What nobody may believe is not believed for a logout either; only time does not matter there.
    if !matches!(expected, TokenError::Expired | TokenError::NotYetValid) {
        assert_eq!(
            verifier().user_even_if_expired(token).await,
            Err(expected),
            "{what}, for a logout"
        );
    }
}

/// A token of this header and these claims with a signature that was made for another.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn only_the_pinned_algorithm_is_accepted() {
    use TokenError::Algorithm as Refused;
    let claims = payload(&user_token());
    let signature = user_token().rsplit_once('.').unwrap().1.to_owned();
    // The classic confusion: the public key, which everybody knows, as the secret of a MAC.
    let secret = EncodingKey::from_secret(key().jwk().n.as_bytes());
    let hs256 = jsonwebtoken::encode(
        &Header {
            alg: Algorithm::HS256,
            ..header("key-1")
        },
        &claims,
        &secret,
    )
    .unwrap();
    let rs512 = sign_with(
        &Header {
            alg: Algorithm::RS512,
            ..header("key-1")
        },
        &claims,
        key(),
    );
    let alg = |alg: &str, signature: &str| forged(&json!({"alg": alg, "kid": "key-1"}), &claims, signature);
    assert_refused("alg none, no signature", &alg("none", ""), Refused).await;
    assert_refused("alg nOnE, another signature", &alg("nOnE", &signature), Refused).await;
    assert_refused("HS256 with the public key", &hs256, Refused).await;
    assert_refused("RS512", &rs512, Refused).await;
    assert_refused("rs256", &alg("rs256", &signature), Refused).await;
}

#[tokio::test]
async fn only_cores_keys_are_accepted() {
    let token = user_token();
    let claims = payload(&token);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let by_other = sign_with(&header("key-1"), &claims, other_key());
    let other_signature = by_other.rsplit_once('.').unwrap().1;
    let no_kid = sign_with(&Header::new(Algorithm::RS256), &claims, key());
    let unknown = sign_with(&header("key-2"), &claims, other_key());
    let rs256 = json!({"alg": "RS256", "kid": "key-1", "typ": "JWT"});
    let promoted = forged(&rs256, &changed(json!({"permission_level": "admin"})), signature);
    let critical = forged(
        &json!({"alg": "RS256", "kid": "key-1", "crit": ["b64"]}),
        &claims,
        signature,
    );
    assert_refused("a key that is not Core's", &unknown, TokenError::UnknownKey).await;
    assert_refused("no key id", &no_kid, TokenError::UnknownKey).await;
    assert_refused("another key under our key's id", &by_other, TokenError::Signature).await;
    assert_refused(
        "another key's signature",
        &format!("{message}.{other_signature}"),
        TokenError::Signature,
    )
    .await;
    assert_refused("no signature", &format!("{message}."), TokenError::Signature).await;
    assert_refused("another claim", &promoted, TokenError::Signature).await;
    assert_refused(
        "an extension that must be understood",
        &critical,
        TokenError::Malformed,
    )
    .await;
}

#[tokio::test]
async fn a_good_signature_is_not_enough() {
    for (what, changes, expected) in [
        ("expired", json!({"exp": NOW}), TokenError::Expired),
        (
            "minted in the future",
            json!({"iat": NOW + 61}),
            TokenError::NotYetValid,
        ),
        (
            "not valid before later",
            json!({"nbf": NOW + 61}),
            TokenError::NotYetValid,
        ),
        (
            "another issuer",
            json!({"iss": "hivematrix.core"}),
            TokenError::WrongIssuer,
        ),
        (
            "almost our issuer",
            json!({"iss": "hivematrix-core/"}),
            TokenError::WrongIssuer,
        ),
        ("no issuer", json!({"iss": null}), TokenError::Malformed),
        (
            "two issuers",
            json!({"iss": ["hivematrix-core", "x"]}),
            TokenError::Malformed,
        ),
        ("an audience", json!({"aud": "codex"}), TokenError::WrongTarget),
        ("no session", json!({"jti": null}), TokenError::NoSession),
        (
            "a session that is none",
            json!({"jti": "x"}),
            TokenError::Malformed,
        ),
        ("another type", json!({"type": "refresh"}), TokenError::Malformed),
        (
            "no level",
            json!({"permission_level": null}),
            TokenError::Malformed,
        ),
        (
            "an unknown level",
            json!({"permission_level": "root"}),
            TokenError::Malformed,
        ),
        (
            "an expiry in words",
            json!({"exp": "tomorrow"}),
            TokenError::Malformed,
        ),
        ("no expiry", json!({"exp": null}), TokenError::Malformed),
        ("no person", json!({"sub": null}), TokenError::Malformed),
    ] {
        assert_refused(what, &sign(&changed(changes)), expected).await;
    }
    assert_refused("a service's", &service_token(), TokenError::ServiceToken).await;
}

#[tokio::test]
async fn what_has_not_the_shape_of_a_token_is_malformed() {
    let token = user_token();
    let (message, _) = token.rsplit_once('.').unwrap();
    for (what, token) in [
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("two parts", message.to_owned()),
        ("four parts", format!("{token}.x")),
        ("white space", format!(" {token}")),
        ("padding", format!("{token}=")),
        ("an endless one", format!("{token}{}", "A".repeat(20_000))),
        ("an endless header", format!("{}{token}", "A".repeat(1000))),
    ] {
        assert_refused(what, &token, TokenError::Malformed).await;
    }
}

fn refused(token: &str) -> bool {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(verifier().verify(token, NOW))
        .is_err()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_whatever_breaks_the_verifier(token in "\\PC{0,200}") {
        prop_assert!(refused(&token));
    }

    #[test]
    fn no_three_parts_whatever_break_the_verifier(head in "\\PC{0,60}", claims in "\\PC{0,60}", signature in "[A-Za-z0-9_-]{0,60}") {
        let token = format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
        prop_assert!(refused(&token));
    }

    #[test]
    fn no_change_of_a_character_is_accepted(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let token = user_token();
        let at = at.index(token.len());
        let changed = [&token[..at], &to, &token[at + 1..]].concat();
        prop_assert!(changed == token || refused(&changed));
    }
}
