//! Which answers are documents that may be edited, and what their heads must say afterwards.

use std::sync::Arc;

use crate::contract::edits::{Edits, Page};
use crate::contract::request::ResponseHead;
use crate::contract::tools::Tools;
use crate::html::rewriter::Rewriter;

/// What the request tells about the document that was asked for.
pub(crate) struct Asked {
    /// The public origin; empty if no plugin wants the document.
    pub(crate) origin: Box<str>,
    /// Whether an answer will have a body to edit.
    pub(crate) editable: bool,
    /// Whether a document was asked for and some plugin may edit it.
    pub(crate) document: bool,
    /// The version of the edits that a passed-on condition relies on.
    pub(crate) version: Option<u64>,
}

impl Asked {
    pub(crate) fn nothing() -> Self {
        Self { origin: Box::default(), editable: false, document: false, version: None }
    }

    pub(crate) fn is_document(&self) -> bool {
        self.document
    }
}

/// An answer that may be edited.
pub(crate) struct Document {}

/// Why an answer is not edited.
pub(crate) struct NotADocument {
    unusual: bool,
}

impl NotADocument {
    pub(crate) fn is_unusual(&self) -> bool {
        self.unusual
    }
}

impl Document {
    pub(crate) fn of(_head: &mut ResponseHead, asked: &Asked) -> Result<Self, NotADocument> {
        if asked.editable { Ok(Self {}) } else { Err(NotADocument { unusual: false }) }
    }

    pub(crate) fn page<'a>(&self, head: &'a ResponseHead) -> Page<'a> {
        Page { head, scripts: true }
    }

    pub(crate) fn rewriter(self, _head: &mut ResponseHead, _edits: Vec<Edits>, _asked: &Asked, tools: Arc<Tools>) -> Rewriter {
        Rewriter::new(tools)
    }
}
