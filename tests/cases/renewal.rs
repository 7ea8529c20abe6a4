//! A session that is used goes on, and the provider is asked again who its user is.

use std::time::Duration;

use hivematrix_gateway::config::Renewal;
use hivematrix_platform::{SessionId, unix_now};
use hivematrix_tests::{Builder, Client, LogLine, Part, Script, Stack, claims, eventually, takes_at_most};
use serde_json::json;

const SESSION: &str = "__Host-hivematrix";

/// More than a renewal takes to come round.
const A_WHILE: Duration = Duration::from_secs(15);

/// Sessions are due after two seconds, and overdue after three.
fn often() -> Builder {
    Stack::builder().configure(|config| {
        config.sessions.recheck_within = Duration::from_secs(3);
        // Cases ask until something has happened, as often as the machine allows.
        config.limits.requests_per_minute = 0;
    })
}

/// Another token than `old`, once there is one.
async fn renewed(stack: &Stack, client: &Client, old: &str) -> String {
    let other = async || Some(stack.token_of(client).await).filter(|token| token != old);
    eventually("the session is renewed", other).await
}

fn renewals(stack: &Stack) -> usize {
    stack.logs.text().matches("session renewed").count()
}

#[tokio::test]
async fn a_session_that_is_used_is_renewed_under_its_id() {
    let stack = often().start().await;
    let client = stack.signed_in("technician").await;
    let (session, old) = (stack.session_of(&client).await, stack.token_of(&client).await);
    let handle = client.cookie(SESSION);
    let new = renewed(&stack, &client, &old).await;
    assert_eq!(stack.session_of(&client).await, session, "the same session");
    assert_eq!(
        client.cookie(SESSION),
        handle,
        "and nothing that a browser would notice"
    );
    let exp = claims(&new)["exp"].as_u64().expect("an exp");
    assert!(exp > claims(&old)["exp"].as_u64().expect("an exp"));
    let record = stack.record_of(&session).await.expect("a record");
    assert_eq!((record.expires_at, record.revoked), (exp, false));
    let again = renewed(&stack, &client, &new).await;
    assert_ne!(again, old, "the refresh token that the provider changed was kept");
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_not_renewed_but_an_open_stream_is_use() {
    let stack = often().start().await;
    stack.echo.on("/socket", Script::websocket());
    let idle = stack.signed_in("client").await;
    let old = stack.token_of(&idle).await;
    let busy = stack.signed_in("technician").await;
    let before = stack.token_of(&busy).await;
    let mut socket = stack.websocket(&busy, "/echo/socket").await.expect("a WebSocket");
    let two = async || (renewals(&stack) >= 2).then_some(());
    eventually("the session with the stream is renewed again and again", two).await;
    assert_eq!(socket.says("still here").await, "still here");
    let sub = claims(&before)["sub"].clone();
    let idle_session = SessionId::parse(claims(&old)["jti"].as_str().expect("a jti")).expect("an id");
    let record = stack.record_of(&idle_session).await.expect("a record");
    assert_eq!(json!(record.expires_at), claims(&old)["exp"], "the other was not");
    assert_eq!(claims(&stack.token_of(&busy).await)["sub"], sub);
}

#[tokio::test]
async fn a_change_of_permission_swaps_the_token_and_ends_only_what_is_no_longer_allowed() {
    let stack = often().start().await;
    for backend in [&stack.echo, &stack.second] {
        backend.on("/socket", Script::websocket());
    }
    let client = stack.signed_in("admin").await;
    let sub = stack.subject_of(&client).await;
    let mut open = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    let mut admins = stack
        .websocket(&client, "/admins/socket")
        .await
        .expect("a WebSocket");
    open.says("hello").await;
    admins.says("hello").await;
    stack
        .change_at_provider(&sub, &json!({ "groups": ["technicians"] }))
        .await;
    let end = takes_at_most(A_WHILE, "the administrators' socket ends", admins.ended()).await;
    assert_eq!(end, Some((1008, "permission withdrawn".to_owned())));
    assert_eq!(open.says("still here").await, "still here");
    assert_eq!(
        claims(&stack.token_of(&client).await)["permission_level"],
        "technician"
    );
    assert_eq!(client.fetch("/admins/x").await.status, 403);
}

#[tokio::test]
async fn a_user_who_was_disabled_is_found_out_at_the_next_renewal() {
    let stack = often().start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let session = stack.session_of(&client).await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    let sub = stack.subject_of(&client).await;
    stack.change_at_provider(&sub, &json!({ "enabled": false })).await;
    let end = takes_at_most(A_WHILE, "the WebSocket ends", socket.ended()).await;
    assert_eq!(end, Some((1008, "session revoked".to_owned())));
    assert_eq!(client.fetch("/plain/x").await.status, 401);
    let record = stack.record_of(&session).await;
    assert!(record.is_none_or(|record| record.revoked), "everywhere");
}

/// What the log says of sessions that have ended because of another password.
fn changed(stack: &Stack) -> Vec<LogLine> {
    let mut lines = stack.logs.all();
    lines.retain(|line| line.field("reason") == "password_changed");
    lines
}

#[tokio::test]
async fn a_password_that_was_changed_is_found_out_at_the_next_renewal_and_the_old_one_opens_nothing() {
    let stack = often().start().await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("technician").await;
    let other = stack.signed_in("client").await;
    let (session, first) = (stack.session_of(&client).await, stack.token_of(&client).await);
    renewed(&stack, &client, &first).await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    socket.says("hello").await;
    // Nobody can tell a password that is set in the seconds of a login from the one that it was begun with.
    let issued = claims(&first)["iat"].as_u64().expect("an iat");
    let later = async || (unix_now() > issued + 3).then_some(());
    eventually("the login is a while ago", later).await;
    assert_eq!(stack.session_of(&client).await, session, "until then it goes on");

    let sub = stack.subject_of(&client).await;
    stack.reset_password_at_provider(&sub, "another").await;
    let end = takes_at_most(A_WHILE, "the WebSocket ends", socket.ended()).await;
    assert_eq!(end, Some((1008, "session revoked".to_owned())));
    assert_eq!(client.fetch("/plain/x").await.status, 401);
    let record = stack.record_of(&session).await;
    assert!(record.is_none_or(|record| record.revoked), "everywhere");
    let said = eventually("the log says why", async || changed(&stack).pop()).await;
    assert_eq!(
        (said.field("user"), said.field("complete")),
        (sub.as_str(), "true")
    );
    assert_eq!(changed(&stack).len(), 1, "one session, one line");

    // The provider has forgotten the browser too: it asks, and the old password is not the answer.
    let page = client.login_to("technician", "/echo/page").await;
    assert!(page.url.path().starts_with("/keycloak/"), "{page:?}");
    let form = client.navigate("/echo/page").await;
    let page = client
        .submit(&form, &[("username", "technician"), ("password", "another")])
        .await;
    assert_eq!((page.status, page.url.path()), (200, "/echo/page"));
    let new = stack.token_of(&client).await;
    renewed(&stack, &client, &new).await;
    assert_eq!(other.fetch("/plain/x").await.status, 200, "and others go on");
}

#[tokio::test]
async fn where_nobody_asks_about_passwords_a_session_outlives_its_password() {
    let stack = often()
        .configure(|config| config.provider.recheck_passwords = false)
        .start()
        .await;
    let client = stack.signed_in("client").await;
    let mut token = stack.token_of(&client).await;
    token = renewed(&stack, &client, &token).await;
    stack
        .reset_password_at_provider(&stack.subject_of(&client).await, "another")
        .await;
    let set = unix_now();
    while unix_now() <= set + 5 {
        token = renewed(&stack, &client, &token).await;
    }
    assert_eq!(client.fetch("/plain/x").await.status, 200);
}

#[tokio::test]
async fn an_outage_of_the_provider_or_of_core_ends_no_session() {
    let stack = often().impatient().start().await;
    let client = stack.signed_in("client").await;
    let mut token = stack.token_of(&client).await;
    for part in [Part::Provider, Part::Core] {
        let failures = || stack.logs.text().matches("could not be renewed").count();
        let before = failures();
        stack.relay(part).cut().await;
        let failed = async || {
            assert_eq!(client.fetch("/plain/x").await.status, 200, "{part:?}");
            (failures() > before).then_some(())
        };
        eventually("a renewal has failed", failed).await;
        assert_eq!(stack.token_of(&client).await, token, "{part:?}");
        stack.relay(part).heal().await;
        token = renewed(&stack, &client, &token).await;
    }
}

#[tokio::test]
async fn of_all_gateways_one_renews() {
    let stack = often().start().await;
    let client = stack.signed_in("client").await;
    let (gateway, other) = stack.another_gateway().await;
    let handle = client.cookie(SESSION).expect("a session");
    other.set_cookie("/", &format!("{SESSION}={handle}; Path=/; Secure"));
    let old = stack.token_of(&client).await;
    let issued = claims(&old)["iat"].as_u64().expect("an iat");
    let overdue = async || (unix_now() > issued + 3).then_some(());
    eventually("the session is overdue", overdue).await;
    let asked: Vec<_> = (0..20)
        .flat_map(|_| [client.fetch_owned("/plain/x"), other.fetch_owned("/plain/x")])
        .map(tokio::spawn)
        .collect();
    for each in asked {
        assert_eq!(each.await.expect("a task").status, 200);
    }
    assert_eq!(renewals(&stack), 1, "one for forty requests at two gateways");
    assert_ne!(stack.token_of(&other).await, old, "and both have it");
    gateway.stop().await.expect("the other gateway stops");
}

#[tokio::test]
async fn a_session_ends_at_its_limit_however_much_it_is_used() {
    let stack = Stack::builder()
        .configure(|config| {
            config.sessions.recheck_within = Duration::from_secs(3);
            config.sessions.lifetime = Duration::from_secs(38);
        })
        .start()
        .await;
    let client = stack.signed_in("client").await;
    let old = stack.token_of(&client).await;
    let new = renewed(&stack, &client, &old).await;
    let (iat, exp) = (claims(&old)["iat"].as_u64(), claims(&new)["exp"].as_u64());
    let limit = exp.expect("an exp") - iat.expect("an iat");
    assert!((37..=39).contains(&limit), "{limit}");
}

#[tokio::test]
async fn behind_a_core_that_does_not_renew_sessions_are_exchanged_and_streams_live_on() {
    let stack = often()
        .configure(|config| config.sessions.renewal = Renewal::Exchange)
        .start()
        .await;
    stack.echo.on("/socket", Script::websocket());
    let client = stack.signed_in("client").await;
    let old = stack.session_of(&client).await;
    let mut socket = stack
        .websocket(&client, "/echo/socket")
        .await
        .expect("a WebSocket");
    let exchanged = async || Some(stack.session_of(&client).await).filter(|session| *session != old);
    eventually("the session is exchanged", exchanged).await;
    let ended = async || {
        let record = stack.record_of(&old).await;
        record.is_none_or(|record| record.revoked).then_some(())
    };
    eventually("the one before has ended", ended).await;
    assert_eq!(socket.says("still here").await, "still here");
    assert_eq!(client.fetch("/plain/x").await.status, 200);
    stack.revoke_as_python(&stack.session_of(&client).await).await;
    // Should it have been exchanged at this very moment, the end comes with that of the one before.
    let end = takes_at_most(A_WHILE, "the WebSocket ends", socket.ended()).await;
    assert_eq!(end, Some((1008, "session revoked".to_owned())));
}

#[tokio::test]
async fn a_session_that_is_exchanged_ends_with_its_password_too() {
    let stack = often()
        .configure(|config| config.sessions.renewal = Renewal::Exchange)
        .start()
        .await;
    let client = stack.signed_in("client").await;
    let issued = claims(&stack.token_of(&client).await)["iat"]
        .as_u64()
        .expect("an iat");
    let later = async || (unix_now() > issued + 3).then_some(());
    eventually("the login is a while ago", later).await;
    stack
        .reset_password_at_provider(&stack.subject_of(&client).await, "another")
        .await;
    let ended = async || (client.fetch("/plain/x").await.status == 401).then_some(());
    eventually("the session has ended", ended).await;
    eventually("the log says why", async || changed(&stack).pop()).await;
}

#[tokio::test]
async fn without_renewal_the_provider_is_not_asked_again() {
    let stack = often()
        .configure(|config| config.sessions.renewal = Renewal::Off)
        .start()
        .await;
    let client = stack.signed_in("client").await;
    let old = stack.token_of(&client).await;
    stack
        .change_at_provider(&stack.subject_of(&client).await, &json!({ "enabled": false }))
        .await;
    let issued = claims(&old)["iat"].as_u64().expect("an iat");
    let overdue = async || {
        assert_eq!(client.fetch("/plain/x").await.status, 200);
        (unix_now() > issued + 5).then_some(())
    };
    eventually("it would be overdue", overdue).await;
    assert_eq!(stack.token_of(&client).await, old);
}
