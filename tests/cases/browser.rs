//! A real Chromium walks the road: login, composed page, theme, panel, logout.

use hivematrix_tests::{Browser, Stack};
use serde_json::json;

pub(crate) async fn sign_in(browser: &Browser, name: &str) {
    browser.type_into("input[name=username]", name).await;
    browser.type_into("input[name=password]", name).await;
    browser.click("form [type=submit]").await;
    browser.find("#side-panel").await;
}

/// What the console said, without what is no fault: a browser that was sent to the login asks for nothing twice.
async fn assert_quiet(browser: &Browser, when: &str) {
    let errors: Vec<String> = browser
        .console_errors()
        .await
        .into_iter()
        .filter(|error| !error.contains("favicon.ico"))
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{when}");
}

#[tokio::test]
async fn a_person_signs_in_sees_codex_toggles_the_theme_collapses_the_panel_and_signs_out() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();

    browser.go(&format!("{origin}codex/")).await;
    browser.find("input[name=password]").await;
    browser.screenshot("01-login").await;
    assert_quiet(&browser, "on the login page").await;

    sign_in(&browser, "admin").await;
    assert_eq!(browser.path().await, "/codex/");
    browser.until("getComputedStyle(document.querySelector('#side-panel')).position !== 'static' || document.styleSheets.length >= 2").await;
    let active = browser
        .run("return document.querySelector('.side-panel__item--active a').getAttribute('href')")
        .await;
    assert_eq!(active, json!("/codex/"));
    browser.screenshot("02-codex-light").await;
    assert_quiet(&browser, "on a composed page").await;

    assert_eq!(
        browser.run("return document.documentElement.dataset.theme").await,
        json!("light")
    );
    browser.click("#theme-toggle-btn").await;
    browser
        .until("document.documentElement.dataset.theme === 'dark'")
        .await;
    browser.reload().await;
    browser
        .until("document.documentElement.dataset.theme === 'dark'")
        .await;
    browser.screenshot("03-codex-dark").await;
    assert_quiet(&browser, "after the theme was toggled").await;

    browser.click("#sidebar-toggle").await;
    browser
        .until("document.documentElement.classList.contains('sidebar-collapsed')")
        .await;
    assert_eq!(
        browser
            .run("return localStorage.getItem('sidebar-collapsed')")
            .await,
        json!("true")
    );
    browser.reload().await;
    browser
        .until("document.documentElement.classList.contains('sidebar-collapsed')")
        .await;
    browser.screenshot("04-codex-collapsed").await;

    let secret = browser.run("return document.cookie").await;
    assert_eq!(secret, json!(""), "no cookie of ours can be read by scripts");

    browser.go(&format!("{origin}logout")).await;
    browser.screenshot("05-logout").await;
    browser.click("form [type=submit]").await;
    browser.until("location.pathname.startsWith('/keycloak/')").await;
    assert_eq!(
        browser.run("return localStorage.length").await,
        json!(0),
        "the browser's storage is cleared"
    );
    browser.go(&format!("{origin}codex/")).await;
    browser.find("input[name=password]").await;
    browser.screenshot("06-signed-out").await;
    assert_quiet(&browser, "after logout").await;
    browser.close().await;
}

#[tokio::test]
async fn every_real_service_shows_its_page_without_a_complaint_of_the_console() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}helm/")).await;
    sign_in(&browser, "admin").await;
    for (name, path) in [
        ("10-helm", "helm/"),
        ("11-codex", "codex/"),
        ("12-settings", "codex/settings"),
        ("13-template", "template/"),
        ("14-components", "template/components"),
        ("15-clock", "template/clock"),
    ] {
        browser.go(&format!("{origin}{path}")).await;
        browser.find("#side-panel").await;
        browser.screenshot(name).await;
        assert_quiet(&browser, path).await;
    }
    browser
        .until("document.querySelector('#clock').textContent.length > 0")
        .await;
    browser.resize(390, 844).await;
    browser.go(&format!("{origin}codex/")).await;
    browser.screenshot("20-codex-phone").await;
    let fits = browser
        .run("return document.documentElement.scrollWidth <= window.innerWidth")
        .await;
    assert_eq!(fits, json!(true), "a phone does not have to scroll sideways");
    browser.resize(1280, 900).await;
    browser.go(&format!("{origin}nothing/")).await;
    browser.screenshot("21-not-found").await;
    browser.close().await;
}

#[tokio::test]
async fn a_fetch_of_a_page_whose_session_ended_gets_json_and_no_redirect() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    browser
        .go(stack.origin().join("/codex/").expect("a URL").as_ref())
        .await;
    sign_in(&browser, "client").await;
    let keys = stack.redis.keys("session:*").await;
    stack.redis.delete(&keys[0]).await;
    browser
        .run(
            "fetch('/codex/api/companies', {credentials: 'same-origin'}).then(async answer => {
                window.outcome = {status: answer.status, redirected: answer.redirected, json: await answer.json()};
            })",
        )
        .await;
    browser.until("window.outcome").await;
    let outcome = browser.run("return window.outcome").await;
    assert_eq!(
        (&outcome["status"], &outcome["redirected"]),
        (&json!(401), &json!(false)),
        "{outcome}"
    );
    assert!(
        outcome["json"]["login_url"]
            .as_str()
            .is_some_and(|url| url.starts_with("/login?next=")),
        "{outcome}"
    );
    browser.close().await;
}
