//! A login that cannot succeed says why, and does not run in circles. Each cause is brought about for real.

use std::time::Duration;

use hivematrix_backends::idp::Lifetimes;
use hivematrix_platform::SealingKeys;
use hivematrix_tests::{Answer, Browser, Client, Stack};

use crate::login::callback_of;

/// An explaining page with this status and these words; the log has the cause as its reason.
fn assert_named(stack: &Stack, answer: &Answer, status: u16, words: &str, reason: &str) {
    assert!(answer.status == status && answer.is_page(), "{answer:?}");
    assert!(answer.text().contains(words), "{words}: {}", answer.text());
    assert!(
        stack
            .logs
            .access()
            .iter()
            .any(|line| line.field("reason") == reason),
        "the log says {reason}"
    );
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_so() {
    let stack = Stack::start().await;
    let browser = Browser::without_cookies().await;
    browser.go(&format!("{}codex/", stack.origin())).await;
    browser.type_into("input[name=username]", "admin").await;
    browser.type_into("input[name=password]", "admin").await;
    browser.click("form [type=submit]").await;
    let text = browser.text("main h1 + p").await;
    assert!(
        text.contains("did not send back the cookie of this sign-in"),
        "{text}"
    );
    browser.screenshot("44-cookies-refused").await;
    browser.close().await;
}

#[tokio::test]
async fn a_browser_that_loses_its_session_cookie_again_and_again_goes_in_circles_no_more_than_three_times() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    let lose = || client.set_cookie("/", "__Host-hivematrix=; Path=/; Secure; Max-Age=0");
    for _ in 0..2 {
        lose();
        assert_eq!(
            client.navigate("/echo/page").await.status,
            200,
            "the provider knows the browser"
        );
    }
    lose();
    let stopped = client.navigate("/echo/page").await;
    assert_named(
        &stack,
        &stopped,
        400,
        "Allow cookies for this site",
        "cookies_refused",
    );
    assert!(stopped.text().contains("several times within a minute"));
    let again = client.navigate("/login?next=/echo/page").await;
    assert_eq!(
        (again.status, again.url.path()),
        (200, "/echo/page"),
        "who tries again is let through"
    );
}

#[tokio::test]
async fn gateways_with_different_sealing_keys_are_named_as_the_cause_of_a_circle() {
    let stack = Stack::start().await;
    let (_other, there) = stack
        .another_gateway_with(&SealingKeys::fresh_base64(), |_| {})
        .await;
    let here = stack.signed_in("technician").await;
    let there = there.with_cookies_of(&here);
    let stopped = in_circles(&here, &there).await;
    assert_named(
        &stack,
        &stopped,
        500,
        "their sealing keys differ",
        "sealing_keys_differ",
    );
}

#[tokio::test]
async fn an_answer_that_comes_back_to_a_gateway_with_other_sealing_keys_says_so_at_once() {
    let stack = Stack::start().await;
    let (_other, there) = stack
        .another_gateway_with(&SealingKeys::fresh_base64(), |_| {})
        .await;
    let here = stack.client();
    let callback = callback_of(&here, "technician").await;
    let answer = there.with_cookies_of(&here).visit(&callback).send().await;
    assert_named(
        &stack,
        &answer,
        500,
        "their sealing keys differ",
        "sealing_keys_differ",
    );
}

#[tokio::test]
async fn cores_with_different_signing_keys_are_named_as_the_cause_of_a_circle() {
    let stack = Stack::start().await;
    let core = stack.another_core().await;
    let address = core.url();
    let (_other, there) = stack
        .another_gateway_with(&stack.sealing_keys(), |config| config.core.url = address)
        .await;
    let here = stack.signed_in("technician").await;
    let there = there.with_cookies_of(&here);
    let stopped = in_circles(&here, &there).await;
    assert_named(
        &stack,
        &stopped,
        500,
        "different signing keys",
        "signing_keys_differ",
    );
}

/// A balancer that asks two gateways in turn, neither of which believes what the other has written.
async fn in_circles(here: &Client, there: &Client) -> Answer {
    assert_eq!(there.navigate("/echo/page").await.status, 200);
    assert_eq!(here.navigate("/echo/page").await.status, 200);
    there.navigate("/echo/page").await
}

#[tokio::test]
async fn a_provider_whose_clock_is_ahead_is_named_as_the_cause() {
    let ahead = Lifetimes {
        clock_ahead: Duration::from_secs(600),
        ..Lifetimes::default()
    };
    let stack = Stack::builder().lifetimes(ahead).start().await;
    let answer = stack.client().login_to("technician", "/echo/page").await;
    assert_named(&stack, &answer, 500, "The clocks of the machines", "clock_skew");
}

#[tokio::test]
async fn a_provider_that_calls_itself_by_another_address_is_named_as_the_cause() {
    // The provider is told that it is under /keycloak/; the gateway has it under /sso/.
    let stack = Stack::builder()
        .configure(|config| config.provider.public_path = "/sso".to_owned())
        .start()
        .await;
    let client = stack.client();
    let page = client.navigate("/echo/page").await;
    let body = page.text().replace("/keycloak/", "/sso/");
    let page = Answer {
        body: body.into(),
        ..page
    };
    let answer = client
        .submit(&page, &[("username", "technician"), ("password", "technician")])
        .await;
    assert_named(&stack, &answer, 500, "another name (issuer)", "issuer_mismatch");
}

#[tokio::test]
async fn a_request_that_the_provider_does_not_accept_is_explained_in_place_of_its_own_page() {
    let stack = Stack::builder()
        .configure(|config| config.provider.client_id = "unknown-here".to_owned())
        .start()
        .await;
    let answer = stack.client().navigate("/echo/page").await;
    assert_named(
        &stack,
        &answer,
        500,
        "not among its redirect URIs",
        "redirect_uri",
    );

    let stack = Stack::start().await;
    let client = stack.client();
    let location = client.visit("/login?next=/echo/").send().await.leads_to();
    let elsewhere = location.replace("%2Fkeycloak-callback", "%2Fsomewhere-else");
    assert_ne!(location, elsewhere);
    let answer = client.visit(&elsewhere).send().await;
    assert_named(
        &stack,
        &answer,
        500,
        "not among its redirect URIs",
        "redirect_uri",
    );
}

#[tokio::test]
async fn who_lacks_a_group_is_told_which_and_signs_in_as_somebody_else_without_losing_the_way() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    let refused = client.navigate("/admins/page?x=1").await;
    assert_eq!(refused.status, 403);
    let text = refused.text();
    assert!(
        text.contains("It is open to: admin") && text.contains("your groups are: technicians"),
        "{text}"
    );
    let asked = client.submit(&refused, &[]).await;
    assert!(
        asked.text().contains("type=\"password\""),
        "the provider asks who it is: {asked:?}"
    );
    assert_eq!(
        client.fetch("/echo/").await.status,
        401,
        "the first session has ended"
    );
    let arrived = client
        .submit(&asked, &[("username", "admin"), ("password", "admin")])
        .await;
    assert_eq!(
        (arrived.status, arrived.url.path(), arrived.url.query()),
        (200, "/admins/page", Some("x=1"))
    );
    assert_eq!(stack.second.last().target(), "/page?x=1");
}

#[tokio::test]
async fn the_way_back_after_signing_out_is_local_only() {
    let stack = Stack::start().await;
    let client = stack.client();
    for (state, leads) in [
        ("again:/echo/x", "/login?prompt=login&next=%2Fecho%2Fx"),
        (
            "again://evil.example/",
            "/login?next=%2F%3Fstate%3Dagain%3A%2F%2Fevil.example%2F",
        ),
    ] {
        let answer = client.visit(&format!("/?state={state}")).send().await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, leads),
            "{state}"
        );
    }
}

#[tokio::test]
async fn a_login_that_asks_for_a_recent_proof_gets_one() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    let at_once = client.navigate("/login?next=/echo/x").await;
    assert_eq!(at_once.url.path(), "/echo/x", "who is signed in goes straight on");
    let asked = client.navigate("/login?max_age=0&next=/echo/x").await;
    assert!(asked.text().contains("type=\"password\""), "{asked:?}");
    let handle = client.cookie("__Host-hivematrix");
    let done = client
        .submit(&asked, &[("username", "technician"), ("password", "technician")])
        .await;
    assert_eq!((done.status, done.url.path()), (200, "/echo/x"));
    assert_ne!(client.cookie("__Host-hivematrix"), handle);
}
