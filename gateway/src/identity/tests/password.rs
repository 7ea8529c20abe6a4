//! Whether a password is newer than a login: only what Keycloak says for certain counts, and nothing holds a renewal up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sealing;
use super::site::{Browser, Site};
use crate::config::Renewal as How;
use crate::identity::record::Records;
use crate::identity::{Renewal, RenewalSettings};

/// When the person of these tests signed in, in Unix seconds.
const LOGIN: u64 = 1_700_000_000;

fn renewal(site: &Site) -> Arc<Renewal> {
    site.login.renewal(RenewalSettings {
        how: How::Core,
        recheck_within: Duration::from_secs(900),
        lifetime: Duration::from_secs(3600),
    })
}

/// What Keycloak says of a password that was set so many seconds after the login.
fn set_after(seconds: u64) -> String {
    let date = (LOGIN + seconds) * 1000;
    format!(
        r#"[{{"type":"password","userCredentialMetadatas":[{{"credential":{{"createdDate":{date}}}}}]}}]"#
    )
}

async fn asks(site: &Site, renewal: &Renewal, proved_at: Option<u64>) -> bool {
    renewal
        .has_newer_password(&site.origin, "the.access.token", proved_at)
        .await
}

fn answers(site: &Site, status: u16, body: &str) {
    *site.outside.credentials.lock().unwrap() = Some((status, body.to_owned()));
}

fn asked(site: &Site) -> usize {
    site.outside.credentials_asked.lock().unwrap().len()
}

#[tokio::test]
async fn a_password_that_was_set_after_the_login_is_found_in_the_persons_own_name() {
    let site = Site::start().await;
    let renewal = renewal(&site);
    for (status, said, proved_at, newer) in [
        (200, set_after(60), Some(LOGIN), true),
        (200, set_after(0), Some(LOGIN), false),
        (200, set_after(60), Some(LOGIN + 61), false),
        // Nobody knows when the login was, or there is no password here.
        (200, set_after(60), None, false),
        (200, "[]".to_owned(), Some(LOGIN), false),
        // The realm has not been made ready for the question.
        (401, set_after(60), Some(LOGIN), false),
        (403, set_after(60), Some(LOGIN), false),
        (404, set_after(60), Some(LOGIN), false),
        (200, set_after(60), Some(LOGIN), true),
    ] {
        answers(&site, status, &said);
        assert_eq!(
            asks(&site, &renewal, proved_at).await,
            newer,
            "{status} {said} {proved_at:?}"
        );
    }
    let askers = site.outside.credentials_asked.lock().unwrap().clone();
    assert_eq!(askers, ["Bearer the.access.token"; 9]);
}

#[tokio::test]
async fn after_an_answer_that_makes_no_sense_nobody_is_asked_for_a_while() {
    for (status, said) in [
        (500, set_after(60)),
        (302, set_after(60)),
        (200, "<html>".to_owned()),
    ] {
        let site = Site::start().await;
        let renewal = renewal(&site);
        answers(&site, status, &said);
        assert!(!asks(&site, &renewal, Some(LOGIN)).await, "{status} {said}");
        answers(&site, 200, &set_after(60));
        assert!(!asks(&site, &renewal, Some(LOGIN)).await);
        assert_eq!(asked(&site), 1, "{status} {said}");
    }
}

#[tokio::test]
async fn a_keycloak_that_does_not_answer_holds_one_renewal_up_for_a_moment_and_the_next_not_at_all() {
    let site = Site::start().await;
    let renewal = renewal(&site);
    let begun = Instant::now();
    assert!(!asks(&site, &renewal, Some(LOGIN)).await);
    let held_up = begun.elapsed();
    assert!((1..4).contains(&held_up.as_secs()), "{held_up:?}");
    for _ in 0..100 {
        assert!(!asks(&site, &renewal, Some(LOGIN)).await);
    }
    assert_eq!(asked(&site), 1);
}

#[tokio::test]
async fn a_session_ends_here_and_everywhere_though_keycloak_does_not_end_its_own() {
    let site = Site::start().await;
    let mut browser = Browser::new();
    assert!(site.sign_in(&mut browser, "tess").await.is_ok());
    let handle = browser.handle().unwrap();
    let records = Records::new(site.store.clone(), sealing());
    let session = records.session(&handle).await.unwrap().unwrap();
    // The provider of these tests has no end of sessions: 404.
    renewal(&site)
        .end_for_newer_password(&handle, &site.origin, &session)
        .await;
    assert!(site.view.by_handle(&handle).await.is_err());
    assert!(site.outside.is_revoked(session.jti).await);
    assert!(records.session(&handle).await.unwrap().is_none());
}
