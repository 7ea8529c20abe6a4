//! Signing out: asked by GET, done by POST, everywhere at once.

use std::time::Duration;

use hivematrix_backends::idp::Lifetimes;
use hivematrix_tests::{Stack, eventually};

const SESSION: &str = "__Host-hivematrix";

#[tokio::test]
async fn logout_by_get_asks_and_ends_nothing() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let page = client.navigate("/logout").await;
    assert!(page.status == 200 && page.is_page(), "{page:?}");
    assert!(page.text().contains("method=\"post\""), "{page:?}");
    assert!(
        page.all("set-cookie").is_empty() && page.header("clear-site-data").is_empty(),
        "{page:?}"
    );
    assert_eq!(client.fetch("/echo/").await.status, 200);
}

#[tokio::test]
async fn logout_by_post_ends_the_session_at_core_here_and_at_the_provider() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let (session, token) = (stack.session_of(&client).await, stack.token_of(&client).await);
    let handle = client.cookie(SESSION).expect("a session");
    let page = client.navigate("/logout").await;
    let after = client.submit(&page, &[]).await;
    assert_eq!(after.status, 200, "{after:?}");

    let revoked = async || match stack.record_of(&session).await {
        Some(record) => record.revoked.then_some(()),
        None => Some(()),
    };
    eventually("Core's session is revoked", revoked).await;
    let url = stack.core().join("/api/token/validate").expect("a URL");
    let http = hivematrix_platform::http_client::internal().expect("a client");
    let validated = http
        .post(url)
        .json(&serde_json::json!({ "token": token }))
        .send()
        .await
        .expect("Core answers");
    assert_eq!(validated.status(), 401, "Core refuses the token");
    assert_eq!(
        stack.redis.keys("hm:session:*").await,
        Vec::<String>::new(),
        "the store holds nothing of it"
    );

    let thief = stack.client();
    thief.set_cookie("/", &format!("{SESSION}={handle}; Path=/; Secure"));
    assert_eq!(
        thief.fetch("/echo/").await.status,
        401,
        "the handle is worth nothing"
    );
    assert_eq!(client.fetch("/echo/").await.status, 401);
    let again = client.navigate("/echo/").await;
    assert!(
        again.text().contains("type=\"password\""),
        "the provider asks for the password again: {again:?}"
    );
}

#[tokio::test]
async fn logout_clears_the_cookie_and_the_browsers_storage_and_is_not_stored() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let page = client.navigate("/logout").await;
    let answer = client.submit_once(&page, &[]).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(
        answer.header("clear-site-data"),
        "\"cache\", \"cookies\", \"storage\""
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(client.cookie(SESSION).is_none());
}

#[tokio::test]
async fn a_logout_by_another_site_is_refused() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let table: [(&str, &str); 4] = [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ];
    for (name, value) in table {
        let answer = client.post("/logout").header(name, value).send().await;
        assert_eq!(answer.status, 403, "{name}: {value}: {answer:?}");
    }
    assert_eq!(client.fetch("/echo/").await.status, 200);
}

#[tokio::test]
async fn who_is_not_signed_in_can_sign_out_without_harm() {
    let stack = Stack::start().await;
    let client = stack.client();
    let answer = client
        .post("/logout")
        .header("Origin", &client.origin_text())
        .send()
        .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert_eq!(answer.leads_to(), "/");
}

#[tokio::test]
async fn signing_out_leaves_other_browsers_of_the_same_person_alone() {
    let stack = Stack::start().await;
    let (one, two) = (stack.signed_in("client").await, stack.signed_in("client").await);
    let page = one.navigate("/logout").await;
    one.submit(&page, &[]).await;
    assert_eq!(one.fetch("/echo/").await.status, 401);
    assert_eq!(two.fetch("/echo/").await.status, 200);
}

#[tokio::test]
async fn signing_out_cuts_live_streams_of_the_session() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", hivematrix_tests::Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("hello").await, "hello");
    let page = client.navigate("/logout").await;
    client.submit(&page, &[]).await;
    let bound = Duration::from_secs(2);
    hivematrix_tests::takes_at_most(bound, "the socket is cut", socket.ended()).await;
}

#[tokio::test]
async fn signing_out_works_when_the_providers_tokens_have_long_expired() {
    let short = Lifetimes {
        access_token: Duration::from_secs(1),
        ..Lifetimes::default()
    };
    let stack = Stack::builder().lifetimes(short).start().await;
    let client = stack.signed_in("client").await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(
        client.fetch("/echo/").await.status,
        200,
        "our session does not end with them"
    );
    let page = client.navigate("/logout").await;
    client.submit(&page, &[]).await;
    let again = client.navigate("/echo/").await;
    assert!(again.text().contains("type=\"password\""), "{again:?}");
}
