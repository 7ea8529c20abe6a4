//! What an administrator does at Keycloak ends, or changes, what people may do here.

use std::time::Duration;

use hivematrix_tests::{Browser, Stack, eventually};
use serde_json::json;

use super::login::{sign_in, status};
use super::place::{PASSWORD, Place};

/// A person with a page open.
async fn signed_in(place: &Place, stack: &Stack, name: &str) -> Browser {
    let browser = Browser::start().await;
    let page = stack.origin().join("/codex/").expect("a URL");
    browser.go(page.as_str()).await;
    sign_in(&browser, name, PASSWORD).await;
    browser.find("#side-panel").await;
    assert_eq!(status(&browser, "/plain/x").await, json!(200));
    assert_eq!(place.sessions_of(name).await, 1);
    browser
}

#[tokio::test]
async fn an_administrators_sign_out_at_keycloak_ends_the_session_here_and_nobody_elses() {
    let Some(place) = Place::new("ended").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    place.person("bill", &["billing"]).await;
    let stack = place.stack().await;
    let (tess, bill) = (
        signed_in(&place, &stack, "tess").await,
        signed_in(&place, &stack, "bill").await,
    );

    // "Sign out" on the user's page of the admin console.
    let id = place.id_of("tess").await;
    let path = ["realms", &place.realm, "users", &id, "logout"];
    place
        .admin()
        .post(&path, &json!({}))
        .await
        .expect("Keycloak signs tess out");

    let ended = async || (status(&tess, "/plain/x").await == 401).then_some(());
    eventually("the session here has ended", ended).await;
    tess.reload().await;
    tess.find("#kc-login").await;
    assert_eq!(status(&bill, "/plain/x").await, json!(200), "others go on");

    // One session, not all of a person's: "Sign out" in the list of sessions.
    let id = place.id_of("bill").await;
    let sessions = ["realms", &place.realm, "users", &id, "sessions"];
    let sessions = place.admin().list(&sessions, &[]).await.expect("sessions");
    let session = sessions[0]["id"].as_str().expect("an id");
    let path = ["realms", &place.realm, "sessions", session];
    place
        .admin()
        .delete(&path)
        .await
        .expect("Keycloak ends the session");
    let ended = async || (status(&bill, "/plain/x").await == 401).then_some(());
    eventually("the session here has ended", ended).await;
    tess.close().await;
    bill.close().await;
}

#[tokio::test]
async fn another_group_and_a_disabled_user_are_found_out_at_the_next_renewal() {
    let Some(place) = Place::new("rechecked").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    let often = Duration::from_secs(3);
    let builder = place.builder();
    let stack = builder.configure(move |config| config.sessions.recheck_within = often);
    let stack = stack.start().await;
    let tess = signed_in(&place, &stack, "tess").await;
    assert_eq!(status(&tess, "/admins/x").await, json!(403));

    // Keycloak reports neither of these.
    let (admin, id) = (place.admin(), place.id_of("tess").await);
    let group = place
        .only(&["groups"], &[("search", "admins"), ("exact", "true")])
        .await;
    let user = ["realms", place.realm.as_str(), "users", id.as_str()];
    let member = [&user[..], &["groups", group["id"].as_str().expect("an id")]].concat();
    admin.put(&member, &json!({})).await.expect("another group");
    let promoted = async || (status(&tess, "/admins/x").await == 200).then_some(());
    eventually("the new group counts", promoted).await;

    let mut disabled = admin.get(&user, &[]).await.expect("an answer").expect("tess");
    disabled["enabled"] = json!(false);
    admin.put(&user, &disabled).await.expect("tess is disabled");
    let ended = async || (status(&tess, "/plain/x").await == 401).then_some(());
    eventually("the session has ended", ended).await;
    tess.reload().await;
    tess.find("#kc-login").await;
    sign_in(&tess, "tess", PASSWORD).await;
    tess.find("#input-error, .pf-m-error, .kc-feedback-text, [role=alert], .pf-m-danger")
        .await;
    assert!(
        tess.path().await.starts_with("/keycloak/realms/rechecked/"),
        "and there is no way back in"
    );
    tess.close().await;
}

#[tokio::test]
async fn who_chooses_another_password_and_says_so_is_signed_out_of_their_other_devices_at_once() {
    let Some(place) = Place::new("passwords").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    let stack = place.stack().await;
    let before = signed_in(&place, &stack, "tess").await;

    // "Reset password" on the user's page of the admin console, as it is usually pressed: for one login.
    let (id, temporary) = (place.id_of("tess").await, "for one login only");
    let reset = ["realms", &place.realm, "users", &id, "reset-password"];
    let password = json!({"type": "password", "value": temporary, "temporary": true});
    place.admin().put(&reset, &password).await.expect("a password");
    let browser = Browser::start().await;
    browser
        .go(stack.origin().join("/codex/").expect("a URL").as_str())
        .await;
    sign_in(&browser, "tess", temporary).await;
    browser.type_into("#password-new", "a password of tomorrow").await;
    browser
        .type_into("#password-confirm", "a password of tomorrow")
        .await;
    // "Sign out from other devices": without that it ends at its next renewal, which is far off here.
    browser
        .run("const box = document.querySelector('#logout-sessions'); if (!box.checked) { box.click(); }")
        .await;
    browser.click("form [type=submit]").await;
    browser.find("#side-panel").await;

    let ended = async || (status(&before, "/plain/x").await == 401).then_some(());
    eventually("the session from before has ended", ended).await;
    assert_eq!(status(&browser, "/plain/x").await, json!(200));
    assert_eq!(place.sessions_of("tess").await, 1);
    before.close().await;
    browser.close().await;
}
