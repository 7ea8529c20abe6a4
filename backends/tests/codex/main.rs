//! Codex on a real socket: pages, forms, the JSON API, preferences, health.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod pages;
mod preferences;
#[path = "../stand/mod.rs"]
mod stand;

use hivematrix_backends::codex::{self, CodexSettings};
use hivematrix_platform::PermissionLevel::{self, Admin, Billing, Client, Technician};
use reqwest::Method;
use serde_json::{Value, json};

use stand::{Answer, Stand, auth, must_be_a_proper_page, service, user, user_with_email};

fn settings() -> CodexSettings {
    CodexSettings {
        database: "sqlite::memory:".to_owned(),
        auth: auth("codex"),
        demo_data: false,
        home_pages: Vec::new(),
    }
}

async fn codex() -> Stand {
    Stand::start("codex", codex::router(settings()).await.unwrap()).await
}

async fn demo() -> Stand {
    let settings = CodexSettings {
        demo_data: true,
        ..settings()
    };
    Stand::start("codex", codex::router(settings).await.unwrap()).await
}

async fn create(codex: &Stand, name: &str) -> i64 {
    let made = codex
        .call(
            Method::POST,
            "/api/companies",
            &user(Admin),
            json!({ "name": name }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_i64().unwrap()
}

#[tokio::test]
async fn nobody_enters_without_a_token_except_to_ask_for_health() {
    let codex = demo().await;
    for path in [
        "/",
        "/companies",
        "/companies/1",
        "/companies/new",
        "/settings",
        "/api/companies",
        "/api/my/settings",
        "/api/public/user/theme?email=a@b.c",
    ] {
        let answer = codex.get(path, "").await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (401, "application/problem+json"),
            "{path}"
        );
    }
    let health = codex.get("/health", "").await;
    assert_eq!(
        (health.status, health.json()["status"].as_str()),
        (200, Some("healthy"))
    );
    assert_eq!(health.json()["checks"]["database"]["status"], "healthy");
}

#[tokio::test]
async fn health_says_so_when_the_database_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("codex.db").display());
    let settings = CodexSettings {
        database: database.clone(),
        ..settings()
    };
    let codex = Stand::start("codex", codex::router(settings).await.unwrap()).await;
    assert_eq!(codex.get("/health", "").await.status, 200);

    let vandal = sqlx::SqlitePool::connect(&database).await.unwrap();
    sqlx::query("DROP TABLE agents").execute(&vandal).await.unwrap();
    let health = codex.get("/health", "").await;
    assert_eq!(
        (
            health.status,
            health.json()["checks"]["database"]["status"].as_str()
        ),
        (503, Some("unhealthy"))
    );

    // And a page that needs it says that it is our fault, without telling what the database said.
    let page = codex.page("/settings", &user(Admin)).await;
    assert_eq!(page.status, 500);
    assert!(!page.text.contains("agents"), "{}", page.text);
}
