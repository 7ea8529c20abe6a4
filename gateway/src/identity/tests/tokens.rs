//! The provider's tokens: which are believed.

use std::sync::atomic::Ordering::SeqCst;

use hivematrix_platform::unix_now;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use super::outside::{Spoil, foreign_key};
use super::site::{Browser, Site};
use crate::identity::{Cause, LoginError};

#[tokio::test]
async fn an_answer_in_another_issuers_name_is_refused() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    for (issuer, good) in [
        ("https://evil.example", false),
        ("https://hive.example/keycloak/realms/hivematrix", true),
    ] {
        let begun = site.begin(&mut browser, "/codex/").await.unwrap();
        let query = format!("{}&iss={issuer}", site.outside.sign_in(&begun.location, "alice"));
        let done = site.complete(&mut browser, &query).await;
        assert_eq!(done.is_ok(), good);
        let issuer = |error| {
            matches!(
                error,
                LoginError::Explained {
                    cause: Cause::IssuerMismatch,
                    ..
                }
            )
        };
        assert!(good || issuer(done.unwrap_err().error));
    }
}

/// Where it is the set-up that is wrong, the login says so; all else is only refused.
fn is_named_rightly(error: &LoginError, what: &str) -> bool {
    let named = match what {
        "another issuer" => Some(Cause::IssuerMismatch),
        "expired" | "from the future" => Some(Cause::ClockSkew),
        _ => None,
    };
    match (error, named) {
        (LoginError::IdTokenInvalid(_), None) => true,
        (LoginError::Explained { cause, .. }, Some(named)) => *cause == named,
        _ => false,
    }
}

#[tokio::test]
async fn tokens_that_are_not_genuine_or_not_for_us_are_refused() {
    let bad: [(&str, Spoil); 15] = [
        ("another nonce", |t| t.id["nonce"] = "x".into()),
        ("no nonce", |t| {
            drop(t.id.as_object_mut().unwrap().remove("nonce"))
        }),
        ("another issuer", |t| {
            t.id["iss"] = "https://evil.example/realms/hivematrix".into()
        }),
        ("another audience", |t| t.id["aud"] = "other-client".into()),
        ("one audience more", |t| {
            t.id["aud"] = json!(["core-client", "other-client"])
        }),
        ("issued to another client", |t| {
            t.id["azp"] = "other-client".into()
        }),
        // Clocks may differ by a minute.
        ("expired", |t| t.id["exp"] = (unix_now() - 90).into()),
        ("from the future", |t| t.id["iat"] = (unix_now() + 600).into()),
        ("signed by another key", |t| t.key = foreign_key()),
        ("signed with the client's secret", |t| {
            (t.algorithm, t.key) = (
                Algorithm::HS256,
                EncodingKey::from_secret(b"s3cret:with/odd characters"),
            );
        }),
        ("another algorithm", |t| t.algorithm = Algorithm::RS512),
        ("access token of another client", |t| {
            t.access["azp"] = "other-client".into()
        }),
        ("access token of nobody", |t| {
            drop(t.access.as_object_mut().unwrap().remove("azp"))
        }),
        ("opaque access token that nothing vouches for", |t| {
            (t.opaque, t.bind) = (true, false)
        }),
        ("hash of another access token", |t| {
            (t.id["at_hash"], t.bind) = ("LDktKdoQak3Pk0cnXxCltA".into(), false);
        }),
    ];
    let site = Site::start().await;
    for (what, spoil) in bad {
        *site.outside.spoil.lock().unwrap() = Some(spoil);
        let mut browser = Browser::new();
        let failed = site.sign_in(&mut browser, "alice").await.unwrap_err();
        assert!(is_named_rightly(&failed.error, what), "{what}: {failed}");
        assert!(browser.handle().is_none(), "{what}");
        assert!(browser.attempts().is_empty(), "{what}");
    }
    let good: [(&str, Spoil); 3] = [
        ("without at_hash", |t| t.bind = false),
        ("without azp", |t| {
            drop(t.id.as_object_mut().unwrap().remove("azp"))
        }),
        ("an opaque access token that the ID token vouches for", |t| {
            t.opaque = true
        }),
    ];
    for (what, spoil) in good {
        *site.outside.spoil.lock().unwrap() = Some(spoil);
        let done = site.sign_in(&mut Browser::new(), "alice").await;
        assert!(done.is_ok(), "{what}: {done:?}");
    }
    assert_eq!(
        site.outside.keys_fetched.load(SeqCst),
        1,
        "bad signatures do not fetch keys again and again"
    );
}
