//! What a session's end does to what is under way: WebSockets are told why, everything else breaks off.

use std::time::Duration;

use hivematrix_platform::unix_now;
use hivematrix_tests::{Client, Raw, Script, Stack, eventually, takes_at_most};
use http::Request;

/// Far more than a change takes to arrive, far less than anything that polls.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_websocket_is_told_1008_and_why_before_it_is_closed() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    // Kept by the gateway, for requests.
    let before = stack.echo.open_connections();
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("hello").await, "hello");
    stack.revoke(&token).await;
    let end = takes_at_most(SOON, "an idle WebSocket is closed", socket.ended()).await;
    assert_eq!(end, Some((1008, "session revoked".to_owned())));
    let freed = async || (stack.echo.open_connections() == before).then_some(());
    eventually("and the backend's side with it", freed).await;
    let told = async || {
        let lines = stack.logs.access();
        lines
            .iter()
            .any(|line| line.field("path") == "/echo/socket" && line.field("reason") == "revoked")
            .then_some(())
    };
    eventually("the log says why", told).await;
}

#[tokio::test]
async fn a_websocket_over_tls_is_told_as_well() {
    let stack = Stack::builder().tls().start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut socket = stack
        .secure_websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("hello").await, "hello");
    stack.revoke(&token).await;
    let end = takes_at_most(SOON, "the WebSocket is closed", socket.ended()).await;
    assert_eq!(end, Some((1008, "session revoked".to_owned())));
}

#[tokio::test]
async fn signing_out_and_the_passing_of_time_are_named_as_such() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    let page = client.navigate("/logout").await;
    client.submit(&page, &[]).await;
    let end = takes_at_most(SOON, "the WebSocket is closed", socket.ended()).await;
    assert_eq!(end, Some((1008, "signed out".to_owned())));

    let client = stack.signed_in("client").await;
    let session = stack.session_of(&client).await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    let mut record = stack.record_of(&session).await.expect("a record");
    record.expires_at = unix_now() + 2;
    let json = serde_json::to_string(&record).expect("JSON");
    stack.redis.set_keeping_ttl(&session.key(), &json).await;
    let end = takes_at_most(Duration::from_secs(10), "its time is over", socket.ended()).await;
    assert_eq!(end, Some((1008, "session expired".to_owned())));
    assert!(unix_now() >= record.expires_at, "and not before");
}

/// A proxy in between, or a browser that has signed out and in again, sends one person's requests after another's.
#[tokio::test]
async fn a_connection_that_changes_hands_ends_with_the_session_of_the_one_who_uses_it() {
    let stack = Stack::start().await;
    stack.echo.on(
        "/events",
        Script::chunked("text/event-stream").chunk("data: one\n\n").park(),
    );
    let (first, second) = (stack.signed_in("admin").await, stack.signed_in("client").await);
    let mut raw = stack.raw().await;
    for client in [&first, &second, &first] {
        let cookie = client.cookie_header("/echo/hello");
        raw.send(&format!(
            "GET /echo/hello HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n"
        ))
        .await;
        assert_eq!(raw.answer().await.status, 200);
    }
    let cookie = second.cookie_header("/echo/events");
    raw.send(&format!(
        "GET /echo/events HTTP/1.1\r\nHost: {{host}}\r\nAccept: text/event-stream\r\nCookie: {cookie}\r\n\r\n"
    ))
    .await;
    assert_eq!(raw.answer_head().await.status, 200);
    stack.revoke(&stack.token_of(&first).await).await;
    let refused = async || (first.get("/echo/hello").send().await.status == 401).then_some(());
    eventually("the other session is over", refused).await;
    let end = tokio::time::timeout(Duration::from_millis(300), raw.rest()).await;
    assert!(end.is_err(), "the stream goes on");
    stack.revoke(&stack.token_of(&second).await).await;
    takes_at_most(SOON, "the stream ends with its own session", raw.rest()).await;
}

#[tokio::test]
async fn a_kept_connection_whose_session_ended_while_it_was_idle_serves_the_next_session() {
    let stack = Stack::start().await;
    let (first, second) = (stack.signed_in("admin").await, stack.signed_in("client").await);
    let mut raw = stack.raw().await;
    let ask = |client: &Client| {
        let cookie = client.cookie_header("/echo/hello");
        format!("GET /echo/hello HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n")
    };
    raw.send(&ask(&first)).await;
    assert_eq!(raw.answer().await.status, 200);
    stack.revoke(&stack.token_of(&first).await).await;
    let refused = async || (first.get("/echo/hello").send().await.status == 401).then_some(());
    eventually("its session is over", refused).await;
    raw.send(&ask(&second)).await;
    assert_eq!(raw.answer().await.status, 200, "another session's request");
    raw.send(&ask(&first)).await;
    assert_eq!(raw.answer().await.status, 401, "and no request of the old one");
}

/// Opens a WebSocket by hand; returns what has come behind the answer's head so far.
async fn opened(stack: &Stack, client: &Client, path: &str) -> Raw {
    let mut raw = stack.raw().await;
    let cookie = client.cookie_header(path);
    raw.send(&format!(
        "GET {path} HTTP/1.1\r\nHost: {{host}}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: {cookie}\r\n\r\n"
    ))
    .await;
    assert_eq!(raw.answer_head().await.status, 101);
    raw
}

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A script that sends messages without a pause between them, each of eight pieces of 100 bytes, ten milliseconds apart.
fn talkative() -> Script {
    let mut script = Script::raw(SWITCH);
    for _ in 0..500 {
        script = script.write(b"\x82\x7e\x03\x20");
        for _ in 0..8 {
            script = script.write([b'x'; 100]).wait_ms(10);
        }
    }
    script.park()
}

/// The payload of each frame, and what is behind the last whole one.
fn frames(mut bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, &[u8]) {
    let mut found = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match (*length, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (126, _) => break,
            (length, rest) => (usize::from(length), rest),
        };
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            break;
        };
        found.push((first & 0xf, payload.to_vec()));
        bytes = rest;
    }
    (found, bytes)
}

#[tokio::test]
async fn a_message_that_is_under_way_is_completed_before_the_websocket_is_told() {
    let stack = Stack::start().await;
    stack.echo.on("/talk", talkative());
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut raw = opened(&stack, &client, "/echo/talk").await;
    let begun = raw.some_bytes().await;
    assert!(!begun.is_empty());
    stack.revoke(&token).await;
    let rest = takes_at_most(SOON, "the WebSocket ends", raw.rest()).await;
    let all = [begun, rest].concat();
    let (frames, behind) = frames(&all);
    assert_eq!(behind, b"", "nothing is cut in two");
    let (last, messages) = frames.split_last().expect("frames");
    assert_eq!(
        *last,
        (8, [&1008_u16.to_be_bytes()[..], b"session revoked"].concat())
    );
    assert!(!messages.is_empty());
    assert!(
        messages
            .iter()
            .all(|(opcode, payload)| *opcode == 2 && payload.len() == 800),
        "every message is whole"
    );
}

#[tokio::test]
async fn a_message_that_never_ends_does_not_keep_its_websocket_alive() {
    let stack = Stack::start().await;
    let endless = Script::raw(SWITCH).write(b"\x82\x7e\xff\xffbegun").park();
    stack.echo.on("/endless", endless);
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut raw = opened(&stack, &client, "/echo/endless").await;
    let begun = raw.some_bytes().await;
    stack.revoke(&token).await;
    let rest = takes_at_most(SOON, "the WebSocket ends", raw.rest()).await;
    assert_eq!(
        [begun, rest].concat(),
        b"\x82\x7e\xff\xffbegun",
        "and nothing is said in the middle of it"
    );
}

#[tokio::test]
async fn a_websocket_that_its_backend_has_closed_is_not_closed_twice() {
    let stack = Stack::start().await;
    let closed = Script::raw(SWITCH).write(b"\x88\x02\x03\xe8").park();
    stack.echo.on("/closed", closed);
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut raw = opened(&stack, &client, "/echo/closed").await;
    let begun = raw.some_bytes().await;
    stack.revoke(&token).await;
    let rest = takes_at_most(SOON, "the WebSocket ends", raw.rest()).await;
    assert_eq!([begun, rest].concat(), [0x88, 2, 0x03, 0xe8]);
}

#[tokio::test]
async fn long_polls_and_uploads_are_cut() {
    let stack = Stack::start().await;
    stack.echo.on("/poll", Script::silent());
    stack.echo.on("/upload", Script::silent());
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let poll = tokio::spawn(client.get("/echo/poll").try_send());
    let (pieces, body) = tokio::sync::mpsc::unbounded_channel::<Result<Vec<u8>, std::io::Error>>();
    let body = futures_util::stream::unfold(body, |mut body| async move {
        let piece = body.recv().await?;
        Some((piece, body))
    });
    let upload = client
        .post("/echo/upload")
        .header("Origin", &client.origin_text())
        .body(reqwest::Body::wrap_stream(body));
    let upload = tokio::spawn(upload.try_send());
    pieces.send(Ok(b"begun".to_vec())).expect("an upload");
    let under_way = async || {
        let seen = stack.echo.seen();
        let upload = seen
            .iter()
            .any(|seen| seen.path() == "/upload" && !seen.body().is_empty());
        let poll = seen.iter().any(|seen| seen.path() == "/poll");
        (poll && upload).then_some(())
    };
    eventually("both are under way", under_way).await;
    stack.revoke(&token).await;
    let poll = takes_at_most(SOON, "the poll ends", poll).await.expect("a task");
    assert!(poll.is_err(), "without an answer: {poll:?}");
    let upload = takes_at_most(SOON, "the upload ends", upload)
        .await
        .expect("a task");
    assert!(upload.is_err(), "without an answer: {upload:?}");
    let freed = async || (stack.echo.open_connections() == 0).then_some(());
    eventually("the backend's sides are closed", freed).await;
    drop(pieces);
}

#[tokio::test]
async fn an_http_2_stream_is_reset_and_its_connection_lives_on() {
    let stack = Stack::builder().tls().start().await;
    let events = Script::chunked("text/event-stream").chunk("data: one\n\n").park();
    stack.echo.on("/events", events);
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut connection = stack.http2().await;
    let request = |path: &str| {
        Request::get(format!("https://{}{path}", stack.authority()))
            .header("cookie", client.cookie_header(path))
            .header("accept", "text/event-stream")
            .body(())
            .expect("a request")
    };
    let begun = async || (!stack.echo.seen().is_empty()).then_some(());
    let stream = connection.send(request("/echo/events"));
    let revoke = async {
        eventually("the stream has begun", begun).await;
        stack.revoke(&token).await;
    };
    let (end, ()) = tokio::join!(
        takes_at_most(Duration::from_secs(10), "the stream ends", stream),
        revoke
    );
    let error = end.expect_err("no proper end");
    assert!(error.is_reset(), "RST_STREAM: {error}");
    let refused = connection.send(request("/plain/x")).await.expect("an answer");
    assert_eq!(refused.status, 401, "on the same connection");
}
