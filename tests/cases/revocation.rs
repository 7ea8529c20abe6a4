//! A session that has ended is refused at the next request, and what lives on it is cut.

use std::time::Duration;

use hivematrix_platform::unix_now;
use hivematrix_tests::{Client, Part, Script, Stack, eventually, takes_at_most};

/// Far more than a change takes to arrive, far less than anything that polls.
const SOON: Duration = Duration::from_millis(1000);

/// The client is refused soon, and stays so.
async fn refused_soon(client: &Client) {
    let refused = async {
        while client.fetch("/plain/x").await.status != 401 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    takes_at_most(SOON, "the session is refused", refused).await;
    assert_eq!(client.fetch("/plain/x").await.status, 401);
}

#[tokio::test]
async fn a_session_revoked_at_core_is_refused_at_the_next_request() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let other = stack.signed_in("client").await;
    stack.revoke(&stack.token_of(&client).await).await;
    refused_soon(&client).await;
    assert_eq!(
        other.fetch("/plain/x").await.status,
        200,
        "others are not concerned"
    );
}

#[tokio::test]
async fn a_session_revoked_by_another_client_of_redis_is_refused_at_the_next_request() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    stack.revoke_as_python(&session).await;
    refused_soon(&client).await;
}

#[tokio::test]
async fn a_session_that_redis_no_longer_has_is_refused() {
    let stack = Stack::start().await;
    let (one, two) = (stack.signed_in("admin").await, stack.signed_in("client").await);
    stack.redis.delete(&stack.session_of(&one).await.key()).await;
    refused_soon(&one).await;
    assert_eq!(two.fetch("/plain/x").await.status, 200);
    let mut redis = stack.redis.client();
    redis::cmd("FLUSHDB")
        .query_async::<()>(&mut redis)
        .await
        .expect("FLUSHDB");
    refused_soon(&two).await;
}

#[tokio::test]
async fn a_session_whose_time_is_over_is_refused_even_if_redis_still_has_it() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    let mut record = stack.record_of(&session).await.expect("a record");
    record.expires_at = unix_now() + 2;
    let json = serde_json::to_string(&record).expect("JSON");
    stack.redis.set_keeping_ttl(&session.key(), &json).await;
    assert_eq!(client.fetch("/plain/x").await.status, 200, "not over yet");
    let over = async || (client.fetch("/plain/x").await.status == 401).then_some(());
    eventually("the session is over", over).await;
    assert!(unix_now() >= record.expires_at, "and not before its time");
}

#[tokio::test]
async fn what_was_seen_revoked_stays_revoked_whatever_redis_says_later() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    let good = serde_json::to_string(&stack.record_of(&session).await.expect("a record")).expect("JSON");
    stack.revoke_as_python(&session).await;
    refused_soon(&client).await;
    stack.redis.set_keeping_ttl(&session.key(), &good).await;
    assert_eq!(
        client.fetch("/plain/x").await.status,
        401,
        "as after a failover to an old replica"
    );
    let told = async || {
        stack
            .record_of(&session)
            .await
            .filter(|record| record.revoked)
            .map(drop)
    };
    eventually("Redis is told again", told).await;
    assert_eq!(client.fetch("/plain/x").await.status, 401);
}

#[tokio::test]
async fn a_live_websocket_is_cut_when_its_session_is_revoked() {
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
    takes_at_most(SOON, "an idle WebSocket is cut", socket.ended()).await;
    let freed = async || (stack.echo.open_connections() == before).then_some(());
    eventually("and the backend's side with it", freed).await;
}

#[tokio::test]
async fn a_live_event_stream_is_cut_when_its_session_is_revoked() {
    let stack = Stack::start().await;
    stack.echo.on(
        "/events",
        Script::chunked("text/event-stream").chunk("data: one\n\n").park(),
    );
    let client = stack.signed_in("admin").await;
    let token = stack.token_of(&client).await;
    let mut events = client
        .get("/echo/events")
        .header("Accept", "text/event-stream")
        .stream()
        .await;
    assert_eq!(events.text().await, "data: one\n\n");
    stack.revoke(&token).await;
    let end = takes_at_most(SOON, "an idle event stream is cut", events.chunk()).await;
    assert!(!matches!(end, Ok(Some(_))), "nothing more comes: {end:?}");
}

#[tokio::test]
async fn a_download_that_goes_on_is_cut_when_its_session_is_revoked() {
    let stack = Stack::start().await;
    let start = "start ".repeat(2000);
    stack.echo.on(
        "/file",
        Script::promising("application/octet-stream", 1_000_000)
            .write(&start)
            .park(),
    );
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    let mut download = client.get("/echo/file").stream().await;
    assert!(download.text().await.starts_with("start"));
    stack.revoke_as_python(&session).await;
    let rest = async {
        while let Some(_piece) = download.chunk().await? {}
        Ok::<_, reqwest::Error>(())
    };
    let end = takes_at_most(SOON, "the download is cut", rest).await;
    assert!(end.is_err(), "the client notices that it is not whole: {end:?}");
}

#[tokio::test]
async fn a_revocation_counts_while_core_is_down() {
    let stack = Stack::start().await;
    let (one, two) = (stack.signed_in("admin").await, stack.signed_in("client").await);
    let session = stack.session_of(&one).await;
    stack.relay(Part::Core).cut().await;
    stack.revoke_as_python(&session).await;
    refused_soon(&one).await;
    assert_eq!(
        two.fetch("/plain/x").await.status,
        200,
        "and nobody else is signed out"
    );
}

#[tokio::test]
async fn a_revocation_while_the_feed_is_lost_is_never_missed() {
    let stack = Stack::builder().impatient().start().await;
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    assert_eq!(client.fetch("/plain/x").await.status, 200);
    stack.relay(Part::Redis).cut().await;
    stack.revoke_as_python(&session).await;
    assert_eq!(client.fetch("/plain/x").await.status, 503, "nobody can tell");
    stack.relay(Part::Redis).heal().await;
    let told = async || match client.fetch("/plain/x").await.status {
        503 => None,
        status => Some(status),
    };
    assert_eq!(
        eventually("Redis is back", told).await,
        401,
        "the first answer after the outage is no"
    );
}

#[tokio::test]
async fn a_revocation_that_a_stalled_feed_withholds_is_seen_within_the_heartbeat() {
    let stack = Stack::builder().impatient().start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    stack.relay(Part::Redis).stall();
    stack.revoke_as_python(&session).await;
    let no_longer_believed = async {
        while client.fetch("/plain/x").await.status == 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    takes_at_most(
        Duration::from_secs(3),
        "a silent feed is no feed",
        no_longer_believed,
    )
    .await;
}

#[tokio::test]
async fn in_strict_mode_every_request_asks_redis() {
    let stack = Stack::builder()
        .configure(|config| config.sessions.strict = true)
        .start()
        .await;
    let client = stack.signed_in("admin").await;
    let session = stack.session_of(&client).await;
    stack.revoke_as_python(&session).await;
    assert_eq!(
        client.fetch("/plain/x").await.status,
        401,
        "the very next request"
    );
}

#[tokio::test]
async fn sessions_outlive_the_gateway_and_two_gateways_agree() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let (gateway, other) = stack.another_gateway().await;
    let handle = client.cookie("__Host-hivematrix").expect("a session");
    other.set_cookie("/", &format!("__Host-hivematrix={handle}; Path=/; Secure"));
    assert_eq!(other.fetch("/plain/x").await.status, 200);
    stack.revoke(&stack.token_of(&client).await).await;
    refused_soon(&other).await;
    refused_soon(&client).await;
    gateway.stop().await.expect("the other gateway stops");
}
