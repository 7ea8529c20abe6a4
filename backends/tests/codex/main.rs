//! Codex on a real socket: pages, forms, the JSON API, preferences, health.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod agents;
mod api;
mod assets;
mod exchange;
mod outages;
mod pages;
#[path = "../stand/postgres.rs"]
mod postgres;
mod preferences;
mod pull;
#[path = "../stand/mod.rs"]
mod stand;

use hivematrix_backends::codex::{self, CodexSettings};
use hivematrix_platform::PermissionLevel::{self, Admin, Billing, Client, Technician};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use postgres::Postgres;
use stand::{Answer, Stand, auth, must_be_a_proper_page, service, user, user_with_email};

/// The port of a PostgreSQL server: these tests use it in the place of SQLite.
const ON_POSTGRES: &str = "HIVEMATRIX_CODEX_TESTS_ON_POSTGRES";

fn postgres_port() -> Option<u16> {
    std::env::var(ON_POSTGRES).ok().map(|port| port.parse().unwrap())
}

/// Settings with a database that nobody has used, gone with the program.
async fn settings() -> CodexSettings {
    let database = match postgres_port() {
        Some(port) => postgres::fresh_database(port).await,
        None => "sqlite::memory:".to_owned(),
    };
    CodexSettings::new(database, auth("codex"))
}

/// The same with a database that can be opened several times; it goes with the folder.
async fn lasting_settings() -> (CodexSettings, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = match postgres_port() {
        Some(_) => settings().await,
        None => CodexSettings::new(
            format!("sqlite:{}", folder.path().join("codex.db").display()),
            auth("codex"),
        ),
    };
    (settings, folder)
}

/// Codex with these settings.
async fn codex_with(settings: CodexSettings) -> Stand {
    Stand::start("codex", codex::router(settings).await.unwrap()).await
}

async fn codex() -> Stand {
    codex_with(settings().await).await
}

async fn demo() -> Stand {
    codex_with(CodexSettings {
        demo_data: true,
        ..settings().await
    })
    .await
}

/// Asks until there is an answer; in vain for half a minute, the case fails.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            std::time::Instant::now() < end,
            "it did not come for half a minute"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
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
    let (settings, _folder) = lasting_settings().await;
    let database = settings.database.clone();
    let codex = codex_with(settings).await;
    assert_eq!(codex.get("/health", "").await.status, 200);

    let vandal = sqlx::AnyPool::connect(&database).await.unwrap();
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
    assert!(!page.text.contains("agents\""), "{}", page.text);
}

/// Every case of this program once more, in a process of its own that uses a real PostgreSQL server.
#[tokio::test]
async fn every_case_holds_on_postgresql_too() {
    let postgres = Postgres::start().await;
    let program = std::env::current_exe().unwrap();
    let output = tokio::process::Command::new(program)
        .args(["--skip", "on_postgresql", "--test-threads", "8"])
        .env(ON_POSTGRES, postgres.port().to_string())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let passed = told
        .split(" passed")
        .next()
        .and_then(|text| text.rsplit(' ').next());
    let passed: u32 = passed.and_then(|number| number.parse().ok()).unwrap_or_default();
    assert!(passed > 30, "hardly anything was run: {told}");
}
