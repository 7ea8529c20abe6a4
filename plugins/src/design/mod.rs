//! The design system: stylesheets and scripts as files under names that may be cached for ever, and the
//! gateway's own pages.
//!
//! Not responsible for sending files (the gateway does) nor for what goes into services' pages
//! (`crate::composition`).

#[cfg(test)]
mod contrast_tests;
mod files;
mod page;

use bytes::Bytes;

pub use files::{asset, assets};
pub(crate) use files::{files, version};
pub use page::{standalone_page, wide_page};

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
    /// `sha256-…` of the file, as `integrity` and policies want it.
    pub integrity: &'static str,
    /// Whether the path holds a hash of the content, so that it may be cached for ever; otherwise it has to
    /// be asked for anew with its entity tag.
    pub immutable: bool,
}

impl Asset {
    /// The value of `Cache-Control` that goes with the path.
    #[must_use]
    pub fn cache_control(&self) -> &'static str {
        if self.immutable {
            "public, max-age=31536000, immutable"
        } else {
            "public, no-cache"
        }
    }
}
