//! How our pages look: on a phone, on paper, from right to left, in nine colours. What a program can see is asserted;
//! the pictures are for people (`target/screenshots`).

use hivematrix_tests::{Browser, Stack};
use serde_json::json;

use crate::browser::sign_in;
use crate::tour;

const WIDE: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);

/// What sticks out of the window sideways, without what is meant to scroll by itself.
const STICKING_OUT: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = one => one && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
    return [...document.querySelectorAll('body *')]
        .filter(one => { const box = one.getBoundingClientRect(); return box.right > width + 1 || box.left < -1; })
        .filter(one => !scrolls(one.parentElement))
        .map(one => one.outerHTML.slice(0, 90)).concat('the page scrolls: ' + document.documentElement.scrollWidth + ' > ' + width);";

async fn sticking_out(browser: &Browser) -> Vec<String> {
    let found = browser.run(STICKING_OUT).await;
    let found = found.as_array().expect("a list").iter();
    found
        .map(|one| one.as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Ends what is moving, so that pictures show where it leads.
const SETTLE: &str =
    "document.getAnimations().filter(one => one.effect.getComputedTiming().endTime !== Infinity)
    .forEach(one => one.finish())";

/// Light or dark, however a page decides on it.
async fn dress(browser: &Browser, scheme: &str) {
    browser.pretend("screen", scheme).await;
    browser
        .run(&format!("document.documentElement.dataset.theme = '{scheme}'"))
        .await;
    browser.run(SETTLE).await;
}

#[tokio::test]
async fn every_page_of_ours_fits_a_phone_and_is_pictured_in_light_and_dark() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let mut faults = Vec::new();
    let mut look = async |name: &str| {
        for (shape, (width, height)) in [("wide", WIDE), ("phone", PHONE)] {
            browser.resize(width, height).await;
            for scheme in ["light", "dark"] {
                dress(&browser, scheme).await;
                browser.screenshot(&format!("40-{name}-{shape}-{scheme}")).await;
            }
            for what in sticking_out(&browser).await {
                faults.push(format!("{name}, {shape}: {what}"));
            }
        }
        browser.resize(WIDE.0, WIDE.1).await;
    };
    tour::past_every_page(&stack, &browser, &mut look).await;
    tour::past_a_home_without_services(&browser, &mut look).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    browser
        .run("document.querySelector('main').style.minInlineSize = '2000px'")
        .await;
    assert!(
        !sticking_out(&browser).await.is_empty(),
        "what is too wide is noticed"
    );
    browser.close().await;
}

/// Where the panel and the page's heading are, `[panel's left, panel's right, heading's left, heading's right]`.
const PLACES: &str = "const of = name => document.querySelector(name).getBoundingClientRect();
    const panel = of('#side-panel'), heading = of('h1'), width = document.documentElement.clientWidth;
    return [panel.left === 0, panel.right === width, heading.left >= panel.right, heading.right <= panel.left];";

#[tokio::test]
async fn pages_from_right_to_left_have_the_panel_on_the_right_and_paper_has_none() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}codex/")).await;
    sign_in(&browser, "admin").await;
    for (name, path) in [
        ("codex", "codex/"),
        ("components", "template/components"),
        ("helm", "helm/"),
    ] {
        browser.go(&format!("{origin}{path}")).await;
        assert_eq!(
            browser.run(PLACES).await,
            json!([true, false, true, false]),
            "{path}"
        );
        browser.run("document.documentElement.dir = 'rtl'").await;
        assert_eq!(
            browser.run(PLACES).await,
            json!([false, true, false, true]),
            "{path}, from right to left"
        );
        browser.screenshot(&format!("41-{name}-rtl")).await;
        browser.resize(PHONE.0, PHONE.1).await;
        assert_eq!(
            sticking_out(&browser).await,
            [""; 0],
            "{path}, from right to left, on a phone"
        );
        browser.screenshot(&format!("41-{name}-rtl-phone")).await;
        browser.resize(WIDE.0, WIDE.1).await;
        browser
            .run("document.documentElement.dir = 'ltr'; document.documentElement.dataset.theme = 'dark'")
            .await;
        browser.pretend("print", "dark").await;
        let printed = browser
            .run(
                "const root = getComputedStyle(document.documentElement), panel = document.querySelector('#side-panel');
                 return [panel.getClientRects().length, root.paddingLeft, getComputedStyle(document.body).color];",
            )
            .await;
        assert_eq!(
            (&printed[0], &printed[1]),
            (&json!(0), &json!("0px")),
            "{path}, on paper: {printed}"
        );
        assert_eq!(
            printed[2],
            json!("rgb(26, 29, 35)"),
            "{path}: dark on white paper, whatever the theme"
        );
        browser.screenshot(&format!("41-{name}-print")).await;
        browser.pretend("screen", "light").await;
    }
    browser.close().await;
}

#[tokio::test]
async fn the_components_page_is_pictured_in_nine_colours_light_and_dark() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}template/components")).await;
    sign_in(&browser, "admin").await;
    browser.resize(1280, 5600).await;
    let mut accents = std::collections::BTreeSet::new();
    for colour in hivematrix_platform::ColorTheme::ALL {
        for scheme in ["light", "dark"] {
            dress(&browser, scheme).await;
            let accent = browser
                .run(&format!(
                    "document.documentElement.dataset.colorTheme = '{}'; {SETTLE};
                     return getComputedStyle(document.querySelector('.btn--primary')).backgroundColor",
                    colour.as_str()
                ))
                .await;
            accents.insert(accent.to_string());
            browser
                .screenshot(&format!("42-components-{}-{scheme}", colour.as_str()))
                .await;
        }
    }
    assert_eq!(accents.len(), 18, "each colour is one of its own: {accents:?}");
    browser.close().await;
}
