//! The admin listener: metrics and health, for this machine only, and nothing that changes anything.

use hivematrix_tests::{Part, Stack, eventually};

/// Status and body of a path of the admin listener.
async fn get(stack: &Stack, path: &str) -> (u16, String) {
    let http = hivematrix_platform::http_client::internal().expect("a client");
    let answer = http
        .get(stack.admin().join(path).expect("a URL"))
        .send()
        .await
        .expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

#[tokio::test]
async fn metrics_count_requests_by_service_and_status() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for _ in 0..3 {
        client.fetch("/second/x").await;
    }
    client.fetch("/nothing/x").await;
    let counted = async || {
        let (status, text) = get(&stack, "/metrics").await;
        assert_eq!(status, 200);
        let second = text.lines().find(|line| {
            line.starts_with("hivematrix_requests_total")
                && line.contains("\"second\"")
                && line.contains("2xx")
        });
        let found = second.is_some_and(|line| line.ends_with(" 3")) && text.contains("no_route");
        found.then_some(text)
    };
    let text = eventually("three requests are counted", counted).await;
    assert!(text.contains("# HELP") && text.contains("_bucket{"), "{text}");
    assert!(
        !text.contains("admin@") && !text.contains("eyJ"),
        "nobody is named"
    );
}

#[tokio::test]
async fn live_and_ready_are_apart_and_codex_makes_no_gateway_unready() {
    let stack = Stack::builder().impatient().start().await;
    for part in [Part::Codex, Part::Echo, Part::Core, Part::Provider] {
        stack.relay(part).cut().await;
    }
    assert_eq!(get(&stack, "/health/live").await.0, 200);
    assert_eq!(get(&stack, "/health/ready").await.0, 200);
    assert_eq!(stack.client().fetch("/health").await.status, 200);
    stack.relay(Part::Redis).cut().await;
    let unready = async || (get(&stack, "/health/ready").await.0 == 503).then_some(());
    eventually("without the store it is not ready", unready).await;
    assert_eq!(get(&stack, "/health/live").await.0, 200, "and alive");
    stack.relay(Part::Redis).heal().await;
    let ready = async || (get(&stack, "/health/ready").await.0 == 200).then_some(());
    eventually("it is ready again", ready).await;
}

#[tokio::test]
async fn public_health_has_the_contracts_shape_and_no_detail() {
    let stack = Stack::start().await;
    let health = stack.client().fetch("/health").await;
    let json = health.json();
    assert_eq!(
        (health.status, &json["status"]),
        (200, &serde_json::json!("healthy"))
    );
    assert!(
        json["service"].is_string() && json["timestamp"].is_string() && json["checks"].is_object(),
        "{json}"
    );
    let text = health.text();
    assert!(
        !text.contains("redis://") && !text.contains("127.0.0.1"),
        "{text}"
    );
    let (status, detail) = get(&stack, "/health").await;
    assert!(status == 200 && detail.len() > text.len(), "{detail}");
}

#[tokio::test]
async fn the_admin_listener_is_loopback_by_default_and_read_only() {
    let stack = Stack::start().await;
    assert!(
        stack
            .gateway()
            .admin()
            .expect("an admin listener")
            .ip()
            .is_loopback()
    );
    assert!(
        hivematrix_gateway::config::Admin::default()
            .listen
            .expect("an address")
            .ip()
            .is_loopback()
    );
    let http = hivematrix_platform::http_client::internal().expect("a client");
    for path in ["/metrics", "/health", "/health/ready", "/health/live"] {
        let url = stack.admin().join(path).expect("a URL");
        for method in [http::Method::POST, http::Method::PUT, http::Method::DELETE] {
            let answer = http.request(method, url.clone()).send().await.expect("an answer");
            assert_eq!(answer.status(), 405, "{path}");
        }
    }
    for path in ["/metrics", "/health/ready", "/health/live"] {
        let public = stack.signed_in("admin").await.fetch(path).await;
        assert_eq!(public.status, 404, "{path} is not public");
    }
}
