//! What the provider reports is carried out once, if it is genuine.

use hivematrix_platform::{Access, Store as _, unix_now};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::outside::{ORIGIN, foreign_key};
use super::site::{Browser, Site};
use crate::identity::{LoginError, Refused};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token before it is signed.
struct Draft {
    header: Header,
    claims: Value,
    key: Option<EncodingKey>,
}

/// A logout token as the provider makes it, after a change.
fn token(site: &Site, change: impl FnOnce(&mut Draft)) -> String {
    let now = unix_now();
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("provider".to_owned());
    header.typ = Some("logout+jwt".to_owned());
    let claims = json!({
        "iss": format!("{ORIGIN}/keycloak/realms/hivematrix"),
        "aud": "core-client",
        "iat": now,
        "exp": now + 120,
        "jti": hivematrix_platform::SessionId::generate(),
        "sub": "alice",
        "sid": "sid-of-alice",
        "events": { EVENT: {} },
    });
    let mut draft = Draft {
        header,
        claims,
        key: None,
    };
    change(&mut draft);
    let key = draft.key.unwrap_or_else(|| site.outside.signing_key());
    jsonwebtoken::encode(&draft.header, &draft.claims, &key).unwrap()
}

fn without(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name);
}

type Change = fn(&mut Draft);

/// What is wrong with a token, and how that is called.
const BAD: [(&str, &str, Change); 22] = [
    ("another issuer", "logout_token_issuer", |t| {
        t.claims["iss"] = "https://evil.example/realms/hivematrix".into()
    }),
    ("another realm", "logout_token_issuer", |t| {
        t.claims["iss"] = format!("{ORIGIN}/keycloak/realms/master").into()
    }),
    ("another audience", "logout_token_audience", |t| {
        t.claims["aud"] = "other-client".into()
    }),
    ("other audiences", "logout_token_audience", |t| {
        t.claims["aud"] = json!(["a", "b"])
    }),
    ("no audience", "logout_token_malformed", |t| {
        without(&mut t.claims, "aud")
    }),
    ("no time of issue", "logout_token_malformed", |t| {
        without(&mut t.claims, "iat")
    }),
    ("too old", "logout_token_age", |t| {
        t.claims["iat"] = (unix_now() - 310).into()
    }),
    ("from the future", "logout_token_age", |t| {
        t.claims["iat"] = (unix_now() + 90).into()
    }),
    ("expired", "logout_token_age", |t| {
        t.claims["exp"] = (unix_now() - 61).into()
    }),
    ("no events", "logout_token_event", |t| {
        without(&mut t.claims, "events")
    }),
    ("another event", "logout_token_event", |t| {
        t.claims["events"] = json!({"http://schemas.openid.net/event/other": {}})
    }),
    ("an event that is no object", "logout_token_event", |t| {
        t.claims["events"] = json!({ EVENT: true })
    }),
    ("a nonce", "logout_token_nonce", |t| {
        t.claims["nonce"] = "n".into()
    }),
    ("a nonce that is null", "logout_token_nonce", |t| {
        t.claims["nonce"] = Value::Null
    }),
    ("no identifier", "logout_token_jti", |t| {
        without(&mut t.claims, "jti")
    }),
    ("neither session nor person", "logout_token_subject", |t| {
        without(&mut t.claims, "sub");
        without(&mut t.claims, "sid");
    }),
    ("a person with an endless name", "logout_token_subject", |t| {
        without(&mut t.claims, "sid");
        t.claims["sub"] = "x".repeat(256).into();
    }),
    ("another type", "logout_token_type", |t| {
        t.header.typ = Some("at+jwt".to_owned())
    }),
    (
        "another algorithm of the same key",
        "logout_token_algorithm",
        |t| t.header.alg = Algorithm::RS512,
    ),
    ("signed with the client's secret", "logout_token_algorithm", |t| {
        t.header.alg = Algorithm::HS256;
        t.key = Some(EncodingKey::from_secret(b"s3cret:with/odd characters"));
    }),
    ("signed by another key", "logout_token_signature", |t| {
        t.key = Some(foreign_key())
    }),
    ("signed by an unknown key", "logout_token_signature", |t| {
        t.header.kid = Some("unknown".to_owned())
    }),
];

#[tokio::test]
async fn a_token_that_is_not_genuine_not_for_us_or_not_a_logout_token_ends_nothing() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "alice").await.unwrap();
    for (what, reason, change) in BAD {
        let refused = site
            .provider_logout
            .receive(&token(&site, change))
            .await
            .unwrap_err();
        assert_eq!(refused.reason(), reason, "{what}: {refused}");
        assert!(!refused.is_outage(), "{what}");
    }
    let genuine = token(&site, |_| {});
    let (message, _) = genuine.rsplit_once('.').unwrap();
    for (what, text) in [
        ("nothing", String::new()),
        ("no signature", message.to_owned()),
        ("an empty signature", format!("{message}.")),
        (
            "alg none",
            format!("eyJhbGciOiJub25lIn0.{}.", message.split_once('.').unwrap().1),
        ),
        ("four parts", format!("{genuine}.x")),
        ("far too long", format!("{}{genuine}", "x".repeat(20_000))),
    ] {
        assert!(site.provider_logout.receive(&text).await.is_err(), "{what}");
    }
    let handle = browser.handle().unwrap();
    assert!(
        site.view.by_handle(&handle).await.is_ok(),
        "none of these ended the session"
    );
}

#[tokio::test]
async fn a_genuine_token_in_any_of_its_forms_ends_the_session() {
    let good: [(&str, Change); 6] = [
        ("as it is", |_| {}),
        ("of no type", |t| t.header.typ = None),
        ("of the plain type", |t| t.header.typ = Some("JWT".to_owned())),
        ("without a key id", |t| t.header.kid = None),
        ("without an end", |t| without(&mut t.claims, "exp")),
        ("for several clients", |t| {
            t.claims["aud"] = json!(["x", "core-client"])
        }),
    ];
    for (what, change) in good {
        let site = Site::start().await;
        let mut browser = Browser::new();
        site.sign_in(&mut browser, "alice").await.unwrap();
        let handle = browser.handle().unwrap();
        let identity = site.view.by_handle(&handle).await.unwrap();
        let stream = site.view.watch(&identity, Access::AnyUser).await.unwrap();
        let ended = site.provider_logout.receive(&token(&site, change)).await;
        assert_eq!(ended.unwrap(), 1, "{what}");
        assert!(site.view.by_handle(&handle).await.is_err(), "{what}");
        assert!(stream.ended().is_cancelled(), "{what}");
        assert!(
            site.outside.is_revoked(identity.session).await,
            "{what}: Core's record"
        );
        assert_eq!(
            site.store.get(&handle.key()).await.unwrap(),
            None,
            "{what}: our record"
        );
    }
}

#[tokio::test]
async fn a_session_of_the_providers_ends_alone_and_a_person_everywhere() {
    let site = Site::start().await;
    let (mut here, mut there, mut other) = (Browser::new(), Browser::new(), Browser::new());
    site.sign_in(&mut here, "alice").await.unwrap();
    *site.outside.spoil.lock().unwrap() = Some(|tokens| tokens.id["sid"] = "another".into());
    site.sign_in(&mut there, "alice").await.unwrap();
    *site.outside.spoil.lock().unwrap() = None;
    site.sign_in(&mut other, "bob").await.unwrap();
    let is_in = async |browser: &Browser| site.view.by_handle(&browser.handle().unwrap()).await.is_ok();

    let by_sid = token(&site, |t| without(&mut t.claims, "sub"));
    assert_eq!(site.provider_logout.receive(&by_sid).await.unwrap(), 1);
    assert_eq!(
        (is_in(&here).await, is_in(&there).await, is_in(&other).await),
        (false, true, true)
    );
    let by_sub = token(&site, |t| without(&mut t.claims, "sid"));
    site.provider_logout.receive(&by_sub).await.unwrap();
    assert_eq!((is_in(&there).await, is_in(&other).await), (false, true));
}

#[tokio::test]
async fn a_token_is_used_once() {
    let site = Site::start().await;
    let token = token(&site, |_| {});
    assert_eq!(site.provider_logout.receive(&token).await.unwrap(), 0);
    let again = site.provider_logout.receive(&token).await.unwrap_err();
    assert_eq!(again.reason(), "logout_token_replayed");
}

#[tokio::test]
async fn while_the_store_is_down_nothing_is_confirmed_and_the_token_stays_good() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "alice").await.unwrap();
    let token = token(&site, |_| {});
    site.store.set_down(true);
    let refused = site.provider_logout.receive(&token).await.unwrap_err();
    assert!(refused.is_outage(), "{refused}");
    site.store.set_down(false);
    assert_eq!(site.provider_logout.receive(&token).await.unwrap(), 1);
    let handle = browser.handle().unwrap();
    assert!(site.view.by_handle(&handle).await.is_err());
}

#[tokio::test]
async fn what_the_store_does_not_confirm_is_not_confirmed() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "alice").await.unwrap();
    let token = token(&site, |_| {});
    site.store.set_unconfirmed(true);
    let refused = site.provider_logout.receive(&token).await.unwrap_err();
    assert!(refused.is_outage(), "{refused}");
    let handle = browser.handle().unwrap();
    let seen = site.view.by_handle(&handle).await;
    assert!(
        matches!(seen, Err(Refused::Revoked | Refused::Unknown)),
        "ended here all the same"
    );
    site.store.set_unconfirmed(false);
    assert!(
        site.provider_logout.receive(&token).await.is_ok(),
        "the same token again"
    );
}

#[tokio::test]
async fn a_logout_that_comes_before_its_session_lets_no_session_begin() {
    for by in ["sid", "sub"] {
        let site = Site::start().await;
        let other = if by == "sid" { "sub" } else { "sid" };
        let early = token(&site, |t| {
            without(&mut t.claims, other);
            // Its clock is a little ahead, so that no second passes unnoticed between the two.
            t.claims["iat"] = (unix_now() + 30).into();
        });
        assert_eq!(site.provider_logout.receive(&early).await.unwrap(), 0);
        let mut browser = Browser::new();
        let failed = site.sign_in(&mut browser, "alice").await.unwrap_err();
        assert!(
            matches!(failed.error, LoginError::EndedMeanwhile),
            "{by}: {failed}"
        );
        assert!(browser.handle().is_none());
        super::eventually("Core's session is revoked", async || {
            site.outside.all_revoked().await
        })
        .await;
        site.sign_in(&mut Browser::new(), "bob").await.unwrap();
    }
}

#[tokio::test]
async fn who_signs_in_after_a_logout_of_the_person_is_let_in() {
    let site = Site::start().await;
    let past = token(&site, |t| {
        without(&mut t.claims, "sid");
        t.claims["iat"] = (unix_now() - 5).into();
    });
    site.provider_logout.receive(&past).await.unwrap();
    site.sign_in(&mut Browser::new(), "alice").await.unwrap();
}
