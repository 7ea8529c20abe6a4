//! Messages whose end two servers could see in different places, and other ways to smuggle a request.

use std::time::Duration;

use hivematrix_tests::{Raw, Script, Stack};

/// The smuggled request; if it is ever answered, or reaches the backend, something went wrong.
const SMUGGLED: &str = "GET /beacon/display/smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n";

/// Sends bytes and expects a refusal, a closed connection, and that nothing was smuggled.
async fn refused(stack: &Stack, what: &str, request: &str) {
    let mut raw = stack.raw().await;
    raw.send(request).await;
    let answer = raw.answer_or_end().await;
    let status = answer.as_ref().map(|answer| answer.status);
    assert!(matches!(status, Some(400) | None), "{what}: {answer:?}");
    assert!(
        closed_without_another_answer(&mut raw).await,
        "{what}: the connection is still open"
    );
    assert!(
        stack.beacon.seen().is_empty(),
        "{what}: {:?}",
        stack.beacon.seen()
    );
}

async fn closed_without_another_answer(raw: &mut Raw) -> bool {
    match raw.answer_or_end_within(Duration::from_secs(2)).await {
        Some(another) => panic!("another answer came: {another:?}"),
        None => true,
    }
}

#[tokio::test]
async fn content_length_together_with_transfer_encoding_is_400_and_closes() {
    let stack = Stack::start().await;
    for (what, framing) in [
        ("CL and TE", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        (
            "CL 0 and TE",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "other case",
            "content-LENGTH: 5\r\ntransfer-ENCODING: CHUNKED\r\n",
        ),
    ] {
        let request =
            format!("POST /beacon/hook HTTP/1.1\r\nHost: {{host}}\r\n{framing}\r\n0\r\n\r\n{SMUGGLED}");
        refused(&stack, what, &request).await;
    }
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let stack = Stack::start().await;
    for (what, framing) in [
        ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("a list of lengths", "Content-Length: 5, 6\r\n"),
        ("a signed length", "Content-Length: +5\r\n"),
        ("a negative length", "Content-Length: -5\r\n"),
        ("a length in hex", "Content-Length: 0x5\r\n"),
        (
            "a length beyond all numbers",
            "Content-Length: 99999999999999999999999\r\n",
        ),
        (
            "two codings",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ),
        ("chunked not last", "Transfer-Encoding: chunked, identity\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n"),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n"),
        ("a folded line", "Transfer-Encoding:\r\n chunked\r\n"),
        ("a vertical tab", "Transfer-Encoding: \u{b}chunked\r\n"),
        ("a name with a space", "X Y: 1\r\n"),
        ("a name that is empty", ": 1\r\n"),
        ("a NUL in a value", "X-A: a\0b\r\n"),
        ("a bare CR in a value", "X-A: a\rX-B: b\r\n"),
    ] {
        let request =
            format!("POST /beacon/hook HTTP/1.1\r\nHost: {{host}}\r\n{framing}\r\n0\r\n\r\n{SMUGGLED}");
        refused(&stack, what, &request).await;
    }
}

#[tokio::test]
async fn transfer_encoding_on_http_1_0_is_refused() {
    let stack = Stack::start().await;
    let request = format!(
        "POST /beacon/hook HTTP/1.0\r\nHost: {{host}}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
    );
    refused(&stack, "chunked on HTTP/1.0", &request).await;
}

#[tokio::test]
async fn malformed_chunks_end_the_request_and_the_connection() {
    let stack = Stack::start().await;
    for (what, chunks) in [
        ("a size that is no number", "zz\r\n"),
        ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a size beyond all numbers", "ffffffffffffffffff\r\n"),
        ("no line end behind the data", "5\r\nhelloworld\r\n0\r\n\r\n"),
    ] {
        let mut raw = stack.raw().await;
        raw.send(&format!("POST /beacon/hook HTTP/1.1\r\nHost: {{host}}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{SMUGGLED}")).await;
        let status = raw.answer_or_end().await.map(|answer| answer.status);
        assert!(!matches!(status, Some(200..=299)), "{what}: {status:?}");
        assert!(closed_without_another_answer(&mut raw).await, "{what}");
        assert!(
            stack
                .beacon
                .seen()
                .iter()
                .all(|seen| seen.method() == "POST" && !seen.is_complete()),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_missing_doubled_or_empty_host_is_400() {
    let stack = Stack::start().await;
    for (what, hosts) in [
        ("missing", ""),
        ("doubled", "Host: {host}\r\nHost: {host}\r\n"),
        ("two different", "Host: {host}\r\nHost: evil.example\r\n"),
        ("empty", "Host:\r\n"),
    ] {
        let answer = stack
            .raw_request(&format!("GET /health HTTP/1.1\r\n{hosts}\r\n"))
            .await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.head);
    }
    let answer = stack.raw_request("GET /health HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status, 400, "HTTP/1.0: {}", answer.head);
}

#[tokio::test]
async fn a_foreign_host_is_421() {
    let stack = Stack::start().await;
    let port = stack.origin().port().expect("a port");
    for host in [
        "evil.example",
        "localhost",
        "localhost:1",
        &format!("evil.example:{port}"),
        &format!("localhost.evil.example:{port}"),
        &format!("localhost:{port}.evil.example"),
        &format!("127.0.0.1:{port}"),
    ] {
        for path in [
            "/health",
            "/login",
            "/echo/x",
            "/static/css/global.css",
            "/keycloak/realms/hivematrix/x",
        ] {
            let answer = stack
                .raw_request(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
                .await;
            assert!(
                matches!(answer.status, 421 | 400),
                "{host}{path}: {}",
                answer.head
            );
        }
    }
    let answer = stack
        .raw_request(&format!("GET /health HTTP/1.1\r\nHost: LOCALHOST:{port}\r\n\r\n"))
        .await;
    assert_eq!(answer.status, 200, "hosts are compared without regard to case");
}

#[tokio::test]
async fn an_absolute_target_must_agree_with_the_host() {
    let stack = Stack::start().await;
    let foreign = "GET http://evil.example/health HTTP/1.1\r\nHost: {host}\r\n\r\n";
    let answer = stack.raw_request(foreign).await;
    assert!(matches!(answer.status, 400 | 421), "{}", answer.head);
    let own = "GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let answer = stack.raw_request(own).await;
    assert!(matches!(answer.status, 400 | 421), "{}", answer.head);
}

#[tokio::test]
async fn connect_and_trace_are_refused() {
    let stack = Stack::start().await;
    for request in [
        "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "CONNECT /beacon/display HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "TRACE /beacon/display HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ] {
        let answer = stack.raw_request(request).await;
        assert!(matches!(answer.status, 400 | 405), "{request}: {}", answer.head);
        assert!(!answer.body.contains("TRACE"), "nothing is reflected");
    }
    assert!(stack.beacon.seen().is_empty());
}

#[tokio::test]
async fn an_upgrade_to_h2c_is_refused() {
    let stack = Stack::start().await;
    for upgrade in ["h2c", "websocket, h2c", "TLS/1.0"] {
        let request = format!(
            "GET /beacon/display HTTP/1.1\r\nHost: {{host}}\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let answer = stack.raw_request(&request).await;
        assert_eq!(answer.status, 400, "{upgrade}: {}", answer.head);
    }
    assert!(stack.beacon.seen().is_empty());
    let preface = stack.raw_request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(preface.status >= 400, "{}", preface.head);
}

#[tokio::test]
async fn bytes_of_an_upgrade_flow_only_after_101() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::text("text/plain", "no"));
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut raw = stack.raw().await;
    raw.send(&format!(
        "GET /echo/socket HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nHost: internal\r\n\r\n"
    ))
    .await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    raw.bytes_within(Duration::from_millis(300)).await;
    assert!(
        stack.echo.seen_at("/smuggled").is_empty(),
        "{:?}",
        stack.echo.seen()
    );
}

#[tokio::test]
async fn a_backends_connection_is_not_used_again_after_an_aborted_body() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut raw = stack.raw().await;
    raw.send(&format!("POST /plain/upload HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\nContent-Length: 100\r\n\r\npart of it")).await;
    let begun = async || (!stack.echo.seen_at("/upload").is_empty()).then_some(());
    hivematrix_tests::eventually("the upload has begun", begun).await;
    drop(raw);
    for request in 0..5 {
        let answer = client.fetch(&format!("/plain/after-{request}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(stack.echo.last().path(), format!("/after-{request}"));
    }
    let upload = stack.echo.seen_at("/upload").remove(0);
    assert!(
        !upload.is_complete() && upload.body() == b"part of it",
        "{upload:?}"
    );
}

#[tokio::test]
async fn a_refusal_keeps_the_connection_where_the_request_was_whole() {
    let stack = Stack::start().await;
    let mut raw = stack.raw().await;
    for _ in 0..3 {
        raw.send("GET /echo/x HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
        assert_eq!(raw.answer().await.status, 401);
    }
    raw.send("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_that_a_refusal_left_unread_is_not_taken_for_the_next_request() {
    let stack = Stack::start().await;
    let mut raw = stack.raw().await;
    let body = SMUGGLED.replace("{host}", &stack.authority());
    raw.send(&format!(
        "POST /echo/x HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    assert_eq!(raw.answer().await.status, 401);
    raw.try_send(format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", stack.authority()).as_bytes())
        .await;
    if let Some(next) = raw.answer_or_end_within(Duration::from_secs(2)).await {
        assert_eq!(
            (next.status, next.body.contains("\"service\"")),
            (200, true),
            "{next:?}"
        );
    }
    assert!(stack.beacon.seen().is_empty(), "{:?}", stack.beacon.seen());
}
