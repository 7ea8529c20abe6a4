//! The files themselves: each under its plain path and under one with a hash of its content.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Asset;

/// Folder, stem, extension, content type, text.
type Source = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const SOURCES: [Source; 5] = [
    (
        "css",
        "global",
        "css",
        CSS,
        include_str!("../../assets/css/global.css"),
    ),
    (
        "css",
        "side-panel",
        "css",
        CSS,
        include_str!("../../assets/css/side-panel.css"),
    ),
    (
        "js",
        "panel-start",
        "js",
        SCRIPT,
        include_str!("../../assets/js/panel-start.js"),
    ),
    (
        "js",
        "panel",
        "js",
        SCRIPT,
        include_str!("../../assets/js/panel.js"),
    ),
    (
        "js",
        "session",
        "js",
        SCRIPT,
        include_str!("../../assets/js/session.js"),
    ),
];

/// The hashed paths that pages link.
pub(crate) struct Files {
    pub(crate) global: &'static str,
    pub(crate) side_panel: &'static str,
    pub(crate) panel_start: &'static str,
    pub(crate) panel: &'static str,
    pub(crate) session: &'static str,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| SOURCES.iter().flat_map(both_names).collect());

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let hashed = |plain: &'static str| {
        let body = asset(plain).map(|asset| &asset.body);
        let found = ASSETS
            .iter()
            .find(|asset| asset.immutable && Some(&asset.body) == body);
        found.map_or(plain, |asset| asset.path)
    };
    Files {
        global: hashed("/static/css/global.css"),
        side_panel: hashed("/static/css/side-panel.css"),
        panel_start: hashed("/static/js/panel-start.js"),
        panel: hashed("/static/js/panel.js"),
        session: hashed("/static/js/session.js"),
    }
});

/// All files, each under both its names.
#[must_use]
pub fn assets() -> &'static [Asset] {
    &ASSETS
}

/// The file of a path (without query).
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Changes with every byte of every file.
pub(crate) fn version() -> u64 {
    static VERSION: LazyLock<u64> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        ASSETS.iter().for_each(|asset| asset.body.hash(&mut hasher));
        hasher.finish()
    });
    *VERSION
}

/// The paths that pages link.
pub(crate) fn files() -> &'static Files {
    &FILES
}

fn both_names((folder, stem, extension, content_type, text): &Source) -> [Asset; 2] {
    let body = Bytes::from(slim(text, extension));
    let digest = Sha256::digest(&body);
    let short = URL_SAFE_NO_PAD.encode(digest.get(..9).unwrap_or_default());
    // A handful of short strings, made once and kept until the process ends.
    let keep = |text: String| -> &'static str { text.leak() };
    let plain = Asset {
        path: keep(format!("/static/{folder}/{stem}.{extension}")),
        content_type,
        body,
        etag: keep(format!("\"{short}\"")),
        integrity: keep(format!("sha256-{}", STANDARD.encode(digest))),
        immutable: false,
    };
    let hashed = Asset {
        path: keep(format!("/static/{folder}/{stem}.{short}.{extension}")),
        immutable: true,
        ..plain.clone()
    };
    [plain, hashed]
}

/// Drops comments of whole lines, indentation and empty lines, and in stylesheets the blanks around
/// punctuation. Nothing cleverer, so nothing to go wrong.
fn slim(text: &str, extension: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut comment = false;
    for line in text.lines().map(str::trim) {
        if extension == "css" && line.starts_with("/*") {
            comment = true;
        }
        let dropped = comment || line.is_empty() || (extension == "js" && line.starts_with("//"));
        if !dropped {
            out.push_str(line);
            out.push('\n');
        }
        if comment && line.ends_with("*/") {
            comment = false;
        }
    }
    if extension == "css" {
        for (wide, narrow) in [
            (" {", "{"),
            ("{ ", "{"),
            (" }", "}"),
            (";}", "}"),
            (": ", ":"),
            (", ", ","),
            ("; ", ";"),
        ] {
            out = out.replace(wide, narrow);
        }
    }
    out
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
