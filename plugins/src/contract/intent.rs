//! What the browser wants an answer for: a page to show, or something a script will read.
//!
//! The one place that tells navigation from AJAX; the login uses it too. Rules after mod_auth_openidc:
//! what scripts say about themselves first, then `Sec-Fetch-*`, then `Accept`.

use http::{HeaderMap, Method, header};

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// A page that fills the window or tab.
    Document,
    /// A page inside a frame of another page.
    FramedDocument,
    /// Anything else: scripts, images, downloads by scripts, API clients, WebSockets.
    Other,
}

/// Headers by which script libraries announce that they fetch a part of a page.
const FRAGMENT_HEADERS: [&str; 5] = [
    "hx-request",
    "x-requested-with",
    "x-pjax",
    "turbo-frame",
    "x-up-target",
];

impl Intent {
    /// Reads the intent from method and headers.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let fragment = FRAGMENT_HEADERS.iter().any(|name| headers.contains_key(*name));
        if fragment || headers.contains_key(header::UPGRADE) || *method == Method::OPTIONS {
            return Self::Other;
        }
        match text(headers, "sec-fetch-dest") {
            Some("document") => return Self::Document,
            Some("iframe" | "frame" | "object" | "embed" | "fencedframe") => return Self::FramedDocument,
            Some(_) => return Self::Other,
            None => {}
        }
        match text(headers, "sec-fetch-mode") {
            Some("navigate") => Self::Document,
            Some(_) => Self::Other,
            None if accepts_html(headers) => Self::Document,
            None => Self::Other,
        }
    }

    /// Whether a person will look at the answer as a page of its own.
    #[must_use]
    pub fn is_navigation(self) -> bool {
        matches!(self, Self::Document | Self::FramedDocument)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A browser's navigation names `text/html`; `*/*` alone is what scripts and command lines send.
fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value.split(',').any(|range| {
                let kind = range.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
            })
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Intent);

    #[test]
    fn a_page_is_told_from_what_scripts_fetch() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        #[rustfmt::skip]
        let table: &[Row] = &[
            ("a navigation", &[("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")], Intent::Document),
            ("a form post has the same marks", &[("sec-fetch-dest", "document")], Intent::Document),
            ("a frame", &[("sec-fetch-dest", "iframe"), ("accept", browser)], Intent::FramedDocument),
            ("fetch()", &[("sec-fetch-dest", "empty"), ("accept", "text/html")], Intent::Other),
            ("an image", &[("sec-fetch-dest", "image")], Intent::Other),
            ("a prerendered navigation", &[("sec-fetch-dest", "document"), ("sec-purpose", "prefetch")], Intent::Document),
            ("htmx, even where it looks like a page", &[("sec-fetch-dest", "document"), ("hx-request", "true")], Intent::Other),
            ("jQuery", &[("x-requested-with", "XMLHttpRequest"), ("accept", browser)], Intent::Other),
            ("only the mode is sent", &[("sec-fetch-mode", "navigate")], Intent::Document),
            ("cors mode", &[("sec-fetch-mode", "cors"), ("accept", browser)], Intent::Other),
            ("an old browser", &[("accept", browser)], Intent::Document),
            ("upper case is the same type", &[("accept", "Text/HTML;q=0.9")], Intent::Document),
            ("curl", &[("accept", "*/*")], Intent::Other),
            ("a program", &[("accept", "application/json")], Intent::Other),
            ("nothing said", &[], Intent::Other),
            ("a WebSocket", &[("upgrade", "websocket"), ("accept", browser)], Intent::Other),
        ];
        for (name, headers, expected) in table {
            let map = headers
                .iter()
                .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
                .collect();
            assert_eq!(Intent::of(&Method::GET, &map), *expected, "{name}");
        }
    }
}
