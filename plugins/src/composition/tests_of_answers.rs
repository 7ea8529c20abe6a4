//! What composition does to the head of an answer, and when it waits.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hivematrix_platform::{ColorTheme, PermissionLevel, Preferences, Theme};
use http::StatusCode;

use super::Composition;
use crate::Tools;
use crate::testing::{Case, Slow, caller, menu, named, preferring, visit};

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

#[test]
fn preferences_that_come_late_delay_no_page_beyond_the_deadline() {
    let wants = |after| Slow {
        preferences: Some(Arc::new(dark_bee())),
        after,
    };
    let deadline = Tools {
        response_deadline: Duration::from_millis(40),
        ..Tools::default()
    };
    let case = || {
        composed()
            .caller(caller(PermissionLevel::Client))
            .tools(deadline.clone())
    };
    let soon = case()
        .preferences(wants(Duration::from_millis(2)))
        .answer_html(PAGE);
    assert!(soon.text().contains("data-theme=\"dark\""));
    let late = case()
        .preferences(wants(Duration::from_secs(30)))
        .answer_html("<p>hi");
    assert!(
        late.text()
            .contains("data-theme=\"light\" data-color-theme=\"purple\"")
    );
    assert!(late.held < Duration::from_secs(5), "{:?}", late.held);
    let never = case()
        .preferences(Slow {
            preferences: None,
            after: Duration::from_millis(1),
        })
        .answer_html(PAGE);
    assert!(never.text().contains("data-theme=\"light\""));
}

#[test]
fn a_page_without_scripts_gets_a_panel_that_needs_none() {
    let policy = ("content-security-policy", "sandbox; style-src 'none'");
    let headers = [("content-type", "text/html"), policy];
    let seen =
        composed()
            .caller(caller(PermissionLevel::Admin))
            .answer(StatusCode::OK, &headers, PAGE.as_bytes());
    let page = seen.text();
    assert!(!page.contains("<script") && !page.contains("<button"), "{page}");
    assert!(page.contains("hivematrix-side-panel--static") && page.contains("href=\"/logout\""));
    let policy = seen.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox; style-src https://hm.example/static/css/global."),
        "{policy}"
    );
    assert!(!policy.contains("script-src"), "{policy}");
}

#[test]
fn policies_in_head_and_page_are_extended_and_their_nonce_is_carried() {
    let headers = [
        ("content-type", "text/html"),
        (
            "content-security-policy",
            "script-src 'nonce-r4nd0m'; style-src 'self'",
        ),
    ];
    let page = PAGE.replace(
        "<title>",
        "<meta http-equiv=\"content-security-policy\" content=\"default-src &#39;none&#39;\"><title>",
    );
    let seen =
        composed()
            .caller(caller(PermissionLevel::Admin))
            .answer(StatusCode::OK, &headers, page.as_bytes());
    assert_eq!(
        seen.header("content-security-policy"),
        Some("script-src 'nonce-r4nd0m'; style-src 'self'")
    );
    let text = seen.text();
    let meta = text
        .split("http-equiv=\"content-security-policy\" content=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    for needed in [
        "style-src https://hm.example/static/css/",
        "script-src https://hm.example/static/js/",
        "connect-src https://hm.example/api/session https://hm.example/codex/api/my/settings https://hm.example/api/invalidate-cache",
    ] {
        assert!(meta.contains(needed), "{meta}");
    }
    assert_eq!(text.matches("nonce=\"r4nd0m\"").count(), 3, "{text}");
}

#[test]
fn a_base_moves_none_of_our_links() {
    let page = PAGE.replace(
        "<title>",
        "<base href=\"https://elsewhere.example/\" target=\"_blank\"><title>",
    );
    let text = composed()
        .caller(caller(PermissionLevel::Admin))
        .answer_html(&page)
        .text();
    assert!(!text.contains("href=\"/") && !text.contains("src=\"/"), "{text}");
    assert!(
        text.contains("target=\"_self\" href=\"https://hm.example/codex/\""),
        "{text}"
    );
}

#[test]
fn an_entity_tag_changes_with_everything_a_page_is_made_of() {
    let headers = [("content-type", "text/html"), ("etag", "\"v1\"")];
    let tag = |case: Case<Composition>| {
        let seen = case.answer(StatusCode::OK, &headers, PAGE.as_bytes());
        seen.header("etag").unwrap().to_owned()
    };
    let case = || {
        composed()
            .caller(caller(PermissionLevel::Admin))
            .preferences(preferring(dark_bee()))
    };
    let first = tag(case());
    assert!(
        first.starts_with("W/\"hm") && first.ends_with("-sv1\""),
        "{first}"
    );
    assert_eq!(first, tag(case()));
    let light = Preferences {
        theme: Theme::Light,
        ..dark_bee()
    };
    for other in [
        case().preferences(preferring(light)),
        case().caller(caller(PermissionLevel::Client)),
        case().caller(named("Bob", PermissionLevel::Admin)),
        case().menu(menu().iter().skip(1).cloned().collect()),
        composed().preferences(preferring(dark_bee())),
    ] {
        assert_ne!(first, tag(other));
    }
}

#[test]
fn a_condition_is_passed_on_only_while_the_composed_page_would_be_the_same() {
    let headers = [("content-type", "text/html"), ("etag", "\"v1\"")];
    let case = || {
        composed()
            .caller(caller(PermissionLevel::Admin))
            .preferences(preferring(dark_bee()))
    };
    let tag = case()
        .answer(StatusCode::OK, &headers, PAGE.as_bytes())
        .header("etag")
        .unwrap()
        .to_owned();
    let not_modified = [
        ("etag", "\"v1\""),
        ("content-security-policy", "script-src 'nonce-other'"),
    ];
    let again = case()
        .header("if-none-match", &tag)
        .answer(StatusCode::NOT_MODIFIED, &not_modified, b"");
    assert_eq!(again.request.headers["if-none-match"], "\"v1\"");
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    assert_eq!(
        again.header("content-security-policy"),
        None,
        "the cached page's nonce stays in force"
    );
    let other = case()
        .caller(caller(PermissionLevel::Client))
        .header("if-none-match", &tag);
    assert!(
        !other
            .answer_html(PAGE)
            .request
            .headers
            .contains_key("if-none-match")
    );
    let slow = Slow {
        preferences: Some(Arc::new(dark_bee())),
        after: Duration::from_millis(1),
    };
    let unknown = case().preferences(slow).header("if-none-match", &tag);
    assert!(
        !unknown
            .answer_html(PAGE)
            .request
            .headers
            .contains_key("if-none-match")
    );
}
