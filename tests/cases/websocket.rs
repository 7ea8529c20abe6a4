//! WebSockets through the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hivematrix_tests::{Client, Gate, Raw, Script, Stack, eventually, takes_at_most};

/// Keeps every core busy until it is dropped.
struct Burner(Arc<AtomicBool>);

impl Burner {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) * 4 {
            let stop = stop.clone();
            std::thread::spawn(move || while !stop.load(Relaxed) {});
        }
        Self(stop)
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[tokio::test]
async fn messages_pass_both_ways() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket?room=1&room=2")
        .await
        .expect("a WebSocket");
    for text in ["hello", "", "Grüße", &"x".repeat(100_000)] {
        assert_eq!(socket.says(text).await, text);
    }
    let seen = stack.echo.last();
    assert_eq!(seen.target(), "/socket?room=1&room=2");
    assert_eq!(
        (seen.header("x-forwarded-prefix"), seen.header("upgrade")),
        ("/echo", "websocket")
    );
    assert!(
        seen.header("authorization").starts_with("Bearer ") && !seen.head.contains("__Host-"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn a_websocket_needs_a_session() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    assert_eq!(
        stack.websocket(&stack.client(), "/echo/socket").await.err(),
        Some(401)
    );
    assert!(stack.echo.seen().is_empty());
}

#[tokio::test]
async fn a_silent_websocket_outlives_the_timeouts_of_requests() {
    let stack = Stack::builder()
        .configure(|config| {
            for service in &mut config.services {
                service.timeouts.first_byte = Duration::from_millis(200);
                service.timeouts.upstream_idle_body = Duration::from_millis(200);
            }
            config.timeouts.client_body = Duration::from_millis(200);
        })
        .start()
        .await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    assert_eq!(socket.says("before").await, "before");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(socket.says("after").await, "after");
}

#[tokio::test]
async fn a_backend_that_refuses_the_upgrade_is_heard() {
    let stack = Stack::start().await;
    stack
        .echo
        .on("/socket", Script::text("text/plain", "no").with_status(403));
    let client = stack.signed_in("client").await;
    assert_eq!(stack.websocket(&client, "/echo/socket").await.err(), Some(403));
}

#[tokio::test]
async fn a_websocket_that_either_side_closes_is_closed_on_the_other() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    // Kept by the gateway, for requests.
    let before = stack.echo.open_connections();
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    assert_eq!(stack.echo.open_connections(), before + 1);
    drop(socket);
    let freed = async || (stack.echo.open_connections() == before).then_some(());
    eventually("the backend's side is closed", freed).await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    stack.relay(hivematrix_tests::Part::Echo).cut().await;
    hivematrix_tests::takes_at_most(
        Duration::from_secs(2),
        "the client's side is closed",
        socket.ended(),
    )
    .await;
}

/// How many WebSockets go on without their exchange.
async fn going_on(stack: &Stack) -> String {
    let http = hivematrix_platform::http_client::internal().expect("a client");
    let metrics = stack.admin().join("/metrics").expect("a URL");
    let text = http.get(metrics).send().await.expect("an answer").text().await;
    let text = text.expect("a text");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("hivematrix_tunnels "));
    line.expect("a gauge").to_owned()
}

/// Waits until so many do.
async fn until_going_on(stack: &Stack, number: &str) {
    eventually("as many go on without their exchange", async || {
        (going_on(stack).await == number).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_websocket_that_has_begun_goes_on_without_its_exchange() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    until_going_on(&stack, "1").await;
    assert_eq!(socket.says("hello").await, "hello");
    drop(socket);
    until_going_on(&stack, "0").await;
    let lines = stack.logs.access();
    let line = lines.iter().find(|line| line.field("path") == "/echo/socket");
    let line = line.expect("one line, at its end");
    // A text frame of five bytes has two more.
    assert_eq!((line.field("status"), line.field("bytes")), ("101", "7"));
}

const SWITCHED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Asks for a WebSocket, and sends something in the same breath.
async fn asks(stack: &Stack, client: &Client, and: &[u8]) -> Raw {
    let cookie = client.cookie_header("/echo/socket");
    let host = stack.authority();
    let head = format!(
        "GET /echo/socket HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut raw = stack.raw().await;
    assert!(raw.try_send(&[head.as_bytes(), and].concat()).await);
    raw
}

/// Reads the head of an answer, then so many bytes.
async fn reads(raw: &mut Raw, bytes: usize) -> Vec<u8> {
    let mut got = Vec::new();
    loop {
        let after = got.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(body) = after
            .and_then(|at| got.get(at + 4..))
            .filter(|body| body.len() >= bytes)
        {
            return body.to_vec();
        }
        got.extend(raw.some_bytes().await);
    }
}

#[tokio::test]
async fn what_comes_with_the_heads_comes_through_once() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    stack.echo.on("/socket", Script::websocket());
    let mut raw = asks(&stack, &client, b"\x81\x85\0\0\0\0early").await;
    assert_eq!(reads(&mut raw, 7).await, b"\x81\x05early");
    assert!(raw.try_send(b"\x81\x84\0\0\0\0then").await);
    assert_eq!(raw.some_bytes().await, b"\x81\x04then");
    let both = [SWITCHED, b"\x81\x05first\x81\x06second"].concat();
    stack.echo.on("/socket", Script::raw(both).park());
    let mut raw = asks(&stack, &client, b"").await;
    assert_eq!(reads(&mut raw, 15).await, b"\x81\x05first\x81\x06second");
    assert!(raw.bytes_within(Duration::from_millis(100)).await.is_empty());
}

#[tokio::test]
async fn more_than_either_side_takes_at_once_passes_whole() {
    let stack = Stack::start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    until_going_on(&stack, "1").await;
    let long: String = (0..1_500_000)
        .map(|number| char::from(b'a' + (number % 23) as u8))
        .collect();
    assert!(socket.says(&long).await == long);
}

/// Waits for the line of a WebSocket that has ended for this reason.
async fn ended_because(stack: &Stack, reason: &str) {
    let told = async || {
        let lines = stack.logs.access();
        let ours = |line: &&hivematrix_tests::LogLine| line.field("path") == "/echo/socket";
        lines
            .iter()
            .rfind(ours)
            .filter(|line| line.field("reason") == reason)
            .map(drop)
    };
    eventually("the log says why", told).await;
}

#[tokio::test]
async fn a_websocket_on_which_nobody_speaks_for_too_long_is_ended() {
    let silence = Duration::from_millis(600);
    let stack = Stack::builder()
        .configure(move |config| {
            for service in &mut config.services {
                service.timeouts.stream_idle = silence;
            }
        })
        .start()
        .await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    for _ in 0..4 {
        tokio::time::sleep(silence / 3).await;
        assert_eq!(socket.says("hello").await, "hello");
    }
    takes_at_most(Duration::from_secs(5), "silence ends it", socket.ended()).await;
    ended_because(&stack, "client_too_slow").await;
}

#[tokio::test]
async fn a_websocket_whose_client_takes_nothing_is_ended() {
    let stack = Stack::builder()
        .configure(|config| config.timeouts.write = Duration::from_millis(500))
        .start()
        .await;
    let client = stack.signed_in("client").await;
    let gate = Gate::closed();
    let frame = [&b"\x82\x7f"[..], &u64::to_be_bytes(32 << 20), &vec![0; 32 << 20]].concat();
    let much = Script::raw(SWITCHED).gate(&gate).write(frame).park();
    stack.echo.on("/socket", much);
    let _raw = asks(&stack, &client, b"").await;
    until_going_on(&stack, "1").await;
    gate.open();
    ended_because(&stack, "client_gone").await;
}

/// A gateway in a program whose runtime has several threads: the answer may be there before the thread that sent the
/// request's head gets to do anything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_websockets_that_are_opened_on_a_busy_machine_none_ends_unasked() {
    let stack = Stack::builder()
        .configure(|config| config.limits.connections_per_address = 1000)
        .start()
        .await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let busy = Burner::start();
    let mut opened = Vec::new();
    for _ in 0..300 {
        let socket = stack.websocket(&client, "/echo/socket").await;
        let mut socket = socket.expect("a WebSocket");
        // Kept open until all have been asked.
        opened.push(socket.answers("hello").await.then_some(socket));
    }
    drop(busy);
    let ended = opened.iter().filter(|socket| socket.is_none()).count();
    assert_eq!(ended, 0, "of {} have ended by themselves", opened.len());
}
