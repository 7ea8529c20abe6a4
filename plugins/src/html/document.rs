//! Which answers are documents that may be edited, and what their heads must say afterwards.
//!
//! Security rules, "Answers": composed pages are `private`; length, digests and ranges of the original
//! body no longer hold. Entity tags are `validators.rs`, policies are `csp.rs`.

use std::sync::Arc;

use encoding_rs::Encoding;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::elements::Elements;
use super::plan::Plan;
use super::rewriter::Rewriter;
use super::scout::Scout;
use super::splice::Splice;
use super::{charset, validators};
use crate::contract::edits::{Edits, Page};
use crate::contract::request::{Request, ResponseHead};
use crate::contract::tools::Tools;
use crate::csp;

/// What the request tells about the document that was asked for.
pub(crate) struct Asked {
    /// The public origin; empty if no plugin wants the document.
    pub(crate) origin: Box<str>,
    /// A document was asked for and some plugin may edit it.
    pub(crate) document: bool,
    /// The answer will have no body (`HEAD`).
    pub(crate) bodiless: bool,
    /// The version of the edits that a passed-on condition relies on.
    pub(crate) version: Option<u64>,
}

impl Asked {
    /// No plugin wants to edit the answer.
    pub(crate) fn nothing() -> Self {
        Self {
            origin: Box::default(),
            document: false,
            bodiless: false,
            version: None,
        }
    }

    /// Some plugin may edit the answer to this request.
    pub(crate) fn document(request: &Request<'_>) -> Self {
        Self {
            origin: request.origin.into(),
            document: request.intent.is_navigation(),
            bodiless: *request.method == Method::HEAD,
            version: None,
        }
    }
}

/// An answer that may be edited.
pub(crate) struct Document {
    charset: Option<&'static Encoding>,
    sandboxed: bool,
}

/// Why an answer is not edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotEditable {
    /// It is no HTML page, or has no body: the usual case.
    NoDocument,
    /// It is a page, in a charset or a content encoding that we cannot edit.
    Unreadable,
}

impl Document {
    /// Looks at an answer.
    pub(crate) fn of(head: &ResponseHead, asked: &Asked) -> Result<Self, NotEditable> {
        if !asked.document || !has_page_status(head) || !is_html(&head.headers) || is_download(&head.headers)
        {
            return Err(NotEditable::NoDocument);
        }
        let encoded = head
            .headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .any(|value| value != "identity");
        let content_type = text(&head.headers, &header::CONTENT_TYPE).unwrap_or_default();
        let charset = charset::of_content_type(content_type);
        if encoded || charset.is_some_and(|charset| !charset.is_ascii_compatible()) {
            return Err(NotEditable::Unreadable);
        }
        Ok(Self {
            charset,
            sandboxed: csp::sandboxed(&head.headers),
        })
    }

    /// What plugins get to know of it.
    pub(crate) fn page<'a>(&self, head: &'a ResponseHead) -> Page<'a> {
        Page {
            head,
            scripts: !self.sandboxed,
        }
    }

    /// Corrects the head and builds the rewriter; `None` if there will be no body to edit.
    pub(crate) fn rewriter(
        self,
        head: &mut ResponseHead,
        edits: Vec<Edits>,
        asked: &Asked,
        tools: Arc<Tools>,
    ) -> Option<Rewriter> {
        let version = validators::combine(edits.iter().map(|edit| edit.version));
        let (mut plan, elements) = Plan::new(edits, &asked.origin, self.sandboxed);
        if csp::any(&head.headers) {
            plan.policies().extend_headers(&mut head.headers);
        }
        forget_original_body(&mut head.headers);
        validators::mark(&mut head.headers, version);
        private(&mut head.headers);
        vary(&mut head.headers, "Cookie");
        vary(&mut head.headers, "Sec-Fetch-Dest");
        if asked.bodiless {
            return None;
        }
        let limit = tools.rewrite_bytes;
        let elements = Elements::new(elements, self.charset, limit);
        let scripts = !self.sandboxed;
        let head_only = elements.as_ref().is_some_and(Elements::head_only);
        let scout = head_only.then(|| Scout::new(scripts, limit));
        let idle = plan.is_empty();
        let splice = Splice::new(plan, scripts, self.charset.is_some(), limit);
        let splice = if idle { splice.idle() } else { splice };
        Some(Rewriter::new(splice, elements, scout, tools))
    }
}

/// The page in the browser's cache is still good: its head must stay what it was when it was composed.
pub(crate) fn not_modified(head: &mut ResponseHead, version: u64) {
    // A policy's nonce is in the cached page; a new policy would not know it.
    for name in csp::HEADERS {
        head.headers.remove(name);
    }
    validators::mark(&mut head.headers, Some(version));
    private(&mut head.headers);
    vary(&mut head.headers, "Cookie");
    vary(&mut head.headers, "Sec-Fetch-Dest");
}

/// Headers that describe the bytes which the upstream sent, and the caching of shared caches; but for the length.
const OF_THE_ORIGINAL_BODY: [HeaderName; 8] = [
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("cdn-cache-control"),
    HeaderName::from_static("no-vary-search"),
];

fn forget_original_body(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    if headers.keys().any(|name| OF_THE_ORIGINAL_BODY.contains(name)) {
        for name in OF_THE_ORIGINAL_BODY {
            headers.remove(name);
        }
    }
}

fn has_page_status(head: &ResponseHead) -> bool {
    let bodiless = matches!(
        head.status,
        StatusCode::NO_CONTENT
            | StatusCode::RESET_CONTENT
            | StatusCode::PARTIAL_CONTENT
            | StatusCode::NOT_MODIFIED
    );
    let elsewhere = head.status.is_redirection() && head.headers.contains_key(header::LOCATION);
    head.status.as_u16() >= 200 && !bodiless && !elsewhere
}

/// Whether the answer is HTML. Two different types are none.
pub(crate) fn is_html(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let kind = value
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/html")
}

fn is_download(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_DISPOSITION) else {
        return false;
    };
    let kind = value
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    !kind.trim_ascii().eq_ignore_ascii_case(b"inline")
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Shared caches may not keep the page. A backend that says nothing of freshness gets `no-cache`, because
/// the page also changes with the user's preferences.
fn private(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        let all = if headers.contains_key(header::EXPIRES) {
            "private"
        } else {
            "private, no-cache"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(all));
        return;
    }
    let mut kept: Vec<String> = Vec::new();
    let mut fresh = false;
    for value in headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for directive in value
            .split(',')
            .map(str::trim)
            .filter(|directive| !directive.is_empty())
        {
            let name = directive
                .split('=')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            match name.as_str() {
                "public" | "s-maxage" | "proxy-revalidate" | "private" => continue,
                "max-age" | "no-cache" | "no-store" | "immutable" => fresh = true,
                _ => {}
            }
            kept.push(directive.to_owned());
        }
    }
    if !fresh && !headers.contains_key(header::EXPIRES) {
        kept.insert(0, "no-cache".to_owned());
    }
    kept.insert(0, "private".to_owned());
    if let Ok(value) = HeaderValue::from_str(&kept.join(", ")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

/// Adds a name to `Vary`.
pub(crate) fn vary(headers: &mut HeaderMap, name: &'static str) {
    let there = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split(',')
                .any(|one| one.trim() == "*" || one.trim().eq_ignore_ascii_case(name))
        });
    if !there {
        headers.append(header::VARY, HeaderValue::from_static(name));
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
