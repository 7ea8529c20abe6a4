//! Tokens from outside: not accepted unless a setting says so, and then checked like everything else.

use hivematrix_platform::unix_now;
use hivematrix_tests::Stack;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

async fn with_bearer() -> Stack {
    Stack::builder()
        .configure(|config| config.sessions.legacy_bearer = true)
        .start()
        .await
}

async fn status_of(stack: &Stack, token: &str) -> u16 {
    stack
        .client()
        .get("/plain/x")
        .header("Authorization", &format!("Bearer {token}"))
        .send()
        .await
        .status
}

/// A token with these claims, signed by Core's key.
fn signed(stack: &Stack, claims: &Value, algorithm: Algorithm) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some(stack.minter.jwks().keys[0].kid.clone());
    jsonwebtoken::encode(&header, claims, &core_key(stack, algorithm)).expect("a token")
}

fn core_key(stack: &Stack, algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        // The classic confusion: the public key as the secret of a symmetric algorithm.
        Algorithm::HS256 => EncodingKey::from_secret(stack.minter.jwks().keys[0].n.as_bytes()),
        _ => EncodingKey::from_rsa_pem(stack.signing_key_pem().as_bytes()).expect("Core's key"),
    }
}

#[tokio::test]
async fn a_token_that_was_handed_to_backends_is_not_accepted_from_outside() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let answer = stack
        .client()
        .get("/plain/x")
        .header("Authorization", &format!("Bearer {token}"))
        .send()
        .await;
    assert!(answer.status == 401 && answer.is_problem(), "{answer:?}");
}

#[tokio::test]
async fn where_the_setting_says_so_a_token_is_accepted_until_its_session_is_revoked() {
    let stack = with_bearer().await;
    let token = stack.token_of(&stack.signed_in("admin").await).await;
    assert_eq!(status_of(&stack, &token).await, 200);
    stack.revoke(&token).await;
    let refused = async || (status_of(&stack, &token).await == 401).then_some(());
    hivematrix_tests::eventually("the token is refused", refused).await;
}

#[tokio::test]
async fn a_cookie_and_a_bearer_together_are_refused() {
    for stack in [Stack::start().await, with_bearer().await] {
        let client = stack.signed_in("admin").await;
        let token = stack.token_of(&client).await;
        let answer = client
            .get("/plain/x")
            .header("Authorization", &format!("Bearer {token}"))
            .send()
            .await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

#[tokio::test]
async fn a_token_is_refused_without_jti_by_type_issuer_expiry_algorithm_or_signature() {
    let stack = with_bearer().await;
    let good = stack.token_of(&stack.signed_in("admin").await).await;
    let claims = hivematrix_tests::claims(&good);
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
            value => claims[name] = value,
        }
        claims
    };
    let now = unix_now();
    let parts: Vec<&str> = good.split('.').collect();
    let other_payload = signed(
        &stack,
        &changed("permission_level", json!("client")),
        Algorithm::RS256,
    );
    let forged = format!(
        "{}.{}.{}",
        parts[0],
        other_payload.split('.').nth(1).expect("a payload"),
        parts[2]
    );
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    let rs = Algorithm::RS256;
    let table = [
        ("control: the same claims", signed(&stack, &claims, rs), 200),
        ("no jti", signed(&stack, &changed("jti", Value::Null), rs), 401),
        (
            "type service",
            signed(&stack, &changed("type", json!("service")), rs),
            401,
        ),
        (
            "another issuer",
            signed(&stack, &changed("iss", json!("hivematrix.core")), rs),
            401,
        ),
        (
            "expired",
            signed(&stack, &changed("exp", json!(now - 1)), rs),
            401,
        ),
        ("no expiry", signed(&stack, &changed("exp", Value::Null), rs), 401),
        (
            "another session",
            signed(&stack, &changed("jti", json!("A".repeat(43))), rs),
            401,
        ),
        (
            "another person",
            signed(&stack, &changed("sub", json!("somebody-else")), rs),
            401,
        ),
        ("RS512", signed(&stack, &claims, Algorithm::RS512), 401),
        (
            "HS256 by the public key",
            signed(&stack, &claims, Algorithm::HS256),
            401,
        ),
        ("alg none", none, 401),
        ("a payload under a foreign signature", forged, 401),
        ("no token", "x".to_owned(), 401),
        ("a very long one", "x".repeat(20_000), 401),
    ];
    for (what, token, expected) in table {
        assert_eq!(status_of(&stack, &token).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_service_token_is_no_user() {
    let stack = with_bearer().await;
    let name = |text| hivematrix_platform::ServiceName::parse(text).expect("a name");
    let (token, _) = stack
        .minter
        .service(&name("codex"), &name("nexus"), unix_now())
        .expect("a token");
    assert_eq!(status_of(&stack, &token).await, 401);
}

#[tokio::test]
async fn another_scheme_is_no_proof_and_does_not_reach_the_backend() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    assert_eq!(
        client
            .get("/plain/x")
            .header("Authorization", "Basic eDp5")
            .send()
            .await
            .status,
        200
    );
    assert!(stack.echo.last().header("authorization").starts_with("Bearer "));
    assert_eq!(
        stack
            .client()
            .get("/plain/x")
            .header("Authorization", "Basic eDp5")
            .send()
            .await
            .status,
        401
    );
}
