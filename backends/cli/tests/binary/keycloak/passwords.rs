//! Another password, whoever has chosen it: what was begun with the one before ends at its next renewal, at Keycloak too.

use std::time::Duration;

use hivematrix_platform::unix_now;
use hivematrix_tests::{Browser, Builder, Client, Stack, eventually};
use serde_json::{Value, json};

use super::login::{sign_in, status};
use super::place::{PASSWORD, Place};
use super::sessions::signed_in;

const NEW: &str = "a password of tomorrow";

/// Sessions are due after two seconds, and overdue after three.
fn often(place: &Place) -> Builder {
    place.builder().configure(|config| {
        config.sessions.recheck_within = Duration::from_secs(3);
        config.limits.requests_per_minute = 0;
    })
}

async fn signed_in_browser(stack: &Stack, name: &str, password: &str) -> Browser {
    let browser = Browser::start().await;
    browser
        .go(stack.origin().join("/codex/").expect("a URL").as_str())
        .await;
    sign_in(&browser, name, password).await;
    browser.find("#side-panel").await;
    browser
}

/// Until a password that is set now can't be taken for the one that the last login was begun with.
async fn a_while() {
    let now = unix_now();
    let passed = async || (unix_now() > now + 3).then_some(());
    eventually("the login is a while ago", passed).await;
}

/// "Reset password" on the user's page of the admin console.
async fn reset(place: &Place, name: &str, password: &str, temporary: bool) {
    let path = [
        "realms",
        &place.realm,
        "users",
        &place.id_of(name).await,
        "reset-password",
    ];
    let body = json!({"type": "password", "value": password, "temporary": temporary});
    place.admin().put(&path, &body).await.expect("another password");
}

/// Uses the session until it has been renewed twice.
async fn goes_on(stack: &Stack, browser: &Browser) {
    let renewals = || stack.logs.text().matches("session renewed").count();
    let before = renewals();
    let twice = async || {
        assert_eq!(status(browser, "/plain/x").await, json!(200));
        (renewals() >= before + 2).then_some(())
    };
    eventually("the session is renewed twice", twice).await;
}

async fn browser_is_out(browser: &Browser) {
    let out = async || (status(browser, "/plain/x").await == 401).then_some(());
    eventually("the session in the browser has ended", out).await;
}

async fn is_out(client: &Client) {
    let out = async || (client.fetch("/plain/x").await.status == 401).then_some(());
    eventually("the session has ended", out).await;
}

/// What the log says for this reason.
fn said(stack: &Stack, reason: &str) -> usize {
    let lines = stack.logs.all().into_iter();
    lines.filter(|line| line.field("reason") == reason).count()
}

#[tokio::test]
async fn a_password_that_an_administrator_resets_ends_the_session_and_the_browser_has_to_type_the_new_one() {
    let Some(place) = Place::new("reset").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    place.person("bill", &["billing"]).await;
    let stack = often(&place).start().await;
    let bill = signed_in(&stack, "bill", "bill's").await;
    let tess = signed_in_browser(&stack, "tess", PASSWORD).await;
    goes_on(&stack, &tess).await;
    assert_eq!(place.sessions_of("tess").await, 1);

    reset(&place, "tess", NEW, false).await;
    browser_is_out(&tess).await;
    let nowhere = async || (place.sessions_of("tess").await == 0).then_some(());
    eventually("Keycloak's session has ended too", nowhere).await;
    tess.reload().await;
    tess.find("#kc-login").await;
    sign_in(&tess, "tess", PASSWORD).await;
    tess.find("#input-error, .pf-m-error, .kc-feedback-text, [role=alert], .pf-m-danger")
        .await;
    assert!(
        tess.path().await.starts_with("/keycloak/realms/reset/"),
        "the old one opens nothing"
    );
    tess.go(stack.origin().join("/codex/").expect("a URL").as_str())
        .await;
    sign_in(&tess, "tess", NEW).await;
    tess.find("#side-panel").await;
    goes_on(&stack, &tess).await;
    assert_eq!(bill.fetch("/plain/x").await.status, 200, "others go on");
    assert_eq!(
        (said(&stack, "password_changed"), said(&stack, "password_unknown")),
        (1, 0)
    );
    tess.close().await;
}

/// Fills in Keycloak's form for another password, and has it leave other sessions alone.
async fn choose(browser: &Browser, password: &str) {
    browser.type_into("#password-new", password).await;
    browser.type_into("#password-confirm", password).await;
    browser
        .run("const box = document.querySelector('#logout-sessions'); if (box.checked) { box.click(); }")
        .await;
    browser.click("form [type=submit]").await;
}

#[tokio::test]
async fn a_password_that_is_chosen_while_signing_in_ends_what_was_begun_before_and_not_that_login() {
    // With Keycloak on an origin of its own, whose name its tokens bear.
    let Some(place) = Place::with_identity_origin("chosen").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    let stack = often(&place).start().await;
    let before = signed_in_browser(&stack, "tess", PASSWORD).await;
    a_while().await;
    reset(&place, "tess", "for one login only", true).await;
    let browser = Browser::start().await;
    browser
        .go(stack.origin().join("/codex/").expect("a URL").as_str())
        .await;
    sign_in(&browser, "tess", "for one login only").await;
    choose(&browser, NEW).await;
    browser.find("#side-panel").await;
    browser_is_out(&before).await;
    goes_on(&stack, &browser).await;
    assert_eq!(said(&stack, "password_changed"), 1);
    before.close().await;
    browser.close().await;
}

/// What "Update" beside the password in the account console opens; with `prompt=login` as for who signed in more than
/// five minutes ago.
async fn open_update(place: &Place, stack: &Stack, browser: &Browser, prompt: &str) {
    let realm = format!("/keycloak/realms/{}", place.realm);
    let mut url = stack
        .origin()
        .join(&format!("{realm}/protocol/openid-connect/auth"))
        .expect("a URL");
    let back = stack.origin().join(&format!("{realm}/account/")).expect("a URL");
    url.query_pairs_mut().extend_pairs([
        ("client_id", "account-console"),
        ("redirect_uri", back.as_str()),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", "0123456789-0123456789-0123456789-0123456789"),
        ("code_challenge_method", "S256"),
        ("kc_action", "UPDATE_PASSWORD"),
    ]);
    if !prompt.is_empty() {
        url.query_pairs_mut().append_pair("prompt", prompt);
    }
    browser.go(url.as_str()).await;
}

#[tokio::test]
async fn who_chooses_another_password_in_the_account_console_stays_only_where_keycloak_asked_for_the_old_one()
{
    let Some(place) = Place::new("console").await else {
        return;
    };
    place.configured().await;
    place.person("tess", &["technicians"]).await;
    let stack = often(&place).start().await;
    let other = signed_in(&stack, "tess", "another device").await;
    let browser = signed_in_browser(&stack, "tess", PASSWORD).await;
    let page = stack.origin().join("/codex/").expect("a URL");
    let chosen = "location.pathname.endsWith('/account/')";

    a_while().await;
    open_update(&place, &stack, &browser, "login").await;
    browser.type_into("#password", PASSWORD).await;
    browser.click("#kc-login").await;
    choose(&browser, NEW).await;
    browser.until(chosen).await;
    is_out(&other).await;
    browser.go(page.as_str()).await;
    browser.find("#side-panel").await;
    goes_on(&stack, &browser).await;
    assert_eq!(said(&stack, "password_changed"), 1, "the other device alone");

    a_while().await;
    open_update(&place, &stack, &browser, "").await;
    choose(&browser, "a password of next week").await;
    browser.until(chosen).await;
    browser.go(page.as_str()).await;
    browser.find("body").await;
    browser_is_out(&browser).await;
    browser.reload().await;
    browser.find("#kc-login").await;
    sign_in(&browser, "tess", "a password of next week").await;
    browser.find("#side-panel").await;
    browser.close().await;
}

#[tokio::test]
async fn a_realm_that_was_configured_before_goes_on_as_before_until_it_is_configured_again() {
    let Some(place) = Place::new("earlier").await else {
        return;
    };
    let file = place.file("gateway.toml");
    let config = std::fs::read_to_string(&file).expect("a configuration");
    let without = config.replace("[provider]", "[provider]\nrecheck_passwords = false");
    std::fs::write(&file, without).expect("a configuration");
    let made = place.configured().await;
    assert!(!made.stdout.contains("view-profile"), "{}", made.stdout);
    std::fs::write(&file, config).expect("a configuration");
    place.person("tess", &["technicians"]).await;
    let stack = often(&place).start().await;
    let tess = signed_in_browser(&stack, "tess", PASSWORD).await;
    a_while().await;
    reset(&place, "tess", NEW, false).await;
    goes_on(&stack, &tess).await;
    assert_eq!(
        said(&stack, "password_unknown"),
        1,
        "said once, not at each renewal"
    );
    let warning = stack.logs.text();
    assert!(
        warning.contains("run `hivematrix keycloak configure`"),
        "{warning}"
    );

    let audit = place.run(&["--audit", "--json"]).await;
    let audit: Value = serde_json::from_str(&audit.stdout).expect("a report");
    let finding = &audit["findings"][0];
    assert_eq!(
        (&finding["check"], &finding["object"]),
        (
            &json!("drift"),
            &json!("client core-client, role view-profile of account")
        ),
        "{audit:#}"
    );
    let mended = place.configured().await;
    assert_eq!(
        mended.stdout,
        "+ client core-client, role view-profile of account\n"
    );
    assert_eq!(place.configured().await.stdout, "", "nothing is left to do");

    // The gateway that runs needs nothing more, and finds what happened meanwhile.
    browser_is_out(&tess).await;
    tess.reload().await;
    tess.find("#kc-login").await;
    tess.close().await;
}
