//! What a backend is told about a request, and that nobody else can tell it.

use hivematrix_tests::{Client, Seen, Stack};

/// Sends a request with these header lines as they are, signed in.
async fn sent(stack: &Stack, client: &Client, lines: &str) -> Seen {
    let cookie = client.cookie_header("/");
    let answer = stack
        .raw_request(&format!(
            "GET /echo/x HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n{lines}\r\n"
        ))
        .await;
    assert_eq!(answer.status, 200, "{} {}", answer.head, answer.body);
    stack.echo.last()
}

#[tokio::test]
async fn each_forwarded_header_has_exactly_one_value_and_it_is_ours() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let seen = sent(&stack, &client, "").await;
    assert_eq!(seen.header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.header("x-forwarded-proto"), "http");
    assert_eq!(seen.header("x-forwarded-host"), stack.authority());
    assert_eq!(seen.header("x-forwarded-prefix"), "/echo");
    assert!(seen.header("authorization").starts_with("Bearer eyJ"));
    assert!(!seen.header("x-correlation-id").is_empty());
    assert_eq!(seen.all("host").len(), 1);
}

#[tokio::test]
async fn spoofed_headers_never_reach_a_backend() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let spoofed = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.7, 6.6.6.8\r\nx-forwarded-proto: https\r\n\
        X-FORWARDED-HOST: evil.example\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Port: 666\r\n\
        X-Forwarded-Server: evil.example\r\nX-Forwarded-User: evil\r\nForwarded: for=6.6.6.6;host=evil.example\r\n\
        X-Real-IP: 6.6.6.6\r\nX-Script-Name: /evil\r\nX-Original-URL: /evil\r\nX-Rewrite-URL: /evil\r\n\
        Proxy: http://evil.example\r\nX_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nRemote_User: evil\r\n\
        X-Forwarded_Host: evil.example\r\nAuthorization: Basic ZXZpbDpldmls\r\n";
    let seen = sent(&stack, &client, spoofed).await;
    for name in [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "authorization",
    ] {
        let value = seen.header(name);
        assert!(
            !value.contains("evil") && !value.contains("6.6.6"),
            "{name}: {value}"
        );
    }
    for name in [
        "x-forwarded-port",
        "x-forwarded-server",
        "x-forwarded-user",
        "forwarded",
        "x-real-ip",
        "x-script-name",
        "x-original-url",
        "x-rewrite-url",
        "proxy",
    ] {
        assert!(!seen.has(name), "{name} reaches the backend:\n{}", seen.head);
    }
    assert!(
        !seen.head.contains("evil") && !seen.head.contains("6.6.6"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn names_with_an_underscore_are_dropped() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let seen = sent(
        &stack,
        &client,
        "X_Custom: 1\r\nX-Custom: 2\r\nAccept_Language: x\r\n",
    )
    .await;
    assert!(
        seen.headers().all(|(name, _)| !name.contains('_')),
        "{}",
        seen.head
    );
    assert_eq!(seen.header("x-custom"), "2");
}

#[tokio::test]
async fn the_gateways_cookies_never_reach_a_backend_and_others_do() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    client.visit("/login").send().await;
    let handle = client.cookie("__Host-hivematrix").expect("a session");
    let attempt = "__Host-hm-login-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=1.x";
    let lines = [
        format!(
            "GET /echo/x HTTP/1.1\r\nHost: {{host}}\r\nCookie: a=1; __Host-hivematrix={handle}; {attempt}; b=2\r\n\r\n"
        ),
        format!(
            "GET /echo/x HTTP/1.1\r\nHost: {{host}}\r\nCookie: a=1\r\nCookie: __Host-hivematrix={handle}\r\nCookie: b=2\r\n\r\n"
        ),
    ];
    for request in lines {
        assert_eq!(stack.raw_request(&request).await.status, 200);
        assert_eq!(stack.echo.last().header("cookie"), "a=1; b=2");
    }
    let alone =
        format!("GET /echo/x HTTP/1.1\r\nHost: {{host}}\r\nCookie: __Host-hivematrix={handle}\r\n\r\n");
    assert_eq!(stack.raw_request(&alone).await.status, 200);
    assert!(!stack.echo.last().has("cookie"), "{}", stack.echo.last().head);
}

#[tokio::test]
async fn two_session_cookies_in_one_request_are_refused() {
    let stack = Stack::start().await;
    let handle = stack
        .signed_in("admin")
        .await
        .cookie("__Host-hivematrix")
        .expect("a session");
    let one = format!("__Host-hivematrix={handle}");
    for cookies in [
        format!("Cookie: {one}; {one}\r\n"),
        format!("Cookie: {one}\r\nCookie: {one}\r\n"),
        format!("Cookie: {one}; a=b; __Host-hivematrix=x\r\n"),
    ] {
        let answer = stack
            .raw_request(&format!(
                "GET /echo/x HTTP/1.1\r\nHost: {{host}}\r\n{cookies}\r\n"
            ))
            .await;
        assert_eq!(answer.status, 400, "{cookies}");
    }
}

#[tokio::test]
async fn hop_by_hop_headers_stay_with_their_hop() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let hop = "Connection: keep-alive, X-Hop\r\nX-Hop: secret\r\nKeep-Alive: timeout=5\r\nTE: trailers, gzip\r\n\
        Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n";
    let seen = sent(&stack, &client, hop).await;
    for name in [
        "x-hop",
        "keep-alive",
        "te",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
        "trailer",
    ] {
        assert!(!seen.has(name), "{name} reaches the backend:\n{}", seen.head);
    }
    stack.echo.on(
        "/x",
        hivematrix_tests::Script::text("text/plain", "x")
            .header("Connection", "X-Back")
            .header("X-Back", "secret")
            .header("Keep-Alive", "timeout=5")
            .header("Proxy-Authenticate", "Basic"),
    );
    let answer = client.fetch("/echo/x").await;
    for name in ["x-back", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.all(name), Vec::<&str>::new(), "{name} reaches the client");
    }
}

/// Such a request is refused, or it does not have the effect that its sender hoped for.
#[tokio::test]
async fn connection_cannot_nominate_a_header_that_we_set() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut passed = 0;
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "Authorization",
        "X-Correlation-ID",
        "Host",
        "Cookie",
    ] {
        let request = format!(
            "GET /echo/x HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}; a=1\r\nConnection: close, {name}\r\n\r\n"
        );
        let answer = stack.raw_request(&request).await;
        assert!(matches!(answer.status, 200 | 400), "{name}: {}", answer.head);
        if answer.status == 200 {
            passed += 1;
            let seen = stack.echo.last();
            assert!(
                !seen.header("authorization").is_empty() && !seen.header("x-forwarded-for").is_empty(),
                "{}",
                seen.head
            );
            assert!(
                name == "Cookie" || !seen.header(name).is_empty(),
                "{name}: {}",
                seen.head
            );
        }
    }
    assert!(passed > 0, "the case sees what backends get");
}

#[tokio::test]
async fn x_forwarded_for_is_believed_from_configured_networks_only() {
    let trusting = Stack::builder()
        .configure(|config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")])
        .start()
        .await;
    let client = trusting.signed_in("admin").await;
    let seen = sent(&trusting, &client, "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n").await;
    assert_eq!(
        seen.header("x-forwarded-for"),
        "203.0.113.9",
        "the address that no trusted proxy added"
    );
    let seen = sent(&trusting, &client, "X-Forwarded-For: 203.0.113.9, 127.0.0.5\r\n").await;
    assert_eq!(seen.header("x-forwarded-for"), "203.0.113.9");
}

#[tokio::test]
async fn a_correlation_id_is_accepted_only_if_short_and_plain_and_is_the_same_both_ways() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let answer = client
        .get("/echo/x")
        .header("X-Correlation-ID", "ticket-7.a_B")
        .send()
        .await;
    assert_eq!(answer.header("x-correlation-id"), "ticket-7.a_B");
    assert_eq!(stack.echo.last().header("x-correlation-id"), "ticket-7.a_B");
    let long = "a".repeat(65);
    for bad in ["a b", "<script>", "\"x\"", "a;b", long.as_str(), "a,b"] {
        let answer = client.get("/echo/x").header("X-Correlation-ID", bad).send().await;
        let id = answer.header("x-correlation-id");
        assert!(!id.is_empty() && id != bad && id.len() <= 64, "{bad}: {id}");
        assert_eq!(stack.echo.last().header("x-correlation-id"), id);
    }
    stack.echo.on(
        "/own",
        hivematrix_tests::Script::text("text/plain", "x").header("X-Correlation-ID", "the-backends-own"),
    );
    let answer = client
        .get("/echo/own")
        .header("X-Correlation-ID", "mine")
        .send()
        .await;
    assert_eq!(
        answer.header("x-correlation-id"),
        "mine",
        "one value, and it is ours"
    );
}

#[tokio::test]
async fn a_w3c_trace_context_is_passed_on_if_it_is_well_formed() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let seen = sent(
        &stack,
        &client,
        &format!("traceparent: {parent}\r\ntracestate: a=b\r\n"),
    )
    .await;
    assert_eq!(seen.header("traceparent")[3..35], parent[3..35], "the same trace");
    assert_eq!(seen.header("tracestate"), "a=b");
    let seen = sent(&stack, &client, "traceparent: evil\r\ntracestate: a=b\r\n").await;
    assert!(
        !seen.has("tracestate") && !seen.head.contains("evil"),
        "{}",
        seen.head
    );
}
