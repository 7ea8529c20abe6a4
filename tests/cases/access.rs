//! Who may enter a service: the door and the menu follow one rule.

use hivematrix_tests::{PEOPLE, Stack};

/// Who may enter what.
const TABLE: [(&str, &[&str]); 5] = [
    ("template", &["admin", "technician", "billing", "client"]),
    ("admins", &["admin"]),
    ("money", &["admin", "billing"]),
    ("helm", &["admin"]),
    ("second", &["admin", "technician", "billing", "client"]),
];

#[tokio::test]
async fn admin_only_and_its_like_govern_the_door_and_the_menu() {
    let stack = Stack::start().await;
    for person in PEOPLE {
        let client = stack.signed_in(person.name).await;
        let menu = client.navigate("/template/").await.text();
        for (service, allowed) in TABLE {
            let may = allowed.contains(&person.name);
            let status = client.fetch(&format!("/{service}/x")).await.status;
            assert_eq!(status != 403, may, "{} at /{service}/: {status}", person.name);
            let entry = menu.contains(&format!("href=\"/{service}/\""));
            assert_eq!(entry, may, "{} and the entry of {service}", person.name);
        }
    }
}

#[tokio::test]
async fn who_may_not_enter_gets_403_as_a_page_or_as_json_and_the_backend_hears_nothing() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    let page = client.navigate("/admins/x").await;
    assert!(page.status == 403 && page.is_page(), "{page:?}");
    for method in ["GET", "POST", "OPTIONS", "DELETE"] {
        let answer = client.script(method, "/admins/x").send().await;
        assert!(
            answer.status == 403 && answer.is_problem(),
            "{method}: {answer:?}"
        );
    }
    assert_eq!(stack.websocket(&client, "/admins/socket").await.err(), Some(403));
    assert!(stack.second.seen().is_empty());
}

#[tokio::test]
async fn an_invisible_service_is_hidden_and_not_shut() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    assert!(
        !client
            .navigate("/template/")
            .await
            .text()
            .contains("href=\"/hidden/")
    );
    assert_eq!(client.fetch("/hidden/x").await.status, 200);
    assert_eq!(stack.client().fetch("/hidden/x").await.status, 401, "nor open");
}

#[tokio::test]
async fn the_menu_keeps_the_order_of_the_registry() {
    let stack = Stack::start().await;
    let page = stack.signed_in("admin").await.navigate("/template/").await.text();
    let order = [
        "codex", "helm", "template", "echo", "second", "admins", "money", "beacon",
    ];
    let places: Vec<Option<usize>> = order
        .iter()
        .map(|name| page.find(&format!("class=\"side-panel__link\" href=\"/{name}/\"")))
        .collect();
    assert!(places.iter().all(Option::is_some), "{places:?}\n{page}");
    assert!(places.is_sorted(), "{places:?}");
}

#[tokio::test]
async fn the_permission_level_follows_the_group_at_the_provider() {
    let stack = Stack::start().await;
    for person in PEOPLE {
        let client = stack.signed_in(person.name).await;
        let claims = hivematrix_tests::claims(&stack.token_of(&client).await);
        assert_eq!(claims["permission_level"], person.level.as_str());
        assert_eq!(claims["email"], person.email());
        assert_eq!(claims["iss"], "hivematrix-core");
        assert!(claims.get("type").is_none(), "a user's token never has a type");
    }
}
