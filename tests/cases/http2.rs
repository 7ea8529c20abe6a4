//! TLS and HTTP/2 downstream.

use hivematrix_tests::{Script, Stack};
use http::{Request, Version};

#[tokio::test]
async fn browsers_get_http_2_by_alpn_and_the_whole_login_works_over_it() {
    let stack = Stack::builder().tls().start().await;
    let client = stack.signed_in("admin").await;
    let answer = client.fetch("/echo/x?a=1&a=2").await;
    assert_eq!((answer.status, answer.version), (200, Version::HTTP_2));
    let seen = stack.echo.last();
    assert_eq!(
        (seen.target(), seen.header("x-forwarded-proto")),
        ("/x?a=1&a=2", "https")
    );
    assert_eq!(seen.header("x-forwarded-host"), stack.authority());
    assert!(
        !seen.head.contains("__Host-"),
        "cookies that HTTP/2 sends in pieces: {}",
        seen.head
    );
    stack.echo.on(
        "/page",
        Script::html("<html><head></head><body><h1>Hello</h1></body></html>"),
    );
    let page = client.navigate("/echo/page").await;
    assert!(
        page.text().contains("hivematrix-side-panel") && page.text().contains("<h1>Hello</h1>"),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_page_in_pieces_is_composed_over_http_2() {
    let stack = Stack::builder().tls().start().await;
    let pieces = Script::chunked("text/html")
        .chunk("<html><head></head><bo")
        .wait_ms(20)
        .chunk("dy>x</body></html>")
        .end();
    stack.echo.on("/page", pieces);
    let page = stack.signed_in("admin").await.navigate("/echo/page").await;
    assert_eq!((page.status, page.version), (200, Version::HTTP_2));
    assert!(page.text().contains("hivematrix-side-panel"), "{page:?}");
}

#[tokio::test]
async fn authority_and_host_must_agree() {
    let stack = Stack::builder().tls().start().await;
    let mut http2 = stack.http2().await;
    let own = stack.authority();
    let request = |authority: &str, host: Option<&str>| {
        let mut request = Request::get(format!("https://{authority}/health")).version(Version::HTTP_2);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.body(()).expect("a request")
    };
    assert_eq!(
        http2
            .send(request(&own, None))
            .await
            .map(|answer| answer.status)
            .ok(),
        Some(200)
    );
    assert_eq!(
        http2
            .send(request(&own, Some(&own)))
            .await
            .map(|answer| answer.status)
            .ok(),
        Some(200)
    );
    let differing = http2
        .send(request(&own, Some("evil.example")))
        .await
        .map(|answer| answer.status);
    assert!(!matches!(differing, Ok(200..=399)), "{differing:?}");
    let mut http2 = stack.http2().await;
    let foreign = http2
        .send(request("evil.example", None))
        .await
        .map(|answer| answer.status);
    assert_eq!(foreign.ok(), Some(421));
}

#[tokio::test]
async fn a_revoked_session_loses_its_stream_and_the_connection_lives_on() {
    let stack = Stack::builder().tls().start().await;
    stack.echo.on(
        "/events",
        Script::chunked("text/event-stream").chunk("data: 1\n\n").park(),
    );
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut events = client
        .get("/echo/events")
        .header("Accept", "text/event-stream")
        .stream()
        .await;
    assert_eq!(events.text().await, "data: 1\n\n");
    stack.revoke(&token).await;
    let end = hivematrix_tests::takes_at_most(
        std::time::Duration::from_secs(2),
        "the stream is cut",
        events.chunk(),
    );
    assert!(!matches!(end.await, Ok(Some(_))));
    assert_eq!(client.fetch("/health").await.status, 200);
}

#[tokio::test]
async fn many_requests_at_once_share_a_connection() {
    let stack = Stack::builder().tls().start().await;
    let client = stack.signed_in("admin").await;
    let all =
        futures_util::future::join_all((0..50).map(|number| client.fetch_owned(&format!("/plain/{number}"))))
            .await;
    assert!(
        all.iter()
            .all(|answer| answer.status == 200 && answer.version == Version::HTTP_2)
    );
    let paths: std::collections::HashSet<String> = stack
        .echo
        .seen()
        .iter()
        .map(|seen| seen.path().to_owned())
        .collect();
    assert!((0..50).all(|number| paths.contains(&format!("/{number}"))));
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_not_served() {
    let stack = Stack::builder().tls().start().await;
    let mut raw = stack.raw().await;
    raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
    let answer = raw.bytes_within(std::time::Duration::from_secs(2)).await;
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn a_websocket_works_over_tls_beside_http_2() {
    let stack = Stack::builder().tls().start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("admin").await;
    let mut socket = stack
        .secure_websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("hello").await, "hello");
    stack.revoke(&stack.token_of(&client).await).await;
    let bound = std::time::Duration::from_secs(2);
    hivematrix_tests::takes_at_most(bound, "the socket is cut", socket.ended()).await;
}

/// A backend that speaks HTTP/2 without TLS and sends these trailers.
async fn backend_with_trailers(trailers: &[(&str, &str)]) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let map: http::HeaderMap = trailers
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<http::HeaderName>().expect("a name"),
                value.parse().expect("a value"),
            )
        })
        .collect();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let map = map.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2 without TLS");
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let mut body = respond
                        .send_response(http::Response::new(()), false)
                        .expect("open");
                    body.send_data("body".into(), false).expect("open");
                    body.send_trailers(map.clone()).expect("open");
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn trailers_pass_without_reserved_names() {
    let reserved = [
        ("x-forwarded-for", "6.6.6.6"),
        ("set-cookie", "__Host-hivematrix=evil"),
        ("x-correlation-id", "evil"),
        ("under_score", "evil"),
        ("clear-site-data", "\"*\""),
    ];
    let address = backend_with_trailers(&[&reserved[..], &[("x-checksum", "42")]].concat()).await;
    let mount = move |config: &mut hivematrix_gateway::config::Config| {
        let mut upstream =
            hivematrix_gateway::config::Upstream::parse(&format!("http://{address}")).expect("an upstream");
        upstream.http2 = true;
        let plain = config
            .services
            .iter_mut()
            .find(|service| service.name.as_str() == "plain");
        plain.expect("a service").upstream = upstream;
    };
    let stack = Stack::builder().tls().configure(mount).start().await;
    let handle = stack.signed_in("admin").await.cookie_header("/");
    let request = Request::get(format!("https://{}/plain/x", stack.authority())).version(Version::HTTP_2);
    let request = request.header("cookie", handle).body(()).expect("a request");
    let answer = stack.http2().await.send(request).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "body"));
    assert_eq!(
        answer.trailers.get("x-checksum").map(http::HeaderValue::as_bytes),
        Some(&b"42"[..])
    );
    for (name, _) in reserved {
        assert!(
            !answer.trailers.contains_key(name),
            "{name} in {:?}",
            answer.trailers
        );
    }
}
