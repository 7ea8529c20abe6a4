//! Applies the edits of all plugins to one document while it streams by, and counts how that went.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::elements::Elements;
use super::scout::{Report, Scout};
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
    /// Only while element edits end where the body begins, and it has not begun.
    scout: Option<Scout>,
    tools: Arc<Tools>,
    ended: bool,
    counted: bool,
}

impl Rewriter {
    pub(crate) fn new(
        splice: Splice,
        elements: Option<Elements>,
        scout: Option<Scout>,
        tools: Arc<Tools>,
    ) -> Self {
        Self {
            splice,
            elements,
            scout,
            tools,
            ended: false,
            counted: false,
        }
    }

    /// The next bytes of the body; returns what can go to the browser now.
    pub fn push(&mut self, chunk: &Bytes) -> Bytes {
        let out = match &mut self.elements {
            None => self.splice.push(chunk),
            Some(elements) if !elements.head_only() => {
                let edited = elements.push(chunk);
                self.splice.push(&edited)
            }
            Some(_) => self.push_before_body(chunk),
        };
        self.count();
        out
    }

    /// The body has ended; returns what is left.
    pub fn finish(&mut self) -> Bytes {
        let mut out = BytesMut::new();
        if let Some(elements) = &mut self.elements {
            let mut rest = BytesMut::new();
            if let Some(scout) = &mut self.scout {
                rest.extend_from_slice(&elements.push(&scout.finish()));
            }
            rest.extend_from_slice(&elements.end());
            out.extend_from_slice(&self.splice.push(&rest.freeze()));
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
        let parsing = match &self.elements {
            Some(elements) if elements.head_only() => self.scout.is_some(),
            Some(_) => true,
            None => false,
        };
        match self.splice.progress() {
            _ if failed => Outcome::GivenUp,
            Progress::LeftAlone => Outcome::LeftAlone,
            Progress::GivenUp => Outcome::GivenUp,
            Progress::Done if !parsing || self.ended => Outcome::Edited,
            Progress::Done | Progress::Reading => Outcome::Pending,
        }
    }

    /// Element edits that end where the body begins.
    fn push_before_body(&mut self, chunk: &Bytes) -> Bytes {
        let (Some(scout), Some(elements)) = (&mut self.scout, &mut self.elements) else {
            return self.splice.push(chunk);
        };
        match scout.push(chunk) {
            Report::Head(head) => {
                let edited = elements.push(&head);
                self.splice.push(&edited)
            }
            Report::Body(head, rest) => {
                let mut edited = BytesMut::from(elements.push(&head));
                edited.extend_from_slice(&elements.end());
                edited.extend_from_slice(&rest);
                self.scout = None;
                self.splice.push(&edited.freeze())
            }
        }
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
