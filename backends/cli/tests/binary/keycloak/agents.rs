//! Agents taken over from a real Keycloak, as Codex's README says how: with a client whose service account may look.

use hivematrix_tests::{CODEX_SECRET, Client, claims};
use serde_json::{Value, json};

use super::place::Place;
use super::sessions::signed_in;

/// Makes the client that Codex asks as; what it may do is nothing yet.
async fn make_codex(place: &Place) {
    let codex = json!({
        "clientId": "codex",
        "secret": CODEX_SECRET,
        "publicClient": false,
        "standardFlowEnabled": false,
        "serviceAccountsEnabled": true,
    });
    let clients = ["realms", &place.realm, "clients"];
    place.admin().post(&clients, &codex).await.unwrap();
}

/// Gives the service account of Codex the two roles that it needs.
async fn let_codex_look(place: &Place) {
    let admin = place.admin();
    let id = async |name: &str| {
        let client = place.only(&["clients"], &[("clientId", name)]).await;
        client["id"].as_str().unwrap().to_owned()
    };
    let (codex, management) = (id("codex").await, id("realm-management").await);
    let clients = ["realms", &place.realm, "clients"];
    let account = [&clients[..], &[&codex, "service-account-user"]].concat();
    let account = admin.get(&account, &[]).await.unwrap().unwrap();
    let mut roles = Vec::new();
    for role in ["view-users", "query-groups"] {
        let role = [&clients[..], &[&management, "roles", role]].concat();
        roles.push(admin.get(&role, &[]).await.unwrap().unwrap());
    }
    let account = account["id"].as_str().unwrap();
    let users = ["realms", &place.realm, "users", account];
    let mappings = [&users[..], &["role-mappings", "clients", &management]].concat();
    admin.post(&mappings, &Value::Array(roles)).await.unwrap();
}

/// From now on tokens and userinfo say no e-mail addresses, although Keycloak knows them.
async fn keep_addresses_back(place: &Place) {
    let admin = place.admin();
    let scopes = ["realms", &place.realm, "client-scopes"];
    let named = |list: Vec<Value>, name: &str| {
        let found = list.into_iter().find(|one| one["name"] == name);
        found.expect("it is there")["id"].as_str().unwrap().to_owned()
    };
    let scope = named(admin.list(&scopes, &[]).await.unwrap(), "email");
    let models = [&scopes[..], &[&scope, "protocol-mappers", "models"]].concat();
    let mapper = named(admin.list(&models, &[]).await.unwrap(), "email");
    admin.delete(&[&models[..], &[&mapper]].concat()).await.unwrap();
}

async fn choose_dark(client: &Client) -> (u16, Value) {
    let choice = json!({"theme_preference": "dark"});
    let answer = client.script("PUT", "/codex/api/my/settings").json(&choice);
    let answer = answer.send().await;
    (answer.status, answer.json())
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one realm, from the fault to its cure")]
async fn an_agent_that_was_not_found_is_found_once_codex_was_synchronized() {
    let Some(place) = Place::new("agents").await else {
        return;
    };
    place.configured().await;
    for (name, groups) in [
        ("ada", ["admins"]),
        ("clio", ["client"]),
        ("tess", ["technicians"]),
    ] {
        place.person(name, &groups).await;
    }
    keep_addresses_back(&place).await;
    make_codex(&place).await;
    let stack = place.stack().await;
    let ada = signed_in(&stack, "ada", "a laptop").await;
    let clio = signed_in(&stack, "clio", "a phone").await;
    let told = claims(&stack.token_of(&clio).await);
    assert_eq!(told["email"].as_str().unwrap_or_default(), "", "{told}");
    assert_eq!(
        choose_dark(&clio).await,
        (404, json!({"error": "Agent not found"}))
    );

    // Signed in, but not let to look: the administrator reads which roles are missing.
    let sync = async || ada.script("POST", "/codex/api/agents/sync").send().await;
    let refused = sync().await;
    assert_eq!(refused.status, 502, "{}", refused.text());
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("the roles view-users and query-groups of the client realm-management"),
        "{detail}"
    );
    assert_eq!(choose_dark(&clio).await.0, 404, "nothing was half done");

    let_codex_look(&place).await;
    let done = sync().await;
    let report = done.json();
    assert_eq!((done.status, &report["success"]), (200, &json!(true)), "{report}");
    let listed = ada
        .fetch("/codex/api/agents?search=hivematrix.example")
        .await
        .json();
    let mut levels: Vec<(&str, &str)> = listed["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| {
            (
                agent["username"].as_str().unwrap(),
                agent["permission_level"].as_str().unwrap(),
            )
        })
        .collect();
    levels.sort_unstable();
    assert_eq!(
        levels,
        [("ada", "admin"), ("clio", "client"), ("tess", "technician")],
        "{listed}"
    );

    let (status, chosen) = choose_dark(&clio).await;
    assert_eq!(
        (status, &chosen["theme_preference"]),
        (200, &json!("dark")),
        "{chosen}"
    );
    let again = sync().await.json();
    assert_eq!(
        (&again["created"], &again["changed"]),
        (&json!(0), &json!(0)),
        "{again}"
    );
    let mine = clio.fetch("/codex/api/my/settings").await.json();
    assert_eq!(
        mine["theme_preference"], "dark",
        "a sync keeps what people chose: {mine}"
    );
}
