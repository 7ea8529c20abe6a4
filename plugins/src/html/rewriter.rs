//! Applies edits to a document while it streams by.

use std::sync::Arc;

use bytes::Bytes;

use crate::contract::tools::Tools;

/// How a document fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The edits are not in the page yet.
    Pending,
    /// The page got its edits.
    Edited,
    /// The page cannot take them (a frameset, for instance) and went on as it came.
    LeftAlone,
    /// A limit or an error ended the edits; the rest of the page went on as it came.
    GivenUp,
}

/// Applies the edits of all plugins to one document. Never fails.
pub struct Rewriter {
    _tools: Arc<Tools>,
}

impl Rewriter {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        Self { _tools: tools }
    }

    /// The next bytes of the body; returns what can go to the browser now.
    pub fn push(&mut self, chunk: &Bytes) -> Bytes {
        chunk.clone()
    }

    /// The body has ended; returns what is left.
    pub fn finish(&mut self) -> Bytes {
        Bytes::new()
    }

    /// How it went so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::Pending
    }
}
