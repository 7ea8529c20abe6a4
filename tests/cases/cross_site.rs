//! Requests that another site makes a browser send.

use hivematrix_tests::{Script, Stack};

#[tokio::test]
async fn unsafe_requests_of_another_site_are_refused() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let own = client.origin_text();
    let foreign: [&[(&str, &str)]; 8] = [
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Origin", "http://localhost:1")],
        &[("Origin", "http://localhost")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", &own)],
        &[("Origin", &own), ("Origin", "https://evil.example")],
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        for headers in foreign {
            let ask = headers
                .iter()
                .fold(client.ask(method, "/echo/x"), |ask, (name, value)| {
                    ask.header(name, value)
                });
            assert_eq!(ask.send().await.status, 403, "{method} {headers:?}");
        }
        let ask = client
            .ask(method, "/echo/x")
            .header("Origin", &own)
            .header("Sec-Fetch-Site", "same-origin");
        assert_eq!(ask.send().await.status, 200, "{method} of our own page");
    }
    assert!(
        stack
            .echo
            .seen()
            .iter()
            .all(|seen| seen.method() == "GET" || seen.header("sec-fetch-site") == "same-origin")
    );
}

#[tokio::test]
async fn a_link_on_another_site_may_lead_here() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for method in ["GET", "HEAD"] {
        let ask = client
            .ask(method, "/echo/x")
            .header("Sec-Fetch-Site", "cross-site")
            .header("Sec-Fetch-Mode", "navigate");
        assert_eq!(ask.header("Accept", "text/html").send().await.status, 200);
    }
}

#[tokio::test]
async fn a_websocket_of_another_site_is_refused() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("admin").await;
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        "http://localhost:1",
    ] {
        let opened = stack.websocket_from(&client, "/echo/socket", origin).await;
        assert_eq!(opened.err(), Some(403), "{origin}");
    }
    assert!(stack.echo.seen_at("/socket").is_empty());
    assert!(stack.websocket(&client, "/echo/socket").await.is_ok());
}

#[tokio::test]
async fn what_does_not_ride_on_the_cookie_is_not_refused_for_its_origin() {
    let stack = Stack::start().await;
    let hook = stack
        .client()
        .post("/beacon/hook")
        .header("Origin", "https://example.com")
        .send()
        .await;
    assert_eq!(hook.status, 200, "{hook:?}");
    let stranger = stack
        .client()
        .post("/echo/x")
        .header("Origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(stranger.status, 401, "{stranger:?}");
}

#[tokio::test]
async fn the_preferences_cache_is_not_emptied_by_another_site() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let foreign = client
        .post("/api/invalidate-cache")
        .header("Origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(foreign.status, 403);
    let own = client.script("POST", "/api/invalidate-cache").send().await;
    assert_eq!(
        own.json(),
        serde_json::json!({ "success": true, "message": "Cache invalidated" })
    );
    assert_eq!(
        stack
            .client()
            .script("POST", "/api/invalidate-cache")
            .send()
            .await
            .status,
        401
    );
    assert_eq!(client.fetch("/api/invalidate-cache").await.status, 405);
}
