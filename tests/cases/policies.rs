//! A real Chromium shows composed pages under strict policies, and nothing moves once they are painted.

use hivematrix_tests::{Browser, Script, Stack};
use serde_json::json;

use crate::browser::sign_in;

/// A page's own style and script, and what a policy that lists them by hash calls them.
const STYLE: &str = "h1{letter-spacing:1px}";
const SCRIPT: &str = "document.documentElement.id='ran'";
const STYLE_HASH: &str = "sha256-7cfjA/MMW7jp1JopYJyVjLhvgMsYxi1vg4lYv9gksjE=";
const SCRIPT_HASH: &str = "sha256-cOEdeJd8AkI8d/Winr75AZdga9U1ueWE3oSMFVLXeok=";

/// A policy, where it stands, and whether the page's own script and our own may run under it.
struct Policy {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    meta: Option<&'static str>,
    runs: bool,
    sandboxed: bool,
}

const ENFORCED: &str = "Content-Security-Policy";
const REPORTED: &str = "Content-Security-Policy-Report-Only";

fn policy(name: &'static str, text: &str) -> Policy {
    Policy {
        name,
        headers: vec![(ENFORCED, text.to_owned())],
        meta: None,
        runs: true,
        sandboxed: false,
    }
}

fn policies() -> Vec<Policy> {
    let hashes = format!("default-src 'none'; style-src '{STYLE_HASH}'; script-src '{SCRIPT_HASH}'");
    let dynamic = "script-src 'nonce-abc' 'strict-dynamic'; object-src 'none'; base-uri 'none'";
    let dynamic_hashes = format!("script-src '{SCRIPT_HASH}' 'strict-dynamic'; object-src 'none'");
    let nonces = "default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'";
    vec![
        Policy {
            headers: Vec::new(),
            ..policy("no-policy", "")
        },
        Policy {
            runs: false,
            ..policy("nothing-allowed", "default-src 'none'")
        },
        Policy {
            runs: false,
            ..policy("only-self", "default-src 'self'; frame-ancestors 'none'")
        },
        policy("nonces", nonces),
        policy("hashes", &hashes),
        policy("strict-dynamic", dynamic),
        policy("strict-dynamic-hashes", &dynamic_hashes),
        Policy {
            headers: vec![
                (ENFORCED, format!("{nonces}, {dynamic}")),
                (
                    ENFORCED,
                    "style-src-elem 'nonce-abc'; connect-src 'none'".to_owned(),
                ),
            ],
            ..policy("several", "")
        },
        Policy {
            headers: vec![(REPORTED, nonces.to_owned())],
            ..policy("report-only", "")
        },
        Policy {
            headers: Vec::new(),
            meta: Some("default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'"),
            ..policy("meta", "")
        },
        Policy {
            runs: false,
            sandboxed: true,
            ..policy("sandbox", "sandbox; default-src 'self'")
        },
    ]
}

/// The page; its own style and script are only there where its policy lets them be.
fn page(policy: &Policy) -> Script {
    let meta = policy.meta.map_or(String::new(), |text| {
        format!("<meta http-equiv=Content-Security-Policy content=\"{text}\">")
    });
    let own = if policy.runs {
        format!("<style nonce=abc>{STYLE}</style><script nonce=abc>{SCRIPT}</script>")
    } else {
        String::new()
    };
    let name = policy.name;
    let script = Script::html(&format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>{meta}<title>{name}</title>{own}</head>\
         <body><h1>{name}</h1><p>A page with a policy of its own.</p></body></html>"
    ));
    let headers = policy.headers.iter();
    headers.fold(script, |script, (name, value)| script.header(name, value))
}

/// Complaints about policies. No page here has an icon, and a browser's wish for one is not the panel's.
async fn violations(browser: &Browser) -> Vec<String> {
    let errors = browser.console_errors().await.into_iter();
    errors
        .filter(|error| error.contains("Content Security Policy") && !error.contains("favicon.ico"))
        .collect()
}

const WIDTH: &str = "document.querySelector('#side-panel').getBoundingClientRect().width";

/// The panel is seen, has our style, and the page's content stands beside it.
async fn assert_styled(browser: &Browser, name: &str) {
    let seen = browser
        .run(
            "const panel = document.querySelector('#side-panel'), box = panel.getBoundingClientRect();
             const style = getComputedStyle(panel), title = document.querySelector('h1').getBoundingClientRect();
             return box.width > 150 && box.width < 400 && box.height > 500 && box.left === 0
                 && style.position !== 'static' && style.visibility === 'visible' && title.left >= box.right
                 || JSON.stringify([box, style.position, style.visibility, title]);",
        )
        .await;
    assert_eq!(seen, json!(true), "the panel under {name}");
}

async fn assert_works(browser: &Browser, name: &str) {
    browser.click("#sidebar-toggle").await;
    browser.until(&format!("{WIDTH} < 100")).await;
    browser.screenshot(&format!("30-policy-{name}-collapsed")).await;
    browser.click("#sidebar-toggle").await;
    browser.until(&format!("{WIDTH} > 150")).await;
    let theme = browser.run("return document.documentElement.dataset.theme").await;
    let ground = browser.run(GROUND).await;
    browser.run("window.finished = 0; const real = fetch; window.fetch = (...all) => real(...all).finally(() => finished++)").await;
    browser.click("#theme-toggle-btn").await;
    browser
        .until(&format!("document.documentElement.dataset.theme !== {theme}"))
        .await;
    browser.until("finished === 2").await;
    let other = browser.run(GROUND).await;
    assert!(
        other != ground,
        "the panel under {name} is light or dark as well: {ground}, {other}"
    );
    browser.screenshot(&format!("30-policy-{name}-toggled")).await;
}

const GROUND: &str = "return getComputedStyle(document.querySelector('#side-panel')).backgroundColor";
const NAVIGATION: &str = "document.querySelector('.side-panel__nav').getClientRects().length";

/// On a narrow screen the panel is a bar above the page, and its menu opens where scripts run.
async fn assert_works_on_a_phone(browser: &Browser, policy: &Policy) {
    let name = policy.name;
    browser.resize(390, 844).await;
    browser.until("matchMedia('(max-width: 48rem)').matches").await;
    let is_bar = "const box = document.querySelector('#side-panel').getBoundingClientRect();
        const title = document.querySelector('h1').getBoundingClientRect();
        return box.width === document.documentElement.clientWidth && box.height < 100 && box.top === 0 && title.top >= box.bottom
            || JSON.stringify([box, title]);";
    assert_eq!(browser.run(is_bar).await, json!(true), "the bar under {name}");
    if policy.sandboxed {
        browser.until(NAVIGATION).await;
    } else {
        assert_eq!(
            browser.run(&format!("return {NAVIGATION}")).await,
            json!(0),
            "{name}: shut at first"
        );
        browser.click("#sidebar-toggle").await;
        browser.until(NAVIGATION).await;
    }
    browser.screenshot(&format!("30-policy-{name}-phone")).await;
    if !policy.sandboxed {
        browser.click("#sidebar-toggle").await;
        browser.until(&format!("{NAVIGATION} === 0")).await;
    }
    browser.resize(1280, 900).await;
}

#[tokio::test]
async fn a_browser_shows_a_working_panel_under_every_policy_and_complains_of_nothing() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}codex/")).await;
    sign_in(&browser, "admin").await;
    for policy in policies() {
        let name = policy.name;
        stack.echo.on(&format!("/{name}"), page(&policy));
        violations(&browser).await;
        browser.run("localStorage.removeItem('hivematrix-session')").await;
        browser.go(&format!("{origin}echo/{name}")).await;
        browser.find("#side-panel").await;
        assert_styled(&browser, name).await;
        browser.screenshot(&format!("30-policy-{name}")).await;
        let ran = browser.run("return document.documentElement.id === 'ran'").await;
        assert_eq!(ran, json!(policy.runs), "the page's own script under {name}");
        assert_works_on_a_phone(&browser, &policy).await;
        if policy.sandboxed {
            let toggle = browser
                .run("return document.querySelector('#sidebar-toggle')")
                .await;
            assert_eq!(toggle, json!(null), "no button that does nothing");
            browser.click(".side-panel__link[href='/codex/']").await;
            browser.until("location.pathname === '/codex/'").await;
        } else {
            assert_works(&browser, name).await;
            // The session's script has run, and has been told how long there is.
            browser.until("localStorage.getItem('hivematrix-session')").await;
        }
        assert_eq!(violations(&browser).await, Vec::<String>::new(), "{name}");
    }
    browser.close().await;
}

#[tokio::test]
async fn a_304_keeps_the_cached_pages_nonce_so_its_script_and_the_panel_still_work() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}codex/")).await;
    sign_in(&browser, "admin").await;
    let nonces =
        |nonce: &str| format!("default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'");
    let cached = page(&policy("cached", &nonces("abc")));
    stack.echo.on(
        "/cached",
        cached
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "no-cache"),
    );
    browser.go(&format!("{origin}echo/cached")).await;
    browser.find("#sidebar-toggle").await;
    let not_modified = Script::status(304).header("ETag", "\"v1\"");
    stack
        .echo
        .on("/cached", not_modified.header(ENFORCED, &nonces("another")));
    browser.go(&format!("{origin}codex/")).await;
    violations(&browser).await;
    browser.go(&format!("{origin}echo/cached")).await;
    let asked = stack.echo.last();
    assert_eq!(
        asked.header("if-none-match"),
        "\"v1\"",
        "the page in the cache is asked after: {}",
        asked.head
    );
    assert_styled(&browser, "a cached page's nonce").await;
    let ran = browser.run("return document.documentElement.id === 'ran'").await;
    assert_eq!(ran, json!(true), "the page's own script ran again");
    assert_works(&browser, "cached").await;
    assert_eq!(violations(&browser).await, Vec::<String>::new());
    browser.close().await;
}

/// What has moved since the page's first paint.
async fn shifted(browser: &Browser) -> Vec<String> {
    browser
        .run(
            "window.shift = undefined; const moved = [], box = one => [one.x, one.y, one.width, one.height].join();
             const name = node => node ? node.id || node.className || node.nodeName : 'something that is gone';
             new PerformanceObserver(list => { for (const entry of list.getEntries()) {
                 for (const { node, previousRect, currentRect } of entry.sources) {
                     moved.push(entry.value + ': ' + name(node) + ' from ' + box(previousRect) + ' to ' + box(currentRect));
                 }
             } }).observe({ type: 'layout-shift', buffered: true });
             setTimeout(() => { window.shift = moved; }, 400);",
        )
        .await;
    browser.until("window.shift !== undefined").await;
    let moved = browser.run("return window.shift").await;
    let moved = moved.as_array().expect("a list").iter();
    moved
        .map(|one| one.as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn nothing_moves_after_the_first_paint_in_light_and_dark_wide_and_narrow() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    let page = Script::html(&format!(
        "<!doctype html><title>x</title><body><h1>Title</h1>{}</body>",
        "<p>Some text of the page.</p>".repeat(80)
    ));
    stack.echo.on("/page", page).on(
        "/moving",
        Script::html(
            "<!doctype html><title>x</title><body><h1>Title</h1><p>Text</p><script>
             setTimeout(() => document.querySelector('h1').insertAdjacentHTML('beforebegin',
                 '<div style=\"height:300px\">late</div>'), 150)</script></body>",
        ),
    );
    browser.go(&format!("{origin}codex/")).await;
    sign_in(&browser, "admin").await;
    for theme in ["light", "dark"] {
        browser.resize(1280, 900).await;
        browser.go(&format!("{origin}codex/")).await;
        if theme == "dark" {
            browser.click("#theme-toggle-btn").await;
            browser
                .until("document.documentElement.dataset.theme === 'dark'")
                .await;
            browser
                .run("localStorage.setItem('sidebar-collapsed', 'true')")
                .await;
        }
        for (shape, width) in [("wide", 1280), ("narrow", 390)] {
            browser.resize(width, 900).await;
            for (name, path) in [
                ("echo", "echo/page"),
                ("codex", "codex/"),
                ("components", "template/components"),
            ] {
                browser.go(&format!("{origin}{path}")).await;
                browser
                    .until(&format!("document.documentElement.dataset.theme === '{theme}'"))
                    .await;
                let moved = shifted(&browser).await;
                browser
                    .screenshot(&format!("31-still-{name}-{theme}-{shape}"))
                    .await;
                assert_eq!(moved, [""; 0], "{path} in {theme}, {shape}");
            }
        }
    }
    browser.go(&format!("{origin}echo/moving")).await;
    assert!(!shifted(&browser).await.is_empty(), "what moves is noticed");
    browser.close().await;
}
