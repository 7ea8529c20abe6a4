//! A form that is posted after its session has ended is kept over the login, for its person alone, and sent again only
//! when they say so.

use hivematrix_tests::{Answer, Browser, Client, Part, Script, Stack};
use serde_json::json;

use crate::browser::sign_in;

const FORM: &str = "application/x-www-form-urlencoded";

/// Ends the client's session at Core; the browser keeps its cookie.
async fn end(stack: &Stack, client: &Client) {
    stack.revoke(&stack.token_of(client).await).await;
}

/// Posts a form as a page of the gateway does, one step.
async fn post(client: &Client, path: &str, content_type: &str, body: &'static [u8]) -> Answer {
    ask(client, path)
        .header("Origin", &client.origin_text())
        .header("Content-Type", content_type)
        .body(body)
        .send()
        .await
}

/// A navigation by POST, without `Origin`.
fn ask(client: &Client, path: &str) -> hivematrix_tests::Ask {
    client
        .post(path)
        .header("Accept", "text/html")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "document")
}

async fn kept(stack: &Stack) -> usize {
    stack.redis.keys("hm:form:*").await.len()
}

/// Signs in again where an answer leads to; the answer is the page after that.
async fn sign_in_again(client: &Client, answer: Answer, name: &str) -> Answer {
    assert_eq!(answer.status, 303, "{answer:?}");
    // Who it is, is asked anew: the provider may know the browser.
    let next = answer.leads_to().replace("/login?", "/login?prompt=login&");
    let page = client.navigate(&next).await;
    client
        .submit(&page, &[("username", name), ("password", name)])
        .await
}

/// A page with two forms, and what they lead to.
fn forms_to_type_on(stack: &Stack) {
    let save = Script::html("<title>saved</title><body><h1>Saved</h1></body>");
    let page = Script::html(
        "<!doctype html><html lang=en><title>x</title><body><form method=post action='save?x=1&x=2'><input name=name>\
         <textarea name=note></textarea><input type=hidden name=empty><button id=go>Save</button></form>\
         <form method=post action=upload enctype=multipart/form-data><input name=note><input type=file name=file>\
         <button id=up>Upload</button></form></body></html>",
    );
    stack
        .echo
        .on("/page", page)
        .on("/save", save.clone())
        .on("/upload", save);
}

/// Ends every session in the store.
async fn end_all(stack: &Stack) {
    for key in stack.redis.keys("session:*").await {
        stack.redis.delete(&key).await;
    }
}

#[tokio::test]
async fn a_form_typed_in_a_browser_arrives_byte_for_byte_once_its_person_has_pressed_the_button() {
    let stack = Stack::start().await;
    forms_to_type_on(&stack);
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}echo/page")).await;
    sign_in(&browser, "technician").await;
    let fill = async || {
        browser.go(&format!("{origin}echo/page")).await;
        browser.type_into("[name=name]", "Zo\u{eb} & <b>").await;
        browser.type_into("textarea", "100% + a\nline").await;
    };
    fill().await;
    browser.click("#go").await;
    browser.until("document.title === 'saved'").await;
    let expected = stack.echo.last();

    fill().await;
    end_all(&stack).await;
    browser.click("#go").await;
    browser.until("location.pathname === '/sessions/form'").await;
    let text = browser.text("main").await;
    assert!(
        text.contains("/echo/save?x=1&x=2") && text.contains("Zo\u{eb} & <b>"),
        "{text}"
    );
    browser.screenshot("42-kept-form").await;
    assert_eq!(stack.echo.seen_at("/save").len(), 1, "nothing is sent by itself");
    browser.click("form[action^='/echo'] button").await;
    browser.until("document.title === 'saved'").await;
    let seen = stack.echo.last();
    assert_eq!((seen.method(), seen.target()), ("POST", "/save?x=1&x=2"));
    assert_eq!(String::from_utf8(seen.body()), String::from_utf8(expected.body()));
    assert_eq!(seen.header("content-type"), expected.header("content-type"));
    assert_eq!(seen.header("content-length"), expected.header("content-length"));
    assert_eq!(browser.path().await, "/echo/save", "links of the answer work");
    browser.close().await;
}

#[tokio::test]
async fn a_form_with_a_file_arrives_whole_once_its_person_has_pressed_the_button() {
    let stack = Stack::start().await;
    forms_to_type_on(&stack);
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}echo/page")).await;
    sign_in(&browser, "technician").await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), b"bytes \x00\xff of a file").expect("a file");
    browser.go(&format!("{origin}echo/page")).await;
    browser.type_into("[action=upload] [name=note]", "see file").await;
    browser
        .type_into("[type=file]", &file.path().to_string_lossy())
        .await;
    end_all(&stack).await;
    browser.click("#up").await;
    browser.until("location.pathname === '/sessions/form'").await;
    browser.click("form[action^='/echo'] button").await;
    browser.until("document.title === 'saved'").await;
    let seen = stack.echo.last();
    let boundary = seen
        .header("content-type")
        .split_once("boundary=")
        .expect("a boundary")
        .1
        .to_owned();
    let body = seen.body();
    assert!(body.ends_with(format!("--{boundary}--\r\n").as_bytes()));
    let contains = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    assert!(contains(b"\r\n\r\nsee file\r\n") && contains(b"\r\n\r\nbytes \x00\xff of a file\r\n"));
    assert_eq!(kept(&stack).await, 0, "what was sent is not kept");
    browser.close().await;
}

#[tokio::test]
async fn a_kept_form_is_sent_once_and_only_to_where_it_was_meant_to_go() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    end(&stack, &client).await;
    let answer = post(&client, "/echo/save?a=%2F", FORM, b"note=caf%C3%A9&x").await;
    let stored = stack.redis.keys("hm:form:*").await;
    assert!(
        stack.redis.ttl(&stored[0]).await <= 1800,
        "for as long as a login may take"
    );
    let page = sign_in_again(&client, answer, "technician").await;
    assert_eq!(
        (page.status, page.url.path()),
        (200, "/sessions/form"),
        "{page:?}"
    );
    assert!(
        page.text().contains("caf\u{e9}") || page.text().contains("caf&#233;"),
        "{}",
        page.text()
    );

    let id = page
        .text()
        .split("value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned();
    let mark = |path: &str| {
        ask(&client, path)
            .header("Origin", &client.origin_text())
            .header("Content-Type", FORM)
            .body(format!("hivematrix-kept-form={id}"))
    };
    let before = stack.echo.seen().len();
    assert_eq!(mark("/echo/other").send().await.status, 410, "not somewhere else");
    assert_eq!(stack.echo.seen().len(), before);

    // That used it up: nobody can try addresses with it.
    assert_eq!(mark("/echo/save?a=%2F").send().await.status, 410);
    end(&stack, &client).await;
    let answer = post(&client, "/echo/save?a=%2F", FORM, b"note=caf%C3%A9&x").await;
    let page = sign_in_again(&client, answer, "technician").await;
    let sent = client.submit_once(&page, &[]).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let seen = stack.echo.last();
    assert_eq!(
        (seen.target(), seen.body()),
        ("/save?a=%2F", b"note=caf%C3%A9&x".to_vec())
    );
    let times = stack.echo.seen().len();
    let again = client.submit_once(&page, &[]).await;
    assert_eq!(again.status, 410, "{again:?}");
    assert_eq!(stack.echo.seen().len(), times, "a second press sends nothing");
}

#[tokio::test]
async fn a_kept_form_is_offered_to_its_person_alone() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    end(&stack, &client).await;
    let answer = post(&client, "/echo/save", FORM, b"note=private").await;
    assert_eq!(kept(&stack).await, 1);
    let stored = stack.redis.keys("hm:form:*").await;
    let value = redis_bytes(&stack, &stored[0]).await;
    assert!(!value.windows(7).any(|part| part == b"private"), "it is sealed");
    let page = sign_in_again(&client, answer, "client").await;
    assert_eq!(page.url.path(), "/sessions/form");
    assert!(page.text().contains("No form of yours") && !page.text().contains("private"));
    assert_eq!(kept(&stack).await, 1, "it waits for its person");
    let own = stack.signed_in("technician").await;
    assert!(own.navigate("/sessions/form").await.text().contains("private"));
    let page = own.navigate("/sessions/form").await;
    let id = page
        .text()
        .split("discard=")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned();
    let foreign = own
        .post(&format!("/sessions/form?discard={id}"))
        .header("Origin", "https://evil.example");
    assert_eq!(foreign.send().await.status, 403);
    let thrown = own
        .post(&format!("/sessions/form?discard={id}"))
        .header("Origin", &own.origin_text());
    assert_eq!(thrown.send().await.status, 303);
    assert_eq!(kept(&stack).await, 0);
}

async fn redis_bytes(stack: &Stack, key: &str) -> Vec<u8> {
    let mut redis = stack.redis.client();
    redis::cmd("GET")
        .arg(key)
        .query_async(&mut redis)
        .await
        .expect("GET")
}

#[tokio::test]
async fn what_is_not_kept_is_not_stored_and_its_sender_is_told_why() {
    let stack = Stack::builder()
        .configure(|config| config.limits.kept_form_bytes = 1000)
        .start()
        .await;
    let client = stack.signed_in("technician").await;
    let told = async |answer: Answer, why: &str| {
        assert_eq!(answer.status, 401, "{why}: {answer:?}");
        assert!(
            answer.is_page() && answer.text().contains("was not carried out"),
            "{why}"
        );
        assert!(answer.text().contains(why), "{why}: {}", answer.text());
        assert_eq!(kept(&stack).await, 0, "{why}");
    };
    end(&stack, &client).await;
    let big: &'static [u8] = b"note=".repeat(300).leak();
    told(
        post(&client, "/echo/save", FORM, big).await,
        "larger than what can be kept (1 KiB)",
    )
    .await;
    told(
        post(&client, "/echo/save", "text/plain", b"a=b").await,
        "not an ordinary form",
    )
    .await;
    let silent = ask(&client, "/echo/save")
        .header("Content-Type", FORM)
        .body("a=b")
        .send()
        .await;
    told(silent, "did not say that it came from one of our pages").await;
    told(
        post(&stack.client(), "/echo/save", FORM, b"a=b").await,
        "nobody was signed in",
    )
    .await;
    let invented = stack.client();
    let handle = hivematrix_platform::Handle::generate().encode();
    invented.set_cookie("/", &format!("__Host-hivematrix={handle}; Path=/; Secure"));
    told(
        post(&invented, "/echo/save", FORM, b"a=b").await,
        "nobody was signed in",
    )
    .await;
}

#[tokio::test]
async fn forms_of_other_sites_and_of_scripts_are_not_kept_and_of_a_persons_own_only_four() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    end(&stack, &client).await;
    let foreign = ask(&client, "/echo/save")
        .header("Content-Type", FORM)
        .header("Origin", "https://evil.example")
        .body("a=b")
        .send()
        .await;
    assert_eq!((foreign.status, kept(&stack).await), (403, 0), "{foreign:?}");
    let script = client
        .script("POST", "/echo/save")
        .header("Content-Type", FORM)
        .body("a=b")
        .send()
        .await;
    assert!(script.status == 401 && script.is_problem() && kept(&stack).await == 0);
    for _ in 0..4 {
        assert_eq!(post(&client, "/echo/save", FORM, b"a=b").await.status, 303);
    }
    let fifth = ask(&client, "/echo/save")
        .header("Origin", &client.origin_text())
        .header("Content-Type", FORM)
        .body("a=b")
        .send()
        .await;
    assert!(
        fifth.status == 401 && fifth.text().contains("several others"),
        "{fifth:?}"
    );
    assert_eq!(kept(&stack).await, 4);
    assert!(stack.echo.seen_at("/save").is_empty());
}

#[tokio::test]
async fn a_kept_form_whose_service_is_down_is_kept_on() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    end(&stack, &client).await;
    let answer = post(&client, "/echo/save", FORM, b"note=again").await;
    let page = sign_in_again(&client, answer, "technician").await;
    stack.relay(Part::Echo).cut().await;
    assert_eq!(client.submit_once(&page, &[]).await.status, 502);
    assert_eq!(kept(&stack).await, 1);
    stack.relay(Part::Echo).heal().await;
    let sent = client.submit_once(&page, &[]).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(stack.echo.last().body(), b"note=again".to_vec());
}

#[tokio::test]
async fn a_large_form_in_a_browser_is_explained_and_not_lost_without_a_word() {
    let stack = Stack::start().await;
    stack.echo.on(
        "/page",
        Script::html(
            "<!doctype html><html lang=en><title>x</title><body><form method=post action=save><textarea name=note>\
             </textarea><button id=go>Save</button></form></body></html>",
        ),
    );
    let browser = Browser::start().await;
    browser.go(&format!("{}echo/page", stack.origin())).await;
    sign_in(&browser, "technician").await;
    browser
        .run("document.querySelector('textarea').value = 'x'.repeat(3000000)")
        .await;
    end_all(&stack).await;
    browser.click("#go").await;
    let text = browser.text("main").await;
    assert!(text.contains("larger than what can be kept (256 KiB)"), "{text}");
    browser.screenshot("43-form-too-large").await;
    assert_eq!(
        browser
            .run("return document.querySelector('main a').target")
            .await,
        json!("_blank")
    );
    assert_eq!(kept(&stack).await, 0);
    browser.close().await;
}
