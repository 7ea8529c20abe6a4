//! The design system: stylesheets, scripts and icons as files, and the gateway's own pages in it.

use bytes::Bytes;

/// A file of the design system.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The path on the public origin, for example `/static/css/global.css`.
    pub path: &'static str,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub body: Bytes,
    /// A strong entity tag with its quotes.
    pub etag: &'static str,
    /// Whether the path holds a hash of the content, so that it may be cached for ever.
    pub immutable: bool,
}

/// All files, under all their names.
#[must_use]
pub fn assets() -> &'static [Asset] {
    &[]
}

/// The file of a path (without query).
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    assets().iter().find(|asset| asset.path == path)
}

/// A page of the gateway itself (errors, confirmations) in the design system, without panel. `body` is
/// markup; text in it has been escaped by `maud`.
#[must_use]
pub fn standalone_page(title: &str, body: maud::Markup) -> String {
    maud::html! {
        (maud::DOCTYPE)
        html lang="en" { head { title { (title) } } body { (body) } }
    }
    .into_string()
}
