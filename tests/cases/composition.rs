//! What becomes of pages, and that nothing else becomes anything.

use std::time::Duration;

use hivematrix_tests::{Answer, Client, Part, Script, Stack, eventually, takes_at_most};
use serde_json::json;

const PAGE: &str = "<!doctype html><html lang=\"en\"><head><title>T</title></head><body class=\"b\"><h1>Hello</h1></body></html>";

async fn page(stack: &Stack, client: &Client) -> Answer {
    stack.echo.on("/page", Script::html(PAGE));
    let page = client.navigate("/echo/page").await;
    assert_eq!(page.status, 200, "{page:?}");
    page
}

#[tokio::test]
async fn a_page_gets_stylesheets_panel_active_item_and_theme() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let text = page(&stack, &client).await.text();
    for part in [
        "<link rel=\"stylesheet\" href=\"/static/css/global.", "<link rel=\"stylesheet\" href=\"/static/css/side-panel.",
        "class=\"hivematrix-layout\"", "class=\"hivematrix-side-panel\" id=\"side-panel\"", "class=\"hivematrix-content\"",
        "class=\"side-panel__header\"", "class=\"side-panel__toggle\" id=\"sidebar-toggle\"", "class=\"side-panel__title\"",
        "class=\"side-panel__nav\"", "class=\"side-panel__list\"", "class=\"side-panel__icon\"", "class=\"side-panel__label\"",
        "class=\"side-panel__footer\"", "href=\"/codex/settings\"", "href=\"/logout\"", "id=\"theme-toggle-btn\"",
        "data-theme=\"light\"", "data-color-theme=\"purple\"", "<h1>Hello</h1>", "<title>T</title>", "lang=\"en\"",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let (head, body) = text.split_once("<body").expect("a body");
    assert!(head.contains("stylesheet") && !head.contains("side-panel__"), "links in the head, the panel in the body");
    assert!(body.find("id=\"side-panel\"") < body.find("hivematrix-content") && body.find("hivematrix-content") < body.find("<h1>"));
    assert_eq!(text.matches("side-panel__item--active").count(), 1);
    let active = text.split("side-panel__item--active").nth(1).expect("an active item");
    assert!(active.split("href=\"").nth(1).expect("a link").starts_with("/echo/\""), "{active}");
}

#[tokio::test]
async fn the_stylesheets_that_pages_link_are_served_without_login_and_may_be_cached() {
    let stack = Stack::start().await;
    let text = page(&stack, &stack.signed_in("admin").await).await.text();
    let linked: Vec<&str> = text.split(['"', '\'']).filter(|piece| piece.starts_with("/static/")).collect();
    assert!(linked.len() >= 2, "{linked:?}");
    let stranger = stack.client();
    for path in linked {
        let asset = stranger.get(path).send().await;
        assert!(asset.status == 200 && !asset.body.is_empty(), "{path}: {}", asset.status);
        assert!(asset.header("cache-control").contains("immutable"), "{path}: {asset:?}");
        let again = stranger.get(path).header("If-None-Match", asset.header("etag")).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    for plain in ["/static/css/global.css", "/static/css/side-panel.css?v=1.2"] {
        let asset = stranger.get(plain).send().await;
        assert!(asset.status == 200 && asset.header("content-type").starts_with("text/css"), "{plain}: {asset:?}");
        assert!(!asset.header("etag").is_empty() && !asset.header("cache-control").contains("no-store"), "{asset:?}");
    }
    assert_eq!(stranger.get("/static/nothing.css").send().await.status, 404);
}

#[tokio::test]
async fn the_theme_is_the_one_chosen_in_codex() {
    let stack = Stack::start().await;
    let client = stack.signed_in("billing").await;
    assert!(page(&stack, &client).await.text().contains("data-theme=\"light\""));
    client.navigate("/codex/").await;
    let chosen = client.script("PUT", "/codex/api/my/settings").json(&json!({ "theme_preference": "dark", "color_theme": "matrix" }));
    assert_eq!(chosen.send().await.status, 200);
    let forgotten = client.script("POST", "/api/invalidate-cache").send().await;
    assert_eq!(forgotten.json()["success"], true);
    let text = page(&stack, &client).await.text();
    assert!(text.contains("data-theme=\"dark\"") && text.contains("data-color-theme=\"matrix\""), "{text}");
    let other = stack.signed_in("client").await;
    assert!(page(&stack, &other).await.text().contains("data-theme=\"light\""), "only this person's");
}

#[tokio::test]
async fn a_users_name_and_the_pages_own_text_stay_escaped() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    stack.echo.on("/text", Script::html("<html><head></head><body>&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp;</body></html>"));
    let text = client.navigate("/echo/text").await.text();
    assert!(text.contains("Tess &lt;b&gt;Technician"), "{text}");
    assert!(!text.contains("<b>Technician"), "{text}");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp;"), "text under body is passed on as it came: {text}");
}

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
        ("a download", html.clone().header("Content-Disposition", "attachment; filename=\"a.html\"")),
        ("events", Script::text("text/event-stream", PAGE)),
    ] {
        stack.echo.on("/thing", script.header("ETag", "\"v1\""));
        let answer = client.navigate("/echo/thing").await;
        assert!(answer.body.is_empty() || answer.text() == PAGE, "{what}: {answer:?}");
        assert_eq!(answer.all("etag").first(), Some(&"\"v1\""), "{what}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{what}");
    }
}

#[tokio::test]
async fn fragments_fetched_by_scripts_pass_untouched() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    stack.echo.on("/part", Script::html(PAGE));
    let kinds: [&[(&str, &str)]; 5] = [
        &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Accept", "text/html")],
        &[("HX-Request", "true"), ("Accept", "text/html")],
        &[("X-Requested-With", "XMLHttpRequest"), ("Accept", "text/html")],
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"), ("Accept", "text/html")],
        &[("Accept", "*/*")],
    ];
    for headers in kinds {
        let ask = headers.iter().fold(client.get("/echo/part"), |ask, (name, value)| ask.header(name, value));
        assert_eq!(ask.send().await.text(), PAGE, "{headers:?}");
    }
}

#[tokio::test]
async fn statuses_without_a_whole_page_pass_untouched() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for status in [204, 206, 304] {
        let script = if status == 206 { Script::html("<body>part").with_status(206) } else { Script::status(status) };
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
    stack.echo.on("/page", Script::html(PAGE).header("ETag", "\"v1\"").header("Cache-Control", "public, max-age=60"));
    let page = client.navigate("/echo/page").await;
    assert!(page.header("content-length").is_empty(), "the length is another one: {page:?}");
    assert!(page.text().ends_with("</body></html>"), "nothing is cut off");
    assert_ne!(page.header("etag"), "\"v1\"", "the backend's tag is not that of the edited page");
    assert!(page.header("cache-control").contains("private"), "composed pages are private: {page:?}");
    assert!(!page.header("cache-control").contains("public"), "{page:?}");
}

#[tokio::test]
async fn an_entity_tag_covers_the_users_variant_and_foreign_conditionals_are_not_passed_on() {
    let stack = Stack::start().await;
    let (admin, client) = (stack.signed_in("admin").await, stack.signed_in("client").await);
    stack.echo.on("/page", Script::html(PAGE).header("ETag", "\"v1\""));
    let mut tags = Vec::new();
    for who in [&admin, &client] {
        who.navigate("/echo/page").await;
        tags.push(who.navigate("/echo/page").await.header("etag").to_owned());
    }
    assert!(tags.iter().all(|tag| tag.is_empty()) || tags[0] != tags[1], "{tags:?}");
    for tag in ["\"v1\"", "*", tags[0].as_str()] {
        let answer = client.visit("/echo/page").header("If-None-Match", tag).send().await;
        assert_eq!(answer.status, 200, "{tag}");
        let seen = stack.echo.last();
        assert!(seen.all("if-none-match").iter().all(|value| *value != tag || tag.is_empty()), "{}", seen.head);
    }
}

#[tokio::test]
async fn a_backend_is_asked_for_what_can_be_edited_and_no_more_for_what_cannot() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let ask = client.visit("/echo/page").header("Accept-Encoding", "gzip, br, zstd").header("Range", "bytes=0-5");
    ask.send().await;
    let seen = stack.echo.last();
    assert!(!seen.has("range"), "a part of a page cannot be composed: {}", seen.head);
    assert!(!seen.all("accept-encoding").iter().any(|value| value.contains("zstd") || value.contains("br")), "{}", seen.head);
    client.script("GET", "/echo/file").header("Accept-Encoding", "gzip, br").header("Range", "bytes=0-5").send().await;
    let seen = stack.echo.last();
    assert_eq!((seen.header("accept-encoding"), seen.header("range")), ("gzip, br", "bytes=0-5"));
}

#[tokio::test]
async fn a_page_comes_without_delay_and_whole_when_codex_hangs_or_is_down() {
    let stack = Stack::start().await;
    stack.second.on("/page", Script::html(PAGE));
    let bound = Duration::from_secs(1);
    for (index, part) in [Part::Codex, Part::Core].into_iter().enumerate() {
        let client = stack.signed_in(["admin", "billing"][index]).await;
        stack.relay(part).stall();
        let page = takes_at_most(bound, "a page with Codex out of reach", client.navigate("/second/page")).await;
        assert!(page.status == 200 && page.text().contains("data-theme=\"light\""), "{part:?}: {page:?}");
        stack.relay(part).heal().await;
    }
    let client = stack.signed_in("client").await;
    stack.relay(Part::Codex).cut().await;
    let page = takes_at_most(bound, "a page without Codex", client.navigate("/second/page")).await;
    assert!(page.status == 200 && page.text().contains("hivematrix-side-panel"), "{page:?}");
    stack.relay(Part::Codex).heal().await;
    let back = async || (client.navigate("/codex/").await.status == 200).then_some(());
    eventually("Codex is back", back).await;
}

#[tokio::test]
async fn preferences_are_asked_for_once_and_with_a_service_token() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    page(&stack, &client).await;
    let before = stack.relay(Part::Codex).connections();
    for _ in 0..5 {
        page(&stack, &client).await;
    }
    assert!(stack.relay(Part::Codex).connections() <= before + 1);
    let direct = client.fetch("/codex/api/public/user/theme?email=billing@hivematrix.example").await;
    assert_eq!(direct.status, 403, "a user's own token may not ask about others: {direct:?}");
}

#[tokio::test]
async fn a_stray_end_tag_or_missing_tags_do_not_break_the_page() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for (what, html) in [
        ("stray end tags", "<html><head></head><body></div></div></main><p id=x>kept</p></body></html>"),
        ("no head", "<html><body><p id=x>kept</p></body></html>"),
        ("no tags at all", "<p id=x>kept</p>"),
        ("text only", "kept"),
        ("a body in a comment", "<html><!-- <body> --><head></head><body><p>kept</p></body></html>"),
        ("a body in a script", "<html><head><script>var a = '<body>';</script></head><body>kept</body></html>"),
    ] {
        stack.echo.on("/page", Script::html(html));
        let text = client.navigate("/echo/page").await.text();
        assert!(text.contains("kept") && text.matches("id=\"side-panel\"").count() <= 1, "{what}: {text}");
    }
    stack.echo.on("/page", Script::html("<html><head></head><frameset cols=\"*\"><frame src=a></frameset></html>"));
    assert!(!client.navigate("/echo/page").await.text().contains("side-panel__"), "a frameset is left alone");
}

#[tokio::test]
async fn a_strict_policy_is_extended_by_what_the_panel_needs_and_no_more() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    stack.echo.on("/page", Script::html(PAGE).header("Content-Security-Policy", "default-src 'none'"));
    let page = client.navigate("/echo/page").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("/static/css/global."), "{policy}");
    assert!(!policy.contains("'self'") && !policy.contains("unsafe"), "{policy}");
    stack.echo.on("/json", Script::text("application/json", "{}").header("Content-Security-Policy", "default-src 'none'"));
    assert_eq!(client.navigate("/echo/json").await.header("content-security-policy"), "default-src 'none'");
}
