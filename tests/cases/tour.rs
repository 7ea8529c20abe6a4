//! A walk past every kind of page that is ours, in a real Chromium: the provider's, the gateway's own, the
//! services'. What is looked at there is the business of `accessibility` and `looks`.

use hivematrix_tests::{Browser, Part, Stack};

use crate::browser::sign_in;

/// The name and the path of pages that an address alone leads to, for an administrator.
const PAGES: [(&str, &str); 29] = [
    ("codex", "codex/"),
    ("codex-nothing-found", "codex/companies?search=zzzz"),
    ("codex-new-company", "codex/companies/new"),
    ("codex-company", "codex/companies/1?done=company-saved"),
    ("codex-edit-company", "codex/companies/1/edit"),
    ("codex-delete-company", "codex/companies/1/delete"),
    ("codex-new-contact", "codex/companies/1/contacts/new"),
    ("codex-edit-contact", "codex/companies/1/contacts/1/edit"),
    ("codex-new-asset", "codex/companies/1/assets/new"),
    ("codex-delete-asset", "codex/companies/1/assets/1/delete"),
    ("codex-contacts", "codex/contacts"),
    ("codex-assets", "codex/assets"),
    ("codex-import", "codex/import"),
    ("codex-agents", "codex/agents"),
    ("codex-pull", "codex/pull"),
    ("codex-refusal", "codex/companies/987654321"),
    ("settings", "codex/settings"),
    ("template", "template/"),
    ("components", "template/components"),
    ("components-third-tab", "template/components?tab=files"),
    ("clock", "template/clock"),
    ("helm", "helm/"),
    ("helm-no-log-lines", "helm/logs?level=CRITICAL"),
    ("not-found", "nothing/"),
    ("logout", "logout"),
    ("sessions", "sessions"),
    ("everyone", "sessions/everyone"),
    ("kept-forms", "sessions/form"),
    (
        "provider-logout",
        "keycloak/realms/hivematrix/protocol/openid-connect/logout",
    ),
];

/// Shows each page to `look`, with a name for it. Ends signed in as a client.
pub(crate) async fn past_every_page(stack: &Stack, browser: &Browser, mut look: impl AsyncFnMut(&str)) {
    let origin = stack.origin().to_string();
    stack.beacon.on(
        "/display",
        hivematrix_tests::Script::html(
            "<!doctype html><html lang=en><title>Board</title><main><h1>Board</h1><p>For everybody.</main>",
        ),
    );
    browser.go(&format!("{origin}beacon/display")).await;
    look("for-everybody").await;
    browser
        .go(&format!(
            "{origin}keycloak/realms/hivematrix/protocol/openid-connect/auth"
        ))
        .await;
    look("provider-refusal").await;
    browser
        .go(&format!("{origin}keycloak-callback?state=unknown&code=x"))
        .await;
    look("login-that-failed").await;
    browser.go(&format!("{origin}codex/")).await;
    browser.find("input[name=password]").await;
    look("login").await;
    browser.type_into("input[name=username]", "admin").await;
    browser.type_into("input[name=password]", "wrong").await;
    browser.click("form [type=submit]").await;
    browser.find("#problem").await;
    look("login-refused").await;
    browser.go(&format!("{origin}codex/")).await;
    sign_in(browser, "admin").await;
    for (name, path) in PAGES {
        browser.go(&format!("{origin}{path}")).await;
        look(name).await;
    }
    browser.go(&format!("{origin}codex/companies/new")).await;
    browser.click("form [type=submit]").await;
    browser.find(".alert--danger").await;
    look("codex-form-refused").await;
    browser.go(&format!("{origin}template/components")).await;
    browser.click("[command=show-modal]").await;
    browser.find("dialog[open]").await;
    look("modal").await;
    stack.relay(Part::Echo).cut().await;
    browser.go(&format!("{origin}echo/")).await;
    look("service-down").await;
    stack.relay(Part::Echo).heal().await;
    browser.go(&format!("{origin}logout")).await;
    browser.click("form [type=submit]").await;
    browser.find("input[name=password], form, .lead").await;
    browser.go(&format!("{origin}helm/")).await;
    sign_in(browser, "client").await;
    look("forbidden").await;
}

/// The page for somebody who may enter nothing; wants a platform of its own.
pub(crate) async fn past_a_home_without_services(browser: &Browser, mut look: impl AsyncFnMut(&str)) {
    let stack = Stack::builder()
        .configure(|config| {
            config
                .services
                .retain(|service| matches!(service.name.as_str(), "helm" | "admins"))
        })
        .start()
        .await;
    browser.go(stack.origin().as_str()).await;
    sign_in(browser, "client").await;
    look("home-without-services").await;
}
