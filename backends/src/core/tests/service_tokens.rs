//! Tokens by which services call each other.

use super::*;

fn asks(calling: &str, target: &str) -> Value {
    json!({ "calling_service": calling, "target_service": target })
}

impl World {
    fn service_token(&self, body: &Value) -> reqwest::RequestBuilder {
        self.post("/service-token").json(body)
    }
}

#[tokio::test]
async fn a_service_that_proves_itself_gets_a_token_for_the_one_it_calls() {
    let world = World::start().await;
    let request = world
        .service_token(&asks("codex", "ledger"))
        .basic_auth("codex", Some(SECRET));
    let (status, body) = answer(request).await;
    assert_eq!(status, 200);
    let token = body["token"].as_str().unwrap();
    let claims = claims(token);
    let iat = claims["iat"].as_u64().unwrap();
    let expected = json!({
        "iss": "hivematrix-core", "sub": "service:codex", "calling_service": "codex",
        "target_service": "ledger", "type": "service", "iat": iat, "exp": iat + 300,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn a_local_process_cannot_mint_a_service_token_for_any_caller() {
    let world = World::start().await;
    let body = asks("codex", "ledger");
    let basic = |name: &str, secret: &str| world.service_token(&body).basic_auth(name, Some(secret));
    let good = basic("codex", SECRET);
    for request in [
        world.service_token(&body),
        basic("codex", "wrong"),
        basic("codex", ""),
        basic("ledger", SECRET),
        basic("", SECRET),
        world.service_token(&body).bearer_auth(SECRET),
        world.service_token(&body).header("authorization", "Basic !"),
        good.try_clone().unwrap().basic_auth("codex", Some(SECRET)),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            response.headers()["www-authenticate"],
            "Basic realm=\"hivematrix-core\""
        );
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            body,
            json!({ "error": "The calling service did not prove itself" })
        );
    }
    assert_eq!(answer(good).await.0, 200);
}

#[tokio::test]
async fn a_secret_speaks_for_its_own_service_only() {
    let world = World::start().await;
    let request = world
        .service_token(&asks("ledger", "codex"))
        .basic_auth("codex", Some(SECRET));
    assert_eq!(answer(request).await.0, 401);
}

#[tokio::test]
async fn an_empty_secret_proves_nothing() {
    let world = World::start().await;
    let request = world
        .service_token(&asks("careless", "ledger"))
        .basic_auth("careless", Some(""));
    assert_eq!(answer(request).await.0, 401);
}

#[tokio::test]
async fn a_legacy_caller_is_admitted_without_proof_from_this_machine_but_not_through_a_proxy() {
    let world = World::start().await;
    let request = || world.service_token(&asks("beacon", "ledger"));
    assert_eq!(answer(request()).await.0, 200);
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        assert_eq!(
            answer(request().header(header, "127.0.0.1")).await.0,
            401,
            "{header}"
        );
    }
    // What it says must be true, if it says something.
    assert_eq!(answer(request().basic_auth("beacon", Some("x"))).await.0, 401);
}

#[tokio::test]
async fn both_services_must_have_proper_names_and_be_known() {
    let world = World::start().await;
    for body in [
        json!({}),
        json!({ "calling_service": "codex" }),
        json!({ "target_service": "codex" }),
        json!({ "calling_service": 1, "target_service": "codex" }),
        asks("codex", ""),
        asks("Codex", "ledger"),
        asks("codex", "led ger"),
        asks("codex", "../ledger"),
        asks("codex", &"x".repeat(51)),
        asks("codex", "unknown"),
        asks("unknown", "codex"),
    ] {
        let (status, answered) = answer(world.service_token(&body).basic_auth("codex", Some(SECRET))).await;
        assert_eq!(status, 400, "{body}");
        assert!(answered["error"].is_string() && answered.get("token").is_none());
    }
}

#[tokio::test]
async fn a_form_of_a_foreign_page_is_no_request_for_a_token() {
    let world = World::start().await;
    let text = asks("beacon", "ledger").to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let request = world
            .post("/service-token")
            .header("content-type", kind)
            .body(text.clone());
        assert_eq!(answer(request).await.0, 400, "{kind}");
    }
}
