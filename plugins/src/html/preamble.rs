//! Finds where a page's head ends and its body begins, as browsers decide it (HTML §13.2.6.4.1–7).
//!
//! Everything before the body is followed by a small model of the insertion modes; what comes after the
//! body has begun is none of its business. Not responsible for changing anything: see `rewriter.rs`.

use super::foreign::{Meaning, Stack};
use super::name::Name;
use super::raw::Raw;
use super::token::{EndOfPage, Token};
use super::tokenizer::Tokenizer;

/// A place in the page where something may be edited; positions are bytes of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The page's own `<html`: attributes may be put at this position.
    Html(usize),
    /// A `<meta …>` of the head.
    Meta(usize, usize),
    /// A `<base …>` of the head.
    Base,
    /// `</head>` begins here.
    HeadEnd(usize),
    /// The body begins. What belongs to the head may be put at `at`; if the page says `<body>`, its tag
    /// ends at `tag_end`.
    Body { at: usize, tag_end: Option<usize> },
    /// This page must be left alone from here on.
    LeaveAlone,
}

/// The insertion mode, as far as it matters before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    BeforeHtml,
    BeforeHead,
    InHead,
    AfterHead,
    /// The body was begun at this position by something other than `<body>`; a `<frameset>` could still
    /// replace it.
    Begun(usize),
    Over,
}

/// So many bytes after a body began without `<body>`, no `<frameset>` is expected any more.
const FRAMESET_LOOKAHEAD: usize = 16 * 1024;

/// More nested templates and drawings than anybody writes in a head.
const DEEPEST: usize = 512;

/// The state.
#[derive(Debug)]
pub(crate) struct Preamble {
    tokenizer: Tokenizer,
    mode: Mode,
    stack: Stack,
    scripts: bool,
    html_seen: bool,
    doctype_seen: bool,
}

impl Preamble {
    /// `scripts`: whether scripts can run on the page, which makes `<noscript>` raw text.
    pub(crate) fn new(scripts: bool) -> Self {
        Self {
            tokenizer: Tokenizer::new(),
            mode: Mode::BeforeHtml,
            stack: Stack::default(),
            scripts,
            html_seen: false,
            doctype_seen: false,
        }
    }

    /// Whether the page has written `<html>`.
    pub(crate) fn html_seen(&self) -> bool {
        self.html_seen
    }

    /// The next place, or `None` when the window is used up.
    pub(crate) fn next(&mut self, window: &[u8]) -> Option<Place> {
        while self.mode != Mode::Over {
            let token = self.tokenizer.next(window, self.stack.in_foreign())?;
            if let Some(place) = self.token(token, window) {
                if matches!(place, Place::Body { .. } | Place::LeaveAlone) {
                    self.mode = Mode::Over;
                }
                return Some(place);
            }
        }
        None
    }

    /// The first byte that something might still be put in front of.
    pub(crate) fn undecided(&self) -> usize {
        match self.mode {
            Mode::Begun(at) => at,
            _ => self.tokenizer.undecided(),
        }
    }

    /// The first `count` bytes of the window are gone.
    pub(crate) fn forget(&mut self, count: usize) {
        self.tokenizer.forget(count);
        if let Mode::Begun(at) = &mut self.mode {
            *at = at.saturating_sub(count);
        }
    }

    /// The page is over without a body: where it would begin.
    pub(crate) fn end(&mut self, window: &[u8]) -> Place {
        let place = match (self.mode, self.tokenizer.end(window)) {
            (Mode::Begun(at), _) => Place::Body { at, tag_end: None },
            // Nothing but blanks and comments: no page.
            (Mode::BeforeHtml, EndOfPage::Clear(_)) if !self.doctype_seen => Place::LeaveAlone,
            (_, EndOfPage::Clear(at)) if self.stack.is_empty() => Place::Body { at, tag_end: None },
            _ => Place::LeaveAlone,
        };
        self.mode = Mode::Over;
        place
    }

    fn token(&mut self, token: Token, window: &[u8]) -> Option<Place> {
        if let Mode::Begun(at) = self.mode
            && self.tokenizer.undecided().saturating_sub(at) > FRAMESET_LOOKAHEAD
        {
            return Some(Place::Body { at, tag_end: None });
        }
        match token {
            Token::Utf16 => Some(Place::LeaveAlone),
            Token::Doctype => {
                self.doctype_seen = true;
                None
            }
            Token::Nul { at } => {
                if self.stack.is_empty() && !matches!(self.mode, Mode::Begun(_)) {
                    self.mode = Mode::Begun(at);
                }
                None
            }
            Token::Text { at } => match self.mode {
                Mode::Begun(at) => Some(Place::Body { at, tag_end: None }),
                _ if self.stack.is_empty() => Some(Place::Body { at, tag_end: None }),
                _ => None,
            },
            Token::Start {
                start,
                end,
                name,
                self_closing,
            } => {
                let tag = window.get(start..end).unwrap_or_default();
                if let Mode::Begun(at) = self.mode {
                    self.start_in_body(name, tag, self_closing, at)
                } else if self.stack.is_empty() {
                    self.start_in_head(name, start, end, tag, self_closing)
                } else {
                    self.start_in_template(name, tag, self_closing)
                }
            }
            Token::End { start, name } => self.end_tag(name, start),
        }
    }

    fn start_in_head(
        &mut self,
        name: Name,
        start: usize,
        end: usize,
        tag: &[u8],
        self_closing: bool,
    ) -> Option<Place> {
        let place = match name.as_bytes() {
            b"html" => {
                if self.mode == Mode::BeforeHtml {
                    self.mode = Mode::BeforeHead;
                }
                let first = !std::mem::replace(&mut self.html_seen, true);
                return first.then_some(Place::Html(start + "<html".len()));
            }
            b"head" => None,
            b"base" => Some(Place::Base),
            b"meta" => Some(Place::Meta(start, end)),
            b"basefont" | b"bgsound" | b"link" => None,
            b"noscript" if !self.scripts && self.mode != Mode::AfterHead => None,
            b"noscript" if self.mode == Mode::AfterHead => {
                return self.body_begins(name, tag, self_closing, start);
            }
            b"title" | b"style" | b"script" | b"noframes" | b"noscript" => {
                self.tokenizer.enter_raw(Raw::new(name));
                None
            }
            b"template" => {
                self.stack.open_template();
                None
            }
            b"body" => {
                return Some(Place::Body {
                    at: start,
                    tag_end: Some(end),
                });
            }
            b"frameset" => return Some(Place::LeaveAlone),
            _ => return self.body_begins(name, tag, self_closing, start),
        };
        if matches!(self.mode, Mode::BeforeHtml | Mode::BeforeHead) {
            self.mode = Mode::InHead;
        }
        place
    }

    fn start_in_template(&mut self, name: Name, tag: &[u8], self_closing: bool) -> Option<Place> {
        if self.stack.depth() > DEEPEST {
            return Some(Place::LeaveAlone);
        }
        if self.stack.start(name, tag, self_closing) == Meaning::Html {
            self.maybe_raw(name);
        }
        None
    }

    fn maybe_raw(&mut self, name: Name) {
        let raw = match name.as_bytes() {
            b"title" | b"style" | b"script" | b"noframes" | b"textarea" | b"xmp" | b"iframe" | b"noembed"
            | b"plaintext" => true,
            b"noscript" => self.scripts,
            _ => false,
        };
        if raw {
            self.tokenizer.enter_raw(Raw::new(name));
        }
    }

    fn body_begins(&mut self, name: Name, tag: &[u8], self_closing: bool, at: usize) -> Option<Place> {
        self.mode = Mode::Begun(at);
        self.start_in_body(name, tag, self_closing, at)
    }

    /// A start tag in a body that a `<frameset>` can still replace (HTML's "frameset-ok flag" is "ok").
    fn start_in_body(&mut self, name: Name, tag: &[u8], self_closing: bool, at: usize) -> Option<Place> {
        let body = Some(Place::Body { at, tag_end: None });
        if self.stack.depth() > DEEPEST {
            return body;
        }
        if self.stack.start(name, tag, self_closing) == Meaning::Foreign {
            return None;
        }
        if name.as_bytes() == b"frameset" && !self.stack.in_template() {
            return Some(Place::LeaveAlone);
        }
        if keeps_frameset_out(name, tag) {
            return body;
        }
        self.maybe_raw(name);
        None
    }

    fn end_tag(&mut self, name: Name, start: usize) -> Option<Place> {
        if !self.stack.is_empty() {
            self.stack.end(name);
            return None;
        }
        let before_head = matches!(self.mode, Mode::BeforeHtml | Mode::BeforeHead);
        match (name.as_bytes(), self.mode) {
            // `</br>` is read as `<br>`.
            (b"br", Mode::Begun(at)) => return Some(Place::Body { at, tag_end: None }),
            (b"br", _) => {
                return Some(Place::Body {
                    at: start,
                    tag_end: None,
                });
            }
            (_, Mode::Begun(_)) => {}
            (b"body" | b"html", _) => self.mode = Mode::Begun(start),
            (b"head", _) if before_head || self.mode == Mode::InHead => {
                self.mode = Mode::AfterHead;
                return Some(Place::HeadEnd(start));
            }
            _ => {}
        }
        None
    }
}

/// Start tags after which a `<frameset>` is ignored: HTML §13.2.6.4.7, "set the frameset-ok flag to not ok".
fn keeps_frameset_out(name: Name, tag: &[u8]) -> bool {
    match name.as_bytes() {
        b"body" | b"pre" | b"listing" | b"li" | b"dd" | b"dt" | b"plaintext" | b"button" | b"applet"
        | b"marquee" | b"object" | b"table" | b"area" | b"br" | b"embed" | b"img" | b"image" | b"keygen"
        | b"wbr" | b"hr" | b"textarea" | b"xmp" | b"iframe" | b"select" => true,
        b"input" => {
            let kind = super::attributes::value(tag, "type");
            !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"))
        }
        _ => false,
    }
}
