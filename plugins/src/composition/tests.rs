//! What people of each kind see around a page.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use hivematrix_platform::{ColorTheme, PermissionLevel, Preferences, Theme};
use http::{Method, StatusCode};

use super::Composition;
use crate::testing::{Case, caller, menu, named, preferring, problems, visit};
use crate::{MenuEntry, Outcome, Tools};

const PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<title>t</title>\n</head>\n<body>\n<h1>Hello</h1>\n</body>\n</html>\n";

fn composed() -> Case<Composition> {
    visit::<Composition>("")
}

fn dark_bee() -> Preferences {
    Preferences {
        theme: Theme::Dark,
        color_theme: ColorTheme::Bee,
        ..Preferences::default()
    }
}

/// The labels of the panel's links, in order.
fn labels(page: &str) -> Vec<&str> {
    page.split("side-panel__label\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap())
        .collect()
}

#[test]
fn a_page_gets_the_contract_and_keeps_its_bytes() {
    let seen = composed()
        .caller(caller(PermissionLevel::Admin))
        .preferences(preferring(dark_bee()))
        .answer_html(PAGE);
    let page = seen.text();
    assert!(page.starts_with("<!doctype html>\n<html data-theme=\"dark\" data-color-theme=\"bee\" lang=\"en\">\n<head>\n<title>t</title>\n"));
    let (head, body) = page.split_once("</head>").unwrap();
    let files: Vec<_> = head
        .split(['"', ' '])
        .filter(|word| word.starts_with("/static/"))
        .collect();
    assert_eq!(files.len(), 5, "{head}");
    for (file, start) in files.iter().zip([
        "/static/js/panel-start.",
        "/static/css/global.",
        "/static/css/side-panel.",
        "/static/js/panel.",
        "/static/js/session.",
    ]) {
        assert!(file.starts_with(start), "{file}");
    }
    assert!(body.starts_with("\n<body><hivematrix-layout class=\"hivematrix-layout\"><div class=\"hivematrix-side-panel\" id=\"side-panel\">"));
    assert!(body.ends_with("</div><hivematrix-content class=\"hivematrix-content\" id=\"hivematrix-content\">\n<h1>Hello</h1>\n</body>\n</html>\n"));
    assert_eq!(seen.outcome, Some(Outcome::Edited));
    assert!(page.is_ascii());
}

#[test]
fn the_menu_shows_whom_each_door_admits() {
    #[rustfmt::skip]
    let table: &[(PermissionLevel, &[&str])] = &[
        (PermissionLevel::Admin, &["Helm", "Codex", "Ledger", "Template"]),
        (PermissionLevel::Billing, &["Codex", "Ledger", "Template"]),
        (PermissionLevel::Technician, &["Codex", "Template"]),
        (PermissionLevel::Client, &["Codex", "Template"]),
    ];
    for (level, expected) in table {
        let page = composed()
            .caller(caller(*level))
            .get("/codex/x")
            .answer_html(PAGE)
            .text();
        let found = labels(&page);
        let (menu, footer) = found.split_at(expected.len());
        assert_eq!(menu, *expected, "{level}");
        assert_eq!(
            footer,
            [
                "Alice Example",
                "Settings",
                "Dark theme",
                "Light theme",
                "Log out"
            ],
            "{level}"
        );
        let active = page.split("side-panel__item--active").nth(1).unwrap();
        assert!(
            active.contains("href=\"/codex/\"") && page.matches("item--active").count() == 1,
            "{level}"
        );
    }
}

#[test]
fn who_is_not_signed_in_sees_no_private_entry_and_a_way_in() {
    let page = composed()
        .get("/template/a%20b?x=1&next=//evil")
        .answer_html(PAGE)
        .text();
    assert_eq!(labels(&page), ["Sign in"]);
    assert!(
        page.contains("href=\"/login?next=/template/a%2520b%3Fx%3D1%26next%3D//evil\""),
        "{page}"
    );
    assert!(!page.contains("/logout") && !page.contains("Codex"));
    assert!(
        page.contains("<html data-theme=\"light\" data-color-theme=\"purple\" data-theme-default=\"\" lang")
    );
}

#[test]
fn names_are_text_whatever_they_hold() {
    let name = "<script>alert(\"1\")</script> & Zoë <!--gap-->";
    let labelled: Arc<[MenuEntry]> = menu()
        .iter()
        .map(|entry| MenuEntry {
            label: format!("{}<b>'\"", entry.label),
            icon: "\"><script>".into(),
            ..entry.clone()
        })
        .collect();
    let case = composed()
        .caller(named(name, PermissionLevel::Client))
        .menu(labelled);
    let page = case.answer_html(PAGE).text();
    assert!(
        page.contains(
            "title=\"&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; Zo&#235; &lt;!--gap--&gt;: where you are signed in\""
        ),
        "{page}"
    );
    assert!(page.contains(">Codex&lt;b&gt;'&quot;</span>"), "{page}");
    assert_eq!(page.matches("<script").count(), 3, "only ours");
    assert!(page.is_ascii());
}

/// What it is, the request, and the answer's status and headers.
type Row = (
    &'static str,
    Case<Composition>,
    StatusCode,
    Vec<(&'static str, &'static str)>,
);

#[test]
fn what_is_no_page_is_not_touched() {
    const HTML: (&str, &str) = ("content-type", "text/html");
    let case = || composed().caller(caller(PermissionLevel::Admin));
    let ok = StatusCode::OK;
    #[rustfmt::skip]
    let table: Vec<Row> = vec![
        ("JSON", case(), ok, vec![("content-type", "application/json"), ("etag", "\"1\"")]),
        ("a download", case(), ok, vec![HTML, ("content-disposition", "attachment"), ("content-length", "5")]),
        ("fetch()", case().header("sec-fetch-dest", "empty"), ok, vec![HTML]),
        ("htmx", case().header("hx-request", "true"), ok, vec![HTML]),
        ("jQuery", case().header("x-requested-with", "XMLHttpRequest"), ok, vec![HTML]),
        ("a frame", case().header("sec-fetch-dest", "iframe"), ok, vec![HTML]),
        ("a part", case(), StatusCode::PARTIAL_CONTENT, vec![HTML]),
        ("HEAD", case().request(Method::HEAD, "/codex/"), ok, vec![HTML]),
        ("still compressed", case(), ok, vec![HTML, ("content-encoding", "gzip")]),
        ("UTF-16", case(), ok, vec![("content-type", "text/html; charset=utf-16")]),
    ];
    for (name, case, status, headers) in table {
        let seen = case.answer(status, &headers, b"<p>hi");
        assert_eq!(seen.text(), "<p>hi", "{name}");
        assert_eq!(seen.outcome, None, "{name}");
        if !matches!(name, "HEAD" | "fetch()" | "htmx" | "jQuery" | "a frame") {
            assert_eq!(
                seen.head.headers.len(),
                headers.len(),
                "{name}: {:?}",
                seen.head.headers
            );
        }
    }
}

#[test]
fn pages_that_cannot_take_edits_come_through_byte_for_byte() {
    let page = "<title>x</title><frameset><frame src=a></frameset>";
    let seen = composed().answer_html(page);
    assert_eq!(
        (seen.text().as_str(), seen.outcome),
        (page, Some(Outcome::LeftAlone))
    );
    let japanese = "<meta charset=iso-2022-jp><p>x";
    let seen = composed().answer(
        StatusCode::OK,
        &[("content-type", "text/html")],
        japanese.as_bytes(),
    );
    assert_eq!(
        (seen.text().as_str(), seen.outcome),
        (japanese, Some(Outcome::LeftAlone))
    );
    let utf16: Vec<u8> = "\u{feff}<p>x".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let seen = composed().answer(StatusCode::OK, &[("content-type", "text/html")], &utf16);
    assert_eq!(
        (&seen.body[..], seen.outcome),
        (&utf16[..], Some(Outcome::LeftAlone))
    );
}

#[test]
fn framed_pages_are_composed_only_where_that_is_set() {
    let framed = |settings| {
        visit::<Composition>(settings)
            .header("sec-fetch-dest", "iframe")
            .answer_html(PAGE)
    };
    assert_eq!(framed("").text(), PAGE);
    assert!(framed("framed = true").text().contains("side-panel"));
}

#[test]
fn settings_are_few_and_checked() {
    assert_eq!(problems::<Composition>("framed = true"), []);
    assert_eq!(problems::<Composition>("framde = true")[0].1, "framde");
}

#[test]
fn a_panel_is_rendered_once_for_all_who_see_the_same() {
    let (menu, tools) = (menu(), Tools::default());
    let plugin = <Composition as crate::Plugin>::new(super::CompositionSettings::default(), &tools).unwrap();
    let variant = |level| super::Variant {
        level,
        service: "codex".into(),
        scripts: true,
        checked: true,
    };
    let first = plugin.shared.panel(&menu, &variant(None));
    assert!(Arc::ptr_eq(&first, &plugin.shared.panel(&menu, &variant(None))));
    assert!(!Arc::ptr_eq(
        &first,
        &plugin.shared.panel(&menu, &variant(Some(PermissionLevel::Admin)))
    ));
    let reloaded: Arc<[MenuEntry]> = menu.to_vec().into();
    assert!(!Arc::ptr_eq(
        &first,
        &plugin.shared.panel(&reloaded, &variant(None))
    ));
}

#[test]
fn a_page_says_when_the_session_could_not_be_checked_and_is_another_page_then() {
    let headers = [("content-type", "text/html"), ("etag", "\"v1\"")];
    let composed = || composed().caller(caller(PermissionLevel::Admin));
    let checked = composed().answer(StatusCode::OK, &headers, PAGE.as_bytes());
    let unchecked = composed()
        .unchecked()
        .answer(StatusCode::OK, &headers, PAGE.as_bytes());
    assert!(!checked.text().contains("side-panel__unchecked"));
    assert_eq!(unchecked.text().matches("side-panel__unchecked").count(), 1);
    assert!(unchecked.text().contains("go on reading"));
    assert_ne!(checked.header("etag"), unchecked.header("etag"));
}
