//! The outage policy of a route, `closed` or with a grace: fault × request → status and a time bound; what is seen of
//! it, and that it ends by itself. `outages` has the parts × the routes without a grace.

use std::time::{Duration, Instant};

use hivematrix_gateway::config::Outage;
use hivematrix_tests::{Answer, Client, Part, Script, Stack, eventually, takes_at_most};

/// What happens to a part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Down,
    Hangs,
}

/// What is asked for meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Request {
    /// A script asks by this method.
    Script(&'static str, &'static str),
    /// A person opens a page.
    Page(&'static str),
    /// An event stream.
    Events(&'static str),
    /// A WebSocket.
    Socket(&'static str),
    /// The same cookie at a gateway that has not seen the session yet.
    Unseen(&'static str),
    /// Somebody without a session.
    Stranger(&'static str),
}

use Fault::{Down, Hangs};
use Request::{Events, Page, Script as Fetch, Socket, Stranger, Unseen};

/// `/second/` has a grace, `/echo/` is closed. Statuses, whether the answer says that nobody checked, milliseconds.
const TABLE: [(Part, Fault, Request, u16, bool, u64); 28] = [
    (Part::Redis, Down, Fetch("GET", "/second/x"), 200, true, 2000),
    (Part::Redis, Down, Fetch("HEAD", "/second/x"), 200, true, 2000),
    (Part::Redis, Down, Page("/second/page"), 200, true, 2000),
    (Part::Redis, Down, Fetch("POST", "/second/x"), 503, false, 2000),
    (Part::Redis, Down, Fetch("DELETE", "/second/x"), 503, false, 2000),
    (Part::Redis, Down, Fetch("OPTIONS", "/second/x"), 503, false, 2000),
    (Part::Redis, Down, Events("/second/x"), 503, false, 2000),
    (Part::Redis, Down, Socket("/second/socket"), 503, false, 2000),
    (Part::Redis, Down, Fetch("GET", "/echo/x"), 503, false, 2000),
    (Part::Redis, Down, Page("/echo/x"), 503, false, 2000),
    (Part::Redis, Down, Unseen("/second/x"), 503, false, 2000),
    (Part::Redis, Down, Stranger("/second/x"), 401, false, 1000),
    (Part::Redis, Down, Stranger("/beacon/display"), 200, false, 1000),
    (Part::Redis, Hangs, Fetch("GET", "/second/x"), 200, true, 2000),
    (Part::Redis, Hangs, Page("/second/page"), 200, true, 2000),
    (Part::Redis, Hangs, Fetch("POST", "/second/x"), 503, false, 2000),
    (Part::Redis, Hangs, Events("/second/x"), 503, false, 2000),
    (Part::Redis, Hangs, Socket("/second/socket"), 503, false, 2000),
    (Part::Redis, Hangs, Fetch("GET", "/echo/x"), 503, false, 2000),
    (Part::Redis, Hangs, Unseen("/second/x"), 503, false, 2000),
    (Part::Core, Down, Fetch("GET", "/second/x"), 200, false, 1000),
    (Part::Core, Down, Fetch("POST", "/second/x"), 200, false, 1000),
    (Part::Core, Hangs, Page("/second/page"), 200, false, 1000),
    (Part::Core, Hangs, Fetch("POST", "/second/x"), 200, false, 1000),
    (Part::Provider, Down, Fetch("GET", "/second/x"), 200, false, 1000),
    (Part::Provider, Down, Fetch("POST", "/second/x"), 200, false, 1000),
    (Part::Provider, Hangs, Page("/second/page"), 200, false, 1000),
    (
        Part::Provider,
        Hangs,
        Fetch("POST", "/second/x"),
        200,
        false,
        1000,
    ),
];

const MINUTE: Duration = Duration::from_secs(60);

/// A world in which one service may be read while nobody can tell who is who.
async fn world(grace: Duration) -> Stack {
    let stack = Stack::builder()
        .impatient()
        .configure(move |config| {
            for service in &mut config.services {
                if service.name.as_str() == "second" {
                    service.outage = Outage::Grace(grace);
                }
            }
        })
        .start()
        .await;
    let page = Script::html("<html><head></head><body>page</body></html>");
    stack.second.on("/page", page.header("ETag", "\"page\""));
    stack
}

/// Somebody whose session this gateway knows.
async fn known(stack: &Stack) -> Client {
    let client = stack.signed_in("admin").await;
    assert_eq!(client.fetch("/second/x").await.status, 200);
    client
}

async fn rows_of(part: Part, fault: Fault) {
    let stack = world(MINUTE).await;
    let client = known(&stack).await;
    let (_second_gateway, newcomer) = stack.another_gateway().await;
    let cookie = client.cookie("__Host-hivematrix").expect("a session");
    newcomer.set_cookie("/", &format!("__Host-hivematrix={cookie}; Path=/; Secure"));
    break_it(&stack, part, fault, &client).await;
    let mut count = 0;
    for (_, _, request, status, graced, bound) in
        TABLE.into_iter().filter(|row| (row.0, row.1) == (part, fault))
    {
        let what = format!("{part:?} {fault:?}, {request:?}");
        let asked = ask(&stack, &client, &newcomer, request);
        let (found, answer) = takes_at_most(Duration::from_millis(bound), &what, asked).await;
        assert_eq!(found, status, "{what}: {answer:?}");
        let said = answer
            .as_ref()
            .map_or("", |answer| answer.header("x-session-check"));
        assert_eq!(said.starts_with("grace; age="), graced, "{what}: {answer:?}");
        count += 1;
    }
    assert!(count >= 2, "{part:?} {fault:?} has rows");
    stack.relay(part).heal().await;
    let recovered = async || {
        let answer = client.script("POST", "/second/x").send().await;
        (answer.status == 200 && answer.header("x-session-check").is_empty()).then_some(())
    };
    eventually("everything is as before, with the same session", recovered).await;
}

async fn break_it(stack: &Stack, part: Part, fault: Fault, client: &Client) {
    match fault {
        Down => stack.relay(part).cut().await,
        Hangs => stack.relay(part).stall(),
    }
    if part == Part::Redis {
        // The feed's silence is noticed by its heartbeat; until then what is known is believed.
        let noticed = async || (client.script("POST", "/second/x").send().await.status == 503).then_some(());
        eventually("the outage is noticed", noticed).await;
    }
}

async fn ask(stack: &Stack, client: &Client, newcomer: &Client, request: Request) -> (u16, Option<Answer>) {
    let answer = match request {
        Fetch(method, path) => client.script(method, path).send().await,
        Page(path) => client.visit(path).send().await,
        Events(path) => {
            let events = client.get(path).header("accept", "text/event-stream");
            events.send().await
        }
        Socket(path) => {
            return match stack.websocket(client, path).await {
                Ok(_) => (101, None),
                Err(status) => (status, None),
            };
        }
        Unseen(path) => newcomer.fetch(path).await,
        Stranger(path) => stack.client().fetch(path).await,
    };
    (answer.status, Some(answer))
}

#[tokio::test]
async fn while_redis_is_down_a_route_with_a_grace_may_be_read_by_whom_the_gateway_knows() {
    rows_of(Part::Redis, Down).await;
}

#[tokio::test]
async fn while_redis_hangs_a_route_with_a_grace_may_be_read_by_whom_the_gateway_knows() {
    rows_of(Part::Redis, Hangs).await;
}

#[tokio::test]
async fn core_and_the_provider_down_or_hanging_need_no_grace() {
    for part in [Part::Core, Part::Provider] {
        rows_of(part, Down).await;
        rows_of(part, Hangs).await;
    }
}

#[tokio::test]
async fn no_grace_lets_a_session_in_that_was_seen_revoked_or_signed_out() {
    let stack = world(MINUTE).await;
    let (revoked, leaving, staying) = (known(&stack).await, known(&stack).await, known(&stack).await);
    stack.revoke(&stack.token_of(&revoked).await).await;
    let seen = async || (revoked.fetch("/second/x").await.status == 401).then_some(());
    eventually("the revocation is seen", seen).await;
    let cookie = leaving.cookie("__Host-hivematrix").expect("a session");
    break_it(&stack, Part::Redis, Down, &staying).await;
    assert_eq!(revoked.fetch("/second/x").await.status, 503);
    assert_eq!(leaving.fetch("/second/x").await.status, 200, "by grace");
    let page = leaving.navigate("/logout").await;
    leaving.submit_once(&page, &[]).await;
    let thief = stack.client();
    thief.set_cookie("/", &format!("__Host-hivematrix={cookie}; Path=/; Secure"));
    assert_eq!(
        thief.fetch("/second/x").await.status,
        503,
        "signed out during the outage"
    );
    assert_eq!(staying.fetch("/second/x").await.status, 200, "by grace");
}

#[tokio::test]
async fn a_grace_ends_by_itself_and_begins_with_the_outage_not_with_the_last_request() {
    let stack = world(Duration::from_secs(2)).await;
    let client = known(&stack).await;
    // Longer than the grace: all the while the feed of changes vouches for the session.
    let signed_in = Instant::now();
    let long_ago = async || (signed_in.elapsed() > Duration::from_millis(2500)).then_some(());
    eventually("the last request is longer ago than the grace", long_ago).await;
    stack.relay(Part::Redis).cut().await;
    let by_grace = async || {
        let answer = client.fetch("/second/x").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
            .header("x-session-check")
            .starts_with("grace")
            .then_some(())
    };
    eventually("it is read by grace", by_grace).await;
    let over = async || (client.fetch("/second/x").await.status == 503).then_some(());
    takes_at_most(
        Duration::from_secs(4),
        "the grace",
        eventually("it is over", over),
    )
    .await;
    stack.relay(Part::Redis).heal().await;
    let back = async || (client.fetch("/second/x").await.status == 200).then_some(());
    eventually("the session is there again", back).await;
}

#[tokio::test]
async fn a_grace_is_seen_in_the_page_in_the_metrics_in_health_and_in_the_log() {
    let stack = world(MINUTE).await;
    let client = known(&stack).await;
    let before = client.visit("/second/page").send().await;
    assert!(!before.text().contains("side-panel__unchecked"));
    let text = metrics(&stack).await;
    assert!(
        text.contains("hivematrix_session_store_up 1") && text.contains("hivematrix_session_feed_live 1")
    );
    break_it(&stack, Part::Redis, Down, &client).await;
    let during = client.visit("/second/page").send().await;
    assert_eq!(during.status, 200);
    assert!(
        during.text().contains("side-panel__unchecked"),
        "{}",
        during.text()
    );
    assert_ne!(before.header("etag"), during.header("etag"), "it is another page");
    let counted = async || {
        let text = metrics(&stack).await;
        let graced = text
            .lines()
            .find(|line| line.starts_with("hivematrix_grace_requests_total{service=\"second\"}"));
        let some = graced.is_some_and(|line| !line.ends_with(" 0"));
        (some
            && text.contains("hivematrix_session_store_up 0")
            && text.contains("hivematrix_session_feed_live 0"))
        .then_some(())
    };
    eventually("metrics tell", counted).await;
    let health = stack.client().fetch("/health").await;
    assert_eq!(
        (health.status, &health.json()["status"]),
        (503, &"degraded".into())
    );
    let ready = stack.admin().join("/health/ready").expect("a URL");
    assert_eq!(get(ready).await.0, 200, "worth sending requests to");
    let logged = stack.logs.access();
    assert!(
        logged.iter().any(|line| line.field("grace") == "true"),
        "{logged:?}"
    );
}

async fn metrics(stack: &Stack) -> String {
    get(stack.admin().join("/metrics").expect("a URL")).await.1
}

async fn get(url: url::Url) -> (u16, String) {
    let http = hivematrix_platform::http_client::internal().expect("a client");
    let answer = http.get(url).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}
