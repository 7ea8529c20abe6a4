//! Sessions that somebody ends at `/sessions`: over on every gateway and at Keycloak, so that the browser they were in is
//! asked for a password before it is let in again.

use hivematrix_tests::{Browser, Client, Script, Stack, eventually};
use serde_json::json;

use super::login::{sign_in, status};
use super::place::{PASSWORD, Place};

/// A page that only who is signed in sees.
const PAGE: &str = "/codex/";

/// Signs in with Keycloak's own form.
pub(super) async fn signed_in(stack: &Stack, name: &str, device: &str) -> Client {
    let client = stack.client().named(device);
    let form = client.navigate(PAGE).await;
    let page = client
        .submit(&form, &[("username", name), ("password", PASSWORD)])
        .await;
    assert_eq!((page.status, page.url.path()), (200, PAGE), "{page:?}");
    client
}

/// Whether Keycloak wants a password before it lets this browser in again.
async fn is_asked(client: &Client) -> bool {
    let page = client.navigate(PAGE).await;
    page.url.path().starts_with("/keycloak/") && page.text().contains("type=\"password\"")
}

async fn refused(client: &Client) {
    let refused = async || (client.fetch("/plain/x").await.status == 401).then_some(());
    eventually("the session has ended", refused).await;
}

#[tokio::test]
async fn whose_session_an_administrator_ends_is_signed_out_everywhere_and_asked_for_the_password_again() {
    let Some(place) = Place::new("sessions").await else {
        return;
    };
    place.configured().await;
    place.person("ada", &["admins"]).await;
    place.person("tess", &["technicians"]).await;
    let stack = place.stack().await;
    stack.echo.on("/socket", Script::websocket());
    let (second, _) = stack.another_gateway().await;

    let phone = signed_in(&stack, "tess", "the phone").await;
    let browser = Browser::start().await;
    browser.go(stack.origin().join(PAGE).unwrap().as_str()).await;
    sign_in(&browser, "tess", PASSWORD).await;
    browser.find("#side-panel").await;
    assert_eq!(place.sessions_of("tess").await, 2);

    let ada = Browser::start().await;
    let everyone = stack.origin().join("/sessions/everyone?who=tess").unwrap();
    ada.go(everyone.as_str()).await;
    sign_in(&ada, "ada", PASSWORD).await;

    // One of two: the other device goes on.
    ada.click("[aria-label^='End Chrom']").await;
    ada.until("document.querySelector('.alert--success')").await;
    let ended = async || (status(&browser, "/plain/x").await == 401).then_some(());
    eventually("the session in the browser has ended", ended).await;
    browser.reload().await;
    browser.find("#kc-login").await;
    assert!(browser.path().await.starts_with("/keycloak/realms/sessions/"));
    assert_eq!(phone.fetch("/plain/x").await.status, 200, "the phone goes on");
    assert_eq!(place.sessions_of("tess").await, 1, "at Keycloak as well");

    // Who knows the password is let in again.
    sign_in(&browser, "tess", PASSWORD).await;
    browser.find("#side-panel").await;
    let elsewhere = phone.with_gateway(second.address());
    assert_eq!(elsewhere.fetch("/plain/x").await.status, 200);
    let mut socket = stack
        .secure_websocket(&phone, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("hello").await, "hello");

    // All of a person's, on every gateway.
    ada.click("[aria-label='End all of tess Example']").await;
    ada.until("document.querySelector('.alert--success')").await;
    assert_eq!(socket.ended().await, Some((1008, "session revoked".to_owned())));
    refused(&phone).await;
    refused(&elsewhere).await;
    assert_eq!(status(&browser, "/plain/x").await, json!(401));
    assert!(is_asked(&phone).await && is_asked(&elsewhere).await);
    browser.reload().await;
    browser.find("#kc-login").await;
    assert_eq!(place.sessions_of("tess").await, 0);
    assert_eq!(place.sessions_of("ada").await, 1, "others go on");
    assert_eq!(
        audited(&stack),
        ["sessions_ended 1 true", "sessions_ended 2 true"]
    );
    ada.close().await;
    browser.close().await;
    second.stop().await.expect("the second gateway stops");
}

/// The acts in the audit log: how many sessions each has ended, and whether Keycloak's side as well.
fn audited(stack: &Stack) -> Vec<String> {
    let lines = stack.logs.all().into_iter();
    let acts = lines.filter(|line| {
        line.target == "hivematrix::audit" && line.field("action").ends_with("sessions_ended")
    });
    let fields = ["action", "count", "complete"];
    acts.map(|line| fields.map(|field| line.field(field)).join(" "))
        .collect()
}

#[tokio::test]
async fn who_ends_their_other_sessions_stays_and_the_others_are_asked_for_the_password_again() {
    let Some(place) = Place::new("own-sessions").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    place.person("bill", &["billing"]).await;
    let stack = place.stack().await;
    let here = signed_in(&stack, "tess", "here").await;
    let lost = signed_in(&stack, "tess", "lost").await;
    let bill = signed_in(&stack, "bill", "bill's").await;
    let button = here.script("POST", "/sessions?others=1").send().await;
    assert_eq!(button.status, 303, "{button:?}");
    refused(&lost).await;
    assert!(is_asked(&lost).await);
    assert_eq!(here.fetch("/plain/x").await.status, 200);
    assert_eq!(bill.fetch("/plain/x").await.status, 200);
    assert_eq!(place.sessions_of("tess").await, 1);

    // The provider's session of this browser has not ended with the others': no password for another session here.
    here.set_cookie("/", "__Host-hivematrix=; Path=/; Secure; Max-Age=0");
    assert_eq!(here.navigate(PAGE).await.url.path(), PAGE);
    assert_eq!(audited(&stack), ["own_sessions_ended 1 true"]);
}
