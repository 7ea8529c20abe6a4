//! A changed configuration is taken over without a restart, and a stop is one in good order.

use std::time::Duration;

use hivematrix_gateway::config::{PluginInstance, Service, Upstream};
use hivematrix_platform::{Access, ServiceName};
use hivematrix_tests::{Gate, Script, Stack, eventually, takes_at_most};

#[tokio::test]
async fn a_changed_registry_is_taken_over_without_dropping_a_connection() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    stack.echo.on("/socket", Script::websocket());
    let gate = Gate::closed();
    stack.echo.on(
        "/slow",
        Script::chunked("text/plain")
            .chunk("first")
            .gate(&gate)
            .chunk("second")
            .end(),
    );
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    let mut slow = client.script("GET", "/echo/slow").stream().await;
    assert_eq!(slow.text().await, "first");
    assert_eq!(
        (
            client.fetch("/fresh/x").await.status,
            client.fetch("/second/x").await.status
        ),
        (404, 200)
    );

    let mut config = stack.config.clone();
    config.services.retain(|service| service.name.as_str() != "echo");
    for service in config
        .services
        .iter_mut()
        .filter(|service| service.name.as_str() == "second")
    {
        service.access = Access::admin_only();
    }
    let upstream = Upstream::parse(&format!("http://{}", stack.second.address())).expect("an upstream");
    config.services.push(Service::new(
        ServiceName::parse("fresh").expect("a name"),
        upstream,
    ));
    stack.gateway().reload(config).expect("a good configuration");

    assert_eq!(
        (
            client.fetch("/fresh/x").await.status,
            client.fetch("/second/x").await.status
        ),
        (200, 403)
    );
    assert_eq!(client.fetch("/echo/x").await.status, 404);
    let menu = client.navigate("/template/").await.text();
    assert!(
        menu.contains("href=\"/fresh/\"") && !menu.contains("href=\"/second/\""),
        "the menu follows the door"
    );
    assert_eq!(socket.says("still here").await, "still here");
    gate.open();
    assert_eq!(slow.whole().await.expect("the rest").text(), "second");
}

#[tokio::test]
async fn a_bad_configuration_keeps_the_old_version_running() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let mut config = stack.config.clone();
    config.services.truncate(1);
    config.plugins.push(PluginInstance::new("odd", "no-such-kind"));
    config.services[0].plugins.push("odd".to_owned());
    let problems = stack
        .gateway()
        .reload(config)
        .expect_err("an unknown kind of plugin");
    assert!(problems.to_string().contains("no-such-kind"), "{problems}");
    assert_eq!(client.fetch("/echo/x").await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_refuses_new_connections_at_once() {
    let stack = Stack::builder()
        .configure(|config| config.server.grace = Duration::from_secs(5))
        .start()
        .await;
    let gate = Gate::closed();
    stack.echo.on(
        "/slow",
        Script::chunked("text/plain")
            .chunk("first")
            .gate(&gate)
            .chunk("second")
            .end(),
    );
    let client = stack.signed_in("admin").await;
    let mut slow = client.script("GET", "/echo/slow").stream().await;
    assert_eq!(slow.text().await, "first");
    stack.stop_token().cancel();
    let address = stack.gateway().address();
    let refused = async || {
        tokio::net::TcpStream::connect(address)
            .await
            .is_err()
            .then_some(())
    };
    eventually("new connections are refused", refused).await;
    gate.open();
    assert_eq!(slow.whole().await.expect("the rest").text(), "second");
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_the_grace_time() {
    let stack = Stack::start().await;
    let (gateway, client) = stack.another_gateway().await;
    stack.second.on("/never", Script::silent());
    let handle = stack
        .signed_in("admin")
        .await
        .cookie("__Host-hivematrix")
        .expect("a session");
    client.set_cookie("/", &format!("__Host-hivematrix={handle}; Path=/; Secure"));
    let waiting = tokio::spawn(client.script("GET", "/second/never").try_send());
    let arrived = async || (stack.second.seen_at("/never").len() == 1).then_some(());
    eventually("a request is under way", arrived).await;
    takes_at_most(Duration::from_secs(2), "a stop", gateway.stop())
        .await
        .expect("in good order");
    waiting.abort();
}

#[tokio::test]
async fn an_idle_gateway_stops_at_once() {
    let stack = Stack::start().await;
    let (gateway, client) = stack.another_gateway().await;
    assert_eq!(
        client.fetch("/health").await.status,
        200,
        "a connection is kept alive"
    );
    takes_at_most(Duration::from_millis(800), "a stop", gateway.stop())
        .await
        .expect("in good order");
}
