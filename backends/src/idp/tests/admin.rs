//! What an administrator does to people and sessions, and what applications are told of it.

use std::sync::Arc;

use super::*;

async fn administer(world: &World, method: http::Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = world.idp.url(&format!("/admin/realms/hivematrix/{path}"));
    let mut request = world
        .http
        .request(method, url)
        .basic_auth("core-client", Some(SECRET));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn refresh(world: &World, tokens: &Value) -> (u16, Value) {
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    world.token(&form).await
}

#[tokio::test]
async fn nobody_administers_without_a_clients_secret() {
    let world = World::start().await;
    let (_browser, tokens) = world.tokens().await;
    let sub = claims(&tokens["id_token"])["sub"].as_str().unwrap().to_owned();
    let url = world
        .idp
        .url(&format!("/admin/realms/hivematrix/users/{sub}/logout"));
    for secret in [None, Some("wrong"), Some("")] {
        let mut request = world.http.post(&url);
        if let Some(secret) = secret {
            request = request.basic_auth("core-client", Some(secret));
        }
        let status = request.send().await.unwrap().status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{secret:?}");
    }
    assert_eq!(refresh(&world, &tokens).await.0, 200, "the session lives");
}

#[tokio::test]
async fn who_is_disabled_gets_no_tokens_any_more_and_other_groups_show_in_the_next() {
    let world = World::start().await;
    let (_browser, tokens) = world.tokens().await;
    let user = format!("users/{}", claims(&tokens["id_token"])["sub"].as_str().unwrap());
    let change = serde_json::json!({ "groups": ["/billing"] });
    assert_eq!(
        administer(&world, http::Method::PUT, &user, Some(change)).await.0,
        204
    );
    let (status, fresh) = refresh(&world, &tokens).await;
    assert_eq!(status, 200, "{fresh}");
    assert_eq!(
        claims(&fresh["id_token"])["groups"],
        serde_json::json!(["billing"])
    );
    let change = serde_json::json!({ "enabled": false });
    assert_eq!(
        administer(&world, http::Method::PUT, &user, Some(change)).await.0,
        204
    );
    assert_eq!(refresh(&world, &fresh).await.1["error"], "invalid_grant");
    let access = fresh["access_token"].as_str().unwrap();
    assert_eq!(world.userinfo(access).await, StatusCode::UNAUTHORIZED);
    let again = Browser::new(&world)
        .submit(&request(&[]), "admin", "admin-password")
        .await;
    assert_eq!(again.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        administer(
            &world,
            http::Method::PUT,
            "users/nobody",
            Some(serde_json::json!({}))
        )
        .await
        .0,
        404
    );
}

#[tokio::test]
async fn another_password_ends_nothing_and_shows_in_when_it_was_set() {
    let world = World::start().await;
    let (_browser, tokens) = world.tokens().await;
    let set_at = async |tokens: &Value| {
        let credentials = world.http.get(world.realm("/account/credentials?type=password"));
        let token = tokens["access_token"].as_str().unwrap();
        let (status, said) = answer(credentials.bearer_auth(token)).await;
        assert_eq!(
            (status, &said[0]["type"]),
            (200, &Value::from("password")),
            "{said}"
        );
        said[0]["userCredentialMetadatas"][0]["credential"]["createdDate"]
            .as_u64()
            .unwrap()
    };
    let before = set_at(&tokens).await;
    let sub = claims(&tokens["id_token"])["sub"].as_str().unwrap().to_owned();
    let path = format!("users/{sub}/reset-password");
    for (path, password, status) in [
        (path.as_str(), "", 400),
        ("users/nobody/reset-password", "another", 404),
        (path.as_str(), "another", 204),
    ] {
        let body = serde_json::json!({ "type": "password", "value": password, "temporary": false });
        let done = administer(&world, http::Method::PUT, path, Some(body)).await;
        assert_eq!(done.0, status, "{path} {password:?}");
    }
    let (status, fresh) = refresh(&world, &tokens).await;
    assert_eq!(status, 200, "{fresh}");
    assert!(set_at(&fresh).await > before);
    for (password, status) in [("admin-password", 403), ("another", 303)] {
        let browser = Browser::new(&world);
        let login = browser.submit(&request(&[]), "admin", password).await;
        assert_eq!(login.status().as_u16(), status, "{password}");
    }
    let nobody = world.http.get(world.realm("/account/credentials"));
    assert_eq!(nobody.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_application_is_told_by_a_logout_token_whose_session_has_ended() {
    type Told = Arc<Mutex<Vec<String>>>;
    async fn hear(
        axum::extract::State(told): axum::extract::State<Told>,
        axum::Form(form): axum::Form<std::collections::HashMap<String, String>>,
    ) {
        told.lock().unwrap().push(form["logout_token"].clone());
    }
    let told = Told::default();
    let application = axum::Router::new().route("/told", axum::routing::post(hear));
    let application = run(application.with_state(told.clone())).await;
    let mut settings = settings();
    settings.clients[0].backchannel_logout_uri = Some(application.url("/told").parse().unwrap());
    let world = World::with(settings).await;
    let (_browser, tokens) = world.tokens().await;
    let id = claims(&tokens["id_token"]);
    let session = format!("sessions/{}", id["sid"].as_str().unwrap());
    let (status, body) = administer(&world, http::Method::DELETE, &session, None).await;
    assert_eq!((status, &body["told"]), (200, &Value::from(1)));
    let token = Value::from(told.lock().unwrap().pop().unwrap());
    let said = claims(&token);
    assert_eq!(
        (&said["iss"], &said["aud"]),
        (&id["iss"], &Value::from("core-client"))
    );
    assert_eq!((&said["sub"], &said["sid"]), (&id["sub"], &id["sid"]));
    assert!(said["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(said["jti"].is_string() && said["iat"].is_u64() && said.get("nonce").is_none());
    assert_eq!(refresh(&world, &tokens).await.1["error"], "invalid_grant");
    assert_eq!(
        administer(&world, http::Method::DELETE, &session, None).await.0,
        404,
        "it is over"
    );
}
