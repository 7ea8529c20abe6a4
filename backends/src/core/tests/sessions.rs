//! Exchange, validate, revoke.

use super::*;

fn error(text: &str) -> Value {
    json!({ "error": text })
}

fn invalid(text: &str) -> Value {
    json!({ "error": text, "valid": false })
}

const REFUSED: &str = "Invalid access token";

#[tokio::test]
async fn an_access_token_is_exchanged_for_a_session_and_its_token() {
    let world = World::start().await;
    let before = unix_now();
    let token = world.signed_in().await;
    let claims = claims(&token);
    let iat = claims["iat"].as_u64().unwrap();
    assert!((before..=unix_now()).contains(&iat));
    assert_eq!(claims["exp"], iat + 3600);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&"hivematrix-core".into(), &"f3a1".into())
    );
    assert_eq!(claims["permission_level"], "technician");

    let key = format!("session:{}", claims["jti"].as_str().unwrap());
    let stored = world.store.inner.get(&key).await.unwrap().unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    let expected = json!({
        "user_data": {
            "sub": "f3a1", "name": "Ada", "email": "ada@example.com", "preferred_username": "ada",
            "permission_level": "technician", "groups": ["technicians"],
        },
        "created_at": iat, "expires_at": iat + 3600, "revoked": false,
    });
    assert_eq!(stored, expected);
    let expected = json!({ "valid": true, "user": expected["user_data"] });
    assert_eq!(world.validate(&token).await, (200, expected));
}

#[tokio::test]
async fn two_exchanges_make_two_sessions() {
    let world = World::start().await;
    let (one, other) = (world.signed_in().await, world.signed_in().await);
    assert_eq!(world.revoke(&one).await.0, 200);
    assert_eq!(
        (world.validate(&one).await.0, world.validate(&other).await.0),
        (401, 200)
    );
}

#[tokio::test]
async fn tokens_may_come_in_the_authorization_header() {
    let world = World::start().await;
    let access = access_token(json!({ "azp": CLIENT }));
    let (status, body) = answer(world.post("/api/token/exchange").bearer_auth(&access)).await;
    assert_eq!(status, 200);
    let token = body["token"].as_str().unwrap();
    assert_eq!(
        answer(world.post("/api/token/validate").bearer_auth(token))
            .await
            .0,
        200
    );
    let both = world
        .post("/api/token/validate")
        .bearer_auth("other")
        .json(&json!({ "token": token }));
    assert_eq!(answer(both).await, (400, invalid("Two different tokens")));
    assert_eq!(
        answer(world.post("/api/token/revoke").bearer_auth(token)).await.0,
        200
    );
}

#[tokio::test]
async fn an_access_token_of_another_client_is_refused() {
    let world = World::start().await;
    for (claims, expected) in [
        (json!({ "azp": CLIENT }), 200),
        (json!({ "azp": CLIENT, "aud": "account" }), 200),
        (json!({ "azp": "other", "aud": ["account", CLIENT] }), 200),
        (json!({ "aud": CLIENT }), 200),
        (json!({}), 401),
        (json!({ "azp": "other" }), 401),
        (json!({ "azp": "other", "aud": ["account"] }), 401),
        (json!({ "aud": "account" }), 401),
        (json!({ "azp": CLIENT, "typ": "ID" }), 401),
        (json!({ "azp": CLIENT, "typ": "Refresh" }), 401),
    ] {
        let (status, body) = world.exchange(&access_token(claims.clone())).await;
        assert_eq!(status, expected, "{claims}");
        if expected == 401 {
            assert_eq!(body, error(REFUSED));
        }
    }
}

#[tokio::test]
async fn an_access_token_about_somebody_else_than_userinfo_says_is_refused() {
    let world = World::start().await;
    for sub in [json!("somebody else"), json!(""), Value::Null] {
        let token = access_token(json!({ "azp": CLIENT, "sub": sub }));
        assert_eq!(world.exchange(&token).await, (401, error(REFUSED)), "{sub}");
    }
    world.userinfo_says(StatusCode::OK, r#"{"sub":""}"#);
    let token = access_token(json!({ "azp": CLIENT, "sub": "" }));
    assert_eq!(world.exchange(&token).await, (401, error(REFUSED)));
}

#[tokio::test]
async fn what_the_provider_says_decides() {
    let world = World::start().await;
    let down = || error("Identity provider unavailable");
    let huge = format!(r#"{{"sub":"f3a1","name":"{}"}}"#, "x".repeat(300 * 1024));
    for (status, body, expected) in [
        (StatusCode::UNAUTHORIZED, "{}", (401, error(REFUSED))),
        (StatusCode::FORBIDDEN, "{}", (401, error(REFUSED))),
        (StatusCode::INTERNAL_SERVER_ERROR, "{}", (502, down())),
        (StatusCode::FOUND, "{}", (502, down())),
        (StatusCode::OK, "<html>", (502, down())),
        (StatusCode::OK, "{}", (502, down())),
        (StatusCode::OK, huge.as_str(), (502, down())),
    ] {
        world.userinfo_says(status, body);
        assert_eq!(
            world.exchange(&access_token(json!({ "azp": CLIENT }))).await,
            expected,
            "{status}"
        );
    }
    world.userinfo_says(StatusCode::OK, r#"{"sub":"f3a1","name":null}"#);
    let (status, body) = world.exchange(&access_token(json!({ "azp": CLIENT }))).await;
    assert_eq!(status, 200, "somebody without name, address and groups may enter");
    assert_eq!(
        claims(body["token"].as_str().unwrap())["permission_level"],
        "client"
    );
}

#[tokio::test]
async fn a_provider_that_is_down_is_a_502() {
    let mut world = World::start().await;
    world._provider = run(Router::new()).await;
    let token = access_token(json!({ "azp": CLIENT }));
    assert_eq!(
        world.exchange(&token).await,
        (502, error("Identity provider unavailable"))
    );
}

#[tokio::test]
async fn requests_without_a_token_or_with_rubbish_are_400() {
    let world = World::start().await;
    for (path, is_validate) in [
        ("/api/token/exchange", false),
        ("/api/token/validate", true),
        ("/api/token/revoke", false),
    ] {
        let form = |text: &'static str| world.post(path).header("content-type", text);
        for (request, sentence) in [
            (world.post(path), "No token provided"),
            (world.post(path).json(&json!({})), "No token provided"),
            (
                world.post(path).json(&json!({ "token": null })),
                "No token provided",
            ),
            (
                form("application/x-www-form-urlencoded").body("token=x&access_token=x"),
                "No token provided",
            ),
            (
                form("text/plain").body(r#"{"token":"x","access_token":"x"}"#),
                "No token provided",
            ),
            (form("application/json").body("{"), "Malformed JSON body"),
            (
                world.post(path).header("authorization", "Basic eDp5"),
                "No token provided",
            ),
        ] {
            let expected = if is_validate {
                invalid(sentence)
            } else {
                error(sentence)
            };
            assert_eq!(answer(request).await, (400, expected), "{path}");
        }
        let member = if path.ends_with("exchange") {
            "access_token"
        } else {
            "token"
        };
        assert_eq!(answer(world.post(path).json(&json!({ member: 7 }))).await.0, 400);
        let large = world.post(path).json(&json!({ member: "x".repeat(70_000) }));
        assert_eq!(answer(large).await.0, 413, "{path}");
    }
    let rubbish = world.exchange("not.a-token").await;
    assert_eq!(rubbish, (401, error(REFUSED)));
}

#[tokio::test]
async fn validation_says_in_the_contracts_words_what_is_wrong() {
    let world = World::start().await;
    let now = unix_now();
    let id = SessionId::generate();
    let user = |minter: &Minter, at| minter.user(&ada(), &id, at).unwrap().0;
    let (expired, unknown) = (user(&world.minter, now - 3600), user(&world.minter, now));
    let service = world
        .minter
        .service(&name("codex"), &name("ledger"), now)
        .unwrap()
        .0;
    let mut forged = unknown.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    for (token, sentence) in [
        (expired.as_str(), "Token expired"),
        (&unknown, "Session expired or revoked"),
        (&service, "Token has no session ID"),
    ] {
        assert_eq!(world.validate(token).await, (401, invalid(sentence)));
    }
    for token in [forged.as_str(), "rubbish", "a.b.c"] {
        let (status, body) = world.validate(token).await;
        assert_eq!((status, &body["valid"]), (401, &false.into()));
        assert!(
            body["error"].as_str().unwrap().starts_with("Invalid token: "),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_session_whose_time_is_over_is_refused_even_if_the_store_still_has_it() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let mut record = world.record(&token).await;
    record.expires_at = unix_now() - 1;
    let key = format!("session:{}", claims(&token)["jti"].as_str().unwrap());
    world
        .store
        .put(&key, &record.to_json().unwrap(), Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(
        world.validate(&token).await,
        (401, invalid("Session expired or revoked"))
    );
}

#[tokio::test]
async fn a_revoked_session_is_refused_and_stays_in_the_store_as_revoked() {
    let world = World::start().await;
    let token = world.signed_in().await;
    let revoked = json!({ "message": "Session revoked successfully" });
    let gone = json!({ "message": "Session not found or already revoked" });
    assert_eq!(world.revoke(&token).await, (200, revoked));
    assert_eq!(
        world.validate(&token).await,
        (401, invalid("Session expired or revoked"))
    );
    assert_eq!(world.revoke(&token).await, (404, gone.clone()));
    assert!(world.record(&token).await.revoked);

    let never = world
        .minter
        .user(&ada(), &SessionId::generate(), unix_now())
        .unwrap()
        .0;
    assert_eq!(world.revoke(&never).await, (404, gone));
}

#[tokio::test]
async fn an_expired_token_still_ends_its_session() {
    let world = World::start().await;
    let now = unix_now();
    let id = SessionId::generate();
    let token = world.minter.user(&ada(), &id, now - 7200).unwrap().0;
    let record = SessionRecord {
        user_data: ada(),
        created_at: now - 7200,
        expires_at: now + 60,
        revoked: false,
    };
    world
        .store
        .put(&id.key(), &record.to_json().unwrap(), Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(world.validate(&token).await, (401, invalid("Token expired")));
    assert_eq!(world.revoke(&token).await.0, 200);
    assert!(world.record(&token).await.revoked);
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused_by_validate_and_revoke() {
    let world = World::start().await;
    let good = world.signed_in().await;
    let id = SessionId::parse(claims(&good)["jti"].as_str().unwrap()).unwrap();
    // The same key, the same session, another name.
    let other = Minter::new(key(), "hivematrix.core")
        .user(&ada(), &id, unix_now())
        .unwrap()
        .0;
    let (status, body) = world.validate(&other).await;
    assert_eq!((status, &body["valid"]), (401, &false.into()));
    assert_eq!(world.revoke(&other).await.0, 401);
    assert_eq!(world.validate(&good).await.0, 200);
}

#[tokio::test]
async fn a_service_token_and_a_forged_token_end_nothing() {
    let world = World::start().await;
    let good = world.signed_in().await;
    let service = world
        .minter
        .service(&name("codex"), &name("ledger"), unix_now())
        .unwrap()
        .0;
    assert_eq!(
        world.revoke(&service).await,
        (401, error("Token has no session ID"))
    );
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    assert_eq!(world.revoke(&forged).await.0, 401);
    assert_eq!(world.validate(&good).await.0, 200);
}

#[tokio::test]
async fn a_store_error_fails_the_request_but_does_not_break_core_for_good() {
    let world = World::start().await;
    let token = world.signed_in().await;
    world.store.down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let access = access_token(json!({ "azp": CLIENT }));
        assert_eq!(
            world.exchange(&access).await,
            (500, error("Session store unavailable"))
        );
        assert_eq!(
            world.validate(&token).await,
            (500, invalid("Session store unavailable"))
        );
        assert_eq!(
            world.revoke(&token).await,
            (500, error("Session store unavailable"))
        );
    }
    world.store.down.store(false, Ordering::SeqCst);
    assert_eq!(world.validate(&token).await.0, 200);
    world.signed_in().await;
    assert_eq!(world.revoke(&token).await.0, 200);
}
