//! Our own pages for people who cannot see or point: axe-core, the usual checker, in a real Chromium.
//!
//! axe-core is fetched by `.dev/test` where there is an npm; nothing of it is kept here.

use std::path::PathBuf;

use hivematrix_tests::{Browser, Stack};

use crate::tour;

/// The checker's script; `None` where there is no npm to fetch it with.
fn checker() -> Option<String> {
    let file = std::env::var_os("HIVEMATRIX_AXE").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../target/axe/package/axe.min.js"
            ))
        },
        PathBuf::from,
    );
    if let Ok(script) = std::fs::read_to_string(&file) {
        return Some(script);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    assert!(
        !std::env::split_paths(&path).any(|folder| folder.join("npm").is_file()),
        "this case needs {}, which `.dev/test` fetches: run that once",
        file.display()
    );
    None
}

/// What axe-core calls serious or critical on the page that is shown, in light and in dark.
async fn findings(browser: &Browser, checker: &str) -> Vec<String> {
    let mut findings = Vec::new();
    browser.run(checker).await;
    for theme in ["light", "dark"] {
        browser.pretend("screen", theme).await;
        browser
            .run(&format!(
                "document.documentElement.dataset.theme = '{theme}'; window.found = undefined;
                 setTimeout(() => axe.run(document).then(({{ violations, passes }}) => {{
                     const bad = violations.filter(({{ impact }}) => impact === 'serious' || impact === 'critical');
                     window.found = passes.length < 5 ? ['hardly anything was checked'] : bad.map(({{ id, nodes }}) =>
                         id + ': ' + nodes.map(({{ html, any }}) => html.slice(0, 160) + ' ' + any.map(one => one.message)).join(' | '));
                 }}), 400);"
            ))
            .await;
        browser.until("window.found").await;
        let found = browser.run("return window.found").await;
        let found = found.as_array().expect("a list").iter();
        findings.extend(found.map(|one| format!("{theme}: {}", one.as_str().unwrap_or_default())));
    }
    findings
}

#[tokio::test]
async fn a_checker_finds_nothing_serious_on_any_page_of_ours() {
    let Some(checker) = checker() else {
        eprintln!("skipped: there is no npm, so `.dev/test` has not fetched axe-core");
        return;
    };
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let (mut all, mut looked_at) = (Vec::new(), 0);
    let mut look = async |name: &str| {
        looked_at += 1;
        let found = findings(&browser, &checker).await;
        all.extend(found.into_iter().map(|finding| format!("{name}, {finding}")));
    };
    tour::past_every_page(&stack, &browser, &mut look).await;
    tour::past_a_home_without_services(&browser, &mut look).await;
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert!(looked_at > 25, "{looked_at} pages");
    browser
        .run("document.body.innerHTML = '<p>hardly to be read</p><img src=x>'; document.querySelector('p').style = 'color:#999;background:#aaa'")
        .await;
    let noticed = findings(&browser, &checker).await;
    assert!(
        noticed.len() >= 4,
        "what is wrong is noticed, in both themes: {noticed:?}"
    );
    browser.close().await;
}
