//! Applies the edits of all plugins to one document while it streams by, and counts how that went.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::elements::Elements;
use super::splice::{Progress, Splice};
use crate::contract::tools::Tools;

/// How a document fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The edits are not all in the page yet.
    Pending,
    /// The page got its edits.
    Edited,
    /// The page cannot take them (a frameset, or UTF-16) and went on as it came.
    LeftAlone,
    /// A limit or an error ended the edits; the rest of the page went on as it came.
    GivenUp,
}

/// Applies the edits of all plugins to one document. It never fails, holds no more than
/// [`Tools::rewrite_bytes`], and once the last edit is made it hands chunks through uncopied.
pub struct Rewriter {
    splice: Splice,
    elements: Option<Elements>,
    tools: Arc<Tools>,
    ended: bool,
    counted: bool,
}

/// Chunks are cut to this size while the parser is needed only up to the body, so that it reads little
/// beyond.
const SLICE: usize = 512;

impl Rewriter {
    pub(crate) fn new(splice: Splice, elements: Option<Elements>, tools: Arc<Tools>) -> Self {
        Self { splice, elements, tools, ended: false, counted: false }
    }

    /// The next bytes of the body; returns what can go to the browser now.
    pub fn push(&mut self, chunk: &Bytes) -> Bytes {
        let out = match &mut self.elements {
            None => self.splice.push(chunk),
            Some(elements) if !elements.head_only() => {
                let edited = elements.push(chunk);
                self.splice.push(&edited)
            }
            Some(_) => self.push_in_slices(chunk),
        };
        self.count();
        out
    }

    /// The body has ended; returns what is left.
    pub fn finish(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(elements) = &mut self.elements {
            let rest = elements.end();
            out.extend_from_slice(&self.splice.push(&rest));
        }
        out.extend_from_slice(&self.splice.finish());
        self.ended = true;
        self.count();
        out.freeze()
    }

    /// How it went so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let failed = self.elements.as_ref().is_some_and(Elements::failed);
        let parsing = self.elements.is_some() && !self.ended;
        match self.splice.progress() {
            _ if failed => Outcome::GivenUp,
            Progress::LeftAlone => Outcome::LeftAlone,
            Progress::GivenUp => Outcome::GivenUp,
            Progress::Done if !parsing => Outcome::Edited,
            Progress::Done | Progress::Reading => Outcome::Pending,
        }
    }

    fn push_in_slices(&mut self, chunk: &Bytes) -> Bytes {
        let mut out = BytesMut::new();
        let mut at = 0;
        while let Some(elements) = &mut self.elements
            && at < chunk.len()
        {
            let to = (at + SLICE).min(chunk.len());
            let edited = elements.push(chunk.get(at..to).unwrap_or_default());
            out.extend_from_slice(&self.splice.push(&edited));
            at = to;
            if self.splice.progress() != Progress::Reading && !elements.failed() {
                let rest = elements.end();
                out.extend_from_slice(&rest);
                if !elements.failed() {
                    self.elements = None;
                }
            }
        }
        let rest = chunk.slice(at..);
        if out.is_empty() {
            return self.splice.push(&rest);
        }
        out.extend_from_slice(&self.splice.push(&rest));
        out.freeze()
    }

    fn count(&mut self) {
        if self.counted {
            return;
        }
        let counters = &self.tools.counters;
        match self.outcome() {
            Outcome::Pending => return,
            Outcome::Edited => counters.page_edited(),
            Outcome::LeftAlone => counters.page_left_alone(),
            Outcome::GivenUp => counters.rewrite_given_up(),
        }
        self.counted = true;
    }
}
