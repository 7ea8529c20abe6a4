//! Finds where the body begins, for edits that end there: only what lies before it goes to the parser.

use bytes::{Bytes, BytesMut};

use super::preamble::{Place, Preamble};

/// Runs ahead of the parser.
pub(crate) struct Scout {
    preamble: Preamble,
    window: BytesMut,
    limit: usize,
}

/// What the scout says of the bytes so far.
pub(crate) enum Report {
    /// All of these lie before the body.
    Head(Bytes),
    /// These do, and these do not; nothing more needs to be reported.
    Body(Bytes, Bytes),
}

impl Scout {
    /// `limit`: so many undecided bytes are kept at most.
    pub(crate) fn new(scripts: bool, limit: usize) -> Self {
        Self {
            preamble: Preamble::new(scripts),
            window: BytesMut::new(),
            limit,
        }
    }

    /// The next bytes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Report {
        self.window.extend_from_slice(chunk);
        while let Some(place) = self.preamble.next(&self.window) {
            match place {
                Place::Body { at, .. } => return self.body(at),
                Place::LeaveAlone => return self.body(0),
                Place::Html(_) | Place::Meta(..) | Place::Base | Place::HeadEnd(_) => {}
            }
        }
        let decided = self.preamble.undecided().min(self.window.len());
        if self.window.len() - decided > self.limit {
            return self.body(decided);
        }
        self.preamble.forget(decided);
        Report::Head(self.window.split_to(decided).freeze())
    }

    /// The page is over: what was still undecided.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.window).freeze()
    }

    fn body(&mut self, at: usize) -> Report {
        let head = self.window.split_to(at).freeze();
        Report::Body(head, self.finish())
    }
}
