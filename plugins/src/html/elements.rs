//! Element edits by selector, through lol_html, over the upstream's own bytes.
//!
//! Never fails: what lol_html cannot do it hands back unedited, and the rest follows as it came.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use encoding_rs::Encoding;
use lol_html::send::{HtmlRewriter, Settings};
use lol_html::{AsciiCompatibleEncoding, ElementContentHandlers, MemorySettings};

use crate::contract::edits::{ElementEdit, Reach};

type Output = Arc<Mutex<Vec<u8>>>;
type Sink = Box<dyn FnMut(&[u8]) + Send>;
type Parser = HtmlRewriter<'static, Sink>;

/// The parser and what it has written.
pub(crate) struct Elements {
    /// In a lock only because the gateway's context must be `Sync`; nobody else ever takes it.
    parser: Mutex<Option<Parser>>,
    output: Output,
    failed: bool,
    /// Whether the parser is needed only before the body.
    head_only: bool,
}

impl Elements {
    /// A parser for `edits`, or `None` if there are none.
    pub(crate) fn new(
        edits: Vec<ElementEdit>,
        charset: Option<&'static Encoding>,
        limit: usize,
    ) -> Option<Self> {
        if edits.is_empty() {
            return None;
        }
        let head_only = edits.iter().all(|edit| edit.reach == Reach::Head);
        let memory = MemorySettings::new()
            .with_max_allowed_memory_usage(limit)
            .with_graceful_bail_out_on_memory_limit_exceeded(true);
        let known = charset.and_then(AsciiCompatibleEncoding::new);
        let mut settings = Settings::new_send()
            .with_encoding(known.unwrap_or_else(AsciiCompatibleEncoding::utf_8))
            .with_adjust_charset_on_meta_tag(known.is_none())
            .with_memory_settings(memory)
            .with_strict(false)
            .with_graceful_bail_out_on_content_handler_error(true);
        let selectors: Vec<_> = edits.iter().map(|edit| edit.selector.clone()).collect();
        for (selector, edit) in selectors.iter().zip(edits) {
            let handlers = ElementContentHandlers::default().element(edit.handler);
            settings = settings
                .append_element_content_handler((std::borrow::Cow::Borrowed(selector.0.as_ref()), handlers));
        }
        let output = Output::default();
        let written = output.clone();
        let sink: Sink = Box::new(move |bytes: &[u8]| {
            written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
        });
        let parser = Mutex::new(Some(HtmlRewriter::new(settings, sink)));
        Some(Self {
            parser,
            output,
            failed: false,
            head_only,
        })
    }

    /// Whether the parser is needed only before the body.
    pub(crate) fn head_only(&self) -> bool {
        self.head_only
    }

    /// Whether a limit or a handler's error has ended the edits.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The next bytes; returns what is ready.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Bytes {
        let place = self.parser.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(parser) = place else {
            return Bytes::copy_from_slice(chunk);
        };
        if let Err(error) = parser.write(chunk) {
            // Everything it held has been written out; it must not be used again.
            *place = None;
            self.failed = true;
            tracing::warn!(%error, "element edits end early");
        }
        self.ready()
    }

    /// No more edits; returns what the parser still held.
    pub(crate) fn end(&mut self) -> Bytes {
        let place = self.parser.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = place.take().map(HtmlRewriter::end) {
            self.failed = true;
            tracing::warn!(%error, "element edits end early");
        }
        self.ready()
    }

    fn ready(&self) -> Bytes {
        std::mem::take(&mut *self.output.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}
