//! Tokens: what Core mints is accepted, and every way to be something else has its own refusal.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hivematrix_platform::{
    Claims, InvalidKey, Jwks, KeySource, KeysUnavailable, Minter, SessionId, SigningKey, StaticKeys,
    TokenError, UserClaims, Verifier,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::{alice, name};

pub(crate) const NOW: u64 = 1_700_000_000;
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

pub(crate) fn verifier() -> Verifier {
    Verifier::new(
        Arc::new(StaticKeys::new(&Jwks {
            keys: vec![key().jwk()],
        })),
        ISSUER,
    )
}

pub(crate) fn session() -> SessionId {
    SessionId::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap()
}

pub(crate) fn user_token() -> String {
    Minter::new(key().clone(), ISSUER)
        .user(&alice(), &session(), NOW)
        .unwrap()
        .0
}

pub(crate) fn service_token() -> String {
    Minter::new(key().clone(), ISSUER)
        .service(&name("helm"), &name("codex"), NOW)
        .unwrap()
        .0
}

pub(crate) fn payload(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// A user's claims with changes: `Null` removes.
pub(crate) fn changed(changes: Value) -> Value {
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

pub(crate) fn sign_with(header: &Header, claims: &Value, key: &SigningKey) -> String {
    let encoding = EncodingKey::from_rsa_pem(key.to_pem().expose_secret().as_bytes()).unwrap();
    jsonwebtoken::encode(header, claims, &encoding).unwrap()
}

pub(crate) fn sign(claims: &Value) -> String {
    sign_with(&header("key-1"), claims, key())
}

pub(crate) fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.to_owned());
    header
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
