//! `/`: to the caller's home page, if that may be entered.

use hivematrix_tests::{Part, Stack};
use serde_json::json;

#[tokio::test]
async fn home_is_the_default_service_or_the_first_that_may_be_entered() {
    let stack = Stack::start().await;
    for (who, expected) in [
        ("admin", "/helm/"),
        ("client", "/codex/"),
        ("technician", "/codex/"),
    ] {
        let client = stack.signed_in(who).await;
        assert_eq!(client.visit("/").send().await.leads_to(), expected, "{who}");
    }
    let stranger = stack.client().visit("/").send().await;
    assert!(stranger.leads_to().starts_with("/login"), "{stranger:?}");
    assert_eq!(stack.client().fetch("/").await.status, 401);
}

#[tokio::test]
async fn home_is_the_chosen_service_if_it_is_visible_and_permitted() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    client.navigate("/codex/").await;
    for (chosen, expected) in [
        ("template", "/template/"),
        ("admins", "/codex/"),
        ("hidden", "/codex/"),
        ("core", "/codex/"),
        ("gone", "/codex/"),
    ] {
        let put = client
            .script("PUT", "/codex/api/my/settings")
            .json(&json!({ "home_page": chosen }))
            .send()
            .await;
        assert_eq!(put.status, 200, "{put:?}");
        client.script("POST", "/api/invalidate-cache").send().await;
        assert_eq!(client.visit("/").send().await.leads_to(), expected, "{chosen}");
    }
}

#[tokio::test]
async fn home_does_not_need_codex() {
    let stack = Stack::builder().impatient().start().await;
    let client = stack.signed_in("admin").await;
    for part in [Part::Codex, Part::Core] {
        stack.relay(part).stall();
        let bound = std::time::Duration::from_secs(3);
        let answer = hivematrix_tests::takes_at_most(bound, "home", client.visit("/").send()).await;
        assert_eq!(answer.leads_to(), "/helm/");
        stack.relay(part).heal().await;
    }
}

#[tokio::test]
async fn who_may_enter_nothing_is_told_so() {
    let stack = Stack::builder()
        .configure(|config| {
            config
                .services
                .retain(|service| matches!(service.name.as_str(), "helm" | "admins"))
        })
        .start()
        .await;
    let client = stack.client();
    let page = client.login_to("client", "/").await;
    assert!(
        page.status == 200 && page.is_page() && page.url.path() == "/",
        "{page:?}"
    );
    assert!(page.text().contains("href=\"/logout\""), "{page:?}");
}
