//! Expiry without loss, in a real Chromium: pages say that their session ends, and live on after it has.

use std::time::Duration;

use hivematrix_tests::{Browser, Script, Stack, eventually};
use serde_json::json;

use crate::browser::sign_in;

const NOTICE: &str = "document.querySelector('#session-notice').textContent";

/// A page to type on, under a strict policy, cut off from the windows it opens.
fn page() -> Script {
    Script::html(
        "<!doctype html><html lang=en><title>x</title><body><h1>A page</h1><label>Note <textarea id=note></textarea>\
         </label></body></html>",
    )
    .header("Content-Security-Policy", "default-src 'none'; connect-src 'self'")
    .header("Cross-Origin-Opener-Policy", "same-origin")
    .header("Cross-Origin-Embedder-Policy", "require-corp")
}

/// Ends every session in the store, as a revocation by somebody else would.
async fn end_sessions(stack: &Stack) {
    for key in stack.redis.keys("session:*").await {
        stack.redis.delete(&key).await;
    }
}

#[tokio::test]
async fn a_page_whose_session_ends_stays_while_its_person_signs_in_again_in_another_window() {
    let stack = Stack::start().await;
    stack.echo.on("/page", page());
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}echo/page")).await;
    sign_in(&browser, "technician").await;
    let tab = browser.tab().await;
    browser.type_into("#note", "half a sentence").await;
    end_sessions(&stack).await;
    browser
        .run("fetch('/echo/save', {method: 'POST', body: 'x'}).then(answer => { window.status401 = answer.status; })")
        .await;
    browser.until("window.status401 === 401").await;
    browser.until(&format!("{NOTICE}.includes('has ended')")).await;
    browser.screenshot("40-session-ended").await;
    browser.click("#session-notice a").await;
    // The provider knows the browser still, so its window closes by itself; nobody here holds a reference to it.
    browser
        .until(&format!("{NOTICE}.includes('signed in again')"))
        .await;
    let closed = async || (browser.tabs().await == [tab.clone()]).then_some(());
    eventually("the window that signed in is closed", closed).await;
    assert_eq!(
        browser.run("return document.querySelector('#note').value").await,
        json!("half a sentence")
    );
    assert!(
        stack.echo.seen_at("/save").is_empty(),
        "nothing is sent again by itself"
    );
    browser
        .run("fetch('/echo/save', {method: 'POST', body: 'x'}).then(answer => { window.status200 = answer.status; })")
        .await;
    browser.until("window.status200 === 200").await;
    let errors = browser.console_errors().await;
    assert!(
        errors
            .iter()
            .all(|error| error.contains("401") || error.contains("favicon")),
        "{errors:?}"
    );
    browser.close().await;
}

#[tokio::test]
async fn a_session_that_will_end_soon_is_announced_and_other_tabs_tell_of_a_longer_one() {
    let stack = Stack::builder()
        .configure(|config| config.sessions.lifetime = Duration::from_secs(100))
        .start()
        .await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}template/")).await;
    sign_in(&browser, "technician").await;
    browser
        .until(&format!("{NOTICE}.includes('Your session ends at')"))
        .await;
    let live = browser
        .run("return document.querySelector('#session-notice').getAttribute('role')")
        .await;
    assert_eq!(live, json!("status"), "it is read out, and takes nothing away");
    for theme in ["light", "dark"] {
        browser
            .run(&format!("document.documentElement.dataset.theme = '{theme}'"))
            .await;
        browser.screenshot(&format!("41-session-ends-{theme}")).await;
    }
    browser.resize(390, 844).await;
    browser.screenshot("41-session-ends-phone").await;
    browser.resize(1280, 900).await;
    let tab = browser.tab().await;
    let user = browser
        .run("return document.querySelector('[data-session-user]').dataset.sessionUser")
        .await;
    assert!(!user.as_str().unwrap_or_default().contains("technician"));
    browser
        .run(
            "const notice = document.querySelector('#session-notice');
             new MutationObserver(() => { if (!notice.textContent) window.cleared = true; }).observe(notice, {childList: true});",
        )
        .await;
    // What another tab says that has asked after the session was renewed.
    browser.open_tab().await;
    browser.go(&format!("{origin}health")).await;
    browser
        .run(&format!(
            "new BroadcastChannel('hivematrix-session').postMessage({{user: {user}, left: 3600}})"
        ))
        .await;
    browser.look_at(&tab).await;
    browser.until("window.cleared").await;
    browser.close().await;
}

#[tokio::test]
async fn when_somebody_else_signs_in_every_tab_becomes_theirs() {
    let stack = Stack::start().await;
    stack.echo.on("/page", page());
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}echo/page?x=1#part")).await;
    sign_in(&browser, "technician").await;
    let first = browser.tab().await;
    browser.open_tab().await;
    browser
        .go(&format!("{origin}login?prompt=login&next=/codex/"))
        .await;
    browser.find("input[name=password]").await;
    sign_in(&browser, "client").await;
    browser.look_at(&first).await;
    browser
        .until("document.querySelector('.side-panel__user')?.textContent.includes('Clio Client')")
        .await;
    assert_eq!(
        browser.run("return location.pathname + location.search").await,
        json!("/echo/page?x=1")
    );
    browser.close().await;
}

#[tokio::test]
async fn a_page_finds_its_own_fetch_and_xhr_unchanged_and_a_services_own_401_ends_nothing() {
    let stack = Stack::start().await;
    let own = Script::text(
        "application/problem+json",
        r#"{"status":401,"title":"of the service"}"#,
    )
    .with_status(401);
    stack.echo.on("/page", page()).on("/api", own);
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}echo/page")).await;
    sign_in(&browser, "technician").await;
    let same = browser
        .run("return fetch.name === 'fetch' && fetch.length === 1 && XMLHttpRequest.prototype.send.name === 'send'")
        .await;
    assert_eq!(same, json!(true));
    browser
        .run(
            "const asked = performance.getEntriesByName(location.origin + '/api/session').length;
             window.done = {};
             fetch('/echo/api').then(a => a.json()).then(a => { done.fetched = a.title; });
             fetch('http://localhost:1/').catch(error => { done.failed = error.name; });
             const request = new XMLHttpRequest();
             request.open('GET', '/echo/api');
             request.onload = () => { done.xhr = request.status + request.responseText; };
             request.send();
             const wait = () => performance.getEntriesByName(location.origin + '/api/session').length > asked
                 ? done.asked = true : setTimeout(wait, 20);
             wait();",
        )
        .await;
    browser
        .until("done.fetched && done.failed && done.xhr && done.asked")
        .await;
    let done = browser.run("return done").await;
    assert_eq!(done["fetched"], json!("of the service"));
    assert_eq!(done["failed"], json!("TypeError"));
    assert_eq!(
        done["xhr"],
        json!(r#"401{"status":401,"title":"of the service"}"#)
    );
    assert_eq!(
        browser.run(&format!("return {NOTICE}")).await,
        json!(""),
        "the gateway was asked, and knows better"
    );
    browser.close().await;
}

#[tokio::test]
async fn the_gateway_says_who_is_signed_in_and_for_how_long_and_nothing_that_opens_a_door() {
    let stack = Stack::start().await;
    let client = stack.client();
    let nobody = client.fetch("/api/session").await;
    assert_eq!(
        (nobody.status, nobody.json()),
        (200, json!({"user": null, "expires_in": 0}))
    );
    client.login("technician").await;
    let answer = client.fetch("/api/session").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let state = answer.json();
    let left = state["expires_in"].as_u64().expect("seconds");
    assert!((3500..=3600).contains(&left), "{left}");
    assert_eq!(state["user"].as_str().map(str::len), Some(16));
    let again = stack.signed_in("technician").await;
    let again = again.fetch("/api/session").await.json();
    assert_eq!(
        again["user"], state["user"],
        "the same for every session of a person"
    );
    let other = stack.signed_in("client").await.fetch("/api/session").await.json();
    assert_ne!(other["user"], state["user"]);
}
