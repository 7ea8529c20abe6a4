//! WebSockets through the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hivematrix_tests::{Script, Stack, eventually};

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
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    drop(socket);
    let freed = async || (stack.echo.open_connections() == 0).then_some(());
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
