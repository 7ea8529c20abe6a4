//! Tokens of the realm that were not issued to the gateway: worth nothing at Core.

use serde_json::{Value, json};

use super::place::{PASSWORD, Place};

#[tokio::test]
async fn a_token_of_another_client_of_the_realm_is_refused_by_core() {
    let Some(place) = Place::new("clients").await else {
        return;
    };
    place.configured().await;
    place.person("ada", &["admins"]).await;
    let other = json!({
        "clientId": "other",
        "publicClient": true,
        "directAccessGrantsEnabled": true,
        "redirectUris": ["https://other.example/"],
    });
    let clients = ["realms", "clients", "clients"];
    place.admin().post(&clients, &other).await.unwrap();
    let stack = place.stack().await;
    let http = hivematrix_platform::http_client::internal().unwrap();
    let endpoint = place
        .keycloak
        .url()
        .join("realms/clients/protocol/openid-connect/")
        .unwrap();
    let form = [
        ("grant_type", "password"),
        ("client_id", "other"),
        ("username", "ada"),
        ("password", PASSWORD),
        ("scope", "openid"),
    ];
    let body: String = form.map(|(name, value)| format!("{name}={value}")).join("&");
    let granted = http
        .post(endpoint.join("token").unwrap())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.replace(' ', "+"))
        .send()
        .await
        .unwrap();
    let granted: Value = granted.json().await.unwrap();
    let token = granted["access_token"]
        .as_str()
        .expect("a token of the other client");
    let userinfo = http.get(endpoint.join("userinfo").unwrap()).bearer_auth(token);
    assert_eq!(userinfo.send().await.unwrap().status(), 200, "it is genuine");

    let exchange = stack.core().join("/api/token/exchange").unwrap();
    for token in [token, granted["id_token"].as_str().unwrap()] {
        let request = http.post(exchange.clone()).json(&json!({"access_token": token}));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{:?}", answer.text().await);
    }
    assert_eq!(stack.redis.keys("session:*").await, Vec::<String>::new());
}
