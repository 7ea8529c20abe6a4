//! Signing in, and all the ways in which it must not work.

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{Store as _, unix_now};

use super::eventually;
use super::outside::Core;
use super::site::{Browser, Site};
use crate::identity::{AttemptLimits, Cause, LoginError, LoginSettings, Refused};

#[tokio::test]
async fn whoever_signs_in_arrives_where_they_wanted_to_be() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    let begun = site.begin(&mut browser, "/codex/companies?x=1").await.unwrap();
    assert_eq!(browser.attempts().len(), 1);
    let query = site.outside.sign_in(&begun.location, "alice");
    let completed = site.complete(&mut browser, &query).await.unwrap();
    assert_eq!(completed.next.as_str(), "/codex/companies?x=1");
    assert_eq!(completed.identity.unwrap().claims().user.sub, "alice");
    assert!(browser.attempts().is_empty(), "the attempt's cookie is gone");
    let handle = browser.handle().unwrap();
    assert_eq!(
        site.view.by_handle(&handle).await.unwrap().claims().user.sub,
        "alice"
    );
    let told = site.outside.forwarded.lock().unwrap().clone().unwrap();
    assert_eq!(
        told, "https hive.example 443 /keycloak",
        "the provider is told its public address"
    );
}

#[tokio::test]
async fn ten_tabs_that_sign_in_at_once_all_succeed() {
    let site = Arc::new(Site::start().await);
    let mut browser = Browser::new();
    let mut queries = Vec::new();
    for tab in 0..10 {
        let next = format!("/codex/{tab}");
        let begun = site.begin(&mut browser, &next).await.unwrap();
        queries.push((next, site.outside.sign_in(&begun.location, "alice")));
    }
    assert_eq!(browser.attempts().len(), 10);
    let tabs: Vec<_> = queries
        .into_iter()
        .map(|(next, query)| {
            let (site, mut browser) = (site.clone(), browser.clone());
            tokio::spawn(async move {
                let completed = site.complete(&mut browser, &query).await.unwrap();
                assert_eq!(completed.next.as_str(), next);
                browser.handle().unwrap()
            })
        })
        .collect();
    for tab in tabs {
        site.view.by_handle(&tab.await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn every_login_gives_a_new_handle_and_the_old_one_ends_after_a_grace() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "alice").await.unwrap();
    let old = browser.handle().unwrap();
    let identity = site.view.by_handle(&old).await.unwrap();
    site.sign_in(&mut browser, "alice").await.unwrap();
    let new = browser.handle().unwrap();
    assert!(new != old);
    site.view
        .by_handle(&old)
        .await
        .expect("requests on their way with the old handle still pass");
    eventually("the old handle ends", async || {
        site.view.by_handle(&old).await.is_err()
    })
    .await;
    let token = identity.authorization.to_str().unwrap()["Bearer ".len()..].to_owned();
    eventually("the old session is revoked", async || {
        matches!(site.view.by_bearer(&token).await, Err(Refused::Revoked))
    })
    .await;
    site.view.by_handle(&new).await.unwrap();
}

#[tokio::test]
async fn another_browser_cannot_complete_an_attempt() {
    let site = Site::start().await;
    let (mut alice, mut mallory) = (Browser::new(), Browser::new());
    let begun = site.begin(&mut alice, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    site.begin(&mut mallory, "/codex/").await.unwrap();
    let failed = site.complete(&mut mallory, &query).await.unwrap_err();
    assert!(matches!(failed.error, LoginError::AttemptForeign));
    assert!(mallory.handle().is_none());
    site.complete(&mut alice, &query)
        .await
        .expect("it is still good for the browser that began it");
}

#[tokio::test]
async fn an_attempt_cookie_with_the_right_name_and_a_wrong_secret_proves_nothing() {
    let site = Site::start().await;
    let (mut alice, mut mallory) = (Browser::new(), Browser::new());
    let begun = site.begin(&mut alice, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    let other = site.begin(&mut mallory, "/codex/").await.unwrap();
    let (name, _) = begun.set_cookies[0].split_once('=').unwrap();
    let (_, value) = other.set_cookies[0].split_once('=').unwrap();
    mallory.take(&[format!("{name}={value}")]);
    let failed = site.complete(&mut mallory, &query).await.unwrap_err();
    assert!(matches!(failed.error, LoginError::AttemptForeign));
}

#[tokio::test]
async fn an_attempt_of_one_origin_cannot_be_completed_on_another() {
    let mut site = Site::start().await;
    let mut browser = Browser::new();
    let begun = site.begin(&mut browser, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    site.origin = "https://other.example".parse().unwrap();
    let failed = site.complete(&mut browser, &query).await.unwrap_err();
    assert!(matches!(failed.error, LoginError::AttemptForeign));
}

#[tokio::test]
async fn an_answer_that_was_used_signs_nobody_in_and_leads_on_whoever_was_not_told() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    let begun = site.begin(&mut browser, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    let before = browser.clone();
    site.complete(&mut browser, &query).await.unwrap();
    let handle = browser.handle().unwrap();
    let again = site.complete(&mut browser, &query).await.unwrap();
    assert!(again.identity.is_none());
    assert_eq!(again.next.as_str(), "/codex/");
    assert!(browser.handle() == Some(handle), "no second session was made");
    // The gateway that took the answer was killed before the browser heard of it.
    let mut untold = before.clone();
    let led_on = site.complete(&mut untold, &query).await.unwrap();
    assert!(led_on.identity.is_none() && untold.handle().is_none());
    assert_eq!(led_on.next.as_str(), "/codex/");
    let failed = site.complete(&mut untold, &query).await.unwrap_err();
    assert!(
        matches!(failed.error, LoginError::AttemptUnknown),
        "once is enough"
    );
    assert_eq!(failed.next.as_str(), "/codex/");
}

#[tokio::test]
async fn two_answers_to_one_attempt_make_one_session() {
    let site = Arc::new(Site::start().await);
    let mut browser = Browser::new();
    let begun = site.begin(&mut browser, "/codex/").await.unwrap();
    // Two codes, each good at the provider. Both answers find the attempt open before either closes it.
    let [first, second] = [(); 2].map(|()| site.outside.sign_in(&begun.location, "alice"));
    let hold = site.store.hold_next("hm:attempt:");
    let early = {
        let (site, mut browser) = (site.clone(), browser.clone());
        tokio::spawn(async move { site.complete(&mut browser, &first).await })
    };
    hold.reached().await;
    site.complete(&mut browser, &second).await.unwrap();
    hold.release();
    let led_on = early.await.unwrap().unwrap();
    assert!(led_on.identity.is_none(), "it signs nobody in");
}

#[tokio::test]
async fn a_malformed_or_unknown_answer_is_refused() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    let state = crate::identity::Handle::generate().encode();
    for query in [
        String::new(),
        "code=a".to_owned(),
        "state=<script>&code=a".to_owned(),
        format!("state={state}&code=a"),
    ] {
        let failed = site.complete(&mut browser, &query).await.unwrap_err();
        assert!(matches!(failed.error, LoginError::AttemptUnknown), "{query}");
        assert_eq!(failed.next.as_str(), "/");
    }
}

#[tokio::test]
async fn the_providers_error_ends_the_attempt() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    for (sent, kept) in [
        ("access_denied", "access_denied"),
        ("<script>alert(1)</script>", "other"),
    ] {
        let begun = site.begin(&mut browser, "/codex/").await.unwrap();
        let state = site.outside.sign_in(&begun.location, "alice");
        let query = format!("{}&error={sent}", state.split('&').next().unwrap());
        let failed = site.complete(&mut browser, &query).await.unwrap_err();
        assert!(matches!(&failed.error, LoginError::ProviderError { code } if code == kept));
        assert!(!failed.error.public().contains('<'));
        assert!(browser.attempts().is_empty());
        let used = site.complete(&mut browser, &state).await.unwrap_err();
        assert!(
            matches!(used.error, LoginError::AttemptUnknown),
            "its code is worth nothing any more"
        );
    }
}

#[tokio::test]
async fn when_core_and_provider_name_different_people_the_session_is_revoked() {
    let site = Site::start().await;
    *site.outside.core.lock().unwrap() = Core::MixesPeopleUp;
    let mut browser = Browser::new();
    let failed = site.sign_in(&mut browser, "alice").await.unwrap_err();
    assert!(matches!(failed.error, LoginError::SubjectMismatch));
    assert!(browser.handle().is_none());
}

#[tokio::test]
async fn what_is_down_is_said_to_be_down_and_what_refuses_to_refuse() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    let mut with = async |core| {
        *site.outside.core.lock().unwrap() = core;
        site.sign_in(&mut browser, "alice").await.unwrap_err().error
    };
    assert!(matches!(with(Core::Fails).await, LoginError::CoreDown(_)));
    assert!(matches!(with(Core::Refuses).await, LoginError::CoreRefused(_)));
    assert!(matches!(
        with(Core::UsesAnotherStore).await,
        LoginError::Explained {
            cause: Cause::SessionLost,
            ..
        }
    ));
    *site.outside.core.lock().unwrap() = Core::Works;
    *site.outside.provider_fails.lock().unwrap() = true;
    let failed = site.sign_in(&mut browser, "alice").await.unwrap_err();
    assert!(matches!(failed.error, LoginError::ProviderDown(_)));
    *site.outside.provider_fails.lock().unwrap() = false;
    site.sign_in(&mut browser, "alice")
        .await
        .expect("nothing has to be restarted");
    let begun = site.begin(&mut browser, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    site.cut_off();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let failed = site.complete(&mut browser, &query).await.unwrap_err();
    assert!(matches!(failed.error, LoginError::ProviderDown(_)), "{failed}");
}

#[tokio::test]
async fn a_code_that_the_provider_does_not_know_is_refused_by_it() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    let begun = site.begin(&mut browser, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    let failed = site
        .complete(&mut browser, &format!("{query}x"))
        .await
        .unwrap_err();
    assert!(matches!(failed.error, LoginError::ProviderRefused(_)), "{failed}");
}

#[tokio::test]
async fn without_the_store_no_login_begins_or_ends() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    let begun = site.begin(&mut browser, "/codex/").await.unwrap();
    let query = site.outside.sign_in(&begun.location, "alice");
    site.store.set_down(true);
    assert!(matches!(
        site.begin(&mut browser, "/").await,
        Err(LoginError::StoreDown(_))
    ));
    let failed = site.complete(&mut browser.clone(), &query).await.unwrap_err();
    assert!(matches!(failed.error, LoginError::StoreDown(_)));
    site.store.set_down(false);
    site.complete(&mut browser, &query)
        .await
        .expect("the attempt has survived");
}

#[tokio::test]
async fn a_browser_with_too_many_attempts_gives_up_the_oldest() {
    let attempts = AttemptLimits {
        per_browser: 3,
        ..AttemptLimits::default()
    };
    let site = Site::with(LoginSettings {
        attempts,
        ..LoginSettings::default()
    })
    .await;
    let mut browser = Browser::new();
    for _ in 0..10 {
        site.begin(&mut browser, "/codex/").await.unwrap();
        assert!(browser.attempts().len() <= 3);
    }
    site.sign_in(&mut browser, "alice").await.unwrap();
}

#[tokio::test]
async fn an_address_with_too_many_attempts_is_refused() {
    let attempts = AttemptLimits {
        per_address: 5,
        ..AttemptLimits::default()
    };
    let site = Site::with(LoginSettings {
        attempts,
        ..LoginSettings::default()
    })
    .await;
    for _ in 0..5 {
        site.begin(&mut Browser::new(), "/codex/").await.unwrap();
    }
    let refused = site.begin(&mut Browser::new(), "/codex/").await;
    assert!(matches!(refused, Err(LoginError::TooManyAttempts)));
    let mut elsewhere = Browser::new();
    elsewhere.address = "192.0.2.7".parse().unwrap();
    site.begin(&mut elsewhere, "/codex/").await.unwrap();
}

#[tokio::test]
async fn a_user_with_too_many_sessions_loses_the_oldest() {
    let site = Site::with(LoginSettings {
        sessions_per_user: 2,
        ..LoginSettings::default()
    })
    .await;
    let mut browsers = [Browser::new(), Browser::new(), Browser::new()];
    let mut other = Browser::new();
    site.sign_in(&mut other, "bob").await.unwrap();
    for browser in &mut browsers {
        site.sign_in(browser, "alice").await.unwrap();
    }
    let [first, second, third] = browsers.map(|browser| browser.handle().unwrap());
    assert!(site.view.by_handle(&first).await.is_err());
    assert!(site.store.get(&first.key()).await.unwrap().is_none());
    for handle in [second, third, other.handle().unwrap()] {
        site.view.by_handle(&handle).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_configured() {
    let lifetime = Duration::from_secs(100);
    let site = Site::with(LoginSettings {
        lifetime,
        ..LoginSettings::default()
    })
    .await;
    let completed = site.sign_in(&mut Browser::new(), "alice").await.unwrap();
    let left = completed.identity.unwrap().expires_at - unix_now();
    assert!((90..=100).contains(&left), "{left}");
}
