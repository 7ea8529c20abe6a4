//! Agents from the identity provider: a real one, on a socket, and what is said where it cannot be asked.

use std::net::SocketAddr;

use hivematrix_backends::codex::{DirectoryCredential, DirectorySettings};
use hivematrix_backends::idp::{self, DevServiceAccount, DevUser, IdpSettings, Lifetimes};
use hivematrix_platform::{SigningKey, http_client};
use tokio_util::sync::DropGuard;

use super::*;

/// A provider that knows these people, by name, e-mail address and group.
async fn provider(people: &[(&str, &str, &str)]) -> (SocketAddr, DropGuard) {
    let users = people.iter().map(|(name, email, group)| DevUser {
        username: (*name).to_owned(),
        password: "secret".into(),
        name: format!("{name} Surname"),
        email: (*email).to_owned(),
        groups: vec![(*group).to_owned()],
    });
    let settings = IdpSettings {
        key: SigningKey::generate("provider").unwrap(),
        public_base: vec!["http://localhost/keycloak".parse().unwrap()],
        users: users.collect(),
        clients: Vec::new(),
        service_accounts: vec![DevServiceAccount {
            id: "codex".to_owned(),
            secret: "the secret".into(),
        }],
        lifetimes: Lifetimes::default(),
        notice: None,
        trusted: None,
    };
    stand::serve(idp::router(settings).unwrap()).await
}

fn directory(address: SocketAddr, secret: &str) -> DirectorySettings {
    DirectorySettings {
        base: format!("http://{address}").parse().unwrap(),
        realm: "hivematrix".to_owned(),
        credential: DirectoryCredential::ServiceAccount {
            id: "codex".to_owned(),
            secret: secret.to_owned().into(),
        },
        http: http_client::internal().unwrap(),
    }
}

async fn codex_of(directory: DirectorySettings) -> Stand {
    codex_with(CodexSettings {
        directory: Some(directory),
        ..settings().await
    })
    .await
}

async fn sync(codex: &Stand) -> Answer {
    codex
        .call(Method::POST, "/api/agents/sync", &user(Admin), Value::Null)
        .await
}

#[tokio::test]
async fn a_sync_takes_over_everybody_with_their_level_and_a_second_one_changes_nothing() {
    // More than fit into one page of the provider's.
    let names: Vec<(String, String)> = (0..230)
        .map(|number| (format!("user{number:03}"), format!("User{number:03}@Example.org")))
        .collect();
    let mut people: Vec<(&str, &str, &str)> = names
        .iter()
        .map(|(name, email)| (name.as_str(), email.as_str(), "client"))
        .collect();
    people.push(("ada", "ada@example.org", "/admins"));
    people.push(("tess", "tess@example.org", "technicians"));
    people.push(("nomail", "", "billing"));
    let (address, _running) = provider(&people).await;
    let codex = codex_of(directory(address, "the secret")).await;

    let report = sync(&codex).await.json();
    assert_eq!(report["created"], 232, "{report}");
    assert_eq!(report["skipped"], json!(["nomail has no e-mail address"]));
    let found = codex
        .get("/api/agents?search=ada@example.org", &user(Admin))
        .await
        .json();
    let ada = &found["agents"][0];
    assert_eq!(
        (&ada["permission_level"], &ada["state"], &ada["username"]),
        (&json!("admin"), &json!("active"), &json!("ada")),
        "{found}"
    );
    assert_eq!(
        codex
            .get("/api/agents?search=technician", &user(Admin))
            .await
            .json()["total"],
        1
    );

    let again = sync(&codex).await.json();
    assert_eq!(
        (
            &again["created"],
            &again["changed"],
            &again["unchanged"],
            &again["gone"]
        ),
        (&json!(0), &json!(0), &json!(232), &json!(0))
    );
}

#[tokio::test]
async fn a_sync_cures_agent_not_found_and_keeps_what_people_chose() {
    let (address, _running) = provider(&[("admin", "real@example.org", "admins")]).await;
    let codex = codex_of(directory(address, "the secret")).await;

    // The token of somebody whose e-mail address the provider does not put into it: known by its id only.
    let listed = listed_subject(address).await;
    let token = stand::user_with_subject(Client, &listed);
    let choose = async || {
        codex
            .call(
                Method::PUT,
                "/api/my/settings",
                &token,
                json!({"theme_preference": "dark"}),
            )
            .await
    };
    let before = choose().await;
    assert_eq!(
        (before.status, before.json()),
        (404, json!({"error": "Agent not found"}))
    );

    let page = codex.submit("/agents/sync", &user(Admin), &[]).await;
    assert_eq!(page.status, 200);
    must_be_a_proper_page(&page, "/codex");
    assert!(
        page.text.contains("Agents were synchronized.") && page.text.contains("real@example.org"),
        "{}",
        page.text
    );

    let after = choose().await;
    assert_eq!(
        (after.status, &after.json()["theme_preference"]),
        (200, &json!("dark"))
    );
    sync(&codex).await;
    assert_eq!(
        codex.get("/api/my/settings", &token).await.json()["theme_preference"],
        "dark"
    );
}

/// The id of the provider's only user.
async fn listed_subject(address: SocketAddr) -> String {
    let http = http_client::internal().unwrap();
    let base = format!("http://{address}");
    let token = http
        .post(format!("{base}/realms/hivematrix/protocol/openid-connect/token"))
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "codex"),
            ("client_secret", "the secret"),
        ]);
    let token: Value = token.send().await.unwrap().json().await.unwrap();
    let users = http.get(format!("{base}/admin/realms/hivematrix/users"));
    let users: Value = users
        .bearer_auth(token["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    users[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_left_the_provider_is_marked_and_not_deleted_and_welcome_back() {
    let both = [
        ("kim", "kim@example.org", "client"),
        ("lee", "lee@example.org", "client"),
    ];
    let (address, running) = provider(&both).await;
    let (settings, _folder) = lasting_settings().await;
    let database = settings.database.clone();
    let with = async |address: SocketAddr| {
        let settings = CodexSettings {
            directory: Some(directory(address, "the secret")),
            ..CodexSettings::new(database.clone(), auth("codex"))
        };
        codex_with(settings).await
    };
    let codex = with(address).await;
    assert_eq!(sync(&codex).await.json()["created"], 2);
    drop(running);
    let (address, running) = provider(&both[..1]).await;
    let codex = with(address).await;
    assert_eq!(sync(&codex).await.json()["gone"], 1);
    let lee = codex.get("/api/agents?search=lee", &user(Admin)).await.json();
    assert_eq!(lee["agents"][0]["state"], "gone");
    drop(running);
    let (address, _running) = provider(&both).await;
    let codex = with(address).await;
    assert_eq!(sync(&codex).await.json()["changed"], 1);
    let lee = codex.get("/api/agents?search=lee", &user(Admin)).await.json();
    assert_eq!(lee["agents"][0]["state"], "active");
}

#[tokio::test]
async fn a_sync_that_cannot_be_done_says_what_to_do_and_changes_nothing() {
    let (address, running) = provider(&[("kim", "kim@example.org", "client")]).await;
    let mut elsewhere = directory(address, "the secret");
    elsewhere.realm = "other".to_owned();
    let mut administrator = directory(address, "");
    administrator.credential = DirectoryCredential::Administrator {
        username: "admin".to_owned(),
        password: "admin".into(),
    };
    for (directory, told) in [
        (directory(address, "wrong"), "refuses Codex's credential"),
        (elsewhere, "no Admin API for the realm other"),
        // The development provider has no realm of that name.
        (administrator, "no Admin API for the realm master"),
    ] {
        let codex = codex_of(directory).await;
        let refused = sync(&codex).await;
        assert_eq!(
            (refused.status, refused.content_type.as_str()),
            (502, "application/problem+json")
        );
        assert!(
            refused.json()["detail"].as_str().unwrap().contains(told),
            "{}",
            refused.text
        );
        assert!(!refused.text.contains("wrong"), "{}", refused.text);
        assert_eq!(codex.get("/api/agents", &user(Admin)).await.json()["total"], 0);
    }

    let codex = codex_of(directory(address, "the secret")).await;
    drop(running);
    let gone = async || (sync(&codex).await.status == 502).then_some(());
    until(gone).await;
    let page = codex.submit("/agents/sync", &user(Admin), &[]).await;
    assert_eq!(page.status, 502);
    assert!(
        page.text.contains("Nothing was changed; try again later."),
        "{}",
        page.text
    );
    assert_eq!(codex.page("/agents", &user(Admin)).await.status, 200);

    let unconfigured = super::codex().await;
    let refused = sync(&unconfigured).await;
    assert_eq!(refused.status, 501);
    assert!(
        refused.text.contains("KEYCLOAK_ADMIN_CLIENT_ID"),
        "{}",
        refused.text
    );
    assert!(
        !unconfigured
            .page("/agents", &user(Admin))
            .await
            .text
            .contains("/agents/sync")
    );
}
