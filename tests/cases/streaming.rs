//! Nothing waits for what comes later: bodies in both directions, events, pages.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use hivematrix_tests::{Gate, Script, Stack, eventually, takes_at_most};

const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn server_sent_events_pass_unbuffered() {
    let stack = Stack::start().await;
    let gates: Vec<Gate> = (0..3).map(|_| Gate::closed()).collect();
    let script = gates
        .iter()
        .enumerate()
        .fold(Script::chunked("text/event-stream"), |script, (number, gate)| {
            script.chunk(format!("data: {number}\n\n")).gate(gate)
        });
    stack.echo.on("/events", script.end());
    let client = stack.signed_in("admin").await;
    let mut events = client
        .get("/echo/events")
        .header("Accept", "text/event-stream")
        .stream()
        .await;
    assert_eq!(events.status, 200);
    for (number, gate) in gates.iter().enumerate() {
        let event = takes_at_most(AT_ONCE, "an event arrives before the next is sent", events.text()).await;
        assert_eq!(event, format!("data: {number}\n\n"));
        gate.open();
    }
    assert!(events.chunk().await.expect("a proper end").is_none());
}

#[tokio::test]
async fn an_event_stream_of_a_real_service_passes() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    let mut events = client
        .get("/template/clock/events")
        .header("Accept", "text/event-stream")
        .stream()
        .await;
    assert!(events.until("\n\n").await.contains("event: time"));
}

#[tokio::test]
async fn a_silent_event_stream_outlives_the_timeouts_of_requests() {
    let stack = Stack::builder()
        .configure(|config| {
            for service in &mut config.services {
                service.timeouts.first_byte = Duration::from_millis(300);
                service.timeouts.upstream_idle_body = Duration::from_millis(300);
            }
        })
        .start()
        .await;
    let slow = Script::chunked("text/event-stream")
        .wait_ms(600)
        .chunk("data: 1\n\n")
        .wait_ms(600)
        .chunk("data: 2\n\n");
    stack.echo.on("/events", slow.end());
    let client = stack.signed_in("admin").await;
    let answer = client
        .get("/echo/events")
        .header("Accept", "text/event-stream")
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "data: 1\n\ndata: 2\n\n")
    );
}

#[tokio::test]
async fn a_slow_download_is_not_cut_by_the_timeout_for_uploads() {
    let stack = Stack::builder()
        .configure(|config| config.timeouts.client_body = Duration::from_millis(200))
        .start()
        .await;
    stack.echo.on(
        "/slow",
        Script::chunked("text/plain")
            .wait_ms(500)
            .chunk("a")
            .wait_ms(500)
            .chunk("b")
            .end(),
    );
    let answer = stack.signed_in("admin").await.fetch("/echo/slow").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ab"));
}

#[tokio::test]
async fn an_upload_is_streamed_to_the_backend_while_it_comes() {
    let stack = Stack::start().await;
    stack.echo.on("/upload", Script::echo_body());
    let client = stack.signed_in("admin").await;
    let (send, receive) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let body = stream::unfold(receive, |mut receive| async move {
        let piece = receive.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), receive))
    });
    send.send(Bytes::from_static(b"one")).expect("open");
    let ask = client
        .script("POST", "/echo/upload")
        .body(reqwest::Body::wrap_stream(body));
    let mut back = takes_at_most(AT_ONCE, "the answer begins before the upload ends", ask.stream()).await;
    assert_eq!(back.until("one").await, "one");
    for piece in ["two", "three"] {
        send.send(Bytes::from_static(piece.as_bytes())).expect("open");
        let echoed = takes_at_most(
            AT_ONCE,
            "a piece comes back before the next is sent",
            back.until(piece),
        )
        .await;
        assert_eq!(echoed, piece);
    }
    drop(send);
    assert!(back.chunk().await.expect("a proper end").is_none());
    assert_eq!(stack.echo.last().body(), b"onetwothree");
}

#[tokio::test]
async fn a_large_upload_and_a_large_download_arrive_whole() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let large: Vec<u8> = (0..8_000_000_u32)
        .map(|byte| u8::try_from(byte % 251).unwrap_or(0))
        .collect();
    stack
        .echo
        .on("/file", Script::text("application/octet-stream", &large));
    let down = client.fetch("/echo/file").await;
    assert!(down.body == large, "{} of {} bytes", down.body.len(), large.len());
    let up = client.script("PUT", "/plain/up").body(large.clone()).send().await;
    assert_eq!(up.status, 200);
    assert!(stack.echo.last().body() == large && stack.echo.last().is_complete());
}

#[tokio::test]
async fn the_first_bytes_of_a_composed_page_leave_before_its_last_arrive() {
    let stack = Stack::start().await;
    let gate = Gate::closed();
    let page = Script::chunked("text/html; charset=utf-8")
        .chunk("<!doctype html><html><head><title>T</title></head><body><h1>first</h1>")
        .gate(&gate)
        .chunk("<p>last</p></body></html>")
        .end();
    stack.echo.on("/page", page);
    let client = stack.signed_in("admin").await;
    let mut streaming = client.visit("/echo/page").stream().await;
    let first = takes_at_most(
        AT_ONCE,
        "the start of the page",
        streaming.until("<h1>first</h1>"),
    )
    .await;
    assert!(
        first.contains("hivematrix-side-panel"),
        "it is composed already: {first}"
    );
    gate.open();
    let rest = streaming.whole().await.expect("the rest of the page").text();
    assert!(rest.contains("<p>last</p>"), "{rest}");
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_backend() {
    let stack = Stack::start().await;
    stack.echo.on(
        "/events",
        Script::chunked("text/event-stream").chunk("data: 1\n\n").park(),
    );
    stack.echo.on("/never", Script::silent());
    let client = stack.signed_in("admin").await;
    let before = stack.echo.open_connections();
    let mut events = client
        .get("/echo/events")
        .header("Accept", "text/event-stream")
        .stream()
        .await;
    events.text().await;
    let waiting = tokio::spawn(client.fetch_owned("/echo/never"));
    let both = async || (stack.echo.seen_at("/never").len() == 1).then_some(());
    eventually("both requests are under way", both).await;
    assert!(stack.echo.open_connections() > before);
    drop(events);
    waiting.abort();
    let freed = async || (stack.echo.open_connections() <= before).then_some(());
    eventually("the backend's connections are closed", freed).await;
}

#[tokio::test]
async fn an_answer_that_comes_before_the_upload_has_ended_arrives() {
    let stack = Stack::start().await;
    stack.echo.on(
        "/no",
        Script::text("text/plain", "too much")
            .with_status(413)
            .without_reading(),
    );
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut raw = stack.raw().await;
    let head = format!(
        "POST /echo/no HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\nContent-Length: 1000000\r\n\r\nstart"
    );
    raw.send(&head).await;
    assert_eq!(raw.answer().await.status, 413);
}

#[tokio::test]
async fn expect_100_continue_is_answered() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut raw = stack.raw().await;
    let head = format!(
        "POST /plain/x HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    );
    raw.send(&head).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    raw.send("hello").await;
    assert_eq!(raw.answer().await.status, 200);
    assert_eq!(stack.echo.last().body(), b"hello");
}

#[tokio::test]
async fn head_answers_have_no_body_and_keep_their_length() {
    let stack = Stack::start().await;
    stack
        .echo
        .on("/page", Script::html("<html><body>x</body></html>"));
    let client = stack.signed_in("admin").await;
    let cookie = client.cookie_header("/");
    let mut raw = stack.raw().await;
    for path in ["/plain/page", "/health", "/plain/page"] {
        raw.send(&format!(
            "HEAD {path} HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n"
        ))
        .await;
        let answer = raw.answer_head().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_an_answer_is_given_up_in_the_time_of_one_write() {
    let stack = Stack::builder()
        .configure(|config| config.timeouts.write = Duration::from_millis(700))
        .start()
        .await;
    let much = 32 << 20;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {much}\r\n\r\n");
    stack
        .echo
        .on("/much", Script::raw(&head).write(vec![b'x'; much]).park());
    let client = stack.signed_in("client").await;
    let (host, cookie) = (stack.authority(), client.cookie_header("/echo/much"));
    let mut raw = stack.raw().await;
    raw.send(&format!(
        "GET /echo/much HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    ))
    .await;
    let line = async || {
        let lines = stack.logs.access();
        let line = lines.iter().rfind(|line| line.field("path") == "/echo/much")?;
        Some((line.field("reason").to_string(), line.field("ms").to_string()))
    };
    let (reason, ms) = eventually("the log says how it ended", line).await;
    assert!(reason.contains("client_gone"), "{reason}");
    let ms: f64 = ms.parse().expect("a time");
    assert!((700.0..4000.0).contains(&ms), "{ms}");
}
