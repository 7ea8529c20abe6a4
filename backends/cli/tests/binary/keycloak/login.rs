//! A real Chromium at the real login: through the gateway, on an origin of Keycloak's own, in every group, and out again.

use hivematrix_tests::{Browser, Stack, claims, eventually};
use serde_json::json;

use super::place::{PASSWORD, Place};

/// Fills in Keycloak's login form.
pub(super) async fn sign_in(browser: &Browser, name: &str, password: &str) {
    browser.type_into("#username", name).await;
    browser.type_into("#password", password).await;
    browser.click("#kc-login").await;
}

/// Signs out as people do.
async fn sign_out(browser: &Browser, stack: &Stack) {
    browser
        .go(stack.origin().join("/logout").expect("a URL").as_str())
        .await;
    browser.click("form [type=submit]").await;
}

async fn at(browser: &Browser) -> String {
    let origin = browser.run("return location.origin").await;
    origin.as_str().unwrap_or_default().to_owned()
}

/// The status of a page, as a script of the gateway's origin sees it.
pub(super) async fn status(browser: &Browser, path: &str) -> serde_json::Value {
    browser
        .run(&format!(
            "window.status_of = undefined; fetch('{path}').then(answer => window.status_of = answer.status)"
        ))
        .await;
    browser.until("window.status_of !== undefined").await;
    browser.run("return window.status_of").await
}

#[tokio::test]
async fn everybody_signs_in_through_the_gateway_gets_the_level_of_their_group_and_signs_out_everywhere() {
    let Some(place) = Place::of_production().await else {
        return;
    };
    place.configured().await;
    let stack = place.stack().await;
    let browser = Browser::start().await;
    for (name, groups, level, admins, money) in [
        ("ada", &["admins", "billing"][..], "admin", 200, 200),
        ("tess", &["technicians"], "technician", 403, 403),
        ("bill", &["billing"], "billing", 403, 200),
        ("clio", &["client"], "client", 403, 403),
        ("nobody", &[], "client", 403, 403),
    ] {
        place.person(name, groups).await;
        let page = stack.origin().join("/codex/").expect("a URL");
        browser.go(page.as_str()).await;
        browser.find("#kc-login").await;
        assert_eq!(at(&browser).await, stack.origin().origin().ascii_serialization());
        assert!(
            browser.path().await.starts_with("/keycloak/realms/hivematrix/"),
            "{}",
            browser.path().await
        );
        if name == "ada" {
            browser.screenshot("30-keycloak-login").await;
            let errors = browser.console_errors().await;
            assert_eq!(errors, Vec::<String>::new(), "on Keycloak's login page");
        }
        sign_in(&browser, name, PASSWORD).await;
        browser.find("#side-panel").await;
        assert_eq!(
            browser.path().await,
            "/codex/",
            "{name} is where they wanted to be"
        );

        assert_eq!(status(&browser, "/plain/whoami").await, json!(200));
        let token = stack.echo.last().header("authorization").replace("Bearer ", "");
        let claims = claims(&token);
        assert_eq!(
            (&claims["permission_level"], &claims["preferred_username"]),
            (&json!(level), &json!(name))
        );
        assert_eq!(claims["email"], format!("{name}@hivematrix.example"));
        assert_eq!(status(&browser, "/admins/x").await, json!(admins), "{name}");
        assert_eq!(status(&browser, "/money/x").await, json!(money), "{name}");
        assert_eq!(place.sessions_of(name).await, 1);

        sign_out(&browser, &stack).await;
        // Back at the gateway, which knows nobody and leads to the login again: Keycloak knows nobody either.
        browser.find("#kc-login").await;
        let gone = async || (place.sessions_of(name).await == 0).then_some(());
        eventually("Keycloak's session is gone", gone).await;
    }
    browser.close().await;
}

#[tokio::test]
async fn keycloak_on_an_origin_of_its_own_signs_in_and_out() {
    let Some(place) = Place::with_identity_origin("apart").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    let stack = place.stack().await;
    let browser = Browser::start().await;
    let page = stack.origin().join("/codex/").expect("a URL");
    browser.go(page.as_str()).await;
    browser.find("#kc-login").await;
    assert_eq!(
        at(&browser).await,
        place.keycloak.own_origin().origin().ascii_serialization()
    );
    sign_in(&browser, "tess", PASSWORD).await;
    browser.find("#side-panel").await;
    assert_eq!(at(&browser).await, stack.origin().origin().ascii_serialization());
    assert_eq!(status(&browser, "/echo/x").await, json!(200));
    assert_eq!(
        status(&browser, "/keycloak/realms/apart/account").await,
        json!(404),
        "the provider is not here"
    );

    sign_out(&browser, &stack).await;
    browser.find("#kc-login").await;
    let gone = async || (place.sessions_of("tess").await == 0).then_some(());
    eventually("Keycloak's session is gone", gone).await;
    browser.close().await;
}

#[tokio::test]
async fn the_first_administrator_signs_in_with_the_generated_password_and_has_to_change_it() {
    let Some(place) = Place::new("begun").await else {
        return;
    };
    place.configured().await;
    let password = std::fs::read_to_string(place.file("keycloak-first-admin.password")).expect("a password");
    let stack = place.stack().await;
    let browser = Browser::start().await;
    let page = stack.origin().join("/admins/x").expect("a URL");
    browser.go(page.as_str()).await;
    sign_in(&browser, "hivematrix-admin", &password).await;
    browser.type_into("#password-new", PASSWORD).await;
    browser.type_into("#password-confirm", PASSWORD).await;
    browser.click("form [type=submit]").await;
    // A new account has no name and no address yet; Keycloak asks for them.
    browser.type_into("#email", "admin@hivematrix.example").await;
    browser.type_into("#firstName", "Ada").await;
    browser.type_into("#lastName", "Admin").await;
    browser.click("form [type=submit]").await;
    browser.until("location.pathname === '/admins/x'").await;
    assert_eq!(status(&browser, "/admins/y").await, json!(200));
    browser.close().await;
}
