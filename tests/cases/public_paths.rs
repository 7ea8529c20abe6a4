//! What may be asked for without a login: exactly that, and nothing that looks like it.

use hivematrix_tests::{Script, Stack};

#[tokio::test]
async fn public_paths_are_exact_rules_with_methods() {
    let stack = Stack::start().await;
    let client = stack.client();
    for (method, path, public) in [
        ("GET", "/beacon/display", true),
        ("HEAD", "/beacon/display", true),
        ("GET", "/beacon/display?x=1", true),
        ("GET", "/beacon/display/a/b", true),
        ("GET", "/beacon/static/a.css", true),
        ("GET", "/beacon/health", true),
        ("GET", "/beacon/api/tickets/7", true),
        ("POST", "/beacon/hook", true),
        ("GET", "/beacon/hook", false),
        ("POST", "/beacon/display", false),
        ("OPTIONS", "/beacon/display", false),
        ("DELETE", "/beacon/api/tickets/7", false),
        ("GET", "/beacon/displays", false),
        ("GET", "/beacon/display.json", false),
        ("GET", "/beacon/static", false),
        ("GET", "/beacon/healthy", false),
        ("GET", "/beacon/health/", false),
        ("GET", "/beacon/api/tickets", false),
        ("GET", "/beacon/", false),
        ("GET", "/beacon//display", false),
        ("GET", "/beacon/Display", false),
        // Public in one reading and not in another.
        ("GET", "/beacon/%64isplay", false),
        ("GET", "/beacon/static%2Fa.css", false),
        ("GET", "/beacon/health;x", false),
        ("GET", "/beacon/static;/a.css", false),
        // The same path of another service.
        ("GET", "/second/display", false),
    ] {
        let status = client.script(method, path).send().await.status;
        assert_eq!(status, if public { 200 } else { 401 }, "{method} {path}");
    }
    for path in [
        "/beacon/static/../api/x",
        "/beacon/static/%2e%2e/api/x",
        "/beacon/static/..%2fapi",
    ] {
        let answer = stack
            .raw_request(&format!("GET {path} HTTP/1.1\r\nHost: {{host}}\r\n\r\n"))
            .await;
        assert_eq!(answer.status, 400, "{path}");
    }
}

#[tokio::test]
async fn no_identity_is_added_on_a_public_path_and_none_that_was_sent_is_passed_on() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    client.set_cookie("/beacon/", "own=1; Path=/beacon");
    assert_eq!(client.fetch("/beacon/display").await.status, 200);
    let seen = stack.beacon.last();
    assert!(!seen.has("authorization"), "{}", seen.head);
    assert_eq!(seen.header("cookie"), "own=1");
    for value in [
        format!("Bearer {token}"),
        "Basic eDp5".to_owned(),
        "Bearer forged".to_owned(),
    ] {
        let answer = stack
            .client()
            .get("/beacon/display")
            .header("Authorization", &value)
            .send()
            .await;
        assert_eq!(answer.status, 200);
        assert!(
            !stack.beacon.last().has("authorization"),
            "{}",
            stack.beacon.last().head
        );
    }
    assert_eq!(seen.header("x-forwarded-prefix"), "/beacon");
}

#[tokio::test]
async fn a_session_cookie_that_is_worth_nothing_does_not_close_a_public_path() {
    let stack = Stack::start().await;
    let client = stack.client();
    client.set_cookie(
        "/",
        "__Host-hivematrix=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/; Secure",
    );
    assert_eq!(client.fetch("/beacon/display").await.status, 200);
}

#[tokio::test]
async fn a_public_page_is_composed_without_private_entries() {
    let stack = Stack::start().await;
    stack.beacon.on(
        "/display/board",
        Script::html("<html><head></head><body><h1>Board</h1></body></html>"),
    );
    let page = stack.client().navigate("/beacon/display/board").await;
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(
        text.contains("hivematrix-side-panel") && text.contains("<h1>Board</h1>"),
        "{text}"
    );
    for private in [
        "href=\"/codex/\"",
        "href=\"/helm/\"",
        "href=\"/admins/\"",
        "href=\"/money/\"",
        "href=\"/hidden/\"",
    ] {
        assert!(!text.contains(private), "{private} is shown to strangers");
    }
}
