//! The heads of composed pages, and what passes without being touched at all.

use hivematrix_tests::{Script, Stack};

const PAGE: &str = "<!doctype html><html><head><title>T</title></head><body><h1>Hello</h1></body></html>";

#[tokio::test]
async fn what_is_no_page_passes_untouched() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let html = Script::html(PAGE).header("ETag", "\"v1\"");
    for (what, script) in [
        ("JSON", Script::text("application/json", PAGE)),
        ("plain text", Script::text("text/plain", PAGE)),
        ("an image", Script::text("image/svg+xml", PAGE)),
        ("no type", Script::status(200).header("X-Empty", "1")),
        (
            "a download",
            html.clone()
                .header("Content-Disposition", "attachment; filename=\"a.html\""),
        ),
        ("events", Script::text("text/event-stream", PAGE)),
    ] {
        stack.echo.on("/thing", script.header("ETag", "\"v1\""));
        let answer = client.navigate("/echo/thing").await;
        assert!(
            answer.body.is_empty() || answer.text() == PAGE,
            "{what}: {answer:?}"
        );
        assert_eq!(answer.all("etag").first(), Some(&"\"v1\""), "{what}");
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string(),
            "{what}"
        );
    }
}

#[tokio::test]
async fn fragments_fetched_by_scripts_pass_untouched() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    stack.echo.on("/part", Script::html(PAGE));
    let kinds: [&[(&str, &str)]; 5] = [
        &[
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Dest", "empty"),
            ("Accept", "text/html"),
        ],
        &[("HX-Request", "true"), ("Accept", "text/html")],
        &[("X-Requested-With", "XMLHttpRequest"), ("Accept", "text/html")],
        &[
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "iframe"),
            ("Accept", "text/html"),
        ],
        &[("Accept", "*/*")],
    ];
    for headers in kinds {
        let ask = headers
            .iter()
            .fold(client.get("/echo/part"), |ask, (name, value)| {
                ask.header(name, value)
            });
        assert_eq!(ask.send().await.text(), PAGE, "{headers:?}");
    }
}

#[tokio::test]
async fn statuses_without_a_whole_page_pass_untouched() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for status in [204, 206, 304] {
        let script = if status == 206 {
            Script::html("<body>part").with_status(206)
        } else {
            Script::status(status)
        };
        stack.echo.on("/thing", script.header("X-Seen", "1"));
        let answer = client.visit("/echo/thing").send().await;
        assert_eq!((answer.status, answer.header("x-seen")), (status, "1"));
        assert!(!answer.text().contains("side-panel"), "{answer:?}");
    }
}

#[tokio::test]
async fn length_and_validators_are_right_behind_an_edit() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    stack.echo.on(
        "/page",
        Script::html(PAGE)
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "public, max-age=60"),
    );
    let page = client.navigate("/echo/page").await;
    assert!(
        page.header("content-length").is_empty(),
        "the length is another one: {page:?}"
    );
    assert!(page.text().ends_with("</body></html>"), "nothing is cut off");
    assert_ne!(
        page.header("etag"),
        "\"v1\"",
        "the backend's tag is not that of the edited page"
    );
    assert!(
        page.header("cache-control").contains("private"),
        "composed pages are private: {page:?}"
    );
    assert!(!page.header("cache-control").contains("public"), "{page:?}");
}

#[tokio::test]
async fn an_entity_tag_covers_the_users_variant_and_foreign_conditionals_are_not_passed_on() {
    let stack = Stack::start().await;
    let (admin, client) = (stack.signed_in("admin").await, stack.signed_in("client").await);
    stack
        .echo
        .on("/page", Script::html(PAGE).header("ETag", "\"v1\""));
    let mut tags = Vec::new();
    for who in [&admin, &client] {
        who.navigate("/echo/page").await;
        tags.push(who.navigate("/echo/page").await.header("etag").to_owned());
    }
    assert!(
        tags.iter().all(|tag| tag.is_empty()) || tags[0] != tags[1],
        "{tags:?}"
    );
    for tag in ["\"v1\"", "*", tags[0].as_str()] {
        let answer = client
            .visit("/echo/page")
            .header("If-None-Match", tag)
            .send()
            .await;
        assert_eq!(answer.status, 200, "{tag}");
        let seen = stack.echo.last();
        assert!(
            seen.all("if-none-match")
                .iter()
                .all(|value| *value != tag || tag.is_empty()),
            "{}",
            seen.head
        );
    }
}

#[tokio::test]
async fn a_backend_is_asked_for_what_can_be_edited_and_no_more_for_what_cannot() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let ask = client
        .visit("/echo/page")
        .header("Accept-Encoding", "gzip, br, zstd")
        .header("Range", "bytes=0-5");
    ask.send().await;
    let seen = stack.echo.last();
    assert!(
        !seen.has("range"),
        "a part of a page cannot be composed: {}",
        seen.head
    );
    assert!(
        !seen
            .all("accept-encoding")
            .iter()
            .any(|value| value.contains("zstd") || value.contains("br")),
        "{}",
        seen.head
    );
    client
        .script("GET", "/echo/file")
        .header("Accept-Encoding", "gzip, br")
        .header("Range", "bytes=0-5")
        .send()
        .await;
    let seen = stack.echo.last();
    assert_eq!(
        (seen.header("accept-encoding"), seen.header("range")),
        ("gzip, br", "bytes=0-5")
    );
}

#[tokio::test]
async fn a_strict_policy_is_extended_by_what_the_panel_needs_and_no_more() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    stack.echo.on(
        "/page",
        Script::html(PAGE).header("Content-Security-Policy", "default-src 'none'"),
    );
    let page = client.navigate("/echo/page").await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("/static/css/global."),
        "{policy}"
    );
    assert!(
        !policy.contains("'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    stack.echo.on(
        "/json",
        Script::text("application/json", "{}").header("Content-Security-Policy", "default-src 'none'"),
    );
    assert_eq!(
        client
            .navigate("/echo/json")
            .await
            .header("content-security-policy"),
        "default-src 'none'"
    );
}
