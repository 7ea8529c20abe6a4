//! Puts a plan's pieces into the stream, at the places that the preamble finds. After the body has begun,
//! chunks pass as the very bytes they came as.

use std::cell::Cell;

use bytes::{BufMut, Bytes, BytesMut};

use super::charset;
use super::plan::Plan;
use super::preamble::{Place, Preamble};

/// `</head>` is kept back until the body begins, if it begins so soon; else the head's pieces go in front
/// of the body's tag, where browsers move them into the head.
const HEAD_LOOKAHEAD: usize = 4 * 1024;

/// The largest buffer that is kept for the next page.
const KEPT: usize = 256 * 1024;

/// What a new buffer has at least: room for two pages, of which one may still be under way.
const ROOM: usize = 64 * 1024;

thread_local! {
    /// Where edited pieces of pages are put together, for all pages of the thread. What has left is used again.
    static SPARE: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// How far the splice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Reading,
    Done,
    LeftAlone,
    GivenUp,
}

/// One page's splice.
pub(crate) struct Splice {
    preamble: Preamble,
    plan: Plan,
    /// Bytes that are not sent yet, because it is not decided what comes in front of them.
    window: BytesMut,
    /// Where `</head>` stands in the window.
    head_end: Option<usize>,
    /// The charset is settled by the head of the answer, so `<meta>` cannot change it.
    charset_settled: bool,
    limit: usize,
    progress: Progress,
}

/// The output of one call.
struct Sink<'a> {
    out: BytesMut,
    window: &'a [u8],
    sent: usize,
}

impl<'a> Sink<'a> {
    fn new(window: &'a [u8]) -> Self {
        Self {
            out: SPARE.take(),
            window,
            sent: 0,
        }
    }

    /// So much will be put together.
    fn make_room(&mut self, len: usize) {
        if self.out.capacity() < len {
            self.out.reserve(len.max(ROOM));
        }
    }

    /// What was put together.
    fn finish(mut self) -> Bytes {
        let all = if self.out.is_empty() {
            Bytes::new()
        } else {
            self.out.split().freeze()
        };
        if all.len().max(self.out.capacity()) <= KEPT {
            SPARE.set(self.out);
        }
        all
    }

    fn send_to(&mut self, to: usize) {
        self.out
            .put_slice(self.window.get(self.sent..to).unwrap_or_default());
        self.sent = self.sent.max(to);
    }
}

impl Splice {
    /// `limit`: so many undecided bytes are kept at most.
    pub(crate) fn new(plan: Plan, scripts: bool, charset_settled: bool, limit: usize) -> Self {
        Self {
            preamble: Preamble::new(scripts),
            plan,
            window: BytesMut::new(),
            head_end: None,
            charset_settled,
            limit,
            progress: Progress::Reading,
        }
    }

    /// A splice that has nothing to do.
    pub(crate) fn idle(mut self) -> Self {
        self.progress = Progress::Done;
        self
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// The next bytes; returns what can go now.
    pub(crate) fn push(&mut self, chunk: &Bytes) -> Bytes {
        if self.progress != Progress::Reading {
            return chunk.clone();
        }
        let mut carried = std::mem::take(&mut self.window);
        let fresh = carried.is_empty();
        if !fresh {
            carried.extend_from_slice(chunk);
        }
        let mut sink = Sink::new(if fresh { chunk } else { &carried });
        while self.progress == Progress::Reading {
            let Some(place) = self.preamble.next(sink.window) else {
                break;
            };
            self.apply(place, &mut sink);
        }
        let keep = self.keep_from(sink.window.len());
        if fresh && sink.sent == 0 && sink.out.is_empty() {
            sink.finish();
            self.keep(chunk.get(keep..).unwrap_or_default(), keep);
            return chunk.slice(..keep);
        }
        sink.send_to(keep);
        self.keep(sink.window.get(keep..).unwrap_or_default(), keep);
        sink.finish()
    }

    /// The page is over; returns what is left.
    pub(crate) fn finish(&mut self) -> Bytes {
        if self.progress != Progress::Reading {
            return Bytes::new();
        }
        let carried = std::mem::take(&mut self.window);
        let place = self.preamble.end(&carried);
        let mut sink = Sink::new(&carried);
        self.apply(place, &mut sink);
        sink.send_to(carried.len());
        sink.finish()
    }

    /// From where on the window cannot be sent yet.
    fn keep_from(&mut self, end: usize) -> usize {
        if self.progress != Progress::Reading {
            return end;
        }
        let undecided = self.preamble.undecided().min(end);
        if self
            .head_end
            .is_some_and(|at| undecided.saturating_sub(at) > HEAD_LOOKAHEAD)
        {
            self.head_end = None;
        }
        let keep = self.head_end.unwrap_or(undecided);
        if end - keep > self.limit {
            self.progress = Progress::GivenUp;
            return end;
        }
        keep
    }

    fn keep(&mut self, rest: &[u8], gone: usize) {
        self.window.extend_from_slice(rest);
        self.preamble.forget(gone);
        self.head_end = self.head_end.map(|at| at.saturating_sub(gone));
    }

    fn apply(&mut self, place: Place, sink: &mut Sink<'_>) {
        sink.make_room(sink.window.len() + self.plan.size());
        match place {
            Place::Html(at) => {
                if !self.plan.html_attributes().is_empty() {
                    self.send_past_head_end(at, sink);
                    sink.out.put_slice(self.plan.html_attributes());
                }
            }
            Place::Meta(start, end) => self.meta(start, end, sink),
            Place::Base => self.plan.based(),
            Place::HeadEnd(at) => self.head_end = Some(at),
            Place::LeaveAlone => self.progress = Progress::LeftAlone,
            Place::Body { at, tag_end } => {
                let near = self
                    .head_end
                    .filter(|end| at.saturating_sub(*end) <= HEAD_LOOKAHEAD);
                sink.send_to(near.unwrap_or(at));
                self.plan.write_head(self.preamble.html_seen(), &mut sink.out);
                sink.send_to(tag_end.unwrap_or(at));
                self.plan.write_body(&mut sink.out);
                self.progress = Progress::Done;
            }
        }
    }

    fn meta(&mut self, start: usize, end: usize, sink: &mut Sink<'_>) {
        let tag = sink.window.get(start..end).unwrap_or_default();
        if !self.charset_settled && charset::meta_forbids_ascii(tag) {
            self.progress = Progress::LeftAlone;
        } else if let Some(extended) = self.plan.extended_meta(tag) {
            self.send_past_head_end(start, sink);
            sink.out.put_slice(&extended);
            sink.sent = end;
        }
    }

    /// Something behind `</head>` is edited, so nothing can be put in front of that any more.
    fn send_past_head_end(&mut self, to: usize, sink: &mut Sink<'_>) {
        self.head_end = None;
        sink.send_to(to);
    }
}
