//! Tokens: what Core mints is accepted, and every way to be something else has its own refusal.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{
    Claims, InvalidKey, Jwks, KeySource, KeysUnavailable, Minter, SessionId, SigningKey, StaticKeys,
    TokenError, UserClaims, Verifier,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::{alice, name};

const NOW: u64 = 1_700_000_000;
const ISSUER: &str = "hivematrix-core";

/// Making a key takes a while: the tests share two.
pub(crate) fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("key-1").unwrap())
}

pub(crate) fn other_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate("key-2").unwrap())
}

fn verifier() -> Verifier {
    Verifier::new(
        Arc::new(StaticKeys::new(&Jwks {
            keys: vec![key().jwk()],
        })),
        ISSUER,
    )
}

fn session() -> SessionId {
    SessionId::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap()
}

fn user_token() -> String {
    Minter::new(key().clone(), ISSUER)
        .user(&alice(), &session(), NOW)
        .unwrap()
        .0
}

fn service_token() -> String {
    Minter::new(key().clone(), ISSUER)
        .service(&name("helm"), &name("codex"), NOW)
        .unwrap()
        .0
}

fn payload(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// A user's claims with changes: `Null` removes.
fn changed(changes: Value) -> Value {
    let mut claims = payload(&user_token());
    for (field, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(field),
            value => claims
                .as_object_mut()
                .unwrap()
                .insert(field.clone(), value.clone()),
        };
    }
    claims
}

fn sign_with(header: &Header, claims: &Value, key: &SigningKey) -> String {
    let encoding = EncodingKey::from_rsa_pem(key.to_pem().expose_secret().as_bytes()).unwrap();
    jsonwebtoken::encode(header, claims, &encoding).unwrap()
}

fn sign(claims: &Value) -> String {
    sign_with(&header("key-1"), claims, key())
}

fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.to_owned());
    header
}

/// A token of the given header and claims with the user token's own signature.
fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn a_users_token_says_who_it_is() {
    let (token, minted) = Minter::new(key().clone(), ISSUER)
        .user(&alice(), &session(), NOW)
        .unwrap();
    assert_eq!((minted.iat, minted.exp), (NOW, NOW + 3600));
    let read = verifier().user(&token, NOW + 3599).await.unwrap();
    assert_eq!(read, minted);
    assert_eq!(verifier().verify(&token, NOW).await.unwrap(), Claims::User(read));
    assert_eq!(
        serde_json::from_value::<UserClaims>(payload(&token)).unwrap(),
        minted,
        "claims and token are one format"
    );
}

#[test]
fn a_token_has_the_claims_of_the_contract_and_no_others() {
    assert_eq!(
        payload(&user_token()),
        json!({
            "iss": "hivematrix-core", "sub": "3d5f", "jti": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "name": "Alice Ärger \"A\"", "email": "alice@example.com", "preferred_username": "alice",
            "permission_level": "technician", "groups": ["technicians", "client"], "iat": NOW, "exp": NOW + 3600,
        })
    );
    assert_eq!(
        payload(&service_token()),
        json!({
            "iss": "hivematrix-core", "sub": "service:helm", "calling_service": "helm", "target_service": "codex",
            "type": "service", "iat": NOW, "exp": NOW + 300,
        })
    );
    let token = user_token();
    let head: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(head, json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"}));
}

#[tokio::test]
async fn a_services_token_opens_its_target_only() {
    let claims = verifier()
        .service(&service_token(), "codex", NOW + 299)
        .await
        .unwrap();
    assert_eq!(
        (claims.calling_service.as_str(), claims.sub.as_str()),
        ("helm", "service:helm")
    );
    for (token, target, now, expected) in [
        (service_token(), "ledger", NOW, TokenError::WrongTarget),
        (service_token(), "", NOW, TokenError::WrongTarget),
        (service_token(), "codex", NOW + 300, TokenError::Expired),
        (user_token(), "codex", NOW, TokenError::NotServiceToken),
        (
            sign(&changed(json!({"type": "service"}))),
            "codex",
            NOW,
            TokenError::Malformed,
        ),
    ] {
        assert_eq!(
            verifier().service(&token, target, now).await,
            Err(expected),
            "{target} at {now}"
        );
    }
}

#[tokio::test]
async fn whatever_is_not_a_users_token_in_force_has_its_own_refusal() {
    let token = user_token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other_signature = sign_with(&header("key-1"), &payload(&token), other_key())
        .rsplit_once('.')
        .unwrap()
        .1
        .to_owned();
    let claims = payload(&token);
    let rs256 = json!({"alg": "RS256", "kid": "key-1", "typ": "JWT"});
    let hs256 = {
        // The classic confusion: the public key as the secret of a MAC.
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("key-1".to_owned());
        jsonwebtoken::encode(
            &header,
            &claims,
            &EncodingKey::from_secret(key().jwk().n.as_bytes()),
        )
        .unwrap()
    };
    let with = |changes: Value| sign(&changed(changes));
    let no_kid = Header::new(Algorithm::RS256);
    let rs512 = Header {
        alg: Algorithm::RS512,
        ..header("key-1")
    };
    for (what, token, expected) in [
        (
            "alg none, no signature",
            unsigned(&json!({"alg": "none", "kid": "key-1"}), &claims, ""),
            TokenError::Algorithm,
        ),
        (
            "alg None",
            unsigned(&json!({"alg": "None", "kid": "key-1"}), &claims, signature),
            TokenError::Algorithm,
        ),
        ("HS256 with the public key", hs256, TokenError::Algorithm),
        ("RS512", sign_with(&rs512, &claims, key()), TokenError::Algorithm),
        (
            "a key that is not Core's",
            sign_with(&header("key-2"), &claims, other_key()),
            TokenError::UnknownKey,
        ),
        (
            "no key id",
            sign_with(&no_kid, &claims, key()),
            TokenError::UnknownKey,
        ),
        (
            "another key under our key's id",
            sign_with(&header("key-1"), &claims, other_key()),
            TokenError::Signature,
        ),
        (
            "another key's signature",
            format!("{message}.{other_signature}"),
            TokenError::Signature,
        ),
        ("no signature", format!("{message}."), TokenError::Signature),
        (
            "another claim",
            unsigned(&rs256, &changed(json!({"permission_level": "admin"})), signature),
            TokenError::Signature,
        ),
        ("an expired one", with(json!({"exp": NOW})), TokenError::Expired),
        (
            "one of the future",
            with(json!({"iat": NOW + 61})),
            TokenError::NotYetValid,
        ),
        (
            "one not valid before later",
            with(json!({"nbf": NOW + 61})),
            TokenError::NotYetValid,
        ),
        (
            "another issuer",
            with(json!({"iss": "hivematrix.core"})),
            TokenError::WrongIssuer,
        ),
        (
            "an issuer with a slash",
            with(json!({"iss": "hivematrix-core/"})),
            TokenError::WrongIssuer,
        ),
        ("no issuer", with(json!({"iss": null})), TokenError::Malformed),
        (
            "an audience",
            with(json!({"aud": "codex"})),
            TokenError::WrongTarget,
        ),
        ("no session", with(json!({"jti": null})), TokenError::NoSession),
        (
            "a session that is none",
            with(json!({"jti": "x"})),
            TokenError::Malformed,
        ),
        ("a service's", service_token(), TokenError::ServiceToken),
        (
            "another type",
            with(json!({"type": "refresh"})),
            TokenError::Malformed,
        ),
        (
            "no level",
            with(json!({"permission_level": null})),
            TokenError::Malformed,
        ),
        (
            "an unknown level",
            with(json!({"permission_level": "root"})),
            TokenError::Malformed,
        ),
        (
            "an expiry in words",
            with(json!({"exp": "tomorrow"})),
            TokenError::Malformed,
        ),
        ("no expiry", with(json!({"exp": null})), TokenError::Malformed),
        (
            "an extension that must be understood",
            {
                unsigned(
                    &json!({"alg": "RS256", "kid": "key-1", "crit": ["b64"], "b64": false}),
                    &claims,
                    signature,
                )
            },
            TokenError::Malformed,
        ),
        ("nothing", String::new(), TokenError::Malformed),
        ("two parts", message.to_owned(), TokenError::Malformed),
        ("four parts", format!("{token}.x"), TokenError::Malformed),
        ("white space", format!(" {token}"), TokenError::Malformed),
        ("padding", format!("{token}="), TokenError::Malformed),
        (
            "an endless one",
            format!("{token}{}", "A".repeat(20_000)),
            TokenError::Malformed,
        ),
    ] {
        assert_eq!(
            verifier().user(&token, NOW).await,
            Err(expected.clone()),
            "{what}"
        );
        // Claims that nobody may believe are not believed for a logout either.
        if !matches!(expected, TokenError::Expired | TokenError::NotYetValid) {
            assert_eq!(
                verifier().user_even_if_expired(&token).await,
                Err(expected),
                "{what}, for a logout"
            );
        }
    }
}

#[tokio::test]
async fn time_is_exact_at_the_end_and_lenient_at_the_beginning() {
    let claims = |iat: u64| changed(json!({"iat": iat}));
    assert!(verifier().user(&user_token(), NOW + 3599).await.is_ok());
    assert_eq!(
        verifier().user(&user_token(), NOW + 3600).await,
        Err(TokenError::Expired)
    );
    assert!(
        verifier().user(&sign(&claims(NOW + 60)), NOW).await.is_ok(),
        "the other clock may be a minute ahead"
    );
    let expired = verifier().user_even_if_expired(&user_token()).await.unwrap();
    assert_eq!(expired.jti, session());
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_not_the_tokens_fault() {
    struct Down;

    #[async_trait::async_trait]
    impl KeySource for Down {
        async fn key(
            &self,
            _: &str,
        ) -> Result<Option<Arc<hivematrix_platform::DecodingKey>>, KeysUnavailable> {
            Err(KeysUnavailable("down".to_owned()))
        }
    }

    let refused = Verifier::new(Arc::new(Down), ISSUER)
        .user(&user_token(), NOW)
        .await;
    assert_eq!(
        refused,
        Err(TokenError::KeysUnavailable(KeysUnavailable("down".to_owned())))
    );
}

#[tokio::test]
async fn after_a_rotation_tokens_of_both_keys_are_good() {
    let minter = Minter::new(other_key().clone(), ISSUER).publishing(key());
    let verifier = Verifier::new(Arc::new(StaticKeys::new(&minter.jwks())), ISSUER);
    let (new, _) = minter.user(&alice(), &session(), NOW).unwrap();
    assert!(verifier.user(&new, NOW).await.is_ok());
    assert!(verifier.user(&user_token(), NOW).await.is_ok());
}

#[tokio::test]
async fn keys_for_other_purposes_are_not_used() {
    let good = key().jwk();
    for (what, jwk) in [
        (
            "encryption",
            hivematrix_platform::Jwk {
                r#use: Some("enc".to_owned()),
                ..good.clone()
            },
        ),
        (
            "another algorithm",
            hivematrix_platform::Jwk {
                alg: Some("RS512".to_owned()),
                ..good.clone()
            },
        ),
        (
            "a symmetric key",
            hivematrix_platform::Jwk {
                kty: "oct".to_owned(),
                ..good.clone()
            },
        ),
        (
            "no id",
            hivematrix_platform::Jwk {
                kid: String::new(),
                ..good.clone()
            },
        ),
        (
            "no base64",
            hivematrix_platform::Jwk {
                n: "!".to_owned(),
                ..good.clone()
            },
        ),
    ] {
        assert!(StaticKeys::new(&Jwks { keys: vec![jwk] }).is_empty(), "{what}");
    }
    // Other kinds of keys in the set are no reason to refuse the set.
    let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "kid": "ec"}, good]});
    let jwks: Jwks = serde_json::from_value(set).unwrap();
    assert!(!StaticKeys::new(&jwks).is_empty());
}

#[test]
fn a_key_is_read_as_it_is_written_and_nothing_else_is_a_key() {
    let pem = key().to_pem();
    assert!(pem.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(pem.expose_secret().lines().all(|line| line.len() <= 64));
    assert_eq!(
        SigningKey::from_pem("key-1", pem.expose_secret()).unwrap().jwk(),
        key().jwk()
    );
    let jwk = serde_json::to_value(key().jwk()).unwrap();
    assert_eq!(
        (&jwk["kty"], &jwk["alg"], &jwk["use"], &jwk["kid"], &jwk["e"]),
        (
            &json!("RSA"),
            &json!("RS256"),
            &json!("sig"),
            &json!("key-1"),
            &json!("AQAB")
        )
    );
    assert_eq!(jwk.as_object().unwrap().len(), 6);
    assert_eq!(format!("{:?}", key()), "SigningKey(key-1)");
    for text in [
        "",
        "nonsense",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert_eq!(
            SigningKey::from_pem("k", text).unwrap_err(),
            InvalidKey::Pem,
            "{text:?}"
        );
    }
    assert_eq!(
        SigningKey::from_pem("", pem.expose_secret()).unwrap_err(),
        InvalidKey::KeyId
    );
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
