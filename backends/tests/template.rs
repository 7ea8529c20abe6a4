//! Template on a real socket: the page, the form, the API, the events, the components.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod stand;

use std::time::Duration;

use hivematrix_backends::template::{self, TemplateSettings};
use hivematrix_platform::PermissionLevel::{Admin, Client};
use reqwest::Method;
use serde_json::json;

use stand::{CLASSES, Stand, auth, classes, must_be_a_proper_page, service, user};

async fn template() -> Stand {
    Stand::start(
        "template",
        template::router(TemplateSettings {
            auth: auth("template"),
            services: None,
        }),
    )
    .await
}

#[tokio::test]
async fn a_protected_page_greets_who_is_signed_in_and_nobody_else() {
    let template = template().await;
    for path in [
        "/",
        "/companies",
        "/clock",
        "/clock/events",
        "/clock.js",
        "/components",
        "/api/notes",
    ] {
        assert_eq!(template.get(path, "").await.status, 401, "{path}");
    }
    for path in ["/", "/clock", "/components"] {
        let page = template.page(path, &user(Client)).await;
        assert_eq!(page.status, 200, "{path}");
        must_be_a_proper_page(&page, "/template");
    }
    assert!(
        template
            .page("/", &user(Client))
            .await
            .text
            .contains("Hello, The client")
    );
    assert_eq!(template.get("/health", "").await.json()["status"], "healthy");
}

#[tokio::test]
async fn a_form_answers_303_or_shows_again_what_was_typed() {
    let template = template().await;
    let token = user(Client);
    let left = template
        .submit("/notes", &token, &[("text", " <b>Buy milk ")])
        .await;
    assert_eq!((left.status, left.location.as_str()), (303, "/template/"));
    assert!(
        template
            .page("/", &token)
            .await
            .text
            .contains("&lt;b&gt;Buy milk — The client")
    );

    let empty = template.submit("/notes", &token, &[]).await;
    assert_eq!(empty.status, 422);
    assert!(empty.text.contains("Please write something."), "{}", empty.text);
    let long = template
        .submit("/notes", &token, &[("text", &"ä".repeat(201))])
        .await;
    assert_eq!(long.status, 422);
    assert!(
        long.text.contains("this one has 201") && long.text.contains(&"ä".repeat(201)),
        "{}",
        long.text
    );
}

#[tokio::test]
async fn the_api_answers_users_and_services_and_keeps_a_bounded_number_of_notes() {
    let template = template().await;
    for number in 0..105 {
        assert_eq!(
            template
                .submit("/notes", &user(Admin), &[("text", &format!("note {number}"))])
                .await
                .status,
            303
        );
    }
    let notes = template
        .get("/api/notes", &service("codex", "template"))
        .await
        .json();
    assert_eq!(notes["notes"].as_array().unwrap().len(), 100);
    assert_eq!(
        notes["notes"][0],
        json!({"author": "The admin", "text": "note 104"})
    );
    assert_eq!(
        template.get("/api/notes", &service("codex", "helm")).await.status,
        401
    );
    let refused = template
        .call(Method::DELETE, "/api/notes", &user(Admin), json!(null))
        .await;
    assert_eq!(
        (refused.status, refused.content_type.as_str()),
        (405, "application/problem+json")
    );
}

#[tokio::test]
async fn the_clock_ticks_once_a_second_as_long_as_somebody_listens() {
    let template = template().await;
    let page = template.page("/clock", &user(Client)).await;
    assert!(
        page.text.contains("data-events=\"/template/clock/events\""),
        "{}",
        page.text
    );
    assert!(
        template
            .get("/clock.js", &user(Client))
            .await
            .content_type
            .starts_with("text/javascript")
    );

    let mut events = template
        .request(Method::GET, "/clock/events", &user(Client))
        .send()
        .await
        .unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut heard = String::new();
    let listening = async {
        while heard.matches("event: time\ndata: 20").count() < 2 {
            heard.push_str(
                std::str::from_utf8(&events.chunk().await.unwrap().expect("the stream ended")).unwrap(),
            );
        }
    };
    tokio::time::timeout(Duration::from_secs(5), listening)
        .await
        .expect("no two ticks within five seconds");
}

#[tokio::test]
async fn the_components_page_shows_everything_that_the_design_system_has() {
    // The gateway's own pages look like this, a service's never; and the older form of a dialog looks like the newer.
    let exceptions = |class: &str| {
        class.starts_with("standalone")
            || ["hivematrix-content", "modal--open", "modal__dialog"].contains(&class)
    };
    let template = template().await;
    let page = template.page("/components", &user(Client)).await;
    let shown = classes(&page.text);
    let forgotten: Vec<&String> = CLASSES
        .iter()
        .filter(|class| !shown.contains(class.as_str()) && !exceptions(class))
        .collect();
    assert!(
        CLASSES.len() > 100,
        "the stylesheet was not understood: {:?}",
        *CLASSES
    );
    assert!(forgotten.is_empty(), "{forgotten:?}");

    let tabs = template.page("/components?tab=history", &user(Client)).await;
    assert!(tabs.text.contains("The back button works") && !page.text.contains("The back button works"));
}
