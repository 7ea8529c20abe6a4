//! What idle connections take. Measured is a process that is built for development and has all ends of them, which is more
//! than the gateway takes (`benches/README.md`); but what each would take with a buffer or an exchange of its own is more still.

use hivematrix_tests::{Client, Raw, Script, Stack, is_alone, resident};

const KIBIBYTE: usize = 1024;
/// How many connections are held.
const MANY: usize = 500;
/// What each of them may take, in KiB.
const CONNECTION: usize = 16;
/// And each WebSocket, most of it for the service and for the relay in front of it. With its exchange it took 83.
const WEBSOCKET: usize = 60;

const SWITCHED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

async fn world() -> (Stack, Client) {
    let stack = Stack::builder()
        .configure(|config| {
            config.limits.connections_per_address = 0;
            config.limits.requests_per_minute = 0;
        })
        .start()
        .await;
    stack.echo.on("/small", Script::text("text/plain", "small"));
    stack.echo.on("/socket", Script::raw(SWITCHED).park());
    let client = stack.signed_in("client").await;
    (stack, client)
}

/// Makes connections, sends a request on each, and holds them: how many KiB each takes.
async fn held(stack: &Stack, request: &str, status: u16) -> usize {
    let mut held: Vec<Raw> = Vec::with_capacity(2 * MANY);
    let mut before = 0;
    for number in 0..2 * MANY {
        if number == MANY {
            // What is made once has been made.
            before = resident();
        }
        let mut raw = stack.raw().await;
        raw.send(request).await;
        assert_eq!(raw.answer_head().await.status, status);
        held.push(raw);
    }
    let each = resident().saturating_sub(before) / MANY / KIBIBYTE;
    eprintln!("{each} KiB each");
    each
}

#[tokio::test]
async fn an_idle_connection_takes_little() {
    if is_alone("idle::an_idle_connection_takes_little").await {
        let (stack, client) = world().await;
        let cookie = client.cookie_header("/echo/small");
        let request = format!("GET /echo/small HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\n\r\n");
        let each = held(&stack, &request, 200).await;
        assert!(each < CONNECTION, "{each} KiB for each connection");
    }
}

#[tokio::test]
async fn an_idle_websocket_takes_little() {
    if is_alone("idle::an_idle_websocket_takes_little").await {
        let (stack, client) = world().await;
        let cookie = client.cookie_header("/echo/socket");
        let request = format!(
            "GET /echo/socket HTTP/1.1\r\nHost: {{host}}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let each = held(&stack, &request, 101).await;
        assert!(each < WEBSOCKET, "{each} KiB for each WebSocket");
    }
}
