//! Signing out, also when not everything answers.

use std::time::Duration;

use hivematrix_platform::{Access, SessionId, Sessions, Store as _};

use super::eventually;
use super::outside::{Core, ORIGIN};
use super::site::{Browser, Site};
use crate::identity::{Ended, Handle, Refused};

struct SignedIn {
    site: Site,
    handle: Handle,
    session: SessionId,
}

async fn signed_in() -> SignedIn {
    let site = Site::start().await;
    let completed = site.sign_in(&mut Browser::new(), "alice").await.unwrap();
    let identity = completed.identity.unwrap();
    SignedIn {
        handle: identity.handle().unwrap(),
        session: identity.session,
        site,
    }
}

impl SignedIn {
    async fn is_revoked_in_store(&self) -> bool {
        let sessions = Sessions::new(self.site.store.clone());
        sessions
            .get(&self.session)
            .await
            .is_ok_and(|record| record.is_none_or(|record| record.revoked))
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let alice = signed_in().await;
    let site = &alice.site;
    let identity = site.view.by_handle(&alice.handle).await.unwrap();
    let stream = site.view.watch(&identity, Access::AnyUser).await.unwrap();
    let ended = site.logout.end(&site.origin, &alice.handle).await.unwrap();
    assert!(ended.at_core && ended.in_store && ended.record_removed);
    assert_eq!(stream.reason(), Some(Ended::SignedOut));
    assert!(alice.is_revoked_in_store().await);
    assert!(site.store.get(&alice.handle.key()).await.unwrap().is_none());
    assert!(site.view.by_handle(&alice.handle).await.is_err());
    let token = &identity.authorization.to_str().unwrap()["Bearer ".len()..];
    assert!(matches!(site.view.by_bearer(token).await, Err(Refused::Revoked)));
    let location = url::Url::parse(&ended.location.unwrap()).unwrap();
    assert_eq!(
        location.path(),
        "/keycloak/realms/hivematrix/protocol/openid-connect/logout"
    );
    let asked: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(asked["post_logout_redirect_uri"], format!("{ORIGIN}/"));
    assert_eq!(asked["client_id"], "core-client");
    assert_eq!(asked["id_token_hint"].split('.').count(), 3);
}

#[tokio::test]
async fn signing_out_twice_is_no_error() {
    let alice = signed_in().await;
    alice
        .site
        .logout
        .end(&alice.site.origin, &alice.handle)
        .await
        .unwrap();
    let again = alice
        .site
        .logout
        .end(&alice.site.origin, &alice.handle)
        .await
        .unwrap();
    assert!(again.location.is_some());
}

#[tokio::test]
async fn when_core_is_down_the_store_is_told_directly() {
    let alice = signed_in().await;
    let site = &alice.site;
    *site.outside.core.lock().unwrap() = Core::Fails;
    let ended = site.logout.end(&site.origin, &alice.handle).await.unwrap();
    assert!(!ended.at_core && ended.in_store && ended.record_removed);
    assert!(alice.is_revoked_in_store().await);
    assert!(site.view.by_handle(&alice.handle).await.is_err());
}

#[tokio::test]
async fn when_core_and_the_store_are_down_this_gateway_refuses_and_tells_the_store_later() {
    let alice = signed_in().await;
    let site = &alice.site;
    site.view.by_handle(&alice.handle).await.unwrap();
    *site.outside.core.lock().unwrap() = Core::Fails;
    site.store.set_down(true);
    let ended = site.logout.end(&site.origin, &alice.handle).await.unwrap();
    assert!(!ended.at_core && !ended.in_store && !ended.record_removed);
    site.store.set_down(false);
    assert!(matches!(
        site.view.by_handle(&alice.handle).await,
        Err(Refused::Revoked)
    ));
    eventually("the store is told", async || alice.is_revoked_in_store().await).await;
}

#[tokio::test]
async fn when_nobody_can_tell_whose_session_it_is_signing_out_says_so() {
    let alice = signed_in().await;
    let site = &alice.site;
    site.store.set_down(true);
    let unknown = Handle::generate();
    let refused = site.logout.end(&site.origin, &unknown).await.unwrap_err();
    assert!(refused.is_outage());
    site.store.set_down(false);
    tokio::time::sleep(Duration::from_millis(10)).await;
    site.view.by_handle(&alice.handle).await.unwrap();
}
