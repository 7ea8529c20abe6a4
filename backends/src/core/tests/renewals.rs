//! Renewal: the same session, with what is known by now.

use super::*;

async fn renew(world: &World, token: &str, access: &str, until: u64) -> (u16, Value) {
    let body = json!({ "token": token, "access_token": access, "until": until });
    answer(world.post("/api/token/renew").json(&body)).await
}

fn fresh() -> String {
    access_token(json!({ "azp": CLIENT }))
}

#[tokio::test]
async fn a_renewed_session_keeps_its_id_and_learns_what_has_changed() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let before = claims(&token);
    *world.userinfo.lock().unwrap() = (
        StatusCode::OK,
        json!({ "sub": "f3a1", "name": "Ada", "groups": ["admins"] }).to_string(),
    );
    let now = unix_now();
    let (status, body) = renew(&world, &token, &fresh(), now + 9000).await;
    assert_eq!(status, 200, "{body}");
    let renewed = body["token"].as_str().unwrap().to_owned();
    let after = claims(&renewed);
    assert_eq!((&after["jti"], &after["sub"]), (&before["jti"], &before["sub"]));
    assert_eq!(after["permission_level"], "admin");
    let exp = after["exp"].as_u64().unwrap();
    assert!(
        (now + 3600..=unix_now() + 3600).contains(&exp),
        "an hour from now"
    );
    let (status, body) = world.validate(&renewed).await;
    assert_eq!(
        (status, &body["user"]["permission_level"]),
        (200, &json!("admin"))
    );
    assert_eq!(
        world.validate(&token).await.0,
        200,
        "the older token is of the same session"
    );
    let id = hivematrix_platform::SessionId::parse(after["jti"].as_str().unwrap()).unwrap();
    let stored = world.store.inner.get(&id.key()).await.unwrap().unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(
        (&stored["expires_at"], &stored["created_at"]),
        (&json!(exp), &before["iat"])
    );
}

#[tokio::test]
async fn a_session_goes_on_until_its_limit_and_no_longer() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let until = unix_now() + 60;
    let (status, body) = renew(&world, &token, &fresh(), until).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(claims(body["token"].as_str().unwrap())["exp"], until);
    let past = renew(&world, &token, &fresh(), unix_now()).await;
    assert_eq!(past, (401, json!({ "error": "Session expired or revoked" })));
}

#[tokio::test]
async fn nothing_that_has_ended_is_renewed() {
    let world = World::start().await;
    let token = world.signed_in().await;
    assert_eq!(world.revoke(&token).await.0, 200);
    let until = unix_now() + 9000;
    let refused = renew(&world, &token, &fresh(), until).await;
    assert_eq!(refused, (401, json!({ "error": "Session expired or revoked" })));
    assert_eq!(world.validate(&token).await.0, 401);
}

#[tokio::test]
async fn a_renewal_needs_a_good_token_and_a_good_access_token_of_one_person() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let until = unix_now() + 9000;
    assert_eq!(renew(&world, "nonsense", &fresh(), until).await.0, 401);
    let foreign = access_token(json!({ "azp": "other" }));
    assert_eq!(
        renew(&world, &token, &foreign, until).await.0,
        401,
        "of another client"
    );
    *world.userinfo.lock().unwrap() = (StatusCode::UNAUTHORIZED, String::new());
    assert_eq!(
        renew(&world, &token, &fresh(), until).await.0,
        401,
        "the provider says no"
    );
    *world.userinfo.lock().unwrap() = (StatusCode::BAD_GATEWAY, String::new());
    assert_eq!(
        renew(&world, &token, &fresh(), until).await.0,
        502,
        "the provider is down"
    );
    let empty = answer(world.post("/api/token/renew").json(&json!({}))).await;
    assert_eq!(empty.0, 400);
    world.store.down.store(true, Ordering::SeqCst);
    assert_eq!(world.validate(&token).await.0, 500);
    world.store.down.store(false, Ordering::SeqCst);
    assert_eq!(
        world.validate(&token).await.0,
        200,
        "none of these ended the session"
    );
}
