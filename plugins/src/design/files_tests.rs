//! The files are what they say they are.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn every_file_has_a_plain_name_and_one_that_may_be_cached_for_ever() {
    assert_eq!(assets().len(), 2 * SOURCES.len());
    for plain in assets().iter().filter(|asset| !asset.immutable) {
        let hashed = assets()
            .iter()
            .find(|asset| asset.immutable && asset.body == plain.body)
            .unwrap();
        assert_eq!(hashed.etag, plain.etag);
        assert!(
            hashed.path.contains(hashed.etag.trim_matches('"')),
            "{}",
            hashed.path
        );
        assert_eq!(asset(hashed.path).unwrap().body, plain.body);
        assert!(hashed.cache_control().contains("immutable") && plain.cache_control().contains("no-cache"));
    }
    for path in ["/static/css/global.css", "/static/css/side-panel.css"] {
        assert!(
            asset(path).is_some_and(|asset| asset.content_type.starts_with("text/css")),
            "{path}"
        );
    }
    assert!(asset("/static/css/other.css").is_none());
    let files = files();
    for path in [files.global, files.side_panel, files.panel_start, files.panel] {
        assert!(asset(path).is_some_and(|asset| asset.immutable), "{path}");
    }
}

#[test]
fn names_need_no_escaping_anywhere() {
    for asset in assets() {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        assert!(asset.path.chars().all(plain), "{}", asset.path);
        assert!(asset.body.is_ascii(), "{}", asset.path);
    }
}

#[test]
fn the_design_system_is_small() {
    let size = |path: &str| asset(path).unwrap().body.len();
    let css = size("/static/css/global.css") + size("/static/css/side-panel.css");
    let js = size("/static/js/panel-start.js") + size("/static/js/panel.js");
    assert!(css < 33_000, "{css} bytes of CSS");
    assert!(js < 5_000, "{js} bytes of script");
}
