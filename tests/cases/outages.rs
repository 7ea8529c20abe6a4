//! Outages: part × fault × route kind → status and a time bound; and everything recovers by itself.

use std::time::Duration;

use hivematrix_gateway::config::ServiceTimeouts;
use hivematrix_tests::{Answer, Client, Part, Relay, Script, Stack, eventually, takes_at_most};

use crate::login::callback_of;

/// What happens to a part.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// It is gone: connections are refused.
    Down,
    /// It accepts connections and says nothing.
    Hangs,
}

/// What is asked for meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Route {
    /// A script of a signed-in user asks a service.
    Fetch(&'static str),
    /// A signed-in user navigates to a page.
    Page(&'static str),
    /// A stranger asks for what is public.
    Public(&'static str),
    /// A stranger begins a login.
    LoginBegin,
    /// A login comes back from the provider.
    LoginEnd,
}

use Fault::{Down, Hangs};
use Route::{Fetch, LoginBegin, LoginEnd, Page, Public};

/// A page of the provider that needs no login.
const DISCOVERY: &str = "/keycloak/realms/hivematrix/.well-known/openid-configuration";

/// Time bounds in milliseconds; the limits that they follow from are in [`world`] and in the harness.
const TABLE: [(Part, Fault, Route, u16, u64); 36] = [
    (Part::Echo, Down, Fetch("/echo/x"), 502, 1000),
    (Part::Echo, Down, Page("/echo/x"), 502, 1000),
    (Part::Echo, Down, Fetch("/second/x"), 200, 1000),
    (Part::Echo, Hangs, Fetch("/echo/x"), 504, 2500),
    (Part::Echo, Hangs, Page("/echo/x"), 504, 2500),
    (Part::Echo, Hangs, Fetch("/second/x"), 200, 1000),
    (Part::Codex, Down, Fetch("/codex/api/companies"), 502, 1000),
    (Part::Codex, Hangs, Fetch("/codex/api/companies"), 504, 2500),
    (Part::Codex, Down, Page("/second/page"), 200, 1000),
    (Part::Codex, Hangs, Page("/second/page"), 200, 1000),
    (Part::Codex, Down, LoginEnd, 303, 1500),
    (Part::Redis, Down, Fetch("/second/x"), 503, 2000),
    (Part::Redis, Down, Page("/second/page"), 503, 2000),
    (Part::Redis, Down, Public("/beacon/display"), 200, 1000),
    (Part::Redis, Down, Public("/static/css/global.css"), 200, 1000),
    (Part::Redis, Down, Public("/health"), 503, 2000),
    (Part::Redis, Down, LoginBegin, 503, 2000),
    (Part::Redis, Down, LoginEnd, 503, 2000),
    (Part::Redis, Hangs, Fetch("/second/x"), 503, 2000),
    (Part::Redis, Hangs, Public("/beacon/display"), 200, 1000),
    (Part::Redis, Hangs, LoginBegin, 503, 2000),
    (Part::Redis, Hangs, LoginEnd, 503, 3000),
    (Part::Core, Down, Fetch("/second/x"), 200, 1000),
    (Part::Core, Down, Page("/second/page"), 200, 1000),
    (Part::Core, Down, LoginBegin, 303, 1500),
    (Part::Core, Down, LoginEnd, 503, 2000),
    (Part::Core, Hangs, Fetch("/second/x"), 200, 1000),
    (Part::Core, Hangs, LoginEnd, 503, 3000),
    (Part::Provider, Down, Fetch("/second/x"), 200, 1000),
    (Part::Provider, Down, LoginBegin, 303, 1500),
    (Part::Provider, Down, Public(DISCOVERY), 502, 1000),
    (Part::Provider, Down, LoginEnd, 503, 2000),
    (Part::Provider, Hangs, Fetch("/second/x"), 200, 1000),
    (Part::Provider, Hangs, Public(DISCOVERY), 504, 2500),
    (Part::Provider, Hangs, LoginBegin, 303, 1500),
    (Part::Provider, Hangs, LoginEnd, 503, 12_000),
];

/// A world whose services have a second.
async fn world() -> Stack {
    let stack = Stack::builder()
        .impatient()
        .configure(|config| {
            config.timeouts.first_byte = Duration::from_secs(1);
            config.timeouts.upstream_idle_body = Duration::from_secs(1);
            config.timeouts.connect = Duration::from_secs(1);
            for service in &mut config.services {
                service.timeouts = ServiceTimeouts::from(&config.timeouts);
            }
        })
        .start()
        .await;
    stack.second.on(
        "/page",
        Script::html("<html><head></head><body>page</body></html>"),
    );
    stack
}

/// Runs all rows of one part, and checks after each that everything is as before.
async fn rows_of(part: Part) {
    let stack = world().await;
    let mut count = 0;
    for (_, fault, route, status, bound) in TABLE.into_iter().filter(|row| row.0 == part) {
        let what = format!("{part:?} {fault:?}, {route:?}");
        let client = stack.signed_in("admin").await;
        assert_eq!(client.fetch("/second/x").await.status, 200, "{what}: before");
        let stranger = stack.client();
        let callback = if route == LoginEnd {
            callback_of(&stranger, "client").await
        } else {
            String::new()
        };
        break_it(stack.relay(part), fault).await;
        if (part, fault) == (Part::Redis, Hangs) {
            // The feed's silence is noticed by its heartbeat; until then what is known is believed.
            let noticed = async || (client.fetch("/second/x").await.status != 200).then_some(());
            eventually("the silent feed is noticed", noticed).await;
        }
        let answer = ask(&client, &stranger, route, &callback);
        let answer = takes_at_most(Duration::from_millis(bound), &what, answer).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_form(&what, route, &answer);
        stack.relay(part).heal().await;
        recovers(&stack, &client, &what).await;
        count += 1;
    }
    assert!(count >= 4, "{part:?} has rows");
}

async fn break_it(relay: &Relay, fault: Fault) {
    match fault {
        Down => relay.cut().await,
        Hangs => relay.stall(),
    }
}

async fn ask(client: &Client, stranger: &Client, route: Route, callback: &str) -> Answer {
    match route {
        Fetch(path) => client.fetch(path).await,
        Page(path) => client.visit(path).send().await,
        Public(path) => stranger.fetch(path).await,
        LoginBegin => stranger.visit("/login").send().await,
        LoginEnd => stranger.visit(callback).send().await,
    }
}

/// Failures are pages for people and problems for programs; those that pass say when to try again.
fn assert_form(what: &str, route: Route, answer: &Answer) {
    if answer.status < 400 {
        return;
    }
    match route {
        Fetch(_) => assert!(answer.is_problem(), "{what}: {answer:?}"),
        Page(_) | LoginBegin | LoginEnd => assert!(answer.is_page(), "{what}: {answer:?}"),
        Public(_) => {}
    }
    if answer.status == 503 && !matches!(route, Public(_)) {
        assert!(!answer.header("retry-after").is_empty(), "{what}: {answer:?}");
    }
}

/// The session is still there, services answer, and somebody can sign in.
async fn recovers(stack: &Stack, client: &Client, what: &str) {
    let works = async || {
        let answers = [
            client.fetch("/second/x").await,
            client.fetch("/echo/x").await,
            client.fetch("/codex/api/companies").await,
        ];
        answers.iter().all(|answer| answer.status == 200).then_some(())
    };
    eventually(
        &format!("{what}: everything works again, with the same session"),
        works,
    )
    .await;
    let signs_in = async || {
        let fresh = stack.client();
        let page = fresh.navigate("/echo/again").await;
        if !page.text().contains("type=\"password\"") {
            return None;
        }
        let page = fresh
            .submit(&page, &[("username", "client"), ("password", "client")])
            .await;
        (page.status == 200).then_some(())
    };
    eventually(&format!("{what}: somebody can sign in again"), signs_in).await;
}

#[tokio::test]
async fn a_backend_that_is_down_or_hangs_fails_its_own_routes_only() {
    rows_of(Part::Echo).await;
}

#[tokio::test]
async fn codex_down_or_hanging_fails_no_page_of_another_service() {
    rows_of(Part::Codex).await;
}

#[tokio::test]
async fn redis_down_or_hanging_refuses_sessions_with_503_and_logs_nobody_out() {
    rows_of(Part::Redis).await;
}

#[tokio::test]
async fn core_down_or_hanging_stops_logins_and_logs_nobody_out() {
    rows_of(Part::Core).await;
}

#[tokio::test]
async fn the_provider_down_or_hanging_stops_logins_and_nothing_else() {
    rows_of(Part::Provider).await;
}

#[tokio::test]
async fn a_backend_that_dies_mid_body_is_never_taken_for_a_whole_answer() {
    let stack = world().await;
    let client = stack.signed_in("admin").await;
    for (what, script) in [
        (
            "a promised length",
            Script::promising("text/plain", 100).write("half of it"),
        ),
        (
            "chunks without an end",
            Script::chunked("text/plain").chunk("half of it"),
        ),
        (
            "a page",
            Script::chunked("text/html").chunk("<html><head></head><body>half of it"),
        ),
    ] {
        stack.echo.on("/dies", script);
        let outcome = client.visit("/echo/dies").try_send().await;
        assert!(outcome.is_err(), "{what}: {outcome:?}");
        assert_eq!(client.fetch("/echo/x").await.status, 200, "{what}: afterwards");
    }
}

#[tokio::test]
async fn a_backend_that_says_nothing_or_nonsense_is_502() {
    let stack = world().await;
    let client = stack.signed_in("admin").await;
    for (what, script) in [
        ("it hangs up", Script::hang_up()),
        ("no HTTP", Script::raw("SSH-2.0-OpenSSH_9.6\r\n")),
        ("half a head", Script::raw("HTTP/1.1 200 OK\r\nContent-Ty")),
        (
            "a broken head",
            Script::raw("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        ),
        (
            "a switch that nobody asked for",
            Script::raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        ),
    ] {
        stack.echo.on("/bad", script);
        let answer = client.fetch("/echo/bad").await;
        assert!(answer.status == 502 && answer.is_problem(), "{what}: {answer:?}");
    }
    assert_eq!(client.fetch("/echo/x").await.status, 200);
}

#[tokio::test]
async fn a_backend_that_stops_in_the_middle_is_given_up_in_time() {
    let stack = world().await;
    stack
        .echo
        .on("/stops", Script::chunked("text/plain").chunk("half").park());
    let client = stack.signed_in("admin").await;
    let mut streaming = client.script("GET", "/echo/stops").stream().await;
    assert_eq!(streaming.text().await, "half");
    let end = takes_at_most(Duration::from_secs(3), "the rest is given up", streaming.chunk()).await;
    assert!(end.is_err(), "{end:?}");
}

#[tokio::test]
async fn a_redis_that_lost_everything_makes_people_sign_in_again_and_nothing_worse() {
    let mut stack = world().await;
    let client = stack.signed_in("admin").await;
    stack.redis.kill();
    let down = async || (client.fetch("/second/x").await.status == 503).then_some(());
    eventually("nobody can tell", down).await;
    stack.redis.restart().await;
    let told = async || (client.fetch("/second/x").await.status == 401).then_some(());
    eventually("the session is unknown", told).await;
    assert_eq!(
        client.navigate("/second/x").await.status,
        200,
        "the provider still knows the person"
    );
}

#[tokio::test]
async fn signing_out_while_core_is_down_still_ends_the_session_here() {
    let stack = world().await;
    let client = stack.signed_in("admin").await;
    let (session, handle) = (
        stack.session_of(&client).await,
        client.cookie("__Host-hivematrix").expect("a session"),
    );
    let page = client.navigate("/logout").await;
    stack.relay(Part::Core).cut().await;
    let out = takes_at_most(
        Duration::from_secs(3),
        "signing out",
        client.submit_once(&page, &[]),
    )
    .await;
    assert!(matches!(out.status, 303 | 503), "{out:?}");
    let thief = stack.client();
    thief.set_cookie("/", &format!("__Host-hivematrix={handle}; Path=/; Secure"));
    assert_eq!(thief.fetch("/second/x").await.status, 401);
    stack.relay(Part::Core).heal().await;
    let revoked = async || {
        stack
            .record_of(&session)
            .await
            .is_none_or(|record| record.revoked)
            .then_some(())
    };
    eventually("Core's session ends as well", revoked).await;
}
