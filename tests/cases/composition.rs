//! What becomes of pages, and that nothing else becomes anything.

use std::time::Duration;

use hivematrix_gateway::config::{Composed, Config};
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
        "<link rel=\"stylesheet\" href=\"/static/css/global.",
        "<link rel=\"stylesheet\" href=\"/static/css/side-panel.",
        "class=\"hivematrix-layout\"",
        "class=\"hivematrix-side-panel\" id=\"side-panel\"",
        "class=\"hivematrix-content\"",
        "class=\"side-panel__header\"",
        "class=\"side-panel__toggle\" id=\"sidebar-toggle\"",
        "class=\"side-panel__title\"",
        "class=\"side-panel__nav\"",
        "class=\"side-panel__list\"",
        "class=\"side-panel__icon\"",
        "class=\"side-panel__label\"",
        "class=\"side-panel__footer\"",
        "href=\"/codex/settings\"",
        "href=\"/logout\"",
        "id=\"theme-toggle-btn\"",
        "data-theme=\"light\"",
        "data-color-theme=\"purple\"",
        "<h1>Hello</h1>",
        "<title>T</title>",
        "lang=\"en\"",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let (head, body) = text.split_once("<body").expect("a body");
    assert!(
        head.contains("stylesheet") && !head.contains("side-panel__"),
        "links in the head, the panel in the body"
    );
    assert!(
        body.find("id=\"side-panel\"") < body.find("hivematrix-content")
            && body.find("hivematrix-content") < body.find("<h1>")
    );
    assert_eq!(text.matches("side-panel__item--active").count(), 1);
    let active = text
        .split("side-panel__item--active")
        .nth(1)
        .expect("an active item");
    assert!(
        active
            .split("href=\"")
            .nth(1)
            .expect("a link")
            .starts_with("/echo/\""),
        "{active}"
    );
}

#[tokio::test]
async fn the_stylesheets_that_pages_link_are_served_without_login_and_may_be_cached() {
    let stack = Stack::start().await;
    let text = page(&stack, &stack.signed_in("admin").await).await.text();
    let linked: Vec<&str> = text
        .split(['"', '\''])
        .filter(|piece| piece.starts_with("/static/"))
        .collect();
    assert!(linked.len() >= 2, "{linked:?}");
    let stranger = stack.client();
    for path in linked {
        let asset = stranger.get(path).send().await;
        assert!(
            asset.status == 200 && !asset.body.is_empty(),
            "{path}: {}",
            asset.status
        );
        assert!(
            asset.header("cache-control").contains("immutable"),
            "{path}: {asset:?}"
        );
        let again = stranger
            .get(path)
            .header("If-None-Match", asset.header("etag"))
            .send()
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    for plain in ["/static/css/global.css", "/static/css/side-panel.css?v=1.2"] {
        let asset = stranger.get(plain).send().await;
        assert!(
            asset.status == 200 && asset.header("content-type").starts_with("text/css"),
            "{plain}: {asset:?}"
        );
        assert!(
            !asset.header("etag").is_empty() && !asset.header("cache-control").contains("no-store"),
            "{asset:?}"
        );
    }
    assert_eq!(stranger.get("/static/nothing.css").send().await.status, 404);
}

#[tokio::test]
async fn the_backends_own_markup_passes_byte_for_byte() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    let body = "<P CLASS=x id='y'>a&amp;b&nbsp;&#x41; <br/><IMG src=a.png>\r\n\t<table><td>1<td>2</table>\
        <script>if (a < b && c) { document.write('</p>'); }</script><!-- <p> --><textarea>\n </textarea>&lt;b&gt;";
    stack.echo.on(
        "/odd",
        Script::html(&format!("<html><head></head><body>{body}</body></html>")),
    );
    let text = client.navigate("/echo/odd").await.text();
    assert!(text.contains(body), "{text}");
    assert!(text.ends_with(&format!("{body}</body></html>")), "{text}");
}

/// How a service's composition is set.
fn set(config: &mut Config, name: &str, composition: Composed) {
    let found = config
        .services
        .iter_mut()
        .find(|service| service.name.as_str() == name);
    found.expect("a service of the stack").composition = composition;
}

#[tokio::test]
async fn a_service_is_composed_or_composed_in_frames_too_or_left_as_it_is() {
    let stack = Stack::builder()
        .configure(|config| {
            set(config, "second", Composed::Framed);
            set(config, "hidden", Composed::Off);
        })
        .start()
        .await;
    let client = stack.signed_in("admin").await;
    let html = Script::html(PAGE).header("ETag", "\"v1\"");
    stack.echo.on("/page", html.clone());
    stack.second.on("/page", html);
    let framed = [
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Accept", "text/html"),
    ];
    for (path, in_a_window, in_a_frame) in [
        ("/echo/page", true, false),
        ("/second/page", true, true),
        ("/hidden/page", false, false),
        ("/plain/page", false, false),
    ] {
        let ask = framed
            .iter()
            .fold(client.get(path), |ask, (name, value)| ask.header(name, value));
        for (answer, composed) in [
            (client.navigate(path).await, in_a_window),
            (ask.send().await, in_a_frame),
        ] {
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert_eq!(
                answer.text().contains("id=\"side-panel\""),
                composed,
                "{path}: {answer:?}"
            );
            assert!(
                composed || answer.text() == PAGE,
                "{path}: byte for byte: {answer:?}"
            );
            assert_eq!(answer.header("etag") == "\"v1\"", !composed, "{path}: {answer:?}");
        }
    }
    let own = client.navigate("/nothing/").await;
    assert!(
        own.text().contains("id=\"side-panel\""),
        "our own pages are always composed: {own:?}"
    );
}

#[tokio::test]
async fn the_theme_is_the_one_chosen_in_codex() {
    let stack = Stack::start().await;
    let client = stack.signed_in("billing").await;
    assert!(
        page(&stack, &client)
            .await
            .text()
            .contains("data-theme=\"light\"")
    );
    client.navigate("/codex/").await;
    let chosen = client
        .script("PUT", "/codex/api/my/settings")
        .json(&json!({ "theme_preference": "dark", "color_theme": "matrix" }));
    assert_eq!(chosen.send().await.status, 200);
    let forgotten = client.script("POST", "/api/invalidate-cache").send().await;
    assert_eq!(forgotten.json()["success"], true);
    let text = page(&stack, &client).await.text();
    assert!(
        text.contains("data-theme=\"dark\"") && text.contains("data-color-theme=\"matrix\""),
        "{text}"
    );
    let other = stack.signed_in("client").await;
    assert!(
        page(&stack, &other).await.text().contains("data-theme=\"light\""),
        "only this person's"
    );
}

#[tokio::test]
async fn a_users_name_and_the_pages_own_text_stay_escaped() {
    let stack = Stack::start().await;
    let client = stack.signed_in("technician").await;
    stack.echo.on(
        "/text",
        Script::html(
            "<html><head></head><body>&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp;</body></html>",
        ),
    );
    let text = client.navigate("/echo/text").await.text();
    assert!(text.contains("Tess &lt;b&gt;Technician"), "{text}");
    assert!(!text.contains("<b>Technician"), "{text}");
    assert!(
        text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp;"),
        "text under body is passed on as it came: {text}"
    );
}

#[tokio::test]
async fn a_page_comes_without_delay_and_whole_when_codex_hangs_or_is_down() {
    let stack = Stack::builder().impatient().start().await;
    stack.second.on("/page", Script::html(PAGE));
    let bound = Duration::from_secs(1);
    for (index, part) in [Part::Codex, Part::Core].into_iter().enumerate() {
        let client = stack.signed_in(["admin", "billing"][index]).await;
        stack.relay(part).stall();
        let page = takes_at_most(
            bound,
            "a page with Codex out of reach",
            client.navigate("/second/page"),
        )
        .await;
        assert!(
            page.status == 200 && page.text().contains("data-theme=\"light\""),
            "{part:?}: {page:?}"
        );
        stack.relay(part).heal().await;
    }
    let client = stack.signed_in("client").await;
    stack.relay(Part::Codex).cut().await;
    let page = takes_at_most(bound, "a page without Codex", client.navigate("/second/page")).await;
    assert!(
        page.status == 200 && page.text().contains("hivematrix-side-panel"),
        "{page:?}"
    );
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
    let direct = client
        .fetch("/codex/api/public/user/theme?email=billing@hivematrix.example")
        .await;
    assert_eq!(
        direct.status, 403,
        "a user's own token may not ask about others: {direct:?}"
    );
}

#[tokio::test]
async fn a_stray_end_tag_or_missing_tags_do_not_break_the_page() {
    let stack = Stack::start().await;
    let client = stack.signed_in("admin").await;
    for (what, html) in [
        (
            "stray end tags",
            "<html><head></head><body></div></div></main><p id=x>kept</p></body></html>",
        ),
        ("no head", "<html><body><p id=x>kept</p></body></html>"),
        ("no tags at all", "<p id=x>kept</p>"),
        ("text only", "kept"),
        (
            "a body in a comment",
            "<html><!-- <body> --><head></head><body><p>kept</p></body></html>",
        ),
        (
            "a body in a script",
            "<html><head><script>var a = '<body>';</script></head><body>kept</body></html>",
        ),
    ] {
        stack.echo.on("/page", Script::html(html));
        let text = client.navigate("/echo/page").await.text();
        assert!(
            text.contains("kept") && text.matches("id=\"side-panel\"").count() <= 1,
            "{what}: {text}"
        );
    }
    stack.echo.on(
        "/page",
        Script::html("<html><head></head><frameset cols=\"*\"><frame src=a></frameset></html>"),
    );
    assert!(
        !client
            .navigate("/echo/page")
            .await
            .text()
            .contains("side-panel__"),
        "a frameset is left alone"
    );
}
