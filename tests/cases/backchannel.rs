//! The provider ends a session, and the gateway hears of it: OpenID Connect Back-Channel Logout.

use std::time::Duration;

use hivematrix_tests::{Client, Part, Script, Stack, eventually, takes_at_most};
use serde_json::json;

use crate::login::callback_of;

const SESSION: &str = "__Host-hivematrix";

/// Far more than a change takes to arrive.
const SOON: Duration = Duration::from_secs(2);

async fn refused_soon(client: &Client) {
    let refused = async || (client.fetch("/plain/x").await.status == 401).then_some(());
    eventually("the session is refused", refused).await;
}

#[tokio::test]
async fn an_administrators_sign_out_at_the_provider_ends_the_session_on_every_gateway() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("technician").await;
    let bystander = stack.signed_in("client").await;
    let (gateway, other) = stack.another_gateway().await;
    let handle = client.cookie(SESSION).expect("a session");
    other.set_cookie("/", &format!("{SESSION}={handle}; Path=/; Secure"));
    assert_eq!(other.fetch("/plain/x").await.status, 200);
    let session = stack.session_of(&client).await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("hello").await, "hello");

    stack.sign_out_at_provider(&stack.subject_of(&client).await).await;

    assert_eq!(
        client.fetch("/plain/x").await.status,
        401,
        "in force once the provider has been answered"
    );
    refused_soon(&other).await;
    let end = takes_at_most(SOON, "the WebSocket ends", socket.ended()).await;
    assert_eq!(end, Some((1008, "signed out".to_owned())));
    let record = stack.record_of(&session).await;
    assert!(
        record.is_none_or(|record| record.revoked),
        "Core's record says so"
    );
    assert_eq!(bystander.fetch("/plain/x").await.status, 200);
    gateway.stop().await.expect("the other gateway stops");
}

#[tokio::test]
async fn a_logout_at_the_provider_itself_ends_the_session_here() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    let page = client
        .navigate("/keycloak/realms/hivematrix/protocol/openid-connect/logout")
        .await;
    let after = client.submit(&page, &[]).await;
    assert_eq!(after.status, 200, "{after:?}");
    refused_soon(&client).await;
}

#[tokio::test]
async fn a_logout_token_is_taken_by_sid_or_sub_once_and_from_anywhere() {
    let stack = Stack::start().await;
    let (one, two) = (stack.signed_in("client").await, stack.signed_in("client").await);
    let sub = stack.subject_of(&one).await;
    let token = stack.logout_token(&json!({ "sub": sub }));
    let form = [("logout_token".to_owned(), token.clone())];
    let answer = stack
        .client()
        .post("/backchannel-logout")
        .header("Origin", "https://id.example")
        .header("Sec-Fetch-Site", "cross-site")
        .form(&form)
        .send()
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    for client in [&one, &two] {
        assert_eq!(client.fetch("/plain/x").await.status, 401);
    }
    let again = stack.send_logout_token(&token).await;
    assert_eq!(again.status, 400, "{again:?}");
    assert_eq!(again.json()["error"], "invalid_request");
    let logged = async || stack.logs.text().contains("logout_token_replayed").then_some(());
    eventually("the log says why", logged).await;
}

#[tokio::test]
async fn what_is_no_logout_token_of_the_providers_ends_nothing() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    let sub = stack.subject_of(&client).await;
    let of_core = stack.token_of(&client).await;
    for (what, token) in [
        ("Core's token", of_core),
        ("nonsense", "a.b.c".to_owned()),
        ("nothing", String::new()),
        (
            "a nonce",
            stack.logout_token(&json!({ "sub": sub, "nonce": "n" })),
        ),
        (
            "no event",
            stack.logout_token(&json!({ "sub": sub, "events": null })),
        ),
        (
            "another client's",
            stack.logout_token(&json!({ "sub": sub, "aud": "x" })),
        ),
        (
            "another issuer's",
            stack.logout_token(&json!({ "sub": sub, "iss": "https://evil.example" })),
        ),
    ] {
        let answer = stack.send_logout_token(&token).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{what}");
    }
    let stranger = stack.client();
    let bare = stranger
        .post("/backchannel-logout")
        .body("logout_token=x")
        .send()
        .await;
    assert_eq!(bare.status, 400, "{bare:?}");
    let got = stranger.get("/backchannel-logout").send().await;
    assert_eq!((got.status, got.header("allow")), (405, "POST"));
    let large = stranger
        .post("/backchannel-logout")
        .form(&[("logout_token".to_owned(), "x".repeat(40_000))])
        .send()
        .await;
    assert_eq!(large.status, 413, "{large:?}");
    assert_eq!(client.fetch("/plain/x").await.status, 200);
}

#[tokio::test]
async fn a_logout_that_arrives_before_its_session_lets_no_session_begin() {
    let stack = Stack::start().await;
    let client = stack.client();
    let callback = callback_of(&client, "client").await;
    let url = stack.origin().join(&callback).expect("a URL");
    let sid = url
        .query_pairs()
        .find(|(name, _)| name == "session_state")
        .expect("the provider's session")
        .1
        .into_owned();
    let answer = stack
        .send_logout_token(&stack.logout_token(&json!({ "sid": sid })))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = client.visit(&callback).send().await;
    assert!(answer.status == 400 && answer.is_page(), "{answer:?}");
    assert!(answer.text().contains("signed out"), "{answer:?}");
    assert!(client.cookie(SESSION).is_none());
    assert_eq!(stack.redis.keys("hm:session:*").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_logout_that_cannot_be_made_to_last_is_not_confirmed_and_may_come_again() {
    let stack = Stack::builder().impatient().start().await;
    let client = stack.signed_in("client").await;
    let token = stack.logout_token(&json!({ "sub": stack.subject_of(&client).await }));
    stack.relay(Part::Redis).cut().await;
    let answer = stack.send_logout_token(&token).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "2");
    stack.relay(Part::Redis).heal().await;
    let taken = async || (stack.send_logout_token(&token).await.status == 200).then_some(());
    eventually("the same token is taken once Redis is back", taken).await;
    assert_eq!(client.fetch("/plain/x").await.status, 401);
}
